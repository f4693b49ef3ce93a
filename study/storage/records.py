# SPDX-License-Identifier: Apache-2.0
"""Finished cells as flat records: one line per multiplier, attack, norm and budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from axhil.hwsim.files import write_atomically

from ..statistics import Proportion, proportion
from .cells import Cell
from .store import rows_of, schema_of

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Record:
    """One point of a robustness curve.

    Attributes:
        cell: the cell it belongs to.
        eps: the budget.
        correct: a digit 0 or 1 per image.
        accuracy: robust accuracy with its interval.
    """

    cell: Cell
    eps: float
    correct: str
    accuracy: Proportion


def records_of(cells: Sequence[Cell]) -> list[Record]:
    """Flatten cells into records, in the cells' order and by growing budget."""
    found = []
    for cell in cells:
        for eps, flags in sorted(zip(cell.settings.budgets, cell.correct, strict=True)):
            found.append(Record(cell, eps, flags, proportion(flags.count("1"), len(flags))))
    return found


def write_records(cells: Sequence[Cell], path: Path) -> Path:
    """Write the records as CSV: the columns of the store, the flags as a digit per image.

    Returns:
        The path.
    """
    rows = [row for cell in cells for row in rows_of(cell)]
    frame = pd.DataFrame(rows, columns=schema_of(cells).names)
    frame["correct"] = ["".join("01"[flag] for flag in flags) for flags in frame["correct"]]
    if "broken_by" in frame:
        frame["broken_by"] = [
            "|".join(found) if isinstance(found, list) else "" for found in frame["broken_by"]
        ]
    frame["warnings"] = [" | ".join(found) for found in frame["warnings"]]
    frame = frame.map(_inert)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, frame.to_csv(index=False).encode())
    return path


def _inert(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula, behind a quote; all else as it is."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
