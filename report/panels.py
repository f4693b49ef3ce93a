# SPDX-License-Identifier: Apache-2.0
"""Records by attack and norm: a panel of the figures, a table of the reports."""

from __future__ import annotations

from collections.abc import Sequence

from axhil.attacks import attack_title
from axhil.study.storage.records import Record


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
