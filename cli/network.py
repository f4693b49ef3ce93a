# SPDX-License-Identifier: Apache-2.0
"""Commands about networks: plan one, its accuracy, and how it stands attacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from axhil.hwsim.multipliers import Assignment, Request
from axhil.hwsim.multipliers.assignment import spelled_words, split_words
from axhil.hwsim.multipliers.by_gates import computed

from . import options as opt
from .console import Json, emit, notice, out, progress
from .multipliers import Luts, made, verilog_options
from .output import Out, part, ready_folder

app = typer.Typer()


def assigned(texts: Sequence[str] | None, request: Request) -> list[Assignment]:
    """Find multipliers for a network and make their tables or gates, and say what was assumed.

    Raises:
        HwsimError: see `network_assignments` and `make_tables`.
    """
    from axhil.study.assignments import distinct, network_assignments

    found = network_assignments(texts, request)
    made(distinct(found), make=computed)
    return found


@app.command()
@verilog_options("multipliers")
def accuracy(
    network: opt.Network = "lenet5",
    *,
    request: Request,
    data: opt.Data = None,
    multipliers: opt.Multipliers = None,
    luts: Luts = None,
    images: Annotated[int | None, typer.Option(help="How many; default: all.")] = None,
    batch: Annotated[int, typer.Option(min=1, max=opt.MOST_ROWS, help="Images at a time.")] = 128,
    weights: opt.Weights = None,
    weight_scales: opt.WeightScales = "tensor",
    activation_range: opt.ActivationRange = "percentile",
    batch_norm: opt.BatchNormOption = "keep",
    bias_correction: opt.BiasCorrection = False,
    allow_float: opt.AllowFloat = False,
    data_dir: opt.DataDir = None,
    download: opt.Download = False,
    threads: opt.Threads = None,
    device: opt.DeviceOption = opt.Device.cpu,
    out_dir: Out = Path("out"),
    as_json: Json = False,
) -> None:
    """Accuracy of a network in float and with each multiplier, by default the paper's seven."""
    from axhil.emulation import Settings
    from axhil.report import measurements
    from axhil.report.terminal import terminal_table
    from axhil.study.accuracy import measure, write_accuracy
    from axhil.study.subject import load_subject, set_threads

    set_threads(threads)
    ready_folder(out_dir)
    where = opt.check_device(device)
    chosen = assigned(multipliers, replace(request, luts=luts))
    subject = load_subject(
        network,
        weights=weights,
        root=data_dir,
        data=data,
        settings=Settings(weight_scales, activation_range, batch_norm, bias_correction),
        allow_float=allow_float,
        device=where,
    )
    for one in chosen:
        one.check(subject.prepared.layers)
    selected = subject.images(data, root=data_dir, download=download).select(images)
    total = (1 + len(chosen)) * len(selected)
    with progress("classifying", total=total, unit="images") as tick:
        rows = measure(
            subject,
            selected,
            chosen,
            batch=batch,
            device=where,
            progress=lambda done, _total, now: tick(done, now),
        )
    path = out_dir / f"accuracy_{part(network)}_{part(selected.name)}.json"
    record = write_accuracy(path, subject, selected, rows, batch=batch, device=where)
    title = f"{network} on {len(selected):,} images of {selected.name}"
    out.print(terminal_table(measurements.accuracy(rows, title=title)))
    out.print(f"record: {path}", soft_wrap=True)
    if as_json:
        emit({**record, "record": str(path)})


