# SPDX-License-Identifier: Apache-2.0
"""`axhil cost`: what multipliers cost in gates, cells or look-up tables."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from axhil.hwsim.cost import ICE40, XC7, Cells, Library, Target, Transistors, costs
from axhil.hwsim.multipliers import Request, find
from axhil.hwsim.operands import MAX_BITS
from axhil.hwsim.tools.yosys import require_yosys

from .console import Json, emit, notice, out, progress
from .multipliers import Jobs, Words, listed, made, verilog_options
from .tables import Rtl

app = typer.Typer()


@app.command()
@verilog_options("multipliers")
def cost(
    multipliers: Words = None,
    *,
    request: Request,
    liberty: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Standard cells: .lib or .lib.gz; area, delay, leakage."),
    ] = None,
    avoided: Annotated[
        list[str] | None,
        typer.Option("--dont-use", metavar="PATTERN", help="Cells to leave out; repeatable."),
    ] = None,
    fpga: Annotated[bool, typer.Option("--fpga", help="LUTs of two FPGA families.")] = False,
    rtl: Rtl = None,
    jobs: Jobs = None,
    as_json: Json = False,
) -> None:
    """What multipliers cost, against the best exact one of the same operands.

    Without a library: transistors of static CMOS gates, and how many are in a row. Every design
    goes through several scripts; the least of each figure is shown, and the script that gave it.
    """
    from axhil.report.cost import cost as cost_table
    from axhil.report.cost import scripts
    from axhil.report.terminal import terminal_table

    require_yosys()
    targets: list[Target] = []
    if liberty is not None:
        targets.append(Cells(Library(liberty), avoided=avoided or ()))
    targets += [ICE40, XC7] if fpga else []
    found = [find(word, replace(request, rtl=rtl)) for word in listed(multipliers)]
    if liberty is not None:  # cells are held against tables
        made([one for one in found if max(one.operands.bits) <= MAX_BITS], jobs=jobs)
    results = []
    for target in targets or [Transistors()]:
        with progress(f"making {target.name}", total=100, unit="%") as tick:
            results.append(
                costs(
                    found,
                    target,
                    jobs=jobs,
                    progress=lambda done, total, name: tick(100 * done // total, name),
                )
            )
        for table in (cost_table(results[-1]), scripts(results[-1])):
            out.print(terminal_table(table))
        if isinstance(target, Cells):
            notice(_said_of(target))
    if as_json:
        emit({"costs": [one.as_dict() for one in results]})


def _said_of(target: Cells) -> str:
    wires = f"its wire-load model {target.library.wire_load}"
    return (
        f"{target.name} at {target.library.voltage:g} V; delay without wires"
        f"{f', and by {wires}' if target.library.wire_load else ''}; leakage and cells of the "
        "smallest; every netlist was held against its table"
    )
