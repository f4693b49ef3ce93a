# SPDX-License-Identifier: Apache-2.0
"""`axhil cosim`: a network's multiplications in the simulator, or as gates, one by one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axhil.hwsim import Circuit, LiveMultiplier, Window
from axhil.hwsim.multipliers import Assignment, FromVerilog, Multiplier, Request, assignments
from axhil.hwsim.multipliers.by_gates import TABLE_BITS, computed, is_by_gates, program_of
from axhil.hwsim.netlist.live import LiveGates
from axhil.study.errors import StudyError

from . import options as opt
from .console import Json, emit, out, progress
from .multipliers import Jobs, Luts, made, verilog_options
from .output import results_folder
from .tables import Rtl

if TYPE_CHECKING:
    from axhil.emulation import Accumulator
    from axhil.emulation.products.accumulator import Overflow
    from axhil.study.cosim import CosimReport, Engine, EngineName

app = typer.Typer()

DEFAULT = "scaletrim(4,8)"

# By engine.
_DONE = {"icarus": "simulated", "gates": "computed from gates"}
_BATCH = {"icarus": 32, "gates": 256}


@app.command()
@verilog_options("multipliers")
def cosim(
    network: opt.Network = "lenet5",
    *,
    request: Request,
    multipliers: opt.Multipliers = None,
    engine: opt.CosimEngineOption = "icarus",
    images: Annotated[int, typer.Option(help="How many, class by class.")] = 2,
    layers: Annotated[
        list[str] | None,
        typer.Option(help="Layers to simulate, e.g. conv1,fc3; repeatable; default: all."),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="VCD file to write; then one simulator, one instance."),
    ] = None,
    trace_window: Annotated[
        str | None,
        typer.Option(metavar="START:COUNT", help="Products to trace; default: the first 1,000."),
    ] = None,
    jobs: Jobs = None,
    instances: Annotated[
        int | None,
        typer.Option(min=1, max=opt.MOST, help="Multipliers side by side in each simulator."),
    ] = None,
    acc_bits: Annotated[
        int | None,
        typer.Option(help="Sum products in a register of so many bits, 8 to 32; default: wide."),
    ] = None,
    overflow: opt.OverflowOption = None,
    rtl: Rtl = None,
    luts: Luts = None,
    data: opt.Data = None,
    weights: opt.Weights = None,
    allow_float: opt.AllowFloat = False,
    data_dir: opt.DataDir = None,
    as_json: Json = False,
) -> None:
    """Run each multiplication of a network in the RTL; compare with the table's emulator.

    Of each multiplier in turn, by default scaletrim(4,8). Every operand pair is really simulated in
    Icarus Verilog, or computed from Yosys' gates of the RTL with --engine gates, however often it
    comes: nothing is cached. With --acc-bits both sides sum in such a register:
    from 0, by input channel, kernel row and kernel column, in every layer with the multiplier. Exit
    code 1 if a product or a logit differs.
    """
    from axhil.study.cosim import cosim as run_cosim
    from axhil.study.cosim import layers_of, multipliers_of, products_of
    from axhil.study.subject import load_subject

    window = _window(trace, trace_window)
    register = _accumulator(acc_bits, overflow)
    _require_simulation(engine, {"--trace": trace, "--instances": instances})
    tables, rtl_of = _found(multipliers or [DEFAULT], request, rtl=rtl, luts=luts)
    for one in rtl_of.values():
        _circuit(one, engine)
    if engine == "gates":
        _make_gates(rtl_of)
    if trace is not None and len(tables) > 1:
        raise StudyError(f"--trace: expected one multiplier, got {len(tables)}")
    made([*rtl_of], make=computed)
    subject = load_subject(
        network, weights=weights, root=data_dir, data=data, allow_float=allow_float
    )
    for assignment in tables:
        assignment.check(subject.prepared.layers)
    selected = subject.images(data, root=data_dir).select(images)
    patterns = None if layers is None else _patterns(layers)

    def simulated(assignment: Assignment) -> CosimReport:
        names = layers_of(subject, assignment, patterns)
        chosen = multipliers_of(subject, assignment, names)
        if trace is not None and len({chosen[name] for name in names}) > 1:
            raise StudyError(
                "--trace: expected layers of one multiplier, got several; choose some with --layers"
            )
        total = products_of(subject.prepared, names, images=len(selected))
        traced = window and _within(window, total, requested=trace_window is not None)
        layer = ""

        def now(name: str) -> None:
            nonlocal layer
            layer = name

        def start(one: Multiplier) -> Engine:
            if engine == "gates":
                return LiveGates(program_of(rtl_of[one]), threads=jobs, progress=served)
            return LiveMultiplier(
                _circuit(rtl_of[one], engine),
                processes=jobs,
                instances=instances,
                patience=request.time_limit,
                progress=served,
                trace=trace,
                window=traced,
            )

        with (
            nullcontext() if trace is None else results_folder(trace.parent),
            progress("multiplying", total=total, unit="products") as tick,
        ):
            served = lambda done: tick(done, f"multiplying for {layer}")  # noqa: E731
            report = run_cosim(
                subject,
                selected,
                chosen,
                start,
                layers=names,
                accumulator=register,
                batch=_BATCH[engine],
                now=now,
            )
        title = f"{network}, {len(selected)} images of {selected.name}, RTL of {assignment}"
        _print(report, title=title, done=_DONE[engine])
        if traced is not None:
            out.print(
                f"trace: products {traced.start:,} to {traced.stop - 1:,} in {trace}",
                soft_wrap=True,
            )
        return report

    reports = {assignment.name: simulated(assignment) for assignment in tables}
    if as_json:
        runs = [{"multiplier": name, **report.as_dict()} for name, report in reports.items()]
        body = {"network": network, "data": selected.name, "images": len(selected)}
        emit({**body, "engine": engine, "runs": runs})
    if not all(report.equal for report in reports.values()):
        raise typer.Exit(1)


def _require_simulation(engine: EngineName, options: Mapping[str, object]) -> None:
    """Refuses options of simulations where nothing is simulated."""
    for option, value in options.items():
        if value is not None and engine != "icarus":
            raise StudyError(f"{option}: of a simulation, expected --engine icarus with it")


def _found(
    words: Sequence[str], request: Request, *, rtl: Path | None, luts: Path | None
) -> tuple[list[Assignment], dict[Multiplier, Multiplier]]:
    """What networks are built from, and by each multiplier that whose Verilog is under them.

    Raises:
        StudyError: an option of the catalogue where there are only files.
        HwsimError: as `assignments`, or operands that networks do not have.
    """
    from axhil.study.assignments import distinct, require_codes

    hardware = assignments(words, replace(request, rtl=rtl))
    # With --rtl the Verilog is held against the tables of what it should be.
    tables = assignments(words, replace(request, luts=luts))
    every = distinct(tables)
    if all(isinstance(one, FromVerilog) for one in every):
        for option, folder in (("--rtl", rtl), ("--luts", luts)):
            if folder is not None:
                raise StudyError(f"{option}: for multipliers of the catalogue, not for a file")
    for one in every:
        require_codes(one)
    return tables, {
        table: one
        for expected, simulated in zip(tables, hardware, strict=True)
        for table, one in zip(expected.multipliers, simulated.multipliers, strict=True)
    }


def _make_gates(rtl_of: Mapping[Multiplier, Multiplier]) -> None:
    """Makes the gates of multipliers.

    Raises:
        StudyError: there is no table to hold them against.
        HwsimError: no gates.
    """
    for one, hardware in rtl_of.items():
        if is_by_gates(one):
            raise StudyError(
                f"{one.name}: expected operands of at most {TABLE_BITS} bits, a table of which "
                f"gates can be held against, got {one.operands}; --engine icarus holds a "
                "simulation against gates"
            )
        program_of(hardware)


def _circuit(multiplier: Multiplier, engine: EngineName) -> Circuit:
    """What is under the network.

    Raises:
        StudyError: there is no Verilog of it, or it is clocked and simulated.
    """
    circuit = multiplier.circuit()
    if circuit is None:
        raise StudyError(
            f"{multiplier.name}: expected Verilog under a network, got a table, a model or gates"
        )
    if circuit.roles.clock is not None and engine == "icarus":
        raise StudyError(
            f"{circuit.name}: expected a combinational multiplier to simulate under a network, got "
            f"one with the clock {circuit.roles.clock}; --engine gates computes it"
        )
    return circuit


def _print(report: CosimReport, *, title: str, done: str) -> None:
    out.print(title, soft_wrap=True, markup=False)
    if report.accumulator is not None:
        out.print(
            f"{report.accumulator}: overflow changes {report.overflowed_logits} of "
            f"{report.expected.size} logits of the emulator",
            soft_wrap=True,
        )
    for layer in report.layers:
        mark = "[red]DIFFERS[/red]" if layer.differing else "[green]equal  [/green]"
        out.print(f"{mark} {layer.sentence()}", soft_wrap=True)
    differing, count = report.differing_logits, report.logits.size
    if differing:
        worst = abs(report.logits - report.expected).max()
        out.print(
            f"[red]DIFFERS[/red] logits: {differing} of {count} differ from the emulator's, by at "
            f"most {worst:.6g}",
            soft_wrap=True,
        )
    else:
        out.print(
            f"[green]equal  [/green] logits: all {count} equal the emulator's to the last bit",
            soft_wrap=True,
        )
    out.print(
        f"{report.products:,} products {done} in {report.seconds:.2f} s: "
        f"{report.rate:,.0f} products/s",
        soft_wrap=True,
    )


def _accumulator(bits: int | None, overflow: Overflow | None) -> Accumulator | None:
    from axhil.emulation import Accumulator as Register

    if bits is None:
        if overflow is not None:
            raise StudyError("--overflow: expected --acc-bits N with it")
        return None
    return Register(bits, overflow or Register.overflow)


def _window(trace: Path | None, text: str | None) -> Window | None:
    if trace is None:
        if text is not None:
            raise StudyError("--trace-window: expected --trace FILE.vcd with it")
        return None
    match = re.fullmatch(r"\s*(\d+)\s*:\s*(\d+)\s*", text or "0:1000", re.ASCII)
    if match is None:
        raise StudyError(f"--trace-window: expected START:COUNT such as 0:1000, got {text!r}")
    return Window(int(match[1]), int(match[2]))


def _within(window: Window, total: int, *, requested: bool) -> Window:
    """The window, the usual one cut to the products that there are."""
    if not requested:
        return replace(window, count=min(window.count, total))
    if window.stop > total:
        raise StudyError(
            f"--trace-window: expected a window within the {total:,} products of this run, got "
            f"{window.start}:{window.count}"
        )
    return window


def _patterns(texts: list[str]) -> list[str]:
    names = opt.parse_items(texts)
    if not names:
        raise StudyError("--layers: expected at least one layer, e.g. --layers conv1,fc3")
    return names
