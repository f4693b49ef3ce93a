# SPDX-License-Identifier: Apache-2.0
"""`axhil cost`: what multipliers cost in gates, cells or look-up tables, and under a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from axhil.hwsim.cost import (
    ICE40,
    XC7,
    Cells,
    Costs,
    Inference,
    Library,
    Target,
    Transistors,
    Workload,
    costs,
    exact_inferences,
    inference,
    on_workloads,
    record_body,
)
from axhil.hwsim.multipliers import Assignment, Multiplier, Request, find
from axhil.hwsim.operands import MAX_BITS, Operands
from axhil.hwsim.tools.yosys import require_yosys
from axhil.study.errors import StudyError

from . import options as opt
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
    liberty: opt.Liberty = None,
    avoided: opt.Avoided = None,
    fpga: Annotated[bool, typer.Option("--fpga", help="LUTs of two FPGA families.")] = False,
    network: Annotated[
        str | None,
        typer.Option(metavar="NETWORK", help="Energy on its operands, e.g. lenet5."),
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="To take operands from.")] = 100,
    rtl: Rtl = None,
    data: opt.Data = None,
    weights: opt.Weights = None,
    allow_float: opt.AllowFloat = False,
    data_dir: opt.DataDir = None,
    jobs: Jobs = None,
    as_json: Json = False,
) -> None:
    """What multipliers cost, against the best exact one of the same operands.

    Without a library: transistors of static CMOS gates, and how many gates are in a row. Every
    design goes through several scripts; the least of each figure is shown, and what gave it. With
    --network, a MULTIPLIER may be an assignment by layer, 'conv*=drum(4),fc*=exact'.
    """
    from axhil.report.cost import inferences, tables
    from axhil.report.terminal import terminal_table

    require_yosys()
    if network is not None and liberty is None:
        raise StudyError("--network: expected --liberty FILE with it, whose cells take energy")
    targets: list[Target] = [ICE40, XC7] if fpga else []
    if liberty is not None:
        targets.insert(0, Cells(Library(liberty), avoided=avoided or ()))
    request = replace(request, rtl=rtl)
    assigned = _assigned(multipliers, request) if network is not None else []
    found = _distinct(assigned) or [find(word, request) for word in listed(multipliers)]
    if liberty is not None:  # cells are held against tables
        made([one for one in found if max(one.operands.bits) <= MAX_BITS], jobs=jobs)
    results: list[Costs] = []
    rows: list[Inference] = []
    for target in targets or [Transistors()]:
        result = shown_costs(found, target, jobs=jobs)
        if network is not None and isinstance(target, Cells):
            kinds = {one.operands.code: one.operands for one in result.multipliers}
            loads = _workloads(
                network, kinds.values(), assigned, images=images, data=data, weights=weights,
                allow_float=allow_float, data_dir=data_dir,
            )  # fmt: skip
            result = _on_network(result, loads, jobs=jobs)
            rows = [*exact_inferences(result), *(inference(result, one) for one in assigned)]
        results.append(result)
        for table in tables(result):
            out.print(terminal_table(table))
        if rows and isinstance(target, Cells):
            title = f"Energy of the products of one image, {network}"
            out.print(terminal_table(inferences(rows, title=title)))
        if isinstance(target, Cells):
            notice(_said_of(target))
    if as_json:
        emit(record_body(results, network=network, images=images, inferences=rows))


def shown_costs(multipliers: Sequence[Multiplier], target: Target, *, jobs: int | None) -> Costs:
    """What multipliers cost on a target, with a progress bar.

    Raises:
        HwsimError: see `hwsim.cost.costs`.
    """
    with progress(f"making {target.name}", total=100, unit="%") as tick:
        return costs(
            multipliers,
            target,
            jobs=jobs,
            progress=lambda done, total, name: tick(100 * done // total, name),
        )


def _assigned(words: Sequence[str] | None, request: Request) -> list[Assignment]:
    from axhil.study.assignments import network_assignments

    return network_assignments(words or None, request)


def _distinct(assigned: Iterable[Assignment]) -> list[Multiplier]:
    return list(dict.fromkeys(one for each in assigned for one in each.multipliers))


def _workloads(
    network: str,
    kinds: Iterable[Operands],
    assigned: Iterable[Assignment],
    *,
    images: int,
    data: str | None,
    weights: Path | None,
    allow_float: bool,
    data_dir: Path | None,
) -> dict[str, Workload]:
    from axhil.emulation.streams import workload
    from axhil.study.subject import load_subject
    from axhil.zoo.data import load

    subject = load_subject(
        network, weights=weights, root=data_dir, data=data, allow_float=allow_float
    )
    for assignment in assigned:
        assignment.check(subject.prepared.layers)
    selected = load(data or subject.network.data, root=data_dir).select(images)
    pixels, _ = selected.batch()
    found = {}
    for operands in kinds:
        with progress("taking operands", total=len(pixels), unit="images") as tick:
            found[operands.code] = workload(
                subject.prepared,
                pixels,
                operands,
                network=network,
                progress=lambda done: tick(done, f"operands of {network}"),
            )
    return found


def _on_network(result: Costs, loads: dict[str, Workload], *, jobs: int | None) -> Costs:
    with progress("measuring energy", total=100, unit="%") as tick:
        return on_workloads(
            result,
            loads,
            jobs=jobs,
            progress=lambda done, total: tick(100 * done // total, "measuring energy"),
        )


def _said_of(target: Cells) -> str:
    library = target.library
    wires = f", and by its wire-load model {library.wire_load}" if library.wire_load else ""
    return (
        f"{library.name} at {library.voltage:g} V; delay without wires{wires}; energy without "
        "wires, gate delays inertial; leakage and cells of the smallest; every netlist was held "
        "against its table"
    )
