# SPDX-License-Identifier: Apache-2.0
"""Commands that make weights: train a network in float, retrain it through a multiplier."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from axhil.hwsim.files import write_atomically
from axhil.hwsim.multipliers import Request

from . import options as opt
from .console import Json, emit, err, out, progress
from .multipliers import Luts, verilog_options
from .network import assigned
from .output import OutFile, ready_folder

if TYPE_CHECKING:
    from axhil.zoo.train import EpochReport

app = typer.Typer()


def _said(epoch: EpochReport) -> None:
    err.print(
        f"epoch {epoch.epoch:3}/{epoch.epochs}  loss {epoch.loss:.4f}  "
        f"test accuracy {100 * epoch.test_accuracy:.2f} %"
    )


def _recorded(weights: Path, record: dict[str, Any]) -> Path:
    """Writes a record beside its weights."""
    path = weights.with_suffix(".json")
    write_atomically(path, (json.dumps(record, indent=2) + "\n").encode())
    return path


@app.command()
def train(
    network: opt.Network = "lenet5",
    out_file: OutFile = None,
    data_dir: opt.DataDir = None,
    download: opt.Download = False,
    epochs: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Instead of the recipe's.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=opt.MOST_SEED, help="Of all that is drawn.")] = 0,
    threads: opt.Threads = None,
    device: opt.DeviceOption = opt.Device.cpu,
    as_json: Json = False,
) -> None:
    """Train a network in float; continues after a kill from the last finished epoch.

    Weights go to --out-file, by default out/NETWORK.safetensors, and a record beside them.
    """
    from axhil.study.errors import StudyError
    from axhil.study.subject import set_threads
    from axhil.zoo import train as training

    where = opt.check_device(device)
    set_threads(threads)
    if network not in training.RECIPES:
        known = ", ".join(training.RECIPES)
        raise StudyError(f"no recipe for {network!r}: expected {known}")
    recipe = training.RECIPES[network]
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs)
    images = training.training_images(recipe, data_dir, download=download)
    path = out_file or Path(f"out/{network}.safetensors")
    ready_folder(path.parent)
    total = recipe.epochs * (len(images) // recipe.batch) * recipe.batch
    with progress(f"training {network}", total=total, unit="images") as tick:
        record = training.train(
            network,
            recipe=recipe,
            images=images,
            out=path,
            root=data_dir,
            seed=seed,
            device=where,
            report=_said,
            progress=lambda done, _total: tick(done, f"training {network}"),
        )
    record_path = _recorded(path, record)
    out.print(
        f"{network}: {100 * record['test_accuracy']:.2f} % on {record['test_images']:,} test "
        f"images; weights {path}, record {record_path}",
        soft_wrap=True,
    )
    if as_json:
        emit({**record, "file": str(path), "record": str(record_path)})


@app.command()
@verilog_options("multiplier")
def retrain(
    network: opt.Network = "lenet5",
    *,
    request: Request,
    multiplier: Annotated[
        str,
        typer.Option(
            "--multiplier", "-m", help="As of `axhil accuracy`: one, or an assignment by layer."
        ),
    ],
    luts: Luts = None,
    out_file: OutFile = None,
    weights: opt.Weights = None,
    gradient: opt.Gradient = "float32",
    scales: opt.ScalesOption = "learned",
    epochs: Annotated[
        int, typer.Option(min=1, max=100_000, help="Passes over the training images.")
    ] = 2,
    peak_lr: Annotated[
        float | None,
        typer.Option(help="Top of the one-cycle schedule; default: a tenth of the recipe's."),
    ] = None,
    images: Annotated[
        int | None, typer.Option(min=1, max=opt.MOST_ROWS, help="To train on; default: all.")
    ] = None,
    attack: Annotated[
        str | None,
        typer.Option(
            parser=opt.attack,
            help="Adversarial training: every batch under it, e.g. 'pgd(steps=7,rel_step=0.25)'.",
        ),
    ] = None,
    norm: opt.Norm = "linf",
    eps: Annotated[float, typer.Option(help="Budget of --attack.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, max=opt.MOST_SEED, help="Of all that is drawn.")] = 0,
    weight_scales: opt.WeightScales = "tensor",
    activation_range: opt.ActivationRange = "percentile",
    allow_float: opt.AllowFloat = False,
    data_dir: opt.DataDir = None,
    download: opt.Download = False,
    threads: opt.Threads = None,
    as_json: Json = False,
) -> None:
    """Retrain a network through a multiplier; continues after a kill from the last epoch.

    Weights and activation ranges go to --out-file, by default out/NETWORK_retrained.safetensors,
    and a record beside them; other commands take the file by --weights.
    """
    from axhil.emulation import Settings
    from axhil.study import retraining
    from axhil.study.errors import StudyError
    from axhil.study.subject import load_subject, set_threads
    from axhil.zoo.data import load
    from axhil.zoo.train import training_images

    how = retraining.Retraining(
        recipe=retraining.retraining_recipe(network, epochs=epochs, peak_lr=peak_lr),
        gradient=gradient, scales=scales, attack=attack or "", norm=norm, eps=eps, seed=seed,
    )  # fmt: skip
    set_threads(threads)
    path = out_file or Path(f"out/{network}_retrained.safetensors")
    ready_folder(path.parent)
    found = assigned([multiplier], replace(request, luts=luts))
    if len(found) != 1:
        raise StudyError(
            f"-m {multiplier}: expected one multiplier or an assignment by layer, got {len(found)}"
        )
    (chosen,) = found
    subject = load_subject(
        network,
        weights=weights,
        root=data_dir,
        settings=Settings(weight_scales, activation_range),
        allow_float=allow_float,
    )
    chosen.check(subject.prepared.layers)
    subject.prepared.check(chosen.mapping())
    selected = training_images(how.recipe, data_dir, download=download).select(images)
    what = f"retraining {network}"
    total = epochs * (len(selected) // how.recipe.batch) * how.recipe.batch
    with progress(what, total=total, unit="images") as tick:
        record = retraining.retrain(
            subject,
            chosen,
            how,
            images=selected,
            test=load(how.recipe.data, "test", root=data_dir, download=download),
            out=path,
            root=data_dir,
            report=_said,
            progress=lambda done, _total: tick(done, what),
        )
    record_path = _recorded(path, record)
    before, after = (
        "{:.2f} % ({:.2f} to {:.2f})".format(
            *(100 * value for value in (one["count"] / one["samples"], one["low"], one["high"]))
        )
        for one in (record["before"], record["after"])
    )
    out.print(
        f"{network} with {chosen.name} on {record['test_images']:,} test images: {before} before, "
        f"{after} after; weights {path}, record {record_path}",
        soft_wrap=True,
    )
    if as_json:
        emit({**record, "file": str(path), "record": str(record_path)})
