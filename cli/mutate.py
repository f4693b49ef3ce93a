# SPDX-License-Identifier: Apache-2.0
"""`axhil mutate`: is the gate good enough to notice every small change of the Verilog?"""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import notice, out, progress
from .output import results_folder

if TYPE_CHECKING:
    from rich.table import Table

    from axhil.hwsim.mutation import MutationReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("mutate")(_mutate)


def _mutate(
    files: Annotated[list[Path], typer.Argument(help="Verilog files of rtl/, e.g. mul_drum.v.")],
    count: Annotated[
        int | None, typer.Option(min=1, help="Mutants to draw of each file; default: all.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    only: Annotated[
        list[int] | None, typer.Option(help="This mutant, by its number; may be given again.")
    ] = None,
    widest: Annotated[
        int | None,
        typer.Option(
            help="Operand bits of the widest complete sweep, 6 to 8; default: 6 or 8. Not for mac."
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Simulators at a time; default: all cores.")
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Also write the report, JSON, to this file.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show killed mutants too, not only the others.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Change the Verilog in every small way; is each change noticed? Exit code 1 if one is not.

    Killed: the regression gate tells the mutant from the design. Equivalent: nor does a longer
    comparison, exhaustive where there is a table. Survived: that one does, so the gate has a hole.
    """
    from axhil.hwsim.files import write_atomically
    from axhil.hwsim.mutation import draw, mutate

    reports = []
    with nullcontext() if out_file is None else results_folder(out_file.parent):
        for path in files:
            total = len(draw(path, count=count, seed=seed, only=only))
            with progress(f"mutating {path.name}", total=total, unit="mutants") as tick:
                report = mutate(
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
    # A mutant a line, so that a record in a repository shows what changed.
    text = re.sub(r"\n {5,}", "", json.dumps(body, indent=1, separators=(",", ":")))
    text = text.replace("\n    }", "}")
    if out_file is not None:
        write_atomically(out_file, f"{text}\n".encode())
        notice(f"wrote {out_file}")
    if as_json:
        typer.echo(text)
    else:
        for report in reports:
            table = _table(report, everything=everything)
            if table.row_count:
                out.print(table)
            mark = "[red]SURVIVED[/red]" if report.survivors else "[green]none survived[/green]"
            out.print(mark, end="  ")
            out.print(f"{report.sentence()}; {report.seconds:.0f} s", soft_wrap=True, markup=False)
            notice(f"equivalent: nothing differs in {report.basis}")
    if any(report.survivors for report in reports):
        raise typer.Exit(1)


def _command(
    files: list[Path], count: int | None, seed: int, only: list[int] | None, widest: int | None
) -> str:
    options = [f"--only {number}" for number in only or ()]
    if count is not None:
        options += [f"--count {count} --seed {seed}"]
    if widest is not None:
        options += [f"--widest {widest}"]
    names = (f"rtl/{path.name}" for path in files)
    return " ".join(["axhil mutate", *names, *options])


def _table(report: MutationReport, *, everything: bool) -> Table:
    from rich.markup import escape
    from rich.table import Table as RichTable

    table = RichTable("#", "line", "change", "before -> after", "verdict", title=report.module)
    colours = {"killed": "green", "equivalent": "yellow", "survived": "red"}
    for verdict in report.verdicts:
        mutant, outcome = verdict.mutant, str(verdict.outcome)
        if outcome == "killed" and not everything:
            continue
        said = f"[{colours[outcome]}]{outcome}[/{colours[outcome]}]"
        if verdict.kill is not None:
            said += f" ({verdict.kill.by}) {escape(str(verdict.kill))}"
        change = escape(f"{mutant.before} -> {mutant.after}")
        place = f"{mutant.line}:{mutant.column}"
        table.add_row(str(mutant.number), place, str(mutant.change), change, said)
    return table
