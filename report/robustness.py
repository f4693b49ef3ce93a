# SPDX-License-Identifier: Apache-2.0
"""Tables of what suites of attacks say: the verdicts, and what each further attack took away."""

from __future__ import annotations

import math
from collections import Counter

from axhil.attacks import attack_title
from axhil.attacks.suites import CLEAN
from axhil.study.results import Results
from axhil.study.smallest import smallest_budgets
from axhil.study.verdicts import Verdict, suite_cells, verdicts

from .table import NONE, Entry, Mark, Table, number, rows_of

_MARKS: dict[str, Mark] = {"more robust": "gain", "less robust": "loss", "reference": "faint"}


def verdict_tables(results: Results) -> list[Table]:
    """One table per norm, a row for each multiplier; none where no suite was run."""
    return [
        Table(
            f"Verdict under {title}",
            ("multiplier", "verdict", "because", "own gradient missed, %"),
            rows_of(
                [
                    [
                        Entry(verdict.cell.label),
                        Entry(verdict.name, mark=_MARKS.get(verdict.name, "strong")),
                        Entry(verdict.reason) if verdict.reason else NONE,
                        number(100 * verdict.hidden, ".1f"),
                    ]
                    for verdict in own
                ]
            ),
            align="lllr",
            multipliers=True,
        )
        for title, own in _judged(results).items()
    ]


def smallest_tables(results: Results) -> list[Table]:
    """Per norm, what budget breaks each multiplier's images; none where no suite was run."""
    return [
        Table(
            f"Smallest breaking budgets under {title}",
            (
                "multiplier",
                "median eps",
                "mean eps",
                "area",
                "survive all",
                "bears more",
                "bears less",
                "p Wilcoxon",
                "p sign",
            ),
            rows_of([_budgets(verdict) for verdict in own]),
            align="lrrrrrrrr",
            multipliers=True,
        )
        for title, own in _judged(results).items()
    ]


def _judged(results: Results) -> dict[str, list[Verdict]]:
    """Verdicts by suite and norm."""
    found: dict[str, list[Verdict]] = {}
    whole = results.whole or results
    for verdict in verdicts(whole.cells, whole.reference):
        if verdict.cell.label in results.labels:
            settings = verdict.cell.settings
            found.setdefault(attack_title(settings.attack, settings.norm), []).append(verdict)
    return found


def _budgets(verdict: Verdict) -> list[Entry]:
    last = max(verdict.cell.settings.budgets)
    median = verdict.median
    survive = sum(not math.isfinite(eps) for eps in smallest_budgets(verdict.cell))
    row = [
        Entry(verdict.cell.label),
        number(median, ".4g") if math.isfinite(median) else Entry(f"> {last:.4g}"),
        Entry(f"{'>= ' if survive else ''}{verdict.mean:.4f}"),
        number(verdict.area, ".4f"),
        number(survive),
    ]
    if verdict.budgets is None or verdict.adjusted is None:
        return row + [NONE] * 4
    return [
        *row,
        number(verdict.budgets.larger),
        number(verdict.budgets.smaller),
        *(number(p, ".2g") for p in verdict.adjusted),
    ]


def taken_away(results: Results) -> list[Table]:
    """Per norm, of each multiplier the images that each member of the suite took away.

    An image that was broken at a smaller budget counts for the member that broke it there, or, from
    the budget on where one along the network's own gradient breaks it, for that one.
    """
    tables = []
    cells = [cell for cell in suite_cells(results.cells) if cell.label in results.labels]
    for norm in dict.fromkeys(cell.settings.norm for cell in cells):
        own = [cell for cell in cells if cell.settings.norm == norm]
        budgets = sorted({eps for cell in own for eps in cell.settings.budgets if eps > 0})
        rows: list[list[Entry]] = []
        for cell in own:
            at = dict(zip(cell.settings.budgets, map(Counter, cell.broken_by), strict=True))
            members = dict.fromkeys(who for found in at.values() for who in found)
            for member in sorted(members, key=lambda who: (who == "", who != CLEAN)):
                name = {"": "survived all", CLEAN: "wrong without attack"}.get(member, member)
                rows.append(
                    [
                        Entry(cell.label),
                        Entry(name),
                        *(number(at[eps][member]) if eps in at else NONE for eps in budgets),
                    ]
                )
        tables.append(
            Table(
                f"What each attack of {attack_title(own[0].settings.attack, norm)} took away",
                ("multiplier", "attack", *(f"{eps:.4g}" for eps in budgets)),
                rows_of(rows),
                subject="images broken",
                align="ll" + "r" * len(budgets),
                multipliers=True,
            )
        )
    return tables
