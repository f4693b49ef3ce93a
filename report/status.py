# SPDX-License-Identifier: Apache-2.0
"""How far a study is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from axhil.study.results import Results
from axhil.study.storage.cells import CellSettings


@dataclass(frozen=True)
class Status:
    """How far a study is.

    Attributes:
        done: evaluations finished.
        planned: evaluations asked for.
        seconds: spent on those finished.
        left: estimate of seconds for the rest, at the pace of the finished ones of each network,
            attack and norm; None where there is nothing to tell it from.
    """

    done: int
    planned: int
    seconds: float
    left: float | None


def status_of(results: Results, settings: Sequence[CellSettings]) -> Status:
    """How far one part of a study is."""
    pace: dict[tuple[str, str], list[float]] = {}
    for cell in results.cells:
        pace.setdefault((cell.settings.attack, cell.settings.norm), []).extend(cell.seconds)
    finished = {cell.settings.key: len(cell.settings.budgets) for cell in results.cells}
    left: float | None = 0.0
    for one in settings:
        missing = len(one.budgets) - finished.get(one.key, 0)
        if missing and left is not None:
            times = pace.get((one.attack, one.norm))
            left = None if not times else left + missing * sum(times) / len(times)
    return Status(
        done=sum(finished.values()),
        planned=results.planned,
        seconds=sum(sum(cell.seconds) for cell in results.cells),
        left=left,
    )
