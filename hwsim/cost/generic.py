# SPDX-License-Identifier: Apache-2.0
"""Targets that need no library: transistors of static CMOS gates, and look-up tables of FPGAs."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import HwsimError
from ..netlist.synthesis import TOP
from .design import Design
from .portfolio import FLIP_FLOPS, Target

_COUNTS, _PATH = "counts.json", "path.txt"
_LENGTH = re.compile(r"\(length=(\d+)\)")


class Transistors(Target):
    """NAND, NOR, AND-OR-invert gates and their like: transistors, and gates on the longest path."""

    name = "static CMOS gates"
    figures = ("transistors", "depth")
    recipes = ("cmos",)

    @property
    def facts(self) -> Mapping[str, Any]:
        """See `Target`."""
        return {"gates": "cmos"}

    def place(self, folder: Path) -> None:
        """Nothing."""

    def commands(
        self, preparation: str, recipes: Sequence[str], *, clocked: bool = False
    ) -> list[str]:
        """See `Target`."""
        # Enables and resets become gates: `stat` knows the transistors of plain registers alone.
        plain = ["dfflegalize -cell $_DFF_P_ x -cell $_DFF_N_ x"] if clocked else []
        return [
            f"synth -flatten -top {TOP} -run fine:check",
            *plain,
            "abc -g cmos",
            "opt_clean -purge",
            f"tee -q -o {_COUNTS} stat -tech cmos -json",
            f"tee -q -o {_PATH} ltp -noff",
        ]

    def results(
        self, folder: Path, recipe: str, design: Design
    ) -> tuple[Mapping[str, float], None, int]:
        """See `Target`."""
        counts = _counts(folder / _COUNTS)
        counted = str(counts.get("estimated_num_transistors", "0"))
        depth = _LENGTH.search((folder / _PATH).read_text(encoding="utf-8"))
        transistors = float(counted.rstrip("+"))  # a plus stands for cells of unknown size
        figures = {"transistors": transistors, "depth": float(depth[1]) if depth else 0.0}
        return figures | _registers(design, counts, r"\$_DFF_[PN]_"), None, 0


class Fpga(Target):
    """Look-up tables of an FPGA, and its carry cells.

    Args:
        name: of the family.
        command: of Yosys, that maps to it.
        tables: pattern of the cells that are look-up tables.
        carries: of its carry cells.
        registers: of its flip-flops.
    """

    figures, others = ("LUTs",), ("carries",)

    def __init__(
        self, name: str, command: str, *, tables: str, carries: str, registers: str
    ) -> None:
        self.name, self._command = name, command
        self._tables, self._carries, self._registers = tables, carries, registers
        self.recipes = (command.partition(" ")[0],)

    @property
    def facts(self) -> Mapping[str, Any]:
        """See `Target`."""
        return {"fpga": [self._command, self._tables, self._carries]}

    def place(self, folder: Path) -> None:
        """Nothing."""

    def commands(
        self, preparation: str, recipes: Sequence[str], *, clocked: bool = False
    ) -> list[str]:
        """See `Target`."""
        return [f"{self._command} -top {TOP}", f"tee -q -o {_COUNTS} stat -json"]

    def results(
        self, folder: Path, recipe: str, design: Design
    ) -> tuple[Mapping[str, float], None, int]:
        """See `Target`."""
        counts = _counts(folder / _COUNTS)
        patterns = zip((*self.figures, *self.others), (self._tables, self._carries), strict=True)
        figures = {figure: _count(counts, pattern) for figure, pattern in patterns}
        return figures | _registers(design, counts, self._registers), None, 0


ICE40 = Fpga(
    "iCE40", "synth_ice40 -abc9 -device hx",
    tables="SB_LUT4", carries="SB_CARRY", registers=r"SB_DFF\w*",
)  # fmt: skip
XC7 = Fpga(
    "Xilinx 7 series", "synth_xilinx -family xc7 -flatten -nodsp -noiopad -abc9",
    tables=r"LUT\d", carries="CARRY4", registers=r"FD[RSCP]E(_1)?",
)  # fmt: skip


def _registers(design: Design, counts: Mapping[str, Any], pattern: str) -> dict[str, float]:
    """How many flip-flops there are, where there may be some."""
    return {FLIP_FLOPS: _count(counts, pattern)} if design.clocked else {}


def _count(counts: Mapping[str, Any], pattern: str) -> float:
    types: Mapping[str, int] = counts.get("num_cells_by_type", {})
    return float(sum(n for cell, n in types.items() if re.fullmatch(pattern, cell)))


def _counts(path: Path) -> Mapping[str, Any]:
    """What `stat -json` counted in the top module.

    Raises:
        HwsimError: nothing.
    """
    text = path.read_text(encoding="utf-8")
    modules = json.loads(text[text.index("{") :])["modules"]  # some print a title before it
    for name, counts in modules.items():
        if name.lstrip("\\") == TOP:
            found: Mapping[str, Any] = counts
            return found
    raise HwsimError(f"expected Yosys to count the cells of {TOP}, got {', '.join(modules)}")
