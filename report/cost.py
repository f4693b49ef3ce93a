# SPDX-License-Identifier: Apache-2.0
"""What multipliers cost as tables, and as columns of others: the least of each figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from axhil.hwsim.cost.cost import BEST_EXACT
from axhil.hwsim.cost.energy import ORDERS
from axhil.hwsim.cost.portfolio import FLIP_FLOPS
from axhil.hwsim.cost.record import IMAGES, Figures

from .table import NONE, Entry, Table, number, rows_of
from .titles import network_title

if TYPE_CHECKING:
    from axhil.hwsim.cost import Cost, CostRecord, Costs, Inference
    from axhil.study.results import Results

_COLUMNS = {
    "area": ("area", ".0f"),
    "delay": ("delay ns", ".2f"),
    "wired delay": ("with wires ns", ".2f"),
    "energy": ("uniform operands", ".2f"),
    **{order: (order, ".2f") for order in ORDERS},
    "leakage": ("leakage nW", ",.3g"),
    "cells": ("cells", ".0f"),
    "transistors": ("transistors", ",.0f"),
    "depth": ("gates deep", ".0f"),
    "LUTs": ("LUTs", ".0f"),
    "carries": ("carry cells", ".0f"),
    FLIP_FLOPS: ("flip-flops", ".0f"),
    **{image: (f"{order} nJ/image", ".4g") for order, image in IMAGES.items()},
}
"""By figure: heading and format."""

_ENERGIES = ("energy", *ORDERS)
_BESIDE = ("area", "delay", "energy", IMAGES[ORDERS[0]], "transistors", "depth", "LUTs")
"""Figures that are shown beside other numbers."""


def headings(record: CostRecord) -> dict[str, str]:
    """What a record has to show beside other numbers: headings by figure."""
    titles = {"energy": "uniform pJ"}
    known = set(record.figures)
    return {one: titles.get(one, _COLUMNS[one][0]) for one in _BESIDE if one in known}


def entries(record: CostRecord, row: Figures | None) -> list[Entry]:
    """A row under these headings, and how far each figure is from the best exact multiplier's."""
    found = []
    for figure in headings(record):
        if row is None or figure not in row.values:
            found.append(NONE)
            continue
        value, relative = row.values[figure], record.relative(row, figure)
        share = (
            "" if relative is None or row is record.baseline(row) else f" ({100 * relative:+.0f} %)"
        )
        found.append(Entry(f"{_written(figure, value)}{share}", value=value))
    return found


def with_costs(table: Table, parts: Sequence[Results], *, exact: bool = False) -> Table:
    """A table of multipliers with columns of what they cost; as it is where nothing is known.

    Args:
        table: each row named by a label.
        parts: of one study, some of them with costs.
        exact: add a row for the best exact multiplier.
    """
    columns: dict[str, dict[str, Entry]] = {}
    for part in parts:
        if part.costs is None:
            continue
        rows = dict(part.cost)
        for code, one in part.costs.exact.items() if exact and rows else ():
            alone = len(part.costs.exact) == 1
            rows[BEST_EXACT if alone else f"{BEST_EXACT}, {code}"] = one
        for label, row in rows.items():
            named = zip(headings(part.costs).items(), entries(part.costs, row), strict=True)
            for (figure, heading), entry in named:
                # All figures but those are of the multipliers alone.
                alone = len(parts) == 1 or figure not in IMAGES.values()
                title = heading if alone else f"{network_title(part.network)}, {heading}"
                columns.setdefault(title, {}).setdefault(label, entry)
    labels = [row[0].text for row in table.rows]
    added = dict.fromkeys(label for column in columns.values() for label in column) if exact else ()
    empty = [NONE] * (len(table.headings) - 1)
    more = [(Entry(label), *empty) for label in added if label not in labels]
    whole = replace(table, rows=(*table.rows, *more))
    found = [[one.get(row[0].text, NONE) for one in columns.values()] for row in whole.rows]
    return whole.beside(list(columns), found)


