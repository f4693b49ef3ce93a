# SPDX-License-Identifier: Apache-2.0
"""Verilog text to syntax trees: the preprocessor is Icarus', the parser pyverilog's."""

import codecs
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import HwsimError
from ...files import TEXT_LIMIT, opened, read_text
from ...tools.scratch import scratch
from ...tools.simulators import run_icarus
from ..parameters import Parameter
from .modules import without_noise

OPTIONS = ("-g2012", "-DCOCOTB_SIM=1")
"""Of Icarus, for all that reads a design; cocotb defines the same when it simulates."""


class UnreadableVerilogError(HwsimError):
    """Verilog that pyverilog cannot read: an error in it, or beyond Verilog-2001."""


class UndefinedMacro(NamedTuple):
    """Where a macro is used: the name of a file, its line, and the macro."""

    file: str
    line: int
    name: str


@dataclass(frozen=True)
class Preprocessed:
    """Sources after the preprocessor: what is read, judged and simulated.

    Attributes:
        text: all of them in one, macros expanded and includes in place; no comments, no attributes.
        files: every file that was read, includes among them, in reading order.
        undefined: uses of macros that nothing defines, and that are nothing in the text.
    """

    text: str
    files: tuple[Path, ...]
    undefined: tuple[UndefinedMacro, ...] = ()


def preprocess(
    sources: Sequence[Path],
    *,
    includes: Sequence[Path] = (),
    defines: Mapping[str, Parameter] | None = None,
) -> Preprocessed:
    """Expands macros and includes with `iverilog -E`, with what a simulation defines.

    Bytes that are no UTF-8, such as Latin-1, come back as they were where the text is written with
    `surrogateescape`.

    Args:
        sources: Verilog files, in compilation order.
        includes: folders searched for included files; that of each source is among them.
        defines: macros by name.

    Raises:
        HwsimError: a file or a folder does not exist, is no text, includes one from elsewhere, or
            the preprocessor refuses it.
    """
    for path in sources:
        if not path.is_file():
            what = "it is a folder" if path.is_dir() else "there is no such file"
            raise HwsimError(f"expected a Verilog file at {path}, but {what}")
        _require_text(path)
    for folder in includes:
        if not folder.is_dir():
            raise HwsimError(f"expected a folder of included files at {folder}, but there is none")
    folders = [*dict.fromkeys(path.resolve() for path in (*includes, *(s.parent for s in sources)))]
    with scratch("preprocess") as empty:
        command = ["iverilog", *OPTIONS, "-E", "-o", "out.v", "-Mall=names"]
        command += [f"-I{folder}" for folder in folders]
        command += [f"-D{name}={value}" for name, value in (defines or {}).items()]
        given = {str(path.absolute()): path for path in sources}
        for i, (place, source) in enumerate(given.items()):
            # Tells the compiler where lines come from, and ends the last line of the file before.
            shown = re.sub(r'["\\]', "_", source.name)
            mark = f'\n`line 1 "{shown}" 0\n'
            (empty / f"{i}.v").write_text(mark, encoding="utf-8", errors="surrogateescape")
            command += [f"{i}.v", place]
        # In a folder of its own: included files are looked up in the working folder first.
        done = run_icarus(command, name=sources[0].name, folder=empty)
        if done.code:
            raise HwsimError(_refusal(done.stderr, given, sources[0].name))
        names = [line for line in (empty / "names").read_text().splitlines() if line]
        marks = {f"{i}.v" for i in range(len(given))}
        read = dict.fromkeys(given.get(name, Path(name)) for name in names if name not in marks)
        for path in read:
            _require_text(path)
            inside = any(path.resolve().is_relative_to(folder) for folder in folders)
            if path not in sources and not inside:
                raise HwsimError(
                    f"{sources[0].name}: expected included files beside the Verilog, below it or "
                    f"in a folder of --include, got {path}"
                )
        try:  # macros can grow a text without an end
            text = read_text(empty / "out.v", errors="surrogateescape")
        except HwsimError as error:
            raise HwsimError(
                f"{sources[0].name}: expected at most {TEXT_LIMIT:,} bytes behind the preprocessor"
            ) from error
        undefined = tuple(
            UndefinedMacro(given.get(place, Path(place)).name, int(line), name)
            for place, line, name in _UNDEFINED.findall(done.stderr)
        )
        return Preprocessed(without_noise(text), tuple(read), undefined)


_UNDEFINED = re.compile(r"^(.*?):(\d+): warning: macro (\S+) undefined", re.MULTILINE)
_INCLUDE = re.compile(r"^(.*?):\d+: Include file (\S+) not found", re.MULTILINE)


def _refusal(log: str, given: Mapping[str, Path], name: str) -> str:
    if missing := _INCLUDE.search(log):
        where = given.get(missing[1], Path(missing[1])).name
        return (
            f"{where}: expected the included file {missing[2]} beside the Verilog; give its folder "
            "with --include FOLDER, or [include=FOLDER] behind the file"
        )
    first = next(iter(log.splitlines()), "iverilog said nothing")
    for path, short in given.items():
        first = first.replace(path, short.name)
    return f"{name}: the Verilog does not preprocess: {first}"


def _require_text(path: Path) -> None:
    with opened(path, limit=TEXT_LIMIT) as file:
        head = file.read(1 << 16)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in head:
        raise HwsimError(
            f"expected Verilog in UTF-8 or Latin-1 at {path}, got UTF-16 or no text; convert it, "
            f"e.g. iconv -f UTF-16 -t UTF-8 {path.name} > new.v"
        )


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
