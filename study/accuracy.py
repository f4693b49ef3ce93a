# SPDX-License-Identifier: Apache-2.0
"""Clean accuracy of a network in float and built from each multiplier."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from axhil.hwsim.files import write_atomically
from axhil.hwsim.multipliers import Assignment
from axhil.zoo import Images

from .engine.experiment import Progress, quantisation_of
from .engine.worker import environment
from .engine.workers import shared_out
from .statistics import Proportion, proportion
from .subject import Subject


@dataclass(frozen=True)
class AccuracyRow:
    """One network over one set of images.

    Attributes:
        name: ``float``, or the multiplier.
        label: short form.
        lut_sha256: of the table; empty for float.
        correct: a digit 0 or 1 per image.
        accuracy: with its interval.
        seconds: wall time.
        float_share: part of the network's multiply-accumulates that is done in float, 0 to 1.
    """

    name: str
    label: str
    lut_sha256: str
    correct: str
    accuracy: Proportion
    seconds: float
    float_share: float


def classified(
    model: nn.Module,
    images: Images,
    *,
    batch: int,
    device: str = "cpu",
    on_images: Callable[[int], None] = lambda _: None,
) -> str:
    """Classify all images: a digit 1 for each that the network gets right, else 0.

    On the CPU each thread takes batches of its own: the layers of one batch are too short to
    split without threads waiting for each other, above all on a busy machine.
    """
    lock = threading.Lock()

    @torch.no_grad()
    def classify(start: int) -> list[int]:
        x, y = images.batch(slice(start, start + batch), device=device)
        found: list[int] = (model(x).argmax(1) == y).to(torch.uint8).tolist()
        with lock:
            on_images(len(found))
        return found

    starts = range(0, len(images), batch)
    workers = 1 if device != "cpu" else min(torch.get_num_threads(), len(starts))
    with shared_out(workers) as (pool, _):
        return "".join(str(flag) for part in pool.map(classify, starts) for flag in part)


def measure(
    subject: Subject,
    images: Images,
    multipliers: Sequence[Assignment],
    *,
    batch: int,
    device: str = "cpu",
    progress: Progress | None = None,
) -> list[AccuracyRow]:
    """Run float and every multiplier over the images.

    Args:
        subject: the network.
        images: what to classify.
        multipliers: to build it from.
        batch: images at a time.
        device: where to run.
        progress: called with (images done, images in all, what is at work).
    """
    for one in multipliers:
        subject.prepared.check(one.mapping())
    done, total = 0, (1 + len(multipliers)) * len(images)
    rows = []
    for named in (None, *multipliers):
        label = "float" if named is None else named.label
        began = time.perf_counter()
        model: nn.Module = subject.float_model
        float_share = 1.0
        if named is not None:
            emulated = subject.prepared.emulate(
                named.mapping(), layers=subject.network.approximate, device=device
            )
            model, float_share = emulated, emulated.float_share

        def count(images_done: int, label: str = label) -> None:
            nonlocal done
            done += images_done
            if progress is not None:
                progress(done, total, label)

        flags = classified(model, images, batch=batch, device=device, on_images=count)
        rows.append(
            AccuracyRow(
                name="float" if named is None else named.name,
                label=label,
                lut_sha256="" if named is None else named.digest,
                correct=flags,
                accuracy=proportion(flags.count("1"), len(flags)),
                seconds=round(time.perf_counter() - began, 2),
                float_share=float_share,
            )
        )
    return rows


def write_accuracy(
    path: Path,
    subject: Subject,
    images: Images,
    rows: Sequence[AccuracyRow],
    *,
    batch: int,
    device: str,
) -> dict[str, Any]:
    """Write one JSON record of a measurement, with a digit per image for paired tests later.

    Returns:
        What was written.
    """
    body: dict[str, Any] = {
        "network": subject.network.name,
        "weights_sha256": subject.weights_sha256,
        "calibration": subject.calibration,
        "quantisation": quantisation_of(subject.prepared.settings),
        "layers": subject.network.approximate,
        "data": images.name,
        "data_sha256": images.sha256,
        "images": len(images),
        "batch": batch,
        **environment(device),
        "rows": [
            {
                "multiplier": row.name,
                "label": row.label,
                "lut_sha256": row.lut_sha256,
                "accuracy": row.accuracy.value,
                "accuracy_low": row.accuracy.low,
                "accuracy_high": row.accuracy.high,
                "seconds": row.seconds,
                "float_share": row.float_share,
                "correct": row.correct,
            }
            for row in rows
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(body, indent=1) + "\n").encode())
    return body
