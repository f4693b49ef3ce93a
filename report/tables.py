# SPDX-License-Identifier: Apache-2.0
"""Results as terminal tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from axhil.attacks import attack_title
from axhil.emulation import LayerPlan
from axhil.hwsim import ErrorMetrics
from axhil.hwsim.multipliers import Multiplier
from axhil.study.accuracy import AccuracyRow
from axhil.study.cells import Cell
from axhil.study.records import Record


def panels(records: Sequence[Record]) -> list[tuple[str, str]]:
    """(attack, norm) pairs in order of first appearance."""
    found = [(r.cell.settings.attack, r.cell.settings.norm) for r in records]
    return list(dict.fromkeys(found))


def robust_accuracy_tables(records: Sequence[Record]) -> list[Table]:
    """One table per attack and norm: multipliers down, budgets across, percent ± half interval."""
    tables = []
    for attack, norm in panels(records):
        chosen = [
            r for r in records if (r.cell.settings.attack, r.cell.settings.norm) == (attack, norm)
        ]
        budgets = sorted({r.eps for r in chosen})
        title = f"{attack_title(attack, norm)}: robust accuracy, %"
        table = Table(
            title=title,
            min_width=len(title) + 2,  # else a title wraps above a narrow table
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
        )
        table.add_column("eps", style="bold")
        for eps in budgets:
            table.add_column(f"{eps:g}", justify="right", no_wrap=True)
        for label in dict.fromkeys(r.cell.label for r in chosen):
            points = {r.eps: r.accuracy for r in chosen if r.cell.label == label}
            table.add_row(
                label,
                *(
                    f"{100 * points[eps].value:.1f}[dim]±{100 * points[eps].half_width:.0f}[/dim]"
                    for eps in budgets
                ),
            )
        tables.append(table)
    return tables


def summarised_warnings(cells: Sequence[Cell]) -> list[str]:
    """One sentence for each kind of warning under each attack, with the multipliers it is about."""
    groups: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for cell in cells:
        for warning in cell.warnings:
            code, _, sentence = warning.partition(": ")
            key = (cell.settings.attack, cell.settings.norm, code)
            groups.setdefault(key, []).append((cell.label, sentence))
    return [
        f"{attack_title(attack, norm)}, {code} ({', '.join(label for label, _ in found)}): "
        f"{found[0][1]}{f' (figures of {found[0][0]})' if len(found) > 1 else ''}"
        for (attack, norm, code), found in groups.items()
    ]


def accuracy_table(rows: Sequence[AccuracyRow], *, title: str) -> Table:
    """Clean accuracy of float and of each multiplier, with Wilson intervals."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for heading in ("", "accuracy %", "95 % interval", "vs float", "seconds", "table"):
        table.add_column(heading, justify="left" if heading in ("", "table") else "right")
    reference = rows[0].accuracy.value
    for row in rows:
        share = row.accuracy
        table.add_row(
            "float32" if row.name == "float" else f"{row.label}  [dim]{row.name}[/dim]",
            f"{100 * share.value:.2f}",
            f"{100 * share.low:.2f} to {100 * share.high:.2f}",
            "" if row.name == "float" else f"{100 * (share.value - reference):+.2f}",
            f"{row.seconds:.1f}",
            f"[dim]{row.lut_sha256[:12]}[/dim]",
        )
    return table


def metrics_table(entries: Sequence[tuple[Multiplier, ErrorMetrics]]) -> Table:
    """Error metrics of tables, named as EvoApproxLib names them."""
    table = Table(
        title="Error metrics over all operand pairs",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("multiplier")
    for heading in ("MAE", "WCE", "MRE %", "WCRE %", "EP %", "MSE", "NMED %", "bias"):
        table.add_column(heading, justify="right")
    for named, m in entries:
        table.add_row(
            f"{named.label}  [dim]{named.name}[/dim]",
            f"{m.mae:.2f}",
            f"{m.wce}",
            f"{100 * m.mre:.3f}",
            f"{100 * m.wcre:.2f}",
            f"{100 * m.ep:.2f}",
            f"{m.mse:.1f}",
            f"{100 * m.nmed:.4f}",
            f"{m.bias:+.3f}",
        )
    return table


def plan_table(plan: Sequence[LayerPlan], *, title: str) -> Table:
    """Which path each layer takes, its work, its estimated share of time, and why."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    right = ("MACs", "time %")
    for heading in ("layer", "input", "output", "MACs", "time %", "path", "multiplier", "why"):
        table.add_column(heading, justify="right" if heading in right else "left")
    total = sum(layer.cost for layer in plan)
    for layer in plan:
        table.add_row(
            layer.name,
            "x".join(map(str, layer.input_shape)),
            "x".join(map(str, layer.output_shape)),
            f"{layer.macs:,}",
            f"{100 * layer.cost / total:.1f}",
            layer.path,
            layer.multiplier,
            f"[dim]{layer.reason}[/dim]",
        )
    table.add_section()
    table.add_row("all", "", "", f"{sum(layer.macs for layer in plan):,}")
    return table
