# SPDX-License-Identifier: Apache-2.0
"""Verilog files to one text, by the preprocessor of Icarus Verilog."""

import codecs
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ...errors import HwsimError
from ...files import TEXT_LIMIT, opened, read_text
from ...tools.scratch import scratch
from ...tools.simulators import run_icarus
from ..parameters import Parameter
from .modules import without_noise

OPTIONS = ("-g2012", "-DCOCOTB_SIM=1")
"""Of Icarus, for all that reads a design; cocotb defines the same when it simulates."""


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
