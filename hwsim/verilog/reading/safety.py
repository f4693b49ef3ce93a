# SPDX-License-Identifier: Apache-2.0
"""What a design under test may ask of the simulator, judged before anything runs.

A Verilog file of unknown origin is a program: `$system` runs commands, `$fopen` writes files. A
multiplier needs neither, so what is not on the list is refused. The text that is judged is the text
that is simulated, and what two readers of Verilog could read differently is refused as well.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from ...comments import without_comments
from ...designs.sources import sha256
from ...errors import HwsimError

_ALLOWED = """
    signed unsigned clog2 bits size left right low high increment dimensions unpacked_dimensions
    countones onehot onehot0 isunknown cast
    rtoi itor realtobits bitstoreal ln log10 exp sqrt pow floor ceil sin cos tan asin acos atan
    atan2 hypot sinh cosh tanh asinh acosh atanh abs min max
    display displayb displayh displayo write writeb writeh writeo strobe monitor time stime
    realtime timeformat printtimescale error warning info fatal finish stop
    readmemh readmemb
    setup hold setuphold recovery removal recrem skew width period nochange
"""
ALLOWED = frozenset(_ALLOWED.split())
"""System tasks and functions without effect outside the simulation: values, sentences, the end of a
simulation (told as what it is), memories (each checked), timing checks of cell libraries."""

_DIRECTIVES = """
    line timescale default_nettype celldefine endcelldefine resetall unconnected_drive
    nounconnected_drive begin_keywords end_keywords delay_mode_distributed delay_mode_path
    delay_mode_unit delay_mode_zero suppress_faults nosuppress_faults enable_portfaults
    disable_portfaults
"""
DIRECTIVES = frozenset(_DIRECTIVES.split())
"""Directives that the preprocessor leaves to the compiler; no other can be left."""

HARNESS = "axhil_"
"""What the modules around a design are called."""

# Icarus ends an escaped name at these characters and no other.
_ESCAPED = r"\\[^ \t\b\f\r\n]+"
_STRING = r'"(?:\\.|[^"\\\n])*"'
_PRINTED = re.compile(
    r"\$(?:display|write|strobe|monitor|error|warning|info|fatal)[bho]?\s*\([^;]*;"
)
_MEMORY = re.compile(
    rf"(?P<other>{_STRING}|{_ESCAPED})|"
    rf"(?P<task>\$readmem[hb])(?P<gap>\s*\(?\s*)(?:(?P<name>{_STRING})|(?P<expression>[^\",;)]*))",
    re.DOTALL,
)


def check_tasks(text: str, *, where: str) -> None:
    """Refuses a design that would act outside its simulation.

    Args:
        text: preprocessed Verilog.
        where: for the message.

    Raises:
        HwsimError: the first system task that is not allowed, or what readers of Verilog could
            understand differently.
    """
    # Strings are "" now, and comments blanks.
    plain = without_comments(text, strings=False)
    for name in re.findall(_ESCAPED, plain):
        if re.search(r'//|/\*|["`]', name):
            raise HwsimError(
                f"{where}: the escaped name {name:.40} is refused: some readers take it for a "
                "comment, a string or a macro; rename it"
            )
    plain = re.sub(_ESCAPED, lambda name: name[0] if HARNESS in name[0] else r"\name", plain)
    if '"' in plain.replace('""', "") or '""""' in plain or "/*" in plain:
        raise HwsimError(f"{where}: expected a string or a comment to end, found none that does")
    for task in re.findall(r"\$([A-Za-z_][\w$]*)", plain):
        if task not in ALLOWED:
            raise HwsimError(
                f"{where}: ${task} is refused before anything runs: a multiplier may compute, "
                "read memories and print, nothing else; remove it"
            )
    if clock := re.search(r"\$(?:s|real)?time\b", _PRINTED.sub("", plain)):
        raise HwsimError(
            f"{where}: {clock[0]} is refused outside what is printed: a product may depend on the "
            "operands only, not on the time; remove it"
        )
    for directive in re.findall(r"`(\w*)", plain):
        if directive not in DIRECTIVES:
            raise HwsimError(
                f"{where}: `{directive} is refused: it is still there behind the preprocessor; "
                "remove it"
            )
    if re.search(r'\b(?:import|export)\s*""', plain):
        raise HwsimError(
            f"{where}: functions of another language (DPI) are refused; write them in Verilog"
        )
    if reserved := re.search(rf"(?<![\w$]){HARNESS}\w*", plain):
        raise HwsimError(
            f"{where}: expected no name that begins with {HARNESS}, which the simulation around "
            f"the design has for itself, got {reserved[0]}; rename it"
        )


def memories(text: str, *, folders: Sequence[Path], where: str) -> tuple[str, dict[str, Path]]:
    """The files that a design loads into memories, under names that no other file has.

    Args:
        text: preprocessed Verilog without comments.
        folders: where relative names may be, best first.
        where: for messages.

    Returns:
        The text with the new names, and the file of each.

    Raises:
        HwsimError: a file does not exist, is outside the folders or too large, or its name is not
            written out.
    """
    found: dict[str, Path] = {}

    def renamed(match: re.Match[str]) -> str:
        if match["other"] is not None:
            return match[0]
        if match["name"] is None:
            raise HwsimError(
                f"{where}: expected {match['task']} of a file name in quotes, got "
                f"{match['expression'].strip() or 'none'}"
            )
        path = _memory(match["name"][1:-1], match["task"], folders=folders, where=where)
        name = f"memory_{sha256(path)[:16]}.txt"
        found[name] = path
        return f'{match["task"]}{match["gap"]}"{name}"'

    return _MEMORY.sub(renamed, text), found


def _memory(name: str, task: str, *, folders: Sequence[Path], where: str) -> Path:
    if Path(name).is_absolute() or ".." in Path(name).parts or "\\" in name:
        raise HwsimError(
            f"{where}: expected {task} of a file beside the Verilog or below it, got {name}"
        )
    for folder in folders:
        path = folder / name
        if not path.is_file():
            continue
        if not path.resolve().is_relative_to(folder.resolve()):
            raise HwsimError(f"{where}: {task} of {name} is refused: it is a link out of {folder}")
        return path
    places = " or ".join(str(folder) for folder in folders)
    raise HwsimError(f"{where}: {task} needs {name}, found no such file in {places}")
