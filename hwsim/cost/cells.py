# SPDX-License-Identifier: Apache-2.0
"""Standard cells of a Liberty file as a target: area, delay, energy, leakage."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import HwsimError
from ..netlist.synthesis import TOP, A, B, P
from .design import Design
from .energy import Stream, energy
from .library import Library
from .mapped import Mapped, connections
from .portfolio import FLIP_FLOPS, Target
from .timing import product_load, timing

# Standard recipes of abc. Their optimisation before cells are chosen:
_CLEAN = "strash; ifraig; scorr"
_COMPRESS = (
    "balance -l; resub -K 6 -l; rewrite -l; resub -K 6 -N 2 -l; refactor -l; resub -K 8 -l; "
    "balance -l; resub -K 8 -N 2 -l; rewrite -l; resub -K 10 -l; rewrite -z -l; "
    "resub -K 10 -N 2 -l; balance -l; resub -K 12 -l; refactor -z -l; resub -K 12 -N 2 -l; "
    "rewrite -z -l; balance -l"
)
# Fewer levels of logic, in blocks of up to five or six inputs:
_LEVELS_5, _LEVELS = (f"dch -f; if -g -K {size}; strash" for size in (5, 6))
# The choice of cells, for area or for delay:
_AREA, _DELAY = "amap -m", "map -B 0.9 {limit}"
_SIZE = "topo; buffer -c; upsize {limit}; dnsize {limit}"

RECIPES: Mapping[str, tuple[str, bool]] = {
    "compress": (f"{_CLEAN}; {_COMPRESS}; dch -f; {_AREA}; {_SIZE}", False),
    "dc2-amap": (f"{_CLEAN}; dc2; dc2; strash; dch -f; {_AREA}; {_SIZE}", False),
    "dch-amap": (f"{_CLEAN}; dch -f; {_AREA}; {_SIZE}", True),
    "dc2-map": (f"{_CLEAN}; dc2; strash; dch -f; {_DELAY}; {_SIZE}", False),
    "compress-map": (f"{_CLEAN}; {_COMPRESS}; dch -f; {_DELAY}; {_SIZE}", False),
    "levels": (f"{_CLEAN}; {_LEVELS}; dch -f; {_DELAY}; {_SIZE}", True),
    "levels-5": (f"{_CLEAN}; {_LEVELS_5}; dch -f; {_DELAY}; {_SIZE}", True),
    "levels-twice": (f"{_CLEAN}; {_LEVELS}; {_LEVELS}; dch -f; {_DELAY}; {_SIZE}", True),
    "yosys": ("", False),
}
"""By name: abc's script, and whether cells are made as fast as they can be."""

_PATTERN = re.compile(r"[\w*?.$\[\]-]+", re.A)
_NO_LIMIT = 1_000_000  # ps: cells are then made small where that costs time
_LIBERTY, _LIMITS, _ADDERS = "cells.lib", "limits", "adders.v"