def energy_of_an_image(results: Results) -> list[Entry]:
    """What the products of an image take: of the best exact multiplier, and of the best other.

    Returns:
        Two entries; none where it is not known.
    """
    image = IMAGES[ORDERS[0]]
    known = {label: row.values[image] for label, row in results.cost.items() if image in row.values}
    if results.costs is None or not known:
        return []
    exact = min(one.values[image] for one in results.costs.exact.values() if image in one.values)
    best = min(known, key=lambda label: known[label])
    least = Entry(f"{_written(image, known[best])} ({best})", value=known[best])
    return [Entry(_written(image, exact), value=exact), least]


def _written(figure: str, value: float) -> str:
    """A figure as columns show it; of large ones no more than the whole."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:{_COLUMNS[figure][1]}}"


def note(results: Results) -> str:
    """What the figures of cost are of, in a sentence or two; empty where there are none."""
    if results.costs is None or not results.cost:
        return ""
    return (
        f"Cost in {results.costs.target}: each figure is the least over several structures and "
        "scripts, and in brackets how far it is from that of the best exact multiplier of the same "
        "operands. Delay and energy are without wires; of an image, that of all its products on "
        f"its own operands, {ORDERS[0]}."
    )


def tables(costs: Costs) -> list[Table]:
    """What multipliers cost, absolutely and against the best exact one of the same operands.

    Returns:
        Figures, and which structure and script gave each; energies apart from all others.
    """
    target = costs.target
    energies = tuple(figure for figure in costs.figures if figure in _ENERGIES)
    others = tuple(figure for figure in costs.figures if figure not in _ENERGIES)
    known = (*target.others, *([FLIP_FLOPS] if any(one.clocked for one in _rows(costs)) else []))
    title = f"Cost in {target.name}"
    found = [_figures(costs, others, known, title=title), _scripts(costs, others)]
    if energies:
        title = "Energy of a product in pJ"
        found += [_figures(costs, energies, (), title=title), _scripts(costs, energies)]
    return found


def inferences(rows: Sequence[Inference], *, title: str) -> Table:
    """Energy of the products of one image, by layer; against the first row.

    Args:
        rows: the best exact multiplier first.
        title: of the table.
    """
    order = ORDERS[0]
    layers = list(rows[0].layers)
    lines = []
    for row in rows:
        line = [Entry(row.label, detail=row.name)]
        for one in ORDERS:
            total, exact = row.total(one), rows[0].total(one)
            line += [number(total, ".0f"), number(100 * (total / exact - 1), "+.0f")]
        line += [
            number(row.layers[layer][order], ".1f") if layer in row.layers else NONE
            for layer in layers
        ]
        lines.append(line)
    totals = [heading for one in ORDERS for heading in (f"{one}, nJ", "vs exact %")]
    return Table(title, ("multiplier", *totals, *layers), rows_of(lines), multipliers=True)


def _rows(costs: Costs) -> list[Cost]:
    """Multipliers, then what they are held against."""
    return [*costs.multipliers, *costs.wrapped.values(), *costs.exact.values()]


def _name(cost: Cost) -> Entry:
    return Entry(cost.label, detail=cost.note or cost.name)


def _figures(costs: Costs, figures: Sequence[str], others: Sequence[str], *, title: str) -> Table:
    titles = ["multiplier"]
    for figure in figures:
        titles += [_COLUMNS[figure][0], "vs exact %"]
    titles += [_COLUMNS[figure][0] for figure in others]
    rows = []
    for cost in _rows(costs):
        row: list[Entry | str] = [_name(cost)]
        for figure in figures:
            relative = costs.relative(cost, figure)
            row.append(number(cost.value(figure), _COLUMNS[figure][1]))
            row.append(NONE if relative is None else number(100 * relative, "+.0f"))
        smallest = cost.least(figures[0])
        row += [number(smallest.figures.get(one, 0), _COLUMNS[one][1]) for one in others]
        rows.append(row)
    return Table(title, tuple(titles), rows_of(rows), multipliers=True)


def _scripts(costs: Costs, figures: Sequence[str]) -> Table:
    rows = [
        [_name(one), *(Entry(one.least(figure).title) for figure in figures)]
        for one in _rows(costs)
    ]
    titles = ("multiplier", *(_COLUMNS[figure][0] for figure in figures))
    return Table("Made by", titles, rows_of(rows), align="l" * len(titles), multipliers=True)
