# SPDX-License-Identifier: Apache-2.0
"""Tables of accuracy: under attack, and clean beside the paper's."""

from __future__ import annotations

import math
from collections.abc import Sequence

from axhil.attacks import attack_title
from axhil.study import paper
from axhil.study.comparisons import Comparison
from axhil.study.results import Results

from .panels import by_panel
from .table import NONE, Entry, Mark, Table, percent, rows_of
from .titles import network_title


def survival(comparison: Comparison | None) -> Mark:
    """Gain or loss, where a difference is more than chance explains."""
    if comparison is None or not comparison.survives:
        return ""
    return "gain" if comparison.difference.value > 0 else "loss"


def spread(budgets: Sequence[float], norm: str, *, most: int) -> list[float]:
    """Some of many budgets: the ends, and those between spread as the figures' axes are.

    Args:
        budgets: ascending.
        norm: L-inf grows as a square root, because curves fall where budgets are small.
        most: how many at most.
    """
    if len(budgets) <= most:
        return list(budgets)
    low, high = (math.sqrt(e) if norm == "linf" else e for e in (budgets[0], budgets[-1]))
    near = set()
    for number in range(most):
        part = low + (high - low) * number / (most - 1)
        wanted = part * part if norm == "linf" else part
        near.add(min(budgets, key=lambda eps: abs(eps - wanted)))
    return sorted(near)


def robust_accuracy(
    results: Results, *, most: int | None = None
) -> list[tuple[Table, tuple[int, int]]]:
    """One table per attack and norm: multipliers down, budgets across, percent with intervals.

    Args:
        results: of one network under one threat model.
        most: show at most so many budgets, spread over all; None for all.

    Returns:
        Each table, and of its panel how many budgets are shown and how many there are.
    """
    compared = {id(c.record): c for c in results.comparisons}
    tables = []
    for (attack, norm), records in by_panel(results.records).items():
        budgets = sorted({record.eps for record in records})
        shown = budgets if most is None else spread(budgets, norm, most=most)
        at = {(record.cell.label, record.eps): record for record in records}
        labels = dict.fromkeys(record.cell.label for record in records)
        rows: list[list[Entry]] = []
        for label in labels:
            row = [Entry(label)]
            for eps in shown:
                record = at.get((label, eps))
                row.append(
                    NONE
                    if record is None
                    else percent(record.accuracy, mark=survival(compared.get(id(record))))
                )
            rows.append(row)
        table = Table(
            attack_title(attack, norm),
            ("eps", *(f"{eps:.4g}" for eps in shown)),
            rows_of(rows),
            subject="robust accuracy, %",
            multipliers=True,
        )
        tables.append((table, (len(shown), len(budgets))))
    return tables


def clean_accuracy(parts: Sequence[Results]) -> Table:
    """Clean accuracy of every network, with its interval, beside Table III."""
    headings = ["multiplier"]
    for part in parts:
        headings += [f"{network_title(part.network)}, %", "95 % interval"]
        headings += ["paper"] if part.network in paper.CLEAN_ACCURACY else []
    rows: list[list[Entry | str]] = []
    for label in dict.fromkeys(label for part in parts for label in part.labels):
        row: list[Entry | str] = [label]
        for part in parts:
            record = (part.whole or part).clean.get(label)
            if record is None:
                row += [NONE, NONE]
            else:
                share = record.accuracy
                row += [
                    f"{100 * share.value:.2f}",
                    f"{100 * share.low:.2f} to {100 * share.high:.2f}",
                ]
            if part.network in paper.CLEAN_ACCURACY:
                published = paper.CLEAN_ACCURACY[part.network].get(label)
                row.append(NONE if published is None else f"{published:.2f}")
        rows.append(row)
    return Table("Clean accuracy", tuple(headings), rows_of(rows), multipliers=True)
