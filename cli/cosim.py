# SPDX-License-Identifier: Apache-2.0
"""`axhil cosim`: a network's multiplications in the simulator, one by one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from enum import StrEnum
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
    from axhil.hwsim import Circuit, Lut
    from axhil.hwsim.simulation.live_harness import Window
    from axhil.study.cosim import CosimReport

_BITS = 8


class Overflow(StrEnum):
    """What a sum becomes that an accumulator of few bits cannot hold."""

    wrap = "wrap"
    saturate = "saturate"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cosim")(_cosim)


def _cosim(
    network: Annotated[str, typer.Argument(help="lenet5, resnet50, vgg19, ...")] = "lenet5",
    multiplier: Annotated[
        str,
        typer.Option("--multiplier", "-m", help="A name, or a combinational 8-bit mul.v."),
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
    overflow: Annotated[
        Overflow | None, typer.Option(help="What a sum beyond --acc-bits becomes; default: wrap.")
    ] = None,
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
    from axhil.hwsim.simulation.live import LiveMultiplier
    from axhil.study.cosim import chosen_layers, cosim, products_of
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
        jobs=jobs,
    )
    own = files.is_file_argument(multiplier)
    _refuse_idle(own, asked, more=more, rtl=rtl, luts=luts)
    layer = "starting the simulator"

    def now(name: str) -> None:
        nonlocal layer
        layer = name

    if own:
        lut, circuit = _own([Path(multiplier), *(more or ())], asked)
    else:
        lut, circuit = _catalogued(multiplier, rtl=rtl, luts=luts)
    subject = load_subject(
        network, weights=weights, root=data_dir, data=data, allow_float=allow_float
    )
    selected = load(data or subject.network.data, root=data_dir).select(images)
    names = chosen_layers(subject, None if layers is None else _split(layers))
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
            lut,
            lambda: LiveMultiplier(
                circuit,
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
    _print(
        report, title=f"{network}, {len(selected)} images of {selected.name}, RTL of {circuit.name}"
    )
    if window is not None:
        out.print(
            f"trace: products {window.start:,} to {window.stop - 1:,} in {trace}", soft_wrap=True
        )
    if not report.equal:
        raise typer.Exit(1)


def _catalogued(text: str, *, rtl: Path | None, luts: Path | None) -> tuple[Lut, Circuit]:
    """Table and signed circuit of a multiplier of the catalogue."""
    from axhil.hwsim import Catalogued
    from axhil.study.multipliers import resolve

    multiplier = Catalogued.parse(text, rtl=rtl)
    (named,) = resolve([multiplier.name], folder=luts)
    return named.lut, multiplier.circuit()


def _own(sources: Sequence[Path], asked: files.FileOptions) -> tuple[Lut, Circuit]:
    """Table, simulated exhaustively, and signed circuit of somebody's Verilog files."""
    from axhil.hwsim.multipliers.tabulation import tabulate
    from axhil.hwsim.verilog.wrapper import wrapped

    circuit = files.read_files(sources, asked)
    if circuit.roles.width != _BITS:
        raise StudyError(
            f"{circuit.name}: expected operands of {_BITS} bits, as networks are quantised to, got "
            f"{circuit.roles.width}"
        )
    if circuit.roles.clock is not None:
        raise StudyError(
            f"{circuit.name}: expected a combinational multiplier to put under a network, got one "
            f"with the clock {circuit.roles.clock}"
        )
    for note in circuit.notes:
        notice(note)
    simulated = circuit if circuit.signed else wrapped(circuit)
    return tabulate(simulated, jobs=asked.jobs), simulated


def _refuse_idle(
    own: bool,
    asked: files.FileOptions,
    *,
    more: list[Path] | None,
    rtl: Path | None,
    luts: Path | None,
) -> None:
    """Refuses options that mean nothing for this kind of multiplier."""
    if own:
        for option, value in (("--rtl", rtl), ("--luts", luts)):
            if value is not None:
                raise StudyError(f"{option}: for multipliers of the catalogue, not for a file")
        return
    given = asked.given()
    given += ["--with"] if more else []
    given += ["--signed/--unsigned"] if asked.signed is not None else []
    if given:
        raise StudyError(f"{given[0]}: for a Verilog file, e.g. axhil cosim -m path/to/mul.v")


def _print(report: CosimReport, *, title: str) -> None:
    out.print(title, soft_wrap=True)
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
    return Register(bits, (overflow or Overflow.wrap).value)


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
