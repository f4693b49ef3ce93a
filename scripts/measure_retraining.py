# SPDX-License-Identifier: Apache-2.0
"""Accuracy before and after bias correction and retraining, for docs/retraining.md.

    python scripts/measure_retraining.py lenet5 docs/records/retraining_lenet5.json --images 55000

Each finished row is in the file at once; a killed run goes on behind it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from axhil.emulation import Settings
from axhil.hwsim.files import write_atomically
from axhil.hwsim.multipliers import Assignment
from axhil.study.accuracy import classified
from axhil.study.engine.worker import environment
from axhil.study.retraining import Retraining, retrain, retraining_recipe
from axhil.study.statistics import proportion
from axhil.study.subject import Subject, load_subject
from axhil.zoo.data import load
from axhil.zoo.train import training_images

EXAMPLES = "docs/examples"
CIRCUITS = {
    "lenet5": (
        "drum(3)",
        f"{EXAMPLES}/mul_truncated.v[T=8]",
        f"{EXAMPLES}/mul_broken_array.v[wrap,H=4,V=9]",
    ),
    "resnet20": (
        "drum(3)",
        f"{EXAMPLES}/mul_truncated.v[T=6]",
        f"{EXAMPLES}/mul_broken_array.v[wrap,H=3,V=7]",
    ),
}
GRADIENTS = ("float32", "slope:16")


def main() -> None:
    """Measure what the file lacks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=CIRCUITS)
    parser.add_argument("record", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--images", type=int, help="to retrain on; default: all")
    parser.add_argument("--test-images", type=int, help="to test on; default: all")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, help="images a step; default: the recipe's")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = retraining_recipe(options.network, epochs=options.epochs)
    if options.batch:
        recipe = replace(recipe, batch=options.batch)
    test = load(recipe.data, "test").select(options.test_images)
    images = training_images(recipe, None).select(options.images)
    plain, corrected = (
        load_subject(
            options.network, weights=options.weights, settings=Settings(bias_correction=on)
        )
        for on in (False, True)
    )
    head = {
        "network": options.network,
        "weights_sha256": plain.weights_sha256,
        "calibration": plain.calibration,
        "test": test.name,
        "test_images": len(test),
        "test_sha256": test.sha256,
        "train_images": len(images),
        "train_sha256": images.sha256,
        "recipe": asdict(recipe),
    }
    body: dict[str, Any] = {**head, **environment("cpu"), "rows": []}
    if options.record.exists():
        body = json.loads(options.record.read_text())
        if {key: body[key] for key in head} != json.loads(json.dumps(head)):
            raise SystemExit(f"{options.record} is of other settings; remove it to start anew")

    def row(circuit: str, method: str, sha256: str, correct: str, seconds: float) -> None:
        share = asdict(proportion(correct.count("1"), len(correct)))
        body["rows"].append(
            {"circuit": circuit, "method": method, **share, "lut_sha256": sha256,
             "seconds": round(seconds, 1), "correct": correct}
        )  # fmt: skip
        write_atomically(options.record, (json.dumps(body, indent=1) + "\n").encode())
        accuracy = 100 * share["count"] / share["samples"]
        sys.stderr.write(f"{circuit} {method}: {accuracy:.2f} %\n")

    def measured(subject: Subject, multiplier: Assignment | None) -> str:
        built = None if multiplier is None else multiplier.mapping()
        network = subject.prepared.emulate(built, layers=subject.network.approximate)
        return classified(network, test, batch=250)

    done = {(one["circuit"], one["method"]) for one in body["rows"]}
    if ("float", "") not in done:
        row("float", "", "", classified(plain.float_model, test, batch=250), 0.0)
        row("exact", "", "", measured(plain, None), 0.0)
    for word in CIRCUITS[options.network]:
        multiplier = Assignment.parse(word)
        for method in ("before", "bias correction", *GRADIENTS):
            if (word, method) in done:
                continue
            began = time.process_time()
            if method in GRADIENTS:
                how = Retraining(recipe=recipe, gradient=method)
                with tempfile.TemporaryDirectory() as folder:
                    out = Path(folder, "weights.safetensors")
                    record = retrain(plain, multiplier, how, images=images, test=test, out=out)
                    correct = record["correct_after"]
            else:
                correct = measured(plain if method == "before" else corrected, multiplier)
            row(word, method, multiplier.digest, correct, time.process_time() - began)


if __name__ == "__main__":
    main()
