# SPDX-License-Identifier: Apache-2.0
"""Which simulator runs somebody's Verilog: Icarus, or what the environment variable SIM names."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from .errors import HwsimError


@dataclass(frozen=True)
class Simulator:
    """One simulator.

    Attributes:
        key: value of SIM, as cocotb names it.
        title: for manifests.
        programs: that must be on PATH.
        package: Debian's.
        build_args: options of the compiler.
        test_args: options of the simulation.
        four_state: shows X and Z; else an undriven output reads as 0 or 1.
    """

    key: str
    title: str
    programs: tuple[str, ...]
    package: str
    build_args: tuple[str, ...] = ()
    test_args: tuple[str, ...] = ()
    four_state: bool = True

    def require(self) -> None:
        """Refuses to go on without the simulator.

        Raises:
            HwsimError: it is not on PATH.
        """
        for program in self.programs:
            if shutil.which(program) is None:
                raise HwsimError(
                    f"{program} not found on PATH (Debian: apt-get install {self.package})"
                )

    def version(self) -> str:
        """The version, such as `11.0 (stable)`.

        Raises:
            HwsimError: not installed, or it does not say its version.
        """
        self.require()
        flag = "-V" if self.key == "icarus" else "--version"
        command = [self.programs[0], flag]
        shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        match = re.search(r"(?:version|Verilator) (\d[^\n]*?)\s*(?:\(\)|\(v.*\))?$", shown, re.M)
        if match is None:
            raise HwsimError(f"expected `{' '.join(command)}` to print a version, got {shown:.80}")
        return match[1]


SIMULATORS = {
    "icarus": Simulator(
        "icarus",
        "Icarus Verilog",
        ("iverilog", "vvp"),
        "iverilog",
        test_args=("-n",),  # $stop ends the simulation instead of waiting for a person
    ),
    "verilator": Simulator(
        "verilator",
        "Verilator",
        ("verilator",),
        "verilator",
        # The harness waits, and a user's netlist is not linted.
        build_args=("--timing", "-Wno-fatal"),
        four_state=False,
    ),
}


def chosen() -> Simulator:
    """The simulator that SIM names; Icarus where it names none.

    Raises:
        HwsimError: an unknown name, or one that is not installed.
    """
    key = os.environ.get("SIM", "").strip().lower() or "icarus"
    if key not in SIMULATORS:
        raise HwsimError(f"expected SIM to be {' or '.join(SIMULATORS)}, got {key}")
    SIMULATORS[key].require()
    return SIMULATORS[key]
