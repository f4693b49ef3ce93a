# SPDX-License-Identifier: Apache-2.0
"""Yosys, from Verilog to gates: as a Python package, or as a program on PATH.

Never in this process: an error inside Yosys ends the process that it is in.
"""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import HwsimError
from . import yowasp
from .box import Box
from .process import OverLimitError, run

INSTALL_SLANG = "pip install 'axhil[hardware]'"
"""How to get one that reads SystemVerilog beyond Icarus Verilog."""
INSTALL = f"{INSTALL_SLANG}, or Debian: apt-get install yosys"
"""How to get it."""

READ_SLANG = "read_slang --threads 1"
"""The command that reads SystemVerilog; WebAssembly has no threads, and one text needs no more."""

_SCRIPT, _LOG = "script.ys", "yosys.log"
_LIMIT = 600.0  # seconds

# Runs the commands in the file that it is given, one a line.
_PYOSYS = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in open(sys.argv[1]):
    libyosys.run_pass(line.strip(), design)
"""


@dataclass(frozen=True)
class Yosys:
    """One way to run Yosys.

    Attributes:
        title: for people, e.g. `pyosys`.
        command: that runs the script whose name is appended.
        recent: has `read_slang`, `booth` and other commands that Debian 12's has not.
    """

    title: str
    command: tuple[str, ...]
    recent: bool

    def version(self) -> str:
        """Such as `0.70`."""
        return _version(self)

    def run(self, commands: Sequence[str], *, folder: Path, name: str) -> str:
        """Runs a script.

        Args:
            commands: of Yosys, in order.
            folder: to run in; files are named relative to it, as some builds see nothing else.
            name: what is read, for messages.

        Returns:
            The log.

        Raises:
            YosysError: Yosys stops with an error; the sentence is its own.
            HwsimError: it takes too long.
        """
        wasm = self.title == yowasp.TITLE
        (folder / _SCRIPT).write_text("".join(f"{line}\n" for line in commands), encoding="utf-8")
        try:
            done = run(
                [*self.command, _SCRIPT],
                # The others start abc.
                box=Box(folder, memory=yowasp.MEMORY) if wasm else Box(folder, starts=True),
                # A script's folder must not offer modules in place of Python's own.
                env={**os.environ, "PYTHONSAFEPATH": "1", **(yowasp.environment() if wasm else {})},
                seconds=_LIMIT,
                log=folder / _LOG,
            )
        except OverLimitError:
            raise HwsimError(f"{name}: expected Yosys to be done in {_LIMIT:g} s") from None
        log = (folder / _LOG).read_text(encoding="utf-8", errors="replace")
        if done.code:
            raise YosysError(_first_error(log))
        return log


def find_abc() -> Path | None:
    """ABC, the prover that comes with Yosys, as a program; None where there is none."""
    package = importlib.util.find_spec("pyosys")
    folders = [] if package is None else package.submodule_search_locations or []
    programs = [*(f"{folder}/yosys-abc" for folder in folders), "yosys-abc", "berkeley-abc"]
    return next((Path(found) for found in map(shutil.which, programs) if found), None)


class YosysError(HwsimError):
    """What Yosys does not take."""

    code = "yosys"


def find_yosys() -> Yosys | None:
    """The best Yosys that is installed; None where there is none."""
    if importlib.util.find_spec("pyosys"):
        return Yosys("pyosys", (sys.executable, "-c", _PYOSYS), recent=True)
    if importlib.util.find_spec(yowasp.PACKAGE):
        return Yosys(yowasp.TITLE, yowasp.COMMAND, recent=True)
    program = shutil.which("yosys")
    return None if program is None else Yosys("yosys", (program, "-Q"), recent=False)


def require_yosys() -> Yosys:
    """The best Yosys that is installed.

    Raises:
        HwsimError: there is none.
    """
    yosys = find_yosys()
    if yosys is None:
        raise HwsimError(f"Yosys not found, which makes gates of Verilog ({INSTALL})")
    return yosys


@cache
def _version(yosys: Yosys) -> str:
    if yosys.title != "yosys":
        return importlib.metadata.version(yosys.title)
    shown = run([yosys.command[0], "-V"], seconds=_LIMIT).stdout
    match = re.search(r"Yosys (\S+)", shown)
    return match[1] if match else shown.strip()


def _first_error(log: str) -> str:
    # `ERROR: ...`, `file.v:11: ERROR: ...`, and slang's `file.sv:3:5: error: ...` before its own.
    errors = [line.strip() for line in log.splitlines() if re.search(r"error: ?", line, re.I)]
    lines = errors or [line.strip() for line in log.splitlines() if line.strip()]
    return re.sub(r"\bERROR: ?", "", lines[0] if errors else lines[-1]) if lines else "no reason"
