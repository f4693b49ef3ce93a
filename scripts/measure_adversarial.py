# SPDX-License-Identifier: Apache-2.0
r"""Robust accuracy of LeNet-5 before and after adversarial training, for docs/retraining.md.

    axhil retrain lenet5 -m exact --attack "pgd(steps=5,rel_step=0.3)" --eps 0.1 --images 20000 \
        --epochs 4 --peak-lr 0.02 --out-file out/adversarial_exact.safetensors
    axhil retrain lenet5 -m "drum(3)" ... --out-file out/adversarial_drum3.safetensors
    python scripts/measure_adversarial.py out docs/records/adversarial_lenet5.json --images 1000

The adaptive suite takes seconds for every image that survives. Images go in parts through all
networks, and each part is in the file at once: a killed run goes on, and pairs are always complete.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from axhil.hwsim.files import write_atomically
from axhil.hwsim.multipliers import Assignment
from axhil.study.engine.experiment import quantisation_of
from axhil.study.engine.worker import CellWorker, environment
from axhil.study.storage.cells import WHITEBOX, CellSettings
from axhil.study.subject import load_subject

NETWORKS = {
    "exact": ("exact", None),
    "drum(3)": ("drum(3)", None),
    "exact, adversarial": ("exact", "adversarial_exact"),
    "drum(3), adversarial": ("drum(3)", "adversarial_drum3"),
}
PART = 20


def main() -> None:
    """Attack what the file lacks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of the two trainings")
    parser.add_argument("record", type=Path)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--eps", type=float, default=0.1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    trained = {
        stem: json.loads((options.folder / f"{stem}.json").read_text())
        for _, stem in NETWORKS.values()
        if stem
    }
    subjects = {
        name: load_subject(
            "lenet5", weights=options.folder / f"{stem}.safetensors" if stem else None
        )
        for name, (_, stem) in NETWORKS.items()
    }
    images = subjects["exact"].images("mnist", root=None).select(options.images)
    head = {
        "network": "lenet5",
        "data": images.name,
        "attack": "adaptive",
        "norm": "linf",
        "eps": options.eps,
        "trained": trained,
        "weights_sha256": {name: one.weights_sha256 for name, one in subjects.items()},
    }
    rows: dict[str, Any] = {
        name: {"clean": "", "robust": "", "broken_by": [], "seconds": 0.0} for name in NETWORKS
    }
    body: dict[str, Any] = {**head, **environment("cpu"), "rows": rows}
    if options.record.exists():
        body = json.loads(options.record.read_text())
        if {key: body[key] for key in head} != json.loads(json.dumps(head)):
            raise SystemExit(f"{options.record} is of other settings; remove it to start anew")
        rows = body["rows"]
    for start in range(len(rows["exact"]["robust"]), len(images), PART):
        part = images.subset(np.arange(start, min(start + PART, len(images))))
        for name, (word, _) in NETWORKS.items():
            subject, multiplier = subjects[name], Assignment.parse(word)
            settings = CellSettings(
                network="lenet5",
                weights_sha256=subject.weights_sha256,
                calibration=subject.calibration,
                quantisation=quantisation_of(subject.prepared.settings),
                layers=subject.network.approximate,
                data=part.name,
                data_sha256=part.sha256,
                images=len(part),
                multiplier=multiplier.name,
                lut_sha256=multiplier.digest,
                attack="adaptive",
                norm="linf",
                budgets=(0.0, options.eps),
                threat_model=WHITEBOX,
                worst_iterate=False,
                gradient="float32",
                seed=0,
                batch=512,
            )
            began = time.process_time()
            cell = CellWorker(subject, part, "cpu").compute(multiplier, settings)
            row = rows[name]
            row["clean"] += cell.correct[0]
            row["robust"] += cell.correct[1]
            row["broken_by"] += cell.broken_by[1]
            row["seconds"] = round(row["seconds"] + time.process_time() - began, 1)
        write_atomically(options.record, (json.dumps(body, indent=1) + "\n").encode())
        counts = {name: row["robust"].count("1") for name, row in rows.items()}
        sys.stderr.write(f"{len(rows['exact']['robust'])} images: {counts}\n")


if __name__ == "__main__":
    main()
