# SPDX-License-Identifier: Apache-2.0
"""GHDL, from VHDL to a netlist; a program on PATH."""

import re
import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from ..errors import HwsimError
from .box import Box
from .process import OverLimitError, run

INSTALL = "Debian: apt-get install ghdl"
"""How to get it."""

_PROGRAM, _NETLIST = "ghdl", "netlist.txt"
# The packages of Synopsys, which old designs use; letters of any language in comments.
_LANGUAGE = ("--std=08", "-fsynopsys", "-frelaxed", "--mb-comments")
_NETLIST_OPTIONS = ("--no-formal", "--out=dump")
_LIMIT = 600.0  # seconds
_PLACED = re.compile(r"^(?P<file>.+?):(?P<line>\d+):\d+: ?(?:error: ?)?(?P<what>.+)$")


def ghdl_version() -> str | None:
    """Such as `2.0.0`; None where there is no GHDL."""
    return None if shutil.which(_PROGRAM) is None else _version()


@cache
def _version() -> str:
    shown = run([_PROGRAM, "--version"], seconds=_LIMIT).stdout
    match = re.match(r"GHDL (\S+)", shown)
    return match[1] if match else shown.strip().partition("\n")[0]


def synthesised(
    files: Sequence[str],
    entity: str,
    generics: Mapping[str, int | str],
    *,
    folder: Path,
    name: str,
) -> str:
    """The netlist of an entity, as GHDL prints it for debugging.

    Args:
        files: VHDL, in compilation order, relative to the folder.
        entity: the top.
        generics: values that replace their defaults.
        folder: to run in, and the only one that it can write to.
        name: what is read, for messages.

    Raises:
        HwsimError: GHDL is not installed, takes too long, or does not take the VHDL; the sentence
            is its own, with file and line.
    """
    if ghdl_version() is None:
        raise HwsimError(f"{name}: expected ghdl on PATH, which reads VHDL ({INSTALL})")
    given = [f"-g{key}={value}" for key, value in generics.items()]
    try:
        done = run(
            [_PROGRAM, "--synth", *_LANGUAGE, *_NETLIST_OPTIONS, *given, *files, "-e", entity],
            box=Box(folder, starts=True),  # Debian has a script around it
            seconds=_LIMIT,
            out=folder / _NETLIST,
        )
    except OverLimitError:
        raise HwsimError(f"{name}: expected ghdl to read the VHDL in {_LIMIT:g} s") from None
    if done.code:
        raise HwsimError(f"{name}: {_sentence(done.stderr)}")
    return (folder / _NETLIST).read_text(encoding="utf-8", errors="replace")


def simulated(files: Sequence[str], bench: str, *, folder: Path) -> str:
    """Simulates a test bench, which ends by itself.

    Args:
        files: VHDL in any order, relative to the folder.
        bench: the entity.
        folder: to run in, and the only one that it can write to.

    Returns:
        Why it was not simulated to its end; empty where it was.
    """
    for step in (
        ("-i", *_LANGUAGE, *files),  # finds the order
        ("-m", *_LANGUAGE, bench),
        ("-r", *_LANGUAGE, bench, "--ieee-asserts=disable"),
    ):
        try:
            done = run([_PROGRAM, *step], box=Box(folder, starts=True), seconds=_LIMIT)
        except OverLimitError:
            return f"not done in {_LIMIT:g} s"
        if done.code:
            lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
            # The last line, and what follows the bench, are of the program and not of the VHDL.
            said = next(
                (line for line in lines if "error" in line), [*lines, "ghdl said nothing"][0]
            )
            return said.strip()
    return ""


def _sentence(log: str) -> str:
    """What GHDL has against a design, without notes, warnings and the lines that it points to."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for line in lines:
        found = _PLACED.match(line)
        if found is None or re.match(r"(?:note|warning)\b", found["what"]):
            continue
        place = f"{found['file'].removeprefix('./')}:{found['line']}"
        if latch := re.match(r"latch infered for net \"(.*)\"", found["what"]):
            return (
                f"expected a product of the operands alone, but {latch[1]} is a latch, {place}: "
                "give it a value in every branch"
            )
        return f"the VHDL does not compile: {place}: {found['what'].rstrip('.')}; mend it there"
    if "GHDL Bug occurred" in log:
        return (
            "ghdl fails in itself on this VHDL: do the generics have values of their types? else "
            "write it in another way, or take a newer ghdl"
        )
    said = next((line for line in lines if "ghdl" in line), [*lines, "ghdl said nothing"][0])
    reason = re.sub(r"^\S*ghdl\S*?:", "", said).strip()
    return f"ghdl does not read the VHDL: {reason}"
