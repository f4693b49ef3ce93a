# SPDX-License-Identifier: Apache-2.0
"""What a search found, as tables: layers alone, the front, what it stands against, assignments."""

from __future__ import annotations

from collections.abc import Sequence

from axhil.search.front import Found, Point, Test
from axhil.study.spec import Measure

from ..table import NONE, Entry, Mark, Table, number, percent, rows_of
from ..titles import listed, plural, points

RULE = (
    "On the front: no other point is as good in every objective and better in one, on images that "
    "the search never saw; ± is the longer side of the Wilson 95 % interval. Differences are in "
    "points on the same images; * marks those that chance does not explain by McNemar's exact "
    "test, at 5 % for all tests of the search together (Holm). Energy and area of the exact "
    "network are those of the best exact circuit."
)
"""How to read the tables."""


def sensitivities(found: Found) -> list[Table]:
    """Change of accuracy by every multiplier in every layer alone, a table for each accuracy."""
    table, space = found.sensitivity, found.sensitivity.space
    rows = [row for row in range(len(space.choices)) if row != space.exact]
    return [
        Table(
            f"Change of {measure} accuracy by a layer alone, points",
            ("multiplier", *space.layers),
            rows_of(
                [
                    [
                        space.choices[row].label,
                        *(number(100 * float(one), "+.1f") for one in changes[:, row]),
                    ]
                    for row in rows
                ]
            ),
        )
        for measure, changes in table.changes.items()
    ]


def front(found: Found) -> Table:
    """The front, the cheapest first; what is chosen stands out."""
    headings, rows = ["assignment", *_headings(found), "better than"], []
    for point in found.front:
        worse = [
            one.label for one in found.uniform if one is not point and _beats(found, point, one)
        ]
        mark: Mark = "strong" if point is found.chosen else ""
        rows.append(
            [
                Entry(point.label, mark=mark),
                *_entries(found, point),
                listed(worse) if worse else NONE,
            ]
        )
    align = "l" + "r" * (len(headings) - 2) + "l"
    return Table(
        "The front",
        tuple(headings),
        rows_of(rows),
        subject=found.title,
        align=align,
        multipliers=True,
    )


def others(found: Found) -> Table:
    """What is not on the front, and which point of it is as good in everything, and cheapest."""
    headings = ["assignment", *_headings(found), "no better than"]
    tested = [f"{measure} of it" for measure in found.measures]
    rows: list[list[Entry | str]] = []
    for point in found.points:
        if point in found.front:
            continue
        better = found.dominating(point)
        tests = [found.test(better, point, measure) for measure in found.measures]
        rows.append(
            [
                point.label,
                *_entries(found, point),
                better.label,
                *map(_difference, tests),
            ]
        )
    align = "l" + "r" * (len(headings) - 2) + "l" + "r" * len(tested)
    return Table("Not on the front", (*headings, *tested), rows_of(rows), align=align)


def assignments(found: Found) -> Table:
    """Which multiplier is in which layer, of the points of the front that have several."""
    layers = found.sensitivity.space.layers
    mixed = [point for point in found.front if not point.uniform]
    rows = [[point.label, *(point.layers[layer] for layer in layers)] for point in mixed]
    return Table(
        "Assignments", ("assignment", *layers), rows_of(rows), align="l" * (1 + len(layers))
    )


def summary(found: Found) -> str:
    """What came of it, in two sentences."""
    chosen, exact = found.chosen, found.exact
    parts = [f"{100 * chosen.accuracy('clean').value:.1f} % clean"]
    if "robust" in found.measures:
        parts.append(f"{100 * chosen.accuracy('robust').value:.1f} % robust")
    parts += [
        f"{100 * chosen.prices[one] / exact.prices[one]:.0f} % of the exact {one}"
        for one in chosen.prices
    ]
    facts, size = found.facts, found.sensitivity.space.size
    return (
        f"{plural(facts['trials'], 'assignment')} of {size:{',' if size < 1e6 else '.3g'}} tried "
        f"on {plural(facts['search_images'], 'image')}, {len(found.points)} of them evaluated on "
        f"{facts['images']:,} others. Chosen: {chosen.label}, {', '.join(parts)}: the cheapest "
        "point of the front that loses nothing beyond chance."
    )


def _headings(found: Found) -> list[str]:
    headings = []
    for measure in found.measures:
        headings += [f"{measure} %", "vs exact"]
    for measure in found.exact.prices:
        headings += [_unit(found, measure), "of exact %"]
    return headings


def _unit(found: Found, measure: Measure) -> str:
    if measure == "energy":
        return "energy nJ"
    assert found.prices is not None
    return f"area {found.prices.unit}" if found.prices.unit == "um2" else found.prices.unit


def _entries(found: Found, point: Point) -> list[Entry]:
    entries = []
    for measure in found.measures:
        entries.append(percent(point.accuracy(measure)))
        entries.append(_difference(found.test(point, found.exact, measure)))
    for measure, price in point.prices.items():
        entries.append(number(price, ",.0f" if price >= 1000 else ".1f"))
        entries.append(number(100 * price / found.exact.prices[measure], ".1f"))
    return entries


def _beats(found: Found, point: Point, other: Point) -> bool:
    pairs = [(point.value(one), other.value(one)) for one in found.objectives]
    return all(one <= two for one, two in pairs) and any(one < two for one, two in pairs)


def _difference(test: Test | None) -> Entry:
    """A paired difference in points, starred where it is real."""
    if test is None:
        return NONE
    value = test.difference.value
    return Entry(f"{points(value)}{'*' if test.real else ''}", value=100 * value)


def all_tables(found: Found) -> Sequence[Table]:
    """In the order in which they are read, without those that have no rows."""
    tables = [*sensitivities(found), front(found), others(found), assignments(found)]
    return [table for table in tables if table.rows]