@app.command("eval")
@verilog_options("multipliers")
def evaluate(
    network: opt.Network = "lenet5",
    *,
    request: Request,
    data: opt.Data = None,
    multipliers: opt.Multipliers = None,
    luts: Luts = None,
    attack: opt.Attacks = None,
    norm: opt.Norms = None,
    eps: Annotated[
        list[str] | None, typer.Option(help="Budgets, e.g. 0,0.1,0.5; repeatable.")
    ] = None,
    images: Annotated[int | None, typer.Option(help="How many, class by class.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of random starts.")] = 0,
    full: Annotated[
        bool, typer.Option("--full", help="The paper's size: 64 images, 100 budgets.")
    ] = False,
    smallest: Annotated[
        bool,
        typer.Option(
            "--smallest",
            help="Find the smallest eps that breaks each image, by bisection with a suite; "
            "default: adaptive, 100 steps to 0.5 (linf) or 4 (l2).",
        ),
    ] = False,
    threat_model: opt.ThreatModelOption = "whitebox",
    worst_iterate: Annotated[
        bool, typer.Option("--worst-iterate", help="Any misclassified iterate breaks an image.")
    ] = False,
    gradient: opt.Gradient = "float32",
    batch: Annotated[
        int, typer.Option(min=1, max=opt.MOST_ROWS, help="Rows per pass through the network.")
    ] = 512,
    jobs: Annotated[int | None, typer.Option(min=1, max=opt.MOST, help="Cells at a time.")] = None,
    weights: opt.Weights = None,
    weight_scales: opt.WeightScales = "tensor",
    activation_range: opt.ActivationRange = "percentile",
    batch_norm: opt.BatchNormOption = "keep",
    bias_correction: opt.BiasCorrection = False,
    allow_float: opt.AllowFloat = False,
    data_dir: opt.DataDir = None,
    download: opt.Download = False,
    threads: opt.Threads = None,
    device: opt.DeviceOption = opt.Device.cpu,
    out_dir: Out = Path("out"),
    as_json: Json = False,
) -> None:
    """Attack a network built from each multiplier: robust accuracy over eps."""
    from axhil.study.engine.run import Machine
    from axhil.study.smallest import SMALLEST_BUDGETS, bisected
    from axhil.study.spec import NORMS, PAPER_BUDGETS, PAPER_IMAGES, checked

    from .evaluation import evaluate_study

    budgets = opt.parse_budgets(eps) if eps else None
    if full:
        images = images or PAPER_IMAGES.get(network, 50)
        budgets = budgets or PAPER_BUDGETS
    levels: Any = budgets and dict.fromkeys(norm or NORMS, budgets)
    if smallest:
        attack, levels = bisected(attack or ["adaptive"]), levels or SMALLEST_BUDGETS
    body: dict[str, Any] = {
        "name": "eval",
        "networks": (network,),
        "data": data,
        "images": images,
        # What the options say of Verilog is in the words, and so in the records.
        "multipliers": tuple(
            spelled_words(word, request) for text in multipliers or () for word in split_words(text)
        ),
        "attacks": tuple(attack or ()),
        "norms": tuple(norm or ()),
        "budgets": levels,
        "threat_models": (threat_model,),
        "worst_iterate": worst_iterate,
        "gradient": gradient,
        "seed": seed,
        "batch": batch,
        "quantisation": {
            "weights": weight_scales,
            "activations": activation_range,
            "batch_norm": batch_norm,
            "bias_correction": bias_correction,
        },
        "allow_float": allow_float,
    }
    spec = checked(
        {key: value for key, value in body.items() if value not in (None, ())}, source="axhil eval"
    )
    machine = Machine(
        request=replace(request, luts=luts),
        data_dir=data_dir,
        download=download,
        weights=weights,
        threads=threads,
        jobs=jobs,
        device=opt.check_device(device),
    )
    results = evaluate_study(spec, out_dir, machine)
    if as_json:
        emit({"folder": str(out_dir), "results": [one.as_dict() for one in results]})


@app.command()
@verilog_options("multipliers")
def plan(
    network: opt.Network = "lenet5",
    *,
    request: Request,
    multipliers: opt.Multipliers = None,
    luts: Luts = None,
    weights: opt.Weights = None,
    bias_correction: opt.BiasCorrection = False,
    allow_float: opt.AllowFloat = False,
    device: Annotated[
        opt.Device, typer.Option(help="Where networks would run; it need not be there.")
    ] = opt.Device.cpu,
    data_dir: opt.DataDir = None,
    as_json: Json = False,
) -> None:
    """Show which path each layer takes with each multiplier, by default the exact one, and why."""
    from axhil.emulation import Settings, native
    from axhil.report import measurements
    from axhil.report.terminal import terminal_table
    from axhil.study.subject import plan_subject

    chosen = assigned(multipliers or ["exact"], replace(request, luts=luts))
    subject, missing = plan_subject(
        network,
        weights=weights,
        root=data_dir,
        settings=Settings(bias_correction=bias_correction),
        allow_float=allow_float,
    )
    kernels = f"native kernels: {native.isa()}" if native.available() else "no native kernels"
    where = kernels if device is opt.Device.cpu else f"on {device.value}"
    plans = []
    for one in chosen:
        mapping = one.mapping()
        layers = subject.prepared.plan(
            mapping,
            layers=subject.network.approximate,
            device=device.value,
            measured=device is opt.Device.cpu,
        )
        share = subject.prepared.float_share(mapping)
        in_float = f"; {100 * share:.3g} % of MACs in float32" if share else ""
        title = f"{network} with {one.name}; {where}{in_float}"
        if device is opt.Device.cpu:
            milliseconds = sum(layer.cost for layer in layers) / 1e6
            title += f"; some {milliseconds:.2g} ms an image, by rates measured now"
        out.print(terminal_table(measurements.plan(layers, title=title)))
        rows = [asdict(layer) for layer in layers]
        plans.append({"multiplier": one.name, "float_share": share, "layers": rows})
    if missing:
        notice(f"planned with random weights: {missing}")
    if as_json:
        emit({"network": network, "device": device.value, "kernels": kernels, "plans": plans})
