# SPDX-License-Identifier: Apache-2.0
"""Verilog text to syntax trees: the preprocessor is Icarus', the parser pyverilog's."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from ..comments import without_comments
from ..errors import HwsimError
from ..files import TEXT_LIMIT, require_file
from ..tools.scratch import scratch
from ..tools.simulators import run_icarus

OPTIONS = ("-g2012", "-DCOCOTB_SIM=1")
"""Of Icarus, for all that reads a design; cocotb defines the same when it simulates."""


class UnreadableVerilogError(HwsimError):
    """Verilog that pyverilog cannot read: an error in it, or beyond Verilog-2001."""


@dataclass(frozen=True)
class Preprocessed:
    """Sources after the preprocessor: what is read, judged and simulated.

    Attributes:
        text: all of them in one, macros expanded, includes in place, comments blanked out.
        files: every file that was read, includes among them, in reading order.
    """

    text: str
    files: tuple[Path, ...]


def preprocess(sources: Sequence[Path], *, includes: Sequence[Path] = ()) -> Preprocessed:
    """Expands macros and includes with `iverilog -E`, with what a simulation defines.

    Args:
        sources: Verilog files, in compilation order.
        includes: folders searched for included files; that of each source is among them.

    Raises:
        HwsimError: a file or a folder does not exist, an included one is somewhere else, or the
            preprocessor refuses it.
    """
    for path in sources:
        if not path.is_file():
            what = "it is a folder" if path.is_dir() else "there is no such file"
            raise HwsimError(f"expected a Verilog file at {path}, but {what}")
        require_file(path, limit=TEXT_LIMIT)
    for folder in includes:
        if not folder.is_dir():
            raise HwsimError(f"expected a folder of included files at {folder}, but there is none")
    folders = [*dict.fromkeys(path.resolve() for path in (*includes, *(s.parent for s in sources)))]
    files = {path.absolute(): path for path in sources}
    with scratch("preprocess") as empty:
        text, names = empty / "out.v", empty / "names"
        command = ["iverilog", *OPTIONS, "-E", "-o", str(text), f"-Mall={names}"]
        command += [f"-I{folder}" for folder in folders]
        # In an empty folder: the current one comes first when an included file is looked for.
        done = run_icarus([*command, *map(str, files)], name=sources[0].name, folder=empty)
        if done.code:
            first = next(iter(done.stderr.splitlines()), "iverilog said nothing")
            raise HwsimError(f"{sources[0].name}: the Verilog does not preprocess: {first}")
        read = dict.fromkeys(Path(line) for line in names.read_text().splitlines() if line)
        for path in read:
            real = path.resolve()
            if path not in files and not any(real.is_relative_to(folder) for folder in folders):
                raise HwsimError(
                    f"{sources[0].name}: expected included files beside the Verilog, below it or "
                    f"in a folder of --include, got {path}"
                )
        # An included file that is no UTF-8 has the odd byte in a comment.
        plain = without_comments(text.read_text(encoding="utf-8", errors="replace"))
        return Preprocessed(plain, tuple(files.get(path, path) for path in read))


def parse_modules(text: str, *, where: str) -> Mapping[str, Any]:
    """The syntax trees of all modules of a text, by name, in the order of the text.

    Args:
        text: Verilog without macros.
        where: file name, for messages.

    Raises:
        UnreadableVerilogError: pyverilog cannot read it.
        HwsimError: two modules have one name.
    """
    with _PARSING:  # one thread parses, the others find its trees in the cache
        modules = _parse(text, where)
    by_name = {module.name: module for module in modules}
    if len(by_name) != len(modules):
        names = [module.name for module in modules]
        twice = next(name for name in names if names.count(name) > 1)
        raise HwsimError(f"{where}: expected one module {twice}, got {names.count(twice)}")
    return by_name


_PARSING = threading.Lock()


@cache
def _parser() -> Any:
    """The one parser of this process: making its tables takes half a second."""
    from pyverilog.vparser.parser import VerilogParser  # noqa: PLC0415  (slow import)

    # The parser generator writes its tables where it is told to.
    with scratch("parser") as folder:
        return VerilogParser(outputdir=str(folder), debug=False)


@lru_cache(maxsize=32)
def _parse(text: str, where: str) -> tuple[Any, ...]:
    from pyverilog.vparser.parser import ParseError  # noqa: PLC0415  (slow import)

    parser = _parser()
    parser.lexer.reset_lineno()
    try:
        # The lexer wants a line's end behind a directive.
        tree = parser.parse(f"{text}\n")
    except (ParseError, AttributeError, RecursionError) as error:
        # A few constructs pass the grammar and fail in its actions.
        reason = " ".join(str(error).split())
        raise UnreadableVerilogError(
            f"pyverilog, which reads Verilog-2001, cannot read {where}: {reason}"
        ) from error
    modules = tuple(
        item for item in tree.description.definitions if type(item).__name__ == "ModuleDef"
    )
    for module in modules:
        _inherit_sign(module)
    return modules


def _inherit_sign(module: Any) -> None:
    """In `input signed [7:0] a, b` both are signed; pyverilog hands on the width alone."""
    signed: dict[int, bool] = {}
    for port in module.portlist.ports:
        declared = getattr(port, "first", None)
        # The width that is handed on is one tree.
        if declared is not None and declared.width is not None:
            declared.signed = signed.setdefault(id(declared.width), bool(declared.signed))
