# SPDX-License-Identifier: Apache-2.0
"""Tables of what multipliers cost: the least of each figure, beside the best exact one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .table import NONE, Entry, Table, number, rows_of

if TYPE_CHECKING:  # Yosys need not be there to import tables
    from axhil.hwsim.cost import Cost, Costs

_COLUMNS = {
    "area": ("area", ".0f"),
    "delay": ("delay ns", ".2f"),
    "wired delay": ("with wires ns", ".2f"),
    "energy": ("uniform pJ", ".2f"),
    "output stationary": ("OS pJ", ".2f"),
    "weight stationary": ("WS pJ", ".2f"),
    "leakage": ("leakage nW", ",.3g"),
    "cells": ("cells", ".0f"),
    "transistors": ("transistors", ",.0f"),
    "depth": ("gates deep", ".0f"),
    "LUTs": ("LUTs", ".0f"),
    "carries": ("carry cells", ".0f"),
}
"""By figure: heading and format."""


def cost(costs: Costs) -> Table:
    """What multipliers cost, absolutely and against the best exact one of the same operands."""
    target = costs.target
    headings = ["multiplier"]
    for figure in target.figures:
        headings += [_COLUMNS[figure][0], "vs exact %"]
    headings += [_COLUMNS[figure][0] for figure in target.others]
    rows = [_figures(costs, one) for one in _rows(costs)]
    return Table(f"Cost in {target.name}", tuple(headings), rows_of(rows), multipliers=True)


def scripts(costs: Costs) -> Table:
    """Which structure and script gave each figure."""
    figures = costs.target.figures
    rows = [
        [_name(one), *(Entry(one.least(figure).title) for figure in figures)]
        for one in _rows(costs)
    ]
    headings = ("multiplier", *(_COLUMNS[figure][0] for figure in figures))
    return Table("Made by", headings, rows_of(rows), align="l" * len(headings), multipliers=True)


def _rows(costs: Costs) -> list[Cost]:
    """Multipliers, then what they are held against."""
    own = {(one.name, one.operands) for one in costs.multipliers}
    wrapped = [one for one in costs.wrapped.values() if (one.name, one.operands) not in own]
    return [*costs.multipliers, *wrapped, *costs.exact.values()]


def _name(cost: Cost) -> Entry:
    return Entry(cost.label, detail=cost.note or cost.name)


def _figures(costs: Costs, cost: Cost) -> list[Entry | str]:
    target = costs.target
    row: list[Entry | str] = [_name(cost)]
    for figure in target.figures:
        relative = costs.relative(cost, figure)
        row.append(number(cost.value(figure), _COLUMNS[figure][1]))
        row.append(NONE if relative is None else number(100 * relative, "+.0f"))
    smallest = cost.least(target.figures[0])
    row += [number(smallest.figures[figure], _COLUMNS[figure][1]) for figure in target.others]
    return row
