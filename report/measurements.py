# SPDX-License-Identifier: Apache-2.0
"""Tables of single measurements: clean accuracy, error metrics, a plan, a study's progress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from axhil.hwsim import error_metrics

from .table import Entry, Table, number, rows_of
from .titles import duration

if TYPE_CHECKING:  # error metrics are shown without torch
    from axhil.emulation import LayerPlan
    from axhil.hwsim import ErrorMetrics
    from axhil.hwsim.multipliers import Multiplier
    from axhil.study.accuracy import AccuracyRow

    from .status import Status


def accuracy(rows: Sequence[AccuracyRow], *, title: str) -> Table:
    """Clean accuracy of float and of each multiplier, with Wilson intervals.

    Args:
        rows: float first.
        title: of the table.
    """
    reference = rows[0].accuracy.value
    entries: list[list[Entry | str]] = []
    for row in rows:
        share = row.accuracy
        of_float = row.name == "float"
        entries.append(
            [
                "float32" if of_float else Entry(row.label, detail=row.name),
                number(100 * share.value, ".2f"),
                f"{100 * share.low:.2f} to {100 * share.high:.2f}",
                "" if of_float else number(100 * (share.value - reference), "+.2f"),
                number(row.seconds, ".1f"),
                Entry(row.lut_sha256[:12], mark="faint"),
            ]
        )
    headings = ("", "accuracy %", "95 % interval", "vs float", "seconds", "table")
    return Table(title, headings, rows_of(entries), align="lrrrrl", multipliers=True)


def errors(
    multipliers: Sequence[Multiplier], *, known: Mapping[Multiplier, ErrorMetrics] | None = None
) -> Table:
    """Error metrics over all operand pairs, named as EvoApproxLib names them.

    Args:
        multipliers: in the order of rows.
        known: the metrics of those that are too wide for a table.
    """
    rows = []
    for one in multipliers:
        m = (known or {}).get(one) or error_metrics(one.table())
        rows.append(
            [
                Entry(one.label, detail=one.name),
                number(m.mae, ".2f"),
                number(m.wce),
                number(100 * m.mre, ".3f"),
                number(100 * m.wcre, ".2f"),
                number(100 * m.ep, ".2f"),
                number(m.mse, ".1f"),
                number(100 * m.nmed, ".4f"),
                number(m.bias, "+.3f"),
            ]
        )
    headings = ("multiplier", "MAE", "WCE", "MRE %", "WCRE %", "EP %", "MSE", "NMED %", "bias")
    title = "Error metrics over all operand pairs"
    return Table(title, headings, rows_of(rows), multipliers=True)


def plan(layers: Sequence[LayerPlan], *, title: str) -> Table:
    """Which path each layer takes, its work, its estimated share of time, and why."""
    cost = sum(layer.cost for layer in layers)
    rows: list[list[Entry | str]] = [
        [
            layer.name,
            "x".join(map(str, layer.input_shape)),
            "x".join(map(str, layer.output_shape)),
            number(layer.macs, ","),
            number(100 * layer.cost / cost, ".1f"),
            layer.path,
            layer.multiplier + (", bias corrected" if layer.bias_corrected else ""),
            Entry(layer.reason, mark="faint"),
        ]
        for layer in layers
    ]
    macs = number(sum(layer.macs for layer in layers), ",")
    (total,) = rows_of([["all", "", "", macs, *[""] * 4]])
    headings = ("layer", "input", "output", "MACs", "time %", "path", "multiplier", "why")
    return Table(title, headings, rows_of(rows), align="lllrrlll", total=total)


def progress(states: Mapping[str, Status], *, title: str) -> Table:
    """How far a study is: one line per network and threat model."""
    rows: list[list[Entry | str]] = [
        [
            name,
            number(state.done, ","),
            number(state.planned, ","),
            number(100 * state.done / state.planned, ".0f"),
            Entry(duration(state.seconds), value=state.seconds),
            "?" if state.left is None else Entry(duration(state.left), value=state.left),
        ]
        for name, state in states.items()
    ]
    headings = ("", "evaluations", "of", "%", "time spent", "about left")
    return Table(title, headings, rows_of(rows))
