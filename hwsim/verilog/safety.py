# SPDX-License-Identifier: Apache-2.0
"""What a design under test may ask of the simulator, judged before anything runs.

A Verilog file of unknown origin is a program: `$system` runs commands, `$fopen` writes files. A
multiplier needs neither, so what is not on the list is refused.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from ..comments import without_comments
from ..errors import HwsimError
from ..files import TEXT_LIMIT, require_file

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

_TASK = re.compile(r"\\\S+|\$([A-Za-z_][\w$]*)")
_MEMORY = re.compile(r'\$(readmem[hb])\s*\(\s*(?:"((?:\\.|[^"\\])*)"|([^",)]*))')


def check_tasks(text: str, *, where: str) -> None:
    """Refuses a design that would act outside its simulation.

    Args:
        text: preprocessed Verilog.
        where: for the message.

    Raises:
        HwsimError: the first system task that is not allowed.
    """
    for match in _TASK.finditer(without_comments(text, strings=False)):
        # An escaped identifier, \$system , is a plain name.
        if match[1] is not None and match[1] not in ALLOWED:
            raise HwsimError(
                f"{where}: ${match[1]} is refused before anything runs: a multiplier may compute, "
                "read memories and print, nothing else; remove it"
            )


def memories(text: str, *, folders: Sequence[Path], where: str) -> dict[str, Path]:
    """The files that a design loads into memories.

    Args:
        text: preprocessed Verilog.
        folders: where relative names may be, best first.
        where: for messages.

    Returns:
        The file of each name that the Verilog uses.

    Raises:
        HwsimError: a file does not exist, or its name is not written out.
    """
    found: dict[str, Path] = {}
    for match in _MEMORY.finditer(without_comments(text)):
        task, name, expression = match.groups()
        if name is None:
            raise HwsimError(
                f"{where}: expected ${task} of a file name in quotes, got {expression.strip()}"
            )
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise HwsimError(
                f"{where}: expected ${task} of a file beside the Verilog or below it, got {name}"
            )
        path = next((folder / name for folder in folders if (folder / name).is_file()), None)
        if path is None:
            places = " or ".join(str(folder) for folder in folders)
            raise HwsimError(f"{where}: ${task} needs {name}, found no such file in {places}")
        found[name] = require_file(path, limit=TEXT_LIMIT)
    return found
