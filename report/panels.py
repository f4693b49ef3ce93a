# SPDX-License-Identifier: Apache-2.0
"""Records by attack and norm, a panel of the figures each; and the budget that tells most."""

from __future__ import annotations

from collections.abc import Sequence

from axhil.attacks import attack_title
from axhil.study.comparisons import accurate_multiplier
from axhil.study.storage.cells import Cell
from axhil.study.storage.records import Record, records_of


def panel_of(record: Record) -> tuple[str, str]:
    """Attack and norm of a record."""
    return record.cell.settings.attack, record.cell.settings.norm


def by_panel(records: Sequence[Record]) -> dict[tuple[str, str], list[Record]]:
    """The records of each attack and norm, in order of first appearance."""
    panels: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        panels.setdefault(panel_of(record), []).append(record)
    return panels


def panel_title(record: Record) -> str:
    """What a record's attack is called under its norm."""
    return attack_title(*panel_of(record))


def where(record: Record) -> str:
    """Attack, norm and budget of a record."""
    return "clean" if record.eps == 0 else f"{panel_title(record)}, eps {record.eps:g}"


def telling_budget(cells: Sequence[Cell], *, attack: str, norm: str) -> float | None:
    """Find the eps at which the accurate multiplier keeps about half of its clean accuracy.

    Args:
        cells: of one network; without an accurate multiplier the first counts.
        attack: its spelling.
        norm: ``linf`` or ``l2``.

    Returns:
        The smallest eps above 0 whose accuracy is nearest to half of that at the smallest eps
        (mostly 0, clean), or None where there is none.
    """
    records = records_of(cells)
    label = accurate_multiplier(records) or (cells[0].label if cells else None)
    own = [
        r
        for r in records
        if r.cell.label == label
        and (r.cell.settings.attack, r.cell.settings.norm) == (attack, norm)
    ]
    attacked = [r for r in own if r.eps > 0]
    if not attacked:
        return None
    half = min(own, key=lambda r: r.eps).accuracy.value / 2
    return min(attacked, key=lambda r: (abs(r.accuracy.value - half), r.eps)).eps
