# SPDX-License-Identifier: Apache-2.0
"""Which simulator makes a table: Icarus, or what the environment variable SIM names."""

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import HwsimError
from .box import Box
from .process import Done, OverLimitError, run

_MOST_WRITTEN = 1 << 28  # bytes of what a compiler makes of a design
_EXPANDED = set('"$`\\\n')  # what a shell does not leave as it is between double quotes
_COMPILE_LIMIT = 600.0  # seconds that a compiler may take for what it does in one


@dataclass(frozen=True)
class Simulator:
    """One simulator.

    Attributes:
        key: value of SIM, as cocotb names it.
        title: for manifests.
        programs: that must be on PATH.
        install: how to get it, for a person.
        least: oldest version that cocotb works with, as two numbers; None: any.
        build_args: options of the compiler.
        test_args: options of the simulation.
        four_state: shows X and Z; else an undriven output reads as 0 or 1.
    """

    key: str
    title: str
    programs: tuple[str, ...]
    install: str
    least: tuple[int, int] | None = None
    build_args: tuple[str, ...] = ()
    test_args: tuple[str, ...] = ()
    four_state: bool = True

    def require(self) -> None:
        """Refuses to go on without the simulator.

        Raises:
            HwsimError: it is not on PATH, or too old, or could not name its temporary files.
        """
        place = tempfile.gettempdir()
        if _EXPANDED & set(place):  # its compiler hands them to a shell
            raise HwsimError(
                f"{self.title} cannot work in a temporary folder with such a name, {place}: set "
                "TMPDIR to another"
            )
        for program in self.programs:
            if shutil.which(program) is None:
                raise HwsimError(f"{program} not found on PATH ({self.install})")
        if self.least is None:
            return
        found = self._said()
        number = re.match(r"(\d+)\.(\d+)", found)
        # A build that does not know its number is given the chance to compile.
        if number is not None and (int(number[1]), int(number[2])) < self.least:
            raise HwsimError(
                f"expected {self.title} {self.least[0]}.{self.least[1]:03} or newer, which cocotb "
                f"needs, found {number[0]} at {shutil.which(self.programs[0])} ({self.install})"
            )

    def version(self) -> str:
        """The version, such as `11.0 (stable)`.

        Raises:
            HwsimError: not installed, too old, or it does not say its version.
        """
        self.require()
        return self._said()

    def _said(self) -> str:
        flag = "-V" if self.key == "icarus" else "--version"
        command = [self.programs[0], flag]
        try:
            shown = run(command, seconds=_COMPILE_LIMIT).stdout
        except OverLimitError:
            shown = ""
        match = re.search(r"(?:version|Verilator) (\d[^\n]*?)\s*(?:\(\)|\(v.*\))?$", shown, re.M)
        if match is not None:
            return match[1]
        if self.least is None or not shown.strip():
            raise HwsimError(f"expected `{' '.join(command)}` to print a version, got {shown:.80}")
        return shown.strip().splitlines()[0]


SIMULATORS = {
    "icarus": Simulator(
        "icarus",
        "Icarus Verilog",
        ("iverilog", "vvp"),
        "Debian: apt-get install iverilog",
        build_args=("-Wall",),
        test_args=("-n",),  # $stop ends the simulation instead of waiting for a person
    ),
    "verilator": Simulator(
        "verilator",
        "Verilator",
        ("verilator",),
        "Debian 12 has 5.006; newer ones: https://verilator.org/guide/latest/install.html",
        least=(5, 36),  # cocotb's documentation since 2.0
        # The harness waits, and a user's netlist is not linted.
        build_args=("--timing", "-Wno-fatal"),
        four_state=False,
    ),
}


def chosen() -> Simulator:
    """The simulator that SIM names; Icarus where it names none.

    Raises:
        HwsimError: an unknown name, or one that is not installed or too old.
    """
    key = os.environ.get("SIM", "").strip().lower() or "icarus"
    if key not in SIMULATORS:
        raise HwsimError(f"expected SIM to be {' or '.join(SIMULATORS)}, got {key}")
    SIMULATORS[key].require()
    return SIMULATORS[key]


def require_simulator() -> None:
    """Refuses to go on without Icarus Verilog.

    Raises:
        HwsimError: `iverilog` or `vvp` is not on PATH.
    """
    SIMULATORS["icarus"].require()


@cache
def simulator_version() -> str:
    """Icarus' version, such as `11.0 (stable)`.

    Raises:
        HwsimError: no simulator, or one that does not say its version.
    """
    return SIMULATORS["icarus"].version()


def run_icarus(command: Sequence[str], *, name: str, folder: Path) -> Done:
    """Icarus' compiler, for its preprocessor and its elaborator.

    Args:
        command: `iverilog` and its options.
        name: what it reads, for messages.
        folder: to run in, and the only one that it can write to.

    Raises:
        HwsimError: it takes too long.
    """
    try:
        return run(
            command, box=Box(folder, starts=True, file=_MOST_WRITTEN), seconds=_COMPILE_LIMIT
        )
    except OverLimitError:
        raise HwsimError(
            f"{name}: expected iverilog to read the Verilog in {_COMPILE_LIMIT:g} s"
        ) from None
