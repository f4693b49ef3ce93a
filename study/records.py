# SPDX-License-Identifier: Apache-2.0
"""Finished cells as flat records: one line per multiplier, attack, norm and budget."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from hwsim.lut import write_atomically

from .cells import Cell
from .statistics import Proportion, proportion


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


def _row(record: Record) -> dict[str, object]:
    cell = record.cell
    settings = asdict(cell.settings)
    del settings["budgets"]
    quantisation = settings.pop("quantisation")
    return {
        **settings,
        # Sorted: a cell that was read back must give the same columns as one just computed.
        **{f"quantisation_{key}": value for key, value in sorted(quantisation.items())},
        "label": cell.label,
        "eps": record.eps,
        "accuracy": record.accuracy.value,
        "accuracy_low": record.accuracy.low,
        "accuracy_high": record.accuracy.high,
        "zero_gradient": cell.zero_gradient,
        "warnings": " | ".join(cell.warnings),
        "seconds": cell.seconds / len(cell.settings.budgets),
        **dict(sorted(cell.environment.items())),
        "correct": record.correct,
    }


def write_records(records: Sequence[Record], folder: Path) -> list[Path]:
    """Write `records.json` and `records.csv`; accuracies are shares of 1, seconds per budget.

    Returns:
        The two paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_row(record) for record in records]
    as_json, as_csv = folder / "records.json", folder / "records.csv"
    write_atomically(as_json, (json.dumps(rows, indent=1) + "\n").encode())
    write_atomically(as_csv, pd.DataFrame(rows).to_csv(index=False).encode())
    return [as_json, as_csv]
