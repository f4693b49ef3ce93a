# SPDX-License-Identifier: Apache-2.0
"""Tables of what differs from the accurate multiplier on the same images."""

from __future__ import annotations

from axhil.hwsim import error_metrics
from axhil.study.comparisons import Comparison
from axhil.study.results import Results

from .accuracy import survival
from .panels import panel_title, where
from .table import NONE, Entry, Mark, Table, number, percent, rows_of
from .titles import points

_TEST = ("points", "gained", "lost", "p exact", "p Holm", "survives")


def _test(comparison: Comparison) -> list[Entry]:
    difference = comparison.difference
    return [
        Entry(points(difference.value), value=100 * difference.value),
        number(difference.gained),
        number(difference.lost),
        number(difference.p_value, ".2g"),
        number(comparison.adjusted, ".2g"),
        Entry("yes", mark="strong") if comparison.survives else Entry("no"),
    ]


def _label(comparison: Comparison) -> str:
    return comparison.record.cell.label


def all_differences(results: Results, *, most: int | None = None) -> Table:
    """Every paired difference, the most certain first; or the first so many."""
    order = sorted(results.comparisons, key=lambda c: (c.adjusted, c.difference.p_value))
    rows = [
        [
            Entry(_label(c)),
            Entry("clean" if c.clean else panel_title(c.record)),
            number(c.record.eps, ".6g"),
            *_test(c),
        ]
        for c in order[:most]
    ]
    return Table(
        "Paired differences",
        ("multiplier", "attack", "eps", *_TEST),
        rows_of(rows),
        align="llrrrrrrr",
        multipliers=True,
    )


def notable_differences(results: Results) -> Table:
    """Per multiplier: its clean difference, and its largest gain and loss under attack."""
    rows: list[list[Entry]] = []
    for label in dict.fromkeys(map(_label, results.comparisons)):
        own = [c for c in results.comparisons if _label(c) == label]
        attacked = [c for c in own if not c.clean]
        chosen = [("clean", next((c for c in own if c.clean), None))]
        if attacked:
            chosen.append(("largest gain", _largest(attacked, 1)))
            chosen.append(("largest loss", _largest(attacked, -1)))
        for kind, c in chosen:
            if c is not None:
                panel = NONE if c.clean else Entry(panel_title(c.record))
                eps = number(c.record.eps, ".6g")
                rows.append([Entry(label), Entry(kind), panel, eps, *_test(c)])
            elif kind != "clean":
                rows.append([Entry(label), Entry(kind), Entry("none"), *[NONE] * 7])
    return Table(
        "Differences",
        ("multiplier", "case", "attack", "eps", *_TEST),
        rows_of(rows),
        align="lllrrrrrrr",
        multipliers=True,
    )


def _largest(attacked: list[Comparison], sign: int) -> Comparison | None:
    """Largest gain (1) or loss (-1); of equal ones that with the smallest p."""
    return max(
        (c for c in attacked if sign * c.difference.value > 0),
        key=lambda c: (sign * c.difference.value, -c.difference.p_value),
        default=None,
    )


def verdict(results: Results) -> Table:
    """One row per multiplier: its error, clean accuracy, and what survives under attack."""
    errors = {one.label: error_metrics(one.table()).mre for one in results.tables}
    rows: list[list[Entry]] = []
    for label in results.labels:
        own = [record for record in results.records if record.cell.label == label]
        attacked = [record.accuracy.value for record in own if record.eps > 0]
        clean = results.clean.get(label)
        compared = [c for c in results.comparisons if _label(c) == label]
        row = [
            Entry(label, detail=own[0].cell.settings.multiplier),
            number(100 * errors[label], ".2f") if label in errors else NONE,
            NONE if clean is None else percent(clean.accuracy),
            number(100 * sum(attacked) / len(attacked), ".1f") if attacked else NONE,
        ]
        if compared:
            row += _compared(compared)
        else:
            reference = Entry("reference", mark="faint")
            row += [reference if label == results.reference else NONE] * 5
        rows.append(row)
    headings = (
        "multiplier",
        "MRE %",
        "clean %",
        "mean under attack %",
        "clean vs accurate",
        "more right",
        "fewer right",
        "largest gain",
        "largest loss",
    )
    return Table("One row per multiplier", headings, rows_of(rows), multipliers=True)


def _compared(compared: list[Comparison]) -> list[Entry]:
    """Entries of a multiplier's row that compare it with the accurate one."""
    attacked = [c for c in compared if not c.clean]
    clean = next((c for c in compared if c.clean), None)
    row = [NONE if clean is None else _points(clean, f"p {clean.adjusted:.2g}")]
    kinds: tuple[Mark, ...] = ("gain", "loss")
    for kind in kinds:
        count = sum(survival(c) == kind for c in attacked)
        text = f"{count} of {len(attacked)}"
        row.append(Entry(text, value=count, mark=kind if count else ""))
    for sign in (1, -1):
        largest = _largest(attacked, sign)
        row.append(NONE if largest is None else _points(largest, where(largest.record)))
    return row


def _points(comparison: Comparison, detail: str) -> Entry:
    value = comparison.difference.value
    return Entry(points(value), value=100 * value, detail=detail, mark=survival(comparison))