class Cells(Target):
    """The cells of a library.

    Args:
        library: of cells.
        avoided: patterns of cells that must not be used, as abc takes them.
        recipes: some of `RECIPES`.

    Raises:
        HwsimError: a pattern is none.
    """

    others = ("leakage", "cells")

    def __init__(
        self, library: Library, *, avoided: Sequence[str] = (), recipes: Sequence[str] = ()
    ) -> None:
        self.library, self._avoided = library, tuple(avoided)
        for pattern in self._avoided:
            if not _PATTERN.fullmatch(pattern):  # it stands in a script
                wanted = "names of cells to leave out, with * for any signs"
                raise HwsimError(f"expected {wanted}, got {pattern!r:.60}")
        self.recipes = tuple(recipes or RECIPES)
        self.name = library.name
        wired = ("wired delay",) if library.wire_load else ()
        self.figures = ("area", "delay", *wired, "energy")

    @property
    def facts(self) -> Mapping[str, Any]:
        """See `Target`."""
        scripts = {recipe: RECIPES[recipe] for recipe in self.recipes}
        return {"cells": self.library.sha256, "avoided": self._avoided, "recipes": scripts}

    @property
    def preparations(self) -> Mapping[str, Sequence[str]]:
        """Full adders of the library, where it has them, found or inferred; or abc alone."""
        if self.library.full_adder is None:
            return {"": ()}
        return {"": (), "full adders": ("extract_fa -fa", f"techmap -map {_ADDERS}")}

    def place(self, folder: Path) -> None:
        """See `Target`."""
        library = self.library
        driver = library.buffer or library.inverter
        assert driver is not None
        (folder / _LIBERTY).write_text(library.text, encoding="latin-1")
        load = 1000 * product_load(library)  # fF
        (folder / _LIMITS).write_text(f"set_driving_cell {driver.name}\nset_load {load:.4f}\n")
        (folder / _ADDERS).write_text(_adders(library))

    def commands(
        self, preparation: str, recipes: Sequence[str], *, clocked: bool = False
    ) -> list[str]:
        """See `Target`."""
        # Those that Yosys made itself are the library's too. Others are found once abc, which knows
        # no adders, has made everything small.
        own = [f"techmap -map {_ADDERS}"] if preparation else []
        lines = [
            *own,
            f"synth -flatten -top {TOP} -run fine:check",
            *self.preparations[preparation],
        ]
        avoided = "".join(f" -dont_use {pattern}" for pattern in self._avoided)
        if clocked:
            lines.append(f"dfflibmap -liberty {_LIBERTY}{avoided}")
        lines.append("design -save ready")
        for recipe in recipes:
            script, fast = RECIPES[recipe]
            limit = "" if fast else f" -D {_NO_LIMIT}"
            if script:
                words = script.replace(" {limit}", "" if fast else ",{D}").replace(" ", ",")
                limit += f" -script +{words.replace(';,', ';')}"
            lines += [
                "design -load ready",
                f"abc -liberty {_LIBERTY} -constr {_LIMITS}{limit}{avoided}",
                "opt_clean -purge",
                f"write_json {_file(recipe)}",
            ]
        return lines

    def results(
        self, folder: Path, recipe: str, design: Design
    ) -> tuple[Mapping[str, float], Mapping[str, Any] | None, int]:
        """See `Target`."""
        path = folder / _file(recipe)
        module = json.loads(path.read_text(encoding="utf-8"))["modules"][TOP]
        cells = connections(module, a=A, b=B, p=P)
        cells["p"] = ["0"] * design.shift + cells["p"]
        mapped = self.mapped(cells, design)
        checked = design.check(mapped.netlist, made_by=recipe)
        figures = {
            "area": mapped.area,
            "delay": timing(mapped, self.library).critical,
            "wired delay": timing(mapped, self.library, wires=True).critical,
            "energy": energy(mapped, self.library, [Stream.uniform(design.operands)])[0],
            "leakage": mapped.leakage,
            "cells": len(mapped.instances),
        }
        if design.clocked:
            figures[FLIP_FLOPS] = len(mapped.registers)
        return figures, cells, checked

    def mapped(self, cells: Mapping[str, Any], design: Design) -> Mapped:
        """The multiplier of an implementation's cells."""
        return Mapped.of(
            cells, self.library, name=design.title, operands=design.operands,
            product=design.product,
        )  # fmt: skip


def _file(recipe: str) -> str:
    return f"cells_{list(RECIPES).index(recipe)}.json"


def _adders(library: Library) -> str:
    """Yosys' full adder as the library's: sum Y, carry X."""
    if library.full_adder is None:
        return ""
    cell, total, carry = library.full_adder
    pins = ", ".join(f".{pin}({port}[i])" for pin, port in zip(cell.inputs, "ABC", strict=True))
    return (
        '(* techmap_celltype = "$fa" *)\n'
        "module axhil_full_adder #(parameter WIDTH = 1) (\n"
        "  input [WIDTH-1:0] A, B, C, output [WIDTH-1:0] X, Y\n);\n"
        "  genvar i;\n"
        "  generate for (i = 0; i < WIDTH; i = i + 1) begin : g\n"
        f"    {cell.name} cell ({pins}, .{total}(Y[i]), .{carry}(X[i]));\n"
        "  end endgenerate\nendmodule\n"
    )
