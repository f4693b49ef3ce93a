# SPDX-License-Identifier: Apache-2.0
"""`axhil train`: progress on the terminal, a record beside the weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from axhil.hwsim.files import write_atomically
from axhil.study.errors import StudyError
from axhil.study.subject import set_threads
from axhil.zoo.train import RECIPES, EpochReport, train, training_images

from .console import err, out, progress
from .output import ready_folder


def run_training(
    network: str,
    path: Path,
    *,
    data_dir: Path | None,
    download: bool,
    epochs: int | None,
    seed: int,
    threads: int | None,
    device: str,
) -> None:
    """Train, show how it goes, and write `<path>` and its record `<path stem>.json`.

    Raises:
        StudyError: there is no recipe for the network.
        EmulationError: see `emulation.train.train`.
    """
    set_threads(threads)
    if network not in RECIPES:
        raise StudyError(f"no recipe for {network!r}: expected {', '.join(RECIPES)}")
    recipe = RECIPES[network]
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs)
    images = training_images(recipe, data_dir, download=download)
    total = recipe.epochs * (len(images) // recipe.batch) * recipe.batch

    def report(epoch: EpochReport) -> None:
        err.print(
            f"epoch {epoch.epoch:3}/{epoch.epochs}  loss {epoch.loss:.4f}  "
            f"test accuracy {100 * epoch.test_accuracy:.2f} %"
        )

    ready_folder(path.parent)
    with progress(f"training {network}", total=total, unit="images") as tick:
        record = train(
            network,
            recipe=recipe,
            images=images,
            out=path,
            root=data_dir,
            seed=seed,
            device=device,
            report=report,
            progress=lambda done, _total: tick(done, f"training {network}"),
        )
    record_path = path.with_suffix(".json")
    write_atomically(record_path, (json.dumps(record, indent=2) + "\n").encode())
    out.print(
        f"{network}: {100 * record['test_accuracy']:.2f} % on {record['test_images']:,} test "
        f"images; weights {path}, record {record_path}",
        soft_wrap=True,
    )
