# SPDX-License-Identifier: Apache-2.0
"""`axhil verify` and `axhil mutate`: is the Verilog what it was, and would anybody notice?"""

import json
import re
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from axhil.hwsim import Catalogued
from axhil.hwsim import verify as verify_tables
from axhil.hwsim.files import write_atomically
from axhil.hwsim.mutation import MutationReport, draw
from axhil.hwsim.mutation import mutate as judge_mutants
from axhil.report.terminal import Fitted

from .console import Json, emit, notice, out, progress
from .multipliers import Jobs, Words, listed, say_without_yosys
from .output import OutFile, results_folder
from .tables import Rtl

app = typer.Typer()


@app.command()
def verify(
    multipliers: Words = None, jobs: Jobs = None, rtl: Rtl = None, as_json: Json = False
) -> None:
    """Simulate the RTL again; compare with golden tables and gates. Exit code 1 if any differs."""
    wanted = [Catalogued.parse(word, rtl=rtl) for word in listed(multipliers)]
    with progress("simulating", total=len(wanted), unit="tables") as tick:
        reports = verify_tables(
            wanted, jobs=jobs, progress=lambda one, done, _: tick(done, f"simulated {one}")
        )
    for report in reports:
        mark = "[green]equal  [/green]" if report.passed else "[red]DIFFERS[/red]"
        gates = report.gates
        agrees = "" if gates is None else gates.mark
        out.print(f"{mark} {report.sentence()}{agrees}", soft_wrap=True)
        for difference in report.first[1:]:
            out.print(f"          {difference}", soft_wrap=True)
        if gates is not None and not gates.equal:
            out.print(f"          {gates.sentence()}", soft_wrap=True, markup=False)
    passed = all(report.passed for report in reports)
    say_without_yosys()
    if as_json:
        emit({"equal": passed, "multipliers": [report.as_dict() for report in reports]})
    if not passed:
        raise typer.Exit(1)


@app.command()
def mutate(
    files: Annotated[list[Path], typer.Argument(help="Verilog files of rtl/, e.g. mul_drum.v.")],
    count: Annotated[
        int | None, typer.Option(min=1, help="Mutants to draw of each file; default: all.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    only: Annotated[
        list[int] | None, typer.Option(help="This mutant, by its number; repeatable.")
    ] = None,
    widest: Annotated[
        int | None,
        typer.Option(
            help="Operand bits to which all parameters count, 6 to 16; default: 8. Not for mac."
        ),
    ] = None,
    jobs: Jobs = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show killed mutants too, not only the others.")
    ] = False,
    out_file: OutFile = None,
    as_json: Json = False,
) -> None:
    """Change the Verilog in every small way; is each change noticed? Exit code 1 if one is not.

    Killed: the regression gate tells the mutant from the design. Equivalent: its gates are proved
    to be the design's. Survived: they are not, so the gate has a hole. Without Yosys a longer
    simulation takes the place of the proof.
    """
    reports = []
    with nullcontext() if out_file is None else results_folder(out_file.parent):
        for path in files:
            total = len(draw(path, count=count, seed=seed, only=only))
            with progress(f"mutating {path.name}", total=total, unit="mutants") as tick:
                report = judge_mutants(
                    path,
                    count=count,
                    seed=seed,
                    only=only,
                    widest=widest,
                    jobs=jobs,
                    progress=lambda verdict, done, _: tick(done, f"line {verdict.mutant.line}"),
                )
            reports.append(report)
    command = _command(files, count, seed, only, widest)
    body = {"designs": [{"command": command, **report.as_dict()} for report in reports]}
    if out_file is not None:
        # A mutant a line, so that a record in a repository shows what changed.
        text = re.sub(r"\n {5,}", "", json.dumps(body, indent=1, separators=(",", ":")))
        text = text.replace("\n    }", "}")
        write_atomically(out_file, f"{text}\n".encode())
        notice(f"wrote {out_file}")
    for report in reports:
        table = _table(report, everything=everything)
        if table.row_count:
            out.print(Fitted(table))
        mark = "[red]SURVIVED[/red]" if report.survivors else "[green]none survived[/green]"
        out.print(mark, end="  ")
        out.print(f"{report.sentence()}; {report.seconds:.0f} s", soft_wrap=True, markup=False)
        notice(f"equivalent: nothing differs in {report.basis}")
    if as_json:
        emit(body)
    if any(report.survivors for report in reports):
        raise typer.Exit(1)


def _command(
    files: Sequence[Path],
    count: int | None,
    seed: int,
    only: Sequence[int] | None,
    widest: int | None,
) -> str:
    options = [f"--only {number}" for number in only or ()]
    if count is not None:
        options += [f"--count {count} --seed {seed}"]
    if widest is not None:
        options += [f"--widest {widest}"]
    return " ".join(["axhil mutate", *(f"rtl/{path.name}" for path in files), *options])


def _table(report: MutationReport, *, everything: bool) -> Table:
    table = Table("#", "line", "change", "before -> after", "verdict", title=report.module)
    colours = {"killed": "green", "equivalent": "yellow", "survived": "red"}
    for verdict in report.verdicts:
        mutant, outcome = verdict.mutant, str(verdict.outcome)
        if outcome == "killed" and not everything:
            continue
        shown = f"[{colours[outcome]}]{outcome}[/{colours[outcome]}]"
        if verdict.kill is not None:
            shown += f" ({verdict.kill.by}) {escape(str(verdict.kill))}"
        elif verdict.proof:
            shown += f" ({verdict.proof})"
        table.add_row(
            str(mutant.number),
            f"{mutant.line}:{mutant.column}",
            str(mutant.change),
            escape(f"{mutant.before} -> {mutant.after}"),
            shown,
        )
    return table
