# SPDX-License-Identifier: Apache-2.0
"""An inspection as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from axhil.report.terminal import Fitted

if TYPE_CHECKING:
    from axhil.hwsim.netlist.inspection import Inspection
    from axhil.hwsim.verilog.ports import Instance

_SHOWN = 12
"""Entries of a list before the rest is counted."""


def design_text(report: Inspection) -> Iterator[RenderableType]:
    """The parts of a report, top first."""
    yield Text(f"{report.top} in {', '.join(report.files)}, read by {report.reader}")
    yield _tree(report.hierarchy)
    yield Fitted(_ports(report))
    if report.roles is None:
        yield Text(f"no multiplier: {report.no_roles}")
    for note in report.roles.notes if report.roles else ():
        yield Text(f"note: {note}")
    if report.no_logic is not None:
        yield Text(f"no logic to show: {report.no_logic}")
        return
    yield Fitted(_operators(report))
    yield Fitted(_outputs(report))
    gates = ", ".join(f"{count} {kind}" for kind, count in report.gates.items()) or "none"
    path = "" if report.depth is None else f"; {report.depth} on the longest path"
    yield Text(f"gates, not optimised: {gates}{path}")
    yield Text(f"registers: {report.registers} bits")
    yield _list("combinational loops", ["  ".join(_placed(report, loop)) for loop in report.loops])
    yield _list("latches", _placed(report, report.latches))
    yield _list("undriven", _placed(report, report.undriven))
    yield _list("unused", _placed(report, report.unused))
    yield _list("driven twice", _placed(report, report.conflicts))
    yield _list("ports of another width", report.widths)


def _placed(report: Inspection, names: tuple[str, ...]) -> list[str]:
    places = [report.place(name) for name in names]
    return [
        name if place is None else f"{name} ({place})"
        for name, place in zip(names, places, strict=True)
    ]


def _tree(top: Instance) -> Tree:
    def label(instance: Instance) -> str:
        given = ", ".join(f"{name}={value}" for name, value in instance.parameters.items())
        name = f"{instance.name}: " if instance.name != instance.module else ""
        return escape(f"{name}{instance.module}{f' ({given})' if given else ''}")

    def grow(branch: Tree, instance: Instance) -> None:
        for child in instance.children[:_SHOWN]:
            grow(branch.add(label(child)), child)
        if len(instance.children) > _SHOWN:
            branch.add(f"... {len(instance.children) - _SHOWN} more instances")

    tree = Tree(label(top))
    grow(tree, top)
    return tree


def _ports(report: Inspection) -> Table:
    table = Table(title="ports", title_justify="left")
    for column in ("name", "direction", "bits", "signed", "role"):
        table.add_column(column)
    roles = {}
    if report.roles is not None:
        roles = {
            report.roles.activation: "activation (row)",
            report.roles.weight: "weight (column)",
            report.roles.product: "product",
        }
        if report.roles.clock is not None:
            roles[report.roles.clock] = "clock"
        if report.roles.reset is not None:
            roles[report.roles.reset.name] = "reset"
        roles |= {enable.name: "enable" for enable in report.roles.enables}
    for port in report.interface.ports:
        table.add_row(
            escape(port.name),
            port.direction,
            str(port.width),
            "yes" if port.signed else "",
            roles.get(port.name, ""),
        )
    return table


def _operators(report: Inspection) -> Table:
    table = Table(title="operators of each module", title_justify="left")
    table.add_column("module")
    table.add_column("operators")
    for module, counts in report.operators.items():
        shown = "  ".join(f"{symbol} x{count}" for symbol, count in counts.items())
        table.add_row(escape(module), escape(shown or "none"))
    return table


def _outputs(report: Inspection) -> Table:
    table = Table(title="logic of each output bit", title_justify="left")
    for column in ("output", "depends on", "missing for an exact product", "beyond it"):
        table.add_column(column)
    for bit in report.outputs:
        table.add_row(
            *(
                escape(" ".join(names) or empty)
                for names, empty in (
                    ((bit.name,), ""),
                    (bit.inputs, "nothing: constant"),
                    (bit.missing, ""),
                    (bit.beyond, ""),
                )
            )
        )
    return table


def _list(title: str, entries: Sequence[str]) -> Text:
    shown = ", ".join(entries[:_SHOWN]) or "none"
    more = f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
    return Text(f"{title}: {shown}{more}", style="bold yellow" if entries else "")
