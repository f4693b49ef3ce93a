# SPDX-License-Identifier: Apache-2.0
"""The parts of docs/results.md on suites of attacks, and on our suite beside the reference."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import study_sections as sections

from axhil.attacks import Norm
from axhil.report.markdown import markdown_table, plain
from axhil.report.robustness import smallest_tables, taken_away, verdict_tables
from axhil.report.table import Table, rows_of
from axhil.report.titles import network_title
from axhil.study.comparisons import difference_interval
from axhil.study.results import Results
from axhil.study.statistics import (
    PairedDifference,
    Proportion,
    holm,
    paired_difference,
    proportion,
)
from axhil.study.verdicts import RULE, suite_cells

REFERENCE = sections.DOCS / "records" / "reference"
BY_HAND = {
    "ACC": (55.0, 22.2, 5.8, 1.0, 0.0),
    "DR3": (41.2, 9.4, 6.6, 4.6, 0.0),
}
"""What survived ten attacks put together by hand on 500 images, %: before there was a suite."""


def results_of(name: str) -> Results | None:
    """Those of a recorded study of one network; None before it is on record."""
    found = sections.studies((name,)).get(name)
    return found[0] if found else None


def under_suites() -> list[Results]:
    """The recorded studies under a suite at several budgets, in the order of their list."""
    return [one for parts in sections.studies(sections.UNDER_SUITES).values() for one in parts]


def _grid(table: Table) -> str:
    return f"**{plain(table.full_title)}**\n\n{markdown_table(table)}"


@dataclass(frozen=True)
class Row:
    """One multiplier against the accurate one at one budget, under a suite."""

    label: str
    eps: float
    exact: str
    own: str


def pairs_of(results: Results) -> list[Row]:
    """Every other multiplier beside the accurate one, under a suite, at each budget above 0."""
    suites = suite_cells(results.cells)
    exact = next(cell for cell in suites if cell.label == "ACC")
    return [
        Row(cell.label, eps, a, b)
        for cell in suites
        if cell.label != "ACC"
        for eps, a, b in zip(cell.settings.budgets, exact.correct, cell.correct, strict=True)
        if eps > 0
    ]


def _tested(rows: Sequence[Row]) -> list[list[str]]:
    """Of each: eps, both shares, images gained and lost, the difference, p; one family of tests."""
    found = [paired_difference(one.exact, one.own) for one in rows]
    adjusted = holm([one.p_value for one in found])
    cells = []
    for row, difference, p in zip(rows, found, adjusted, strict=True):
        low, high = difference_interval(difference, family=len(rows))
        shares = (proportion(one.count("1"), len(one)) for one in (row.exact, row.own))
        cells.append(
            [
                f"{row.eps:g}",
                *map(_interval, shares),
                f"{difference.gained}, {difference.lost}",
                f"{100 * difference.value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})",
                f"{p:.2g}",
            ]
        )
    return cells


def survivors() -> str:
    """What survives the adaptive suite at each budget, with paired tests, beside the first try."""
    results = results_of("lenet5_adaptive")
    if results is None:
        return ""
    rows = pairs_of(results)
    body = [
        [*tested, *(_by_hand(label, row.eps) for label in ("ACC", row.label))]
        for row, tested in zip(rows, _tested(rows), strict=True)
    ]
    headings = ("eps", "ACC, %", f"{rows[0].label}, %", "gained, lost", "points", "p (Holm)",
                "ACC by hand, %", f"{rows[0].label} by hand, %")  # fmt: skip
    note = (
        f"{results.images:,} images; Wilson 95 % intervals; differences with intervals that hold "
        "for all budgets together; exact McNemar test. By hand: ten attacks without a common "
        "framework, 500 images, before the suite existed."
    )
    tables = [*verdict_tables(results), *taken_away(results)]
    return "\n\n".join(
        (
            markdown_table(Table("", headings, rows_of(body), align="lrrrrrrr")),
            note,
            *map(_grid, tables),
            plain(RULE),
        )
    )


def elsewhere() -> str:
    """The other networks, multipliers and norms under the suite, and what each attack took away."""
    parts = []
    for results in under_suites()[1:]:
        rows = pairs_of(results)
        body = [[row.label, *tested] for row, tested in zip(rows, _tested(rows), strict=True)]
        headings = ("multiplier", "eps", "ACC, %", "its own, %", "gained, lost", "points",
                    "p (Holm)")  # fmt: skip
        norm = Norm(results.cells[0].settings.norm).symbol
        parts += [
            f"#### {results.title}, {norm}, {results.images:,} images",
            markdown_table(Table("", headings, rows_of(body), align="lrrrrrr")),
            *map(_grid, (*verdict_tables(results), *taken_away(results))),
        ]
    return "\n\n".join(parts)


def _interval(share: Proportion) -> str:
    return f"{100 * share.value:.1f} ({100 * share.low:.1f} to {100 * share.high:.1f})"


def _by_hand(label: str, eps: float) -> str:
    budgets = (0.1, 0.125, 0.15, 0.175, 0.2)
    known = dict(zip(budgets, BY_HAND.get(label, ()), strict=False))
    return f"{known[eps]:.1f}" if eps in known else ""


def under_suite(label: str, eps: float) -> PairedDifference | None:
    """A multiplier against the accurate one at one budget, by the adaptive suite."""
    results = results_of("lenet5_adaptive")
    rows = [] if results is None else pairs_of(results)
    own = [row for row in rows if (row.label, row.eps) == (label, eps)]
    return paired_difference(own[0].exact, own[0].own) if own else None


def smallest() -> str:
    """Smallest breaking budgets, and where in the network the effect sits."""
    results = results_of("lenet5_smallest")
    if results is None:
        return ""
    picture = "studies/lenet5_smallest/staircase.png"
    drawn = (
        f"![Robust accuracy over eps, and what products have of a growing pixel]({picture})"
        if (sections.DOCS / picture).is_file()
        else ""
    )
    tables = (*smallest_tables(results), *verdict_tables(results))
    return "\n\n".join(filter(None, (*map(_grid, tables), drawn)))


def reference() -> str:
    """Our AutoAttack beside the package that implements it."""
    rows = []
    for path in sorted(REFERENCE.glob("*.json")):
        body: dict[str, Any] = json.loads(path.read_text())
        pairs = list(zip(body["ours"], body["theirs"], strict=True))
        rows.append(
            [
                network_title(body["network"]) + _whose_weights(body),
                f"{body['eps']:g}",
                f"{body['images']:,}",
                f"{body['clean'].count('1'):,}",
                f"{body['ours'].count('1'):,}",
                f"{body['theirs'].count('1'):,}",
                f"{pairs.count(('1', '0'))}, {pairs.count(('0', '1'))}",
                f"{body['seconds_ours']:,.0f}",
                f"{body['seconds_theirs']:,.0f}",
            ]
        )
    headings = ("network, float", "eps, L∞", "images", "right, clean", "survive ours", "theirs",
                "only ours, only theirs", "CPU s, ours", "theirs")  # fmt: skip
    return markdown_table(Table("", headings, rows_of(rows), align="lrrrrrrrr")) if rows else ""


def _whose_weights(body: dict[str, Any]) -> str:
    """Whether a network has other weights than those whose clean accuracy is on record."""
    ours = {json.loads(path.read_text())["weights_sha256"] for path in sections.TEST_SETS}
    return "" if body["weights_sha256"] in ours else ", weights of akamaster"
