# SPDX-License-Identifier: Apache-2.0
"""`axhil metrics`, `inspect` and `rtl`: what a multiplier is, in numbers, in parts, in Verilog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axhil.hwsim import Catalogued, ErrorMetrics, Operand, error_metrics, standalone
from axhil.hwsim.multipliers import FromVerilog, Multiplier, Request, find
from axhil.hwsim.multipliers.comparing.exhaustive import is_wide, metrics_of
from axhil.hwsim.netlist.inspection import Inspection, inspect
from axhil.hwsim.tools.yosys import require_yosys
from axhil.study.errors import StudyError

from . import options as opt
from .console import Json, emit, notice, out, progress
from .multipliers import Jobs, Luts, Words, listed, made, verilog_options
from .streams import write

if TYPE_CHECKING:
    from axhil.hwsim.cost import CostRecord

app = typer.Typer()

Rtl = Annotated[
    Path | None,
    typer.Option("--rtl", metavar="FOLDER", help="Another Verilog folder for the catalogue."),
]


@app.command()
@verilog_options("multipliers")
def metrics(
    multipliers: Words = None,
    *,
    request: Request,
    luts: Luts = None,
    cost: Annotated[bool, typer.Option("--cost", help="What each costs, beside it.")] = False,
    liberty: opt.Liberty = None,
    avoided: opt.Avoided = None,
    jobs: Jobs = None,
    as_json: Json = False,
) -> None:
    """Error metrics of multipliers or of table files (MAE, WCE, MRE, ...) over all operand pairs.

    Gates of the Verilog give those of operands that are too wide for a table. With --cost beside
    them: transistors and depth, or with --liberty area, delay and energy, each against the best
    exact multiplier; `axhil cost` has all of it.
    """
    from axhil.report.measurements import errors
    from axhil.report.terminal import terminal_table

    costed = cost or liberty is not None
    if costed:
        require_yosys()
    elif avoided:
        raise StudyError("--dont-use: expected --liberty FILE with it, whose cells it leaves out")
    found = [find(word, replace(request, luts=luts)) for word in listed(multipliers)]
    made([one for one in found if not is_wide(one)], jobs=jobs)
    measured = {one: _measured(one, jobs) for one in dict.fromkeys(found)}
    table = errors(found, known=measured)
    bodies = {one.name: metrics.as_dict() for one, metrics in measured.items()}
    if costed:
        from axhil.report.cost import entries, headings

        record = _record(list(measured), liberty, avoided, jobs)
        rows = {one: record.find(one.name, operands=one.operands.code) for one in measured}
        columns = [entries(record, rows[one]) for one in found]
        table = table.beside(list(headings(record).values()), columns)
        for one, row in rows.items():
            bodies[one.name]["cost"] = None if row is None else record.as_dict(row)
    out.print(terminal_table(table))
    if as_json:
        emit(bodies)


def _record(
    multipliers: Sequence[Multiplier],
    liberty: Path | None,
    avoided: Sequence[str] | None,
    jobs: int | None,
) -> CostRecord:
    """Costs of those that have Verilog."""
    from axhil.hwsim.cost import Cells, CostRecord, Library, Transistors, record_body

    from .cost import shown_costs

    target = Transistors() if liberty is None else Cells(Library(liberty), avoided=avoided or ())
    circuits = [one for one in multipliers if one.circuit() is not None]
    for one in multipliers:
        if one not in circuits:
            notice(f"no cost of {one.name}: there is no Verilog of it")
    return CostRecord.of(record_body([shown_costs(circuits, target, jobs=jobs)]))


def _measured(multiplier: Multiplier, jobs: int | None) -> ErrorMetrics:
    if not is_wide(multiplier):
        return error_metrics(multiplier.table())
    total = multiplier.operands.product.count
    with progress("computing products", total=total, unit="products") as tick:
        return metrics_of(
            multiplier, jobs=jobs, progress=lambda done, _: tick(done, multiplier.name)
        )


@app.command("inspect")
@verilog_options("multiplier")
def inspect_design(
    multiplier: Annotated[str, typer.Argument(help="Verilog, or a multiplier of the catalogue.")],
    *,
    request: Request,
    as_json: Json = False,
) -> None:
    """Show what is in a design: hierarchy, logic from input to output bits, flaws."""
    from .design_text import design_text

    report = _inspection(multiplier, request)
    for part in design_text(report):
        out.print(part)
    if as_json:
        emit(report.as_dict())


def _inspection(word: str, request: Request) -> Inspection:
    found = find(word, request)
    if isinstance(found, FromVerilog):  # which need not be a multiplier to be looked into
        source = found.source
        files = [file for file in (source.file, *source.more) if file is not None]
        return inspect(
            files,
            top=source.top,
            parameters=source.parameters,
            includes=source.includes,
            defines=source.defines,
        )
    circuit = found.circuit()
    if circuit is None:
        raise StudyError(f"expected Verilog to inspect, got {word}")
    circuit = circuit.core or circuit
    return inspect(circuit.sources, top=circuit.top, parameters=circuit.parameters)


@app.command()
def rtl(
    multiplier: Annotated[str, typer.Argument(help="E.g. exact, 'drum(4)', 'scaletrim(4,8)'.")],
    width: Annotated[int, typer.Option(help="Operand bits, 4 to 16.")] = 8,
    signed: Annotated[
        bool, typer.Option("--signed/--unsigned", help="Inside a sign-magnitude wrapper.")
    ] = False,
    folder: Rtl = None,
) -> None:
    """Print a multiplier as one stand-alone Verilog file, its constants in place."""
    wanted = Catalogued.parse(multiplier, operand=Operand(width, signed), rtl=folder)
    write(standalone(wanted))
