# SPDX-License-Identifier: Apache-2.0
"""Commands about networks: train one, plan one, its accuracy, and how it stands attacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axhil.study.errors import StudyError

from . import options as opt
from .console import notice, out, progress
from .output import ready_folder

if TYPE_CHECKING:
    from axhil.hwsim.multipliers import Assignment


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train)
    app.command()(accuracy)
    app.command("eval")(evaluate)
    app.command()(plan)


def train(
    network: Annotated[str, typer.Argument(help="lenet5, resnet50 or vgg19.")],
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Weights to write; default out/<network>.")
    ] = None,
    data_dir: opt.DataDir = None,
    download: opt.Download = False,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    seed: int = 0,
    threads: opt.Threads = None,
    device: opt.DeviceOption = opt.Device.cpu,
) -> None:
    """Train a network in float; continues after a kill from the last finished epoch."""
    from .training import run_training

    run_training(
        network,
        out_file or Path(f"out/{network}.safetensors"),
        data_dir=data_dir,
        download=download,
        epochs=epochs,
        seed=seed,
        threads=threads,
        device=opt.check_device(device),
    )


def assigned(texts: Sequence[str] | None, *, luts: Path | None) -> list[Assignment]:
    """Find multipliers for a network and make their tables, and say what was assumed.

    Raises:
        HwsimError: see `network_assignments` and `make_tables`.
    """
    from axhil.hwsim.multipliers import make_tables
    from axhil.study.assignments import distinct, network_assignments

    found = network_assignments(texts, luts=luts)
    multipliers = distinct(found)
    with progress("making tables", total=len(multipliers), unit="tables") as tick:
        make_tables(multipliers, progress=lambda made, _, name: tick(made, f"made {name}"))
    for note in dict.fromkeys(note for one in found for note in one.notes):
        notice(note)
    return found


def accuracy(
    network: Annotated[str, typer.Argument(help="lenet5, resnet50, vgg19, ...")] = "lenet5",
    data: Annotated[str | None, typer.Option(help="mnist5k, mnist, cifar10 or a folder.")] = None,
    multipliers: opt.Multipliers = None,
    luts: opt.Luts = None,
    images: Annotated[int | None, typer.Option(help="How many; default: all.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images at a time.")] = 128,
    weights: opt.Weights = None,
    weight_scales: opt.WeightScales = "tensor",
    activation_range: opt.ActivationRange = "percentile",
    batch_norm: opt.BatchNormOption = "keep",
    allow_float: opt.AllowFloat = False,
    data_dir: opt.DataDir = None,
    download: opt.Download = False,
    threads: opt.Threads = None,
    device: opt.DeviceOption = opt.Device.cpu,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the record.")] = Path("out"),
) -> None:
    """Accuracy of a network in float, in exact int8 and with each multiplier."""
    from axhil.emulation import Settings
    from axhil.report import measurements
    from axhil.report.terminal import terminal_table
    from axhil.study.accuracy import measure, write_accuracy
    from axhil.study.subject import load_subject, set_threads
    from axhil.zoo.data import load

    set_threads(threads)
    ready_folder(out_dir)
    where = opt.check_device(device)
    chosen = assigned(multipliers, luts=luts)
    settings = Settings(weight_scales, activation_range, batch_norm)
    subject = load_subject(
        network,
        weights=weights,
        root=data_dir,
        data=data,
        settings=settings,
        allow_float=allow_float,
        device=where,
    )
    for one in chosen:
        one.check(subject.prepared.layers)
    everything = load(data or subject.network.data, root=data_dir, download=download)
    selected = everything.select(images)
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
    path = out_dir / f"accuracy_{network.replace(':', '_')}_{selected.name.replace('/', '_')}.json"
    write_accuracy(path, subject, selected, rows, batch=batch, device=where)
    title = f"{network} on {len(selected):,} images of {selected.name}"
    out.print(terminal_table(measurements.accuracy(rows, title=title)))
    out.print(f"record: {path}", soft_wrap=True)


def evaluate(
    network: Annotated[str, typer.Option(help="lenet5, resnet50, vgg19, ...")] = "lenet5",
    data: Annotated[str | None, typer.Option(help="mnist5k, mnist, cifar10 or a folder.")] = None,
    multipliers: opt.Multipliers = None,
    luts: opt.Luts = None,
    attack: opt.Attacks = None,
    norm: opt.Norms = None,
    eps: Annotated[str | None, typer.Option(help="Budgets, e.g. 0,0.1,0.5.")] = None,
    images: Annotated[int | None, typer.Option(help="How many, class by class.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of random starts.")] = 0,
    full: Annotated[
        bool, typer.Option("--full", help="The paper's size: 64 images, 100 budgets.")
    ] = False,
    threat_model: opt.ThreatModelOption = "whitebox",
    worst_iterate: Annotated[
        bool, typer.Option("--worst-iterate", help="Any misclassified iterate breaks an image.")
    ] = False,
    gradient: Annotated[
        str,
        typer.Option(
            help="float32 or bfloat16: straight-through; slope:H: the table's own over H codes."
        ),
    ] = "float32",
    batch: Annotated[int, typer.Option(min=1, help="Rows per pass through the network.")] = 512,
    jobs: Annotated[int | None, typer.Option(min=1, help="Cells at a time.")] = None,
    weights: opt.Weights = None,
    weight_scales: opt.WeightScales = "tensor",
    activation_range: opt.ActivationRange = "percentile",
    batch_norm: opt.BatchNormOption = "keep",
    allow_float: opt.AllowFloat = False,
    data_dir: opt.DataDir = None,
    download: opt.Download = False,
    threads: opt.Threads = None,
    device: opt.DeviceOption = opt.Device.cpu,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for results.")] = Path("out"),
) -> None:
    """Attack a network built from each multiplier: robust accuracy over eps."""
    from axhil.hwsim.multipliers.assignment import split_words
    from axhil.study.run import Machine
    from axhil.study.spec import NORMS, PAPER_BUDGETS, PAPER_IMAGES, checked

    from .evaluation import evaluate_study

    budgets = None if eps is None else opt.parse_budgets(eps)
    if full:
        images = images or PAPER_IMAGES.get(network, 50)
        budgets = budgets or PAPER_BUDGETS
    body = {
        "name": "eval",
        "networks": (network,),
        "data": data,
        "images": images,
        "multipliers": tuple(name for text in multipliers or () for name in split_words(text)),
        "attacks": tuple(attack or ()),
        "norms": tuple(norm or ()),
        "budgets": budgets and dict.fromkeys(norm or NORMS, budgets),
        "threat_models": (threat_model,),
        "worst_iterate": worst_iterate,
        "gradient": gradient,
        "seed": seed,
        "batch": batch,
        "quantisation": {
            "weights": weight_scales,
            "activations": activation_range,
            "batch_norm": batch_norm,
        },
        "allow_float": allow_float,
    }
    spec = checked(
        {key: value for key, value in body.items() if value not in (None, ())}, source="axhil eval"
    )
    machine = Machine(
        luts=luts,
        data_dir=data_dir,
        download=download,
        weights=weights,
        threads=threads,
        jobs=jobs,
        device=opt.check_device(device),
    )
    evaluate_study(spec, out_dir, machine)


def plan(
    network: Annotated[str, typer.Argument(help="lenet5, resnet50, vgg19, ...")] = "lenet5",
    multiplier: opt.Multiplier = "exact",
    weights: opt.Weights = None,
    allow_float: opt.AllowFloat = False,
    device: Annotated[
        opt.Device, typer.Option(help="Where networks would run; it need not be there.")
    ] = opt.Device.cpu,
    data_dir: opt.DataDir = None,
) -> None:
    """Show which path each layer takes, and why."""
    from axhil.emulation import native
    from axhil.report import measurements
    from axhil.report.terminal import terminal_table
    from axhil.study.subject import plan_subject

    chosen, *more = assigned([multiplier], luts=None)
    if more:
        raise StudyError(f"--multiplier: expected one multiplier, got {multiplier}")
    subject, missing = plan_subject(
        network, weights=weights, root=data_dir, allow_float=allow_float
    )
    mapping = chosen.mapping()
    layers = subject.prepared.plan(mapping, layers=subject.network.approximate, device=device.value)
    if missing:
        notice(f"planning with random weights: {missing}")
    kernels = f"native kernels: {native.isa()}" if native.available() else "no native kernels"
    where = kernels if device is opt.Device.cpu else f"on {device.value}"
    share = subject.prepared.float_share(mapping)
    in_float = f"; {100 * share:.3g} % of MACs in float32" if share else ""
    title = f"{network} with {chosen.name}; {where}{in_float}"
    out.print(terminal_table(measurements.plan(layers, title=title)))
