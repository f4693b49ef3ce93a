# SPDX-License-Identifier: Apache-2.0
"""`axhil verify` and `axhil mutate`: is the Verilog what it was, and would anybody notice?"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from axhil.hwsim import Catalogued, VerifyReport, golden
from axhil.hwsim import verify as verify_tables
from axhil.hwsim.files import write_atomically
from axhil.hwsim.multipliers.comparing.mismatch import Side, mismatch_waveform
from axhil.hwsim.mutation import MutationReport, Verdict, draw
from axhil.hwsim.mutation import mutate as judge_mutants
from axhil.report.junit import Outcome
from axhil.report.terminal import Fitted

from .console import Json, emit, notice, out, progress
from .multipliers import Jobs, Words, listed, say_without_yosys
from .output import OutFile, results_folder
from .tables import Rtl
from .verdicts import JUnit, Verdicts, Wave, one_of, require_suffix, verdicts

app = typer.Typer()

_OUTCOMES: dict[bool | str | None, Outcome] = {
    **{True: "passed", False: "failure", None: "skipped"},
    **{"killed": "passed", "survived": "failure", "equivalent": "skipped"},
}


@app.command()
def verify(
    multipliers: Words = None,
    jobs: Jobs = None,
    rtl: Rtl = None,
    wave: Wave = None,
    junit: JUnit = None,
    as_json: Json = False,
) -> None:
    """Simulate the RTL again; compare with golden tables and gates. Exit code 1 if any differs."""
    require_suffix("--wave", wave, ".vcd")
    wanted = [Catalogued.parse(word, rtl=rtl) for word in listed(multipliers)]
    with verdicts(junit, command="verify") as found:
        with progress("simulating", total=len(wanted), unit="tables") as tick:
            reports = verify_tables(
                wanted, jobs=jobs, progress=lambda one, done, _: tick(done, f"simulated {one}")
            )
        for report in reports:
            _judge(report, found)
    for report in reports:
        mark = "[green]equal  [/green]" if report.passed else "[red]DIFFERS[/red]"
        gates = report.gates
        agrees = "" if gates is None else gates.mark
        out.print(f"{mark} {report.sentence()}{agrees}", soft_wrap=True)
        for difference in report.first[1:]:
            out.print(f"          {difference}", soft_wrap=True)
        if gates is not None and not gates.equal:
            out.print(f"          {gates.sentence()}", soft_wrap=True, markup=False)
    by_multiplier = dict(zip(dict.fromkeys(wanted), reports, strict=True))
    waves = {} if wave is None else _write_waves(wave, by_multiplier)
    passed = all(report.passed for report in reports)
    say_without_yosys()
    if as_json:
        bodies = [{**one.as_dict(), "wave": waves.get(one.name)} for one in reports]
        emit({"equal": passed, "multipliers": bodies})
    if not passed:
        raise typer.Exit(1)


def _judge(report: VerifyReport, found: Verdicts) -> None:
    """Two claims about each multiplier: the table is the golden one, and the gates' as well."""
    lines = "\n".join(map(str, report.first))
    found.add(f"{report.name}: golden table", _OUTCOMES[report.equal], report.sentence(), lines)
    if (gates := report.gates) is not None:
        found.add(f"{report.name}: gates", _OUTCOMES[gates.equal], gates.sentence())


def _write_waves(path: Path, reports: Mapping[Catalogued, VerifyReport]) -> dict[str, str]:
    """Of each multiplier whose Verilog has other products than its golden table; by its name."""
    written = {}
    for multiplier, report in reports.items():
        if report.equal:
            continue
        waveform, place = mismatch_waveform(
            Side("golden", None, golden(multiplier)),
            Side(report.name, multiplier.circuit(), None),
            report.first,
        )
        file = one_of(path, report.name if len(reports) > 1 else "")
        line = waveform.write(file, place)
        out.print(f"          {report.name}: {line}", soft_wrap=True, markup=False)
        written[report.name] = str(file)
    return written


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
    junit: JUnit = None,
    as_json: Json = False,
) -> None:
    """Change the Verilog in every small way; is each change noticed? Exit code 1 if one is not.

    Killed: the regression gate tells the mutant from the design. Equivalent: its gates are proved
    to be the design's. Survived: they are not, so the gate has a hole. Without Yosys a longer
    simulation takes the place of the proof.
    """
    reports = []
    folder = nullcontext() if out_file is None else results_folder(out_file.parent)
    with folder, verdicts(junit, command="mutate") as found:
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
            for verdict in report.verdicts:
                _judge_mutant(report.module, verdict, found)
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


def _judge_mutant(module: str, verdict: Verdict, found: Verdicts) -> None:
    """One claim about each mutant: the gate notices it. Of an equivalent one, nothing can."""
    mutant, kill = verdict.mutant, verdict.kill
    why = kill.by if kill else verdict.proof
    found.add(
        f"{module}:{mutant.line}:{mutant.column} #{mutant.number} {mutant.change}",
        _OUTCOMES[verdict.outcome],
        f"{verdict.outcome} ({why}): {mutant.before} -> {mutant.after}",
        str(kill or ""),
    )


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
