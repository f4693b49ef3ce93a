# SPDX-License-Identifier: Apache-2.0
"""`axhil cosim`: a network's multiplications in the simulator, one by one."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axhil.study.errors import StudyError

from . import design as files
from . import options as opt
from .console import notice, out, progress
from .output import results_folder

if TYPE_CHECKING:
    from axhil.emulation import Accumulator
    from axhil.emulation.accumulator import Overflow
    from axhil.hwsim import Circuit
    from axhil.hwsim.multipliers import Assignment, Multiplier
    from axhil.hwsim.simulation.live_harness import Window
    from axhil.study.cosim import CosimReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cosim")(_cosim)


def _cosim(
    network: Annotated[str, typer.Argument(help="lenet5, resnet50, vgg19, ...")] = "lenet5",
    multiplier: Annotated[
        str,
        typer.Option(
            "--multiplier",
            "-m",
            help="A name, a combinational 8-bit mul.v, or by layer: 'conv*=drum(4),fc*=mul.v'.",
        ),
    ] = "scaletrim(4,8)",
    images: Annotated[int, typer.Option(help="How many, class by class.")] = 2,
    layers: Annotated[
        str | None, typer.Option(help="Layers to simulate, e.g. conv1,fc3; default: all.")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="VCD file to write; then one simulator, one instance.")
    ] = None,
    trace_window: Annotated[
        str | None,
        typer.Option(metavar="START:COUNT", help="Products to trace; default: the first 1,000."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Simulators at a time; default: all cores.")
    ] = None,
    instances: Annotated[
        int | None, typer.Option(min=1, help="Multipliers side by side in each simulator.")
    ] = None,
    patience: Annotated[
        float, typer.Option(min=0.1, help="Seconds a batch may take before giving up.")
    ] = 120.0,
    acc_bits: Annotated[
        int | None,
        typer.Option(help="Sum products in a register of so many bits, 8 to 32; default: wide."),
    ] = None,
    overflow: opt.OverflowOption = None,
    rtl: Annotated[Path | None, typer.Option(help="Another Verilog folder.")] = None,
    signed: Annotated[
        bool | None, typer.Option("--signed/--unsigned", help="Operands of mul.v.")
    ] = None,
    more: Annotated[
        list[Path] | None,
        typer.Option("--with", help="Another file of mul.v's design; repeatable."),
    ] = None,
    top: files.Top = None,
    a: files.PortA = None,
    b: files.PortB = None,
    p: files.PortP = None,
    weight_port: files.WeightPort = None,
    param: files.Param = None,
    include: files.Include = None,
    tie: files.Tie = None,
    wrap_signed: files.WrapSigned = False,
    luts: opt.Luts = None,
    data: Annotated[str | None, typer.Option(help="mnist5k, mnist, cifar10 or a folder.")] = None,
    weights: opt.Weights = None,
    allow_float: opt.AllowFloat = False,
    data_dir: opt.DataDir = None,
) -> None:
    """Run each multiplication of a network in Icarus Verilog; compare with the table's emulator.

    Every operand pair is really simulated, however often it comes: nothing is cached. With
    --acc-bits both sides sum in such a register: from 0, by input channel, kernel row and kernel
    column, in every layer with the multiplier. Exit code 1 if a product or a logit differs.
    """
    from axhil.hwsim.multipliers import NETWORKS, Assignment, make_tables
    from axhil.hwsim.simulation.live import LiveMultiplier
    from axhil.study.assignments import require_codes
    from axhil.study.cosim import cosim, layers_of, multipliers_of, products_of
    from axhil.study.subject import load_subject
    from axhil.zoo.data import load

    window = _window(trace, trace_window)
    register = _accumulator(acc_bits, overflow)
    asked = files.FileOptions(
        top=top,
        a=a,
        b=b,
        p=p,
        weight_port=weight_port,
        param=param,
        include=include,
        tie=tie,
        signed=signed,
        wrap_signed=wrap_signed,
        jobs=jobs,
    )
    request = replace(NETWORKS, facts=asked.facts(more or ()), rtl=rtl)
    hardware = Assignment.parse(multiplier, request)
    _refuse_idle(hardware, asked, more=more, rtl=rtl, luts=luts)
    if rtl is None and luts is None:
        tables = hardware
    else:  # the Verilog is held against the tables of what it should be
        tables = Assignment.parse(multiplier, replace(request, rtl=None, luts=luts))
    for one in tables.multipliers:
        require_codes(one)
    layer = "starting the simulator"

    def now(name: str) -> None:
        nonlocal layer
        layer = name

    circuits = {
        table: _circuit(one)
        for table, one in zip(tables.multipliers, hardware.multipliers, strict=True)
    }
    make_tables(tables.multipliers)
    for note in tables.notes:
        notice(note)
    subject = load_subject(
        network, weights=weights, root=data_dir, data=data, allow_float=allow_float
    )
    tables.check(subject.prepared.layers)
    selected = load(data or subject.network.data, root=data_dir).select(images)
    wanted = None if layers is None else _split(layers)
    names = layers_of(subject, tables, wanted)
    multipliers = multipliers_of(subject, tables, names)
    if trace is not None and len({multipliers[name] for name in names}) > 1:
        raise StudyError(
            "--trace: expected layers of one multiplier, got several; choose some with --layers"
        )
    total = products_of(subject.prepared, names, images=len(selected))
    if window is not None and trace_window is None:
        window = replace(window, count=min(window.count, total))
    if window is not None and window.stop > total:
        raise StudyError(
            f"--trace-window: expected a window within the {total:,} products of this run, got "
            f"{window.start}:{window.count}"
        )
    with (
        nullcontext() if trace is None else results_folder(trace.parent),
        progress("simulating", total=total, unit="products") as tick,
    ):
        report = cosim(
            subject,
            selected,
            multipliers,
            lambda one: LiveMultiplier(
                circuits[one],
                processes=jobs,
                instances=instances,
                patience=patience,
                progress=lambda done: tick(done, f"simulating {layer}"),
                trace=trace,
                window=window,
            ),
            layers=names,
            accumulator=register,
            now=now,
        )
    _print(report, title=f"{network}, {len(selected)} images of {selected.name}, RTL of {tables}")
    if window is not None:
        out.print(
            f"trace: products {window.start:,} to {window.stop - 1:,} in {trace}", soft_wrap=True
        )
    if not report.equal:
        raise typer.Exit(1)


def _circuit(multiplier: Multiplier) -> Circuit:
    """What a simulator runs under the network.

    Raises:
        StudyError: there is no Verilog of it, or it is clocked.
    """
    circuit = multiplier.circuit()
    if circuit is None:
        raise StudyError(f"{multiplier.name}: expected Verilog to simulate, got a table or a model")
    if circuit.roles.clock is not None:
        raise StudyError(
            f"{circuit.name}: expected a combinational multiplier to put under a network, got one "
            f"with the clock {circuit.roles.clock}"
        )
    return circuit


def _refuse_idle(
    assignment: Assignment,
    asked: files.FileOptions,
    *,
    more: list[Path] | None,
    rtl: Path | None,
    luts: Path | None,
) -> None:
    """Refuses options that mean nothing for these multipliers."""
    from axhil.hwsim.multipliers import FromVerilog

    own = [isinstance(one, FromVerilog) for one in assignment.multipliers]
    if all(own):
        for option, value in (("--rtl", rtl), ("--luts", luts)):
            if value is not None:
                raise StudyError(f"{option}: for multipliers of the catalogue, not for a file")
    given = asked.given()
    given += ["--with"] if more else []
    given += ["--signed/--unsigned"] if asked.signed is not None else []
    if given and not any(own):
        raise StudyError(f"{given[0]}: for a Verilog file, e.g. axhil cosim -m path/to/mul.v")


def _print(report: CosimReport, *, title: str) -> None:
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
        f"{report.products:,} products simulated in {report.seconds:.2f} s: "
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
    from axhil.hwsim.simulation.live_harness import Window

    if trace is None:
        if text is not None:
            raise StudyError("--trace-window: expected --trace FILE.vcd with it")
        return None
    match = re.fullmatch(r"\s*(\d+)\s*:\s*(\d+)\s*", text or "0:1000", re.ASCII)
    if match is None:
        raise StudyError(f"--trace-window: expected START:COUNT such as 0:1000, got {text!r}")
    return Window(int(match[1]), int(match[2]))


def _split(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise StudyError("--layers: expected at least one layer, e.g. --layers conv1,fc3")
    return names
