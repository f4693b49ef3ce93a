# SPDX-License-Identifier: Apache-2.0
"""Growth: what a cell costs to keep, to find and to report, in small stores and in large ones.

The cells are drawn, not computed: none of this runs a network. What is linear costs the same per
cell at every size.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from axhil.report.files import write_report
from axhil.study.results import Results
from axhil.study.storage.cells import Cell, CellSettings
from axhil.study.storage.store import CellStore

SIZES = (100, 1000)
"""Multipliers, each with ten cells."""

_ATTACKS = ("fgsm", "bim", "pgd", "pgd(steps=10)", "pgd(steps=100)")
_BUDGETS = {"linf": (0.0, 0.05, 0.1, 0.2, 0.3), "l2": (0.0, 0.5, 1.0, 1.5, 2.0)}


def cells_of(multipliers: int, *, images: int = 200, seed: int = 0) -> list[Cell]:
    """Cells of so many multipliers, the first of them exact."""
    draw = np.random.default_rng(seed)
    strength = draw.random(images)
    found = []
    for number in range(multipliers):
        name, label = (f"m{number}.npz", f"M{number}") if number else ("exact", "ACC")
        quality = draw.uniform(0.7, 1.1) if number else 1.0
        for norm, budgets in _BUDGETS.items():
            for attack in _ATTACKS:
                noise = draw.normal(0, 0.03, images)
                right = [strength + noise > eps / budgets[-1] / quality for eps in budgets]
                found.append(_cell(name, label, right, lut=number, attack=attack, norm=norm))
    return found


def _cell(
    name: str, label: str, right: Sequence[np.ndarray], *, lut: int, attack: str, norm: str
) -> Cell:
    budgets = _BUDGETS[norm]
    settings = CellSettings(
        network="lenet5",
        weights_sha256="0" * 64,
        calibration="drawn",
        quantisation={"weights": "tensor", "activations": "max", "batch_norm": "keep"},
        layers="all",
        data="drawn",
        data_sha256="0" * 64,
        images=len(right[0]),
        multiplier=name,
        lut_sha256=f"{lut:064x}",
        attack=attack,
        norm=norm,
        budgets=budgets,
        threat_model="whitebox",
        worst_iterate=False,
        gradient="float32",
        seed=0,
        batch=512,
    )
    return Cell(
        settings=settings,
        label=label,
        correct=tuple("".join("01"[int(flag)] for flag in row) for row in right),
        zero_gradient=0.0,
        warnings=(),
        seconds=(1.0,) * len(budgets),
        environment={"device": "drawn", "threads": 1},
    )


def run(sizes: Sequence[int] = SIZES) -> list[dict[str, float]]:
    """Measure at each size.

    Args:
        sizes: multipliers.

    Returns:
        A record per size: cells, milliseconds per cell of each step, bytes of the page.
    """
    return [_measure(size) for size in sizes]


def _measure(multipliers: int) -> dict[str, float]:
    cells = cells_of(multipliers)
    record: dict[str, float] = {"multipliers": multipliers, "cells": len(cells)}

    def timed(name: str, step: Callable[[], object]) -> None:
        began = time.perf_counter()
        step()
        record[name] = round(1000 * (time.perf_counter() - began) / len(cells), 3)

    with tempfile.TemporaryDirectory() as scratch:
        store, folder = CellStore(Path(scratch)), Path(scratch, "report")
        planned = sum(len(cell.settings.budgets) for cell in cells)
        results = Results("lenet5", "whitebox", tuple(cells), planned)
        timed("look up a missing cell", lambda: [store.missing(c.settings) for c in cells])
        timed("put", lambda: [store.put(c) for c in cells])
        timed("look up a finished cell", lambda: [store.missing(c.settings) for c in cells])
        timed("list", store.cells)
        timed("report", lambda: write_report([results], folder, title="Growth"))
        record["bytes of the page"] = (folder / "report.html").stat().st_size
    return record


def table(records: Sequence[dict[str, float]]) -> Table:
    """The records as a table: a row per step, a column per size."""
    shown = Table(title="Growth of a study: milliseconds per cell")
    shown.add_column("")
    for one in records:
        heading = f"{one['multipliers']:,.0f} multipliers, {one['cells']:,.0f} cells"
        shown.add_column(heading, justify="right")
    for name in list(records[0])[2:]:
        shown.add_row(name, *(f"{one[name]:,g}" for one in records))
    return shown
