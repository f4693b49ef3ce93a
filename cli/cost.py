# SPDX-License-Identifier: Apache-2.0
"""`axhil cost`: what multipliers cost in hardware, beside the best exact ones."""

from pathlib import Path
from typing import Annotated

import typer

from axhil.hwsim.cost.cost import FIGURES, costs_of
from axhil.hwsim.cost.exact import STRUCTURES
from axhil.hwsim.multipliers import Request, find
from axhil.study.errors import StudyError

from .console import Json, emit, out, progress
from .multipliers import Jobs, Words, listed, verilog_options

app = typer.Typer()


@app.command()
@verilog_options("multipliers")
def cost(
    multipliers: Words = None,
    *,
    request: Request,
    liberty: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Cells of a technology, .lib or .lib.gz: area, delay."),
    ] = None,
    jobs: Jobs = None,
    as_json: Json = False,
) -> None:
    """Transistors, depth, area and delay, beside the best exact multiplier of the same operands.

    Yosys synthesises each in several ways, and each figure is the least; so is that of the exact
    ones, over several structures.
    """
    from axhil.report.measurements import costs
    from axhil.report.terminal import terminal_table

    found = list(dict.fromkeys(find(word, request) for word in listed(multipliers)))
    circuits = {one.name: one.circuit() for one in found}
    for name, circuit in circuits.items():
        if circuit is None:
            raise StudyError(f"expected Verilog to synthesise, got {name}")
    total = len(circuits) + len(STRUCTURES) * len({one.operands.code for one in found})
    with progress("synthesising", total=total, unit="circuits") as tick:
        made, exact = costs_of(
            {name: circuit for name, circuit in circuits.items() if circuit is not None},
            liberty=liberty,
            jobs=jobs,
            progress=lambda done, _, name: tick(done, f"synthesised {name}"),
        )
    where = "CMOS gates, no library" if liberty is None else liberty.name
    table = costs({one: made[one.name] for one in found}, exact, title=f"Cost in hardware: {where}")
    out.print(terminal_table(table))
    for code, best in exact.items():
        by = "; ".join(f"{FIGURES[name]}: {one.by}" for name, one in best.figures.items())
        out.print(f"best exact {code}: {by}", soft_wrap=True, markup=False)
    if as_json:
        emit(
            {
                "library": liberty and liberty.name,
                "multipliers": {name: one.as_dict() for name, one in made.items()},
                "exact": {code: one.as_dict() for code, one in exact.items()},
            }
        )
