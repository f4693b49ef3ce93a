# SPDX-License-Identifier: Apache-2.0
"""`axhil lut`: multipliers simulated exhaustively, or sampled where they are too wide for it."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from axhil.errors import explained
from axhil.hwsim import Catalogued, Circuit, compare, error_metrics, golden, sample
from axhil.hwsim.files import write_atomically
from axhil.hwsim.multipliers import FromVerilog, Multiplier, Request, find
from axhil.hwsim.multipliers.comparing.opinion import Opinion, second_opinions
from axhil.hwsim.multipliers.comparing.sampling import DRAWS, Sample
from axhil.hwsim.operands import MAX_BITS
from axhil.study.errors import StudyError

from .console import Json, emit, notice, out, progress
from .multipliers import Jobs, Words, listed, made, say_without_yosys, verilog_options
from .output import Out, results_folder, slug

app = typer.Typer()


@app.command()
@verilog_options("multipliers")
def lut(
    multipliers: Words = None,
    *,
    request: Request,
    sample_size: Annotated[
        int | None,
        typer.Option(
            "--sample",
            min=1,
            max=1 << 2 * MAX_BITS,
            help="Simulate so many operand pairs instead of all; no table then.",
        ),
    ] = None,
    jobs: Jobs = None,
    check_golden: Annotated[
        bool,
        typer.Option(
            "--check-golden", help="Compare with the golden tables; exit code 1 if any differs."
        ),
    ] = False,
    out_dir: Out = Path("out/luts"),
    as_json: Json = False,
) -> None:
    """Simulate multipliers exhaustively and write their tables.

    Gates that Yosys makes of the same Verilog must have the same products, or the exit code is 1.
    What is too wide for a table is sampled, and the estimates are written.
    """
    request = replace(request, simulate=True, cache=False)
    found = list(dict.fromkeys(find(word, request) for word in listed(multipliers)))
    stems = {one: _stem(one) for one in found}
    for stem, count in Counter(stems.values()).items():
        if count > 1:
            raise StudyError(f"expected one multiplier for {stem}.npz, got {count}: run one by one")
    expected = {one: _golden(one) for one in found} if check_golden else {}
    with results_folder(out_dir):
        sampled = [one for one in found if sample_size is not None or _too_wide(one)]
        tables = [one for one in found if one not in sampled]
        with second_opinions(tables, jobs=jobs) as opinion:
            if len(tables) == 1:
                _made_alone(tables[0], jobs=jobs)
            made(tables, jobs=jobs)
            opinions = {one: opinion(one, one.table()) for one in tables}
        reports = [
            _sampled(
                one,
                out_dir / f"{stems[one]}.sample.json",
                draws=sample_size or DRAWS,
                limit=request.time_limit,
                jobs=jobs,
            )
            if one in sampled
            else _written(one, out_dir / f"{stems[one]}.npz", opinions[one], expected=expected)
            for one in found
        ]
    say_without_yosys()
    if as_json:
        emit({"multipliers": reports})
    gates = [one.get("gates") or {} for one in reports]
    if any(one.get("equal") is False for one in (*reports, *gates)):
        raise typer.Exit(1)


def _stem(multiplier: Multiplier) -> str:
    return slug(multiplier.label if isinstance(multiplier, FromVerilog) else multiplier.name)


def _golden(multiplier: Multiplier) -> Any:
    if not isinstance(multiplier, Catalogued):
        raise StudyError(f"--check-golden: for multipliers of the catalogue, got {multiplier.name}")
    return golden(multiplier)


def _too_wide(multiplier: Multiplier) -> bool:
    return max(multiplier.operands.bits) > MAX_BITS


def _made_alone(multiplier: Multiplier, *, jobs: int | None) -> None:
    """Makes a table whose products, which may be millions, are the progress to show."""
    total = multiplier.operands.product.count
    with progress("simulating", total=total, unit="products") as tick:
        multiplier.table(
            jobs=jobs, progress=lambda done, _: tick(done, f"simulating {multiplier.name}")
        )


def _written(
    multiplier: Multiplier,
    path: Path,
    opinion: Opinion | None,
    *,
    expected: Mapping[Multiplier, Any],
) -> dict[str, Any]:
    """Writes a table, and says what it is of."""
    table = multiplier.table()
    table.save(path)
    errors = error_metrics(table)
    body: dict[str, Any] = {
        "multiplier": multiplier.name,
        "operands": multiplier.operands.code,
        "file": str(path),
        "sha256": table.sha256,
        "metrics": errors.as_dict(),
        "notes": multiplier.notes,
        "warnings": table.manifest.get("warnings", []),
        "gates": None if opinion is None else opinion.as_dict(),
    }
    verdict = ""
    if expected:
        report = compare(expected[multiplier], table)
        verdict = "  equal to golden" if report.equal else f"  {report.sentence()}"
        body |= {"equal": report.equal, "golden": report.sentence()}
    verdict += opinion.mark if opinion is not None else ""
    if isinstance(multiplier, FromVerilog):
        _print(_description(multiplier.circuit(), table.manifest))
    _print(
        f"{multiplier.label:8} {table.table.size:,} products  sha256 {table.sha256[:12]}  "
        f"{path}{verdict}"
    )
    if isinstance(multiplier, FromVerilog):
        _print(
            f"MAE {errors.mae:.6g}  WCE {errors.wce:,}  EP {100 * errors.ep:.4g} %  "
            f"MRE {100 * errors.mre:.4g} %  bias {errors.bias:.6g}"
        )
    if opinion is not None and not opinion.equal:
        _print(opinion.sentence())
    return body


def _sampled(
    multiplier: Multiplier, path: Path, *, draws: int, limit: float, jobs: int | None
) -> dict[str, Any]:
    """Simulates some operand pairs, writes the estimates, and says what they are."""
    circuit = multiplier.circuit()
    if circuit is None:
        raise StudyError(f"--sample: for what a simulator can run, got {multiplier.name}")
    with progress("simulating", total=draws, unit="products") as tick:
        estimates = sample(
            circuit,
            draws=draws,
            jobs=jobs,
            limit=limit,
            progress=lambda done, _: tick(min(done, draws), f"sampling {multiplier.name}"),
        )
    write_atomically(path, (json.dumps(estimates.as_dict(), indent=2) + "\n").encode())
    warnings = estimates.manifest.get("warnings", [])
    for note in multiplier.notes:
        notice(note)
    for warning in warnings:
        notice(f"warning: {multiplier.name}: {explained(warning)}")
    _print(_description(circuit, estimates.manifest))
    _print(_sentence(multiplier.name, estimates))
    if estimates.gates is not None:
        _print(estimates.gates.sentence())
    _print(f"record: {path}")
    return {"multiplier": multiplier.name, "file": str(path), **estimates.as_dict()}


def _sentence(name: str, estimates: Sample) -> str:
    a, b = estimates.worst
    return (
        f"{name}: SAMPLE of {estimates.count:,} of {estimates.population:,} operand pairs and "
        f"{estimates.corners:,} corners, no complete table; estimates with 95 % margins: "
        f"MAE {estimates.mae}, MRE {estimates.mre}, EP {estimates.ep}, bias {estimates.bias}; "
        f"WCE at least {estimates.wce:,}, at {a:,} x {b:,}"
    )


def _description(circuit: Circuit, manifest: Mapping[str, Any]) -> str:
    roles = (circuit.core or circuit).roles
    signs = ("signed" if signed else "unsigned" for signed in circuit.operands.signs)
    a_bits, b_bits = circuit.operands.bits
    where = {
        "declared": "declared",
        "option": "as requested",
        "name": "from its name",
        "wrapper": "sign-magnitude wrapper",
    }
    timing = (
        "combinational"
        if roles.clock is None
        else f"latency {manifest.get('latency', 0)} cycles of {roles.clock}"
    )
    return (
        f"{circuit.name}: {a_bits} x {b_bits} bits, {' x '.join(dict.fromkeys(signs))} "
        f"({where[circuit.signed_from]}), {roles.activation} = activation (row), "
        f"{roles.weight} = weight (column), {roles.product} = product of "
        f"{roles.product_bits} bits, {timing}"
    )


def _print(text: str) -> None:
    out.print(text, soft_wrap=True, markup=False)
