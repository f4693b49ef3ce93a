# SPDX-License-Identifier: Apache-2.0
"""The unit of an experiment: one multiplier under one attack and norm, at a list of budgets.

A cell's settings are all that its result depends on; their hash is its name in the store. The
budgets are not part of that name: each is a result of its own, and more of them join the others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from axhil.attacks.checks import rising_accuracy

from .errors import StudyError


@dataclass(frozen=True)
class CellSettings:
    """All that a cell's flags depend on.

    Attributes:
        network: name of the catalogue.
        weights_sha256: of the float weights.
        calibration: images that set the activation ranges.
        quantisation: see `emulation.Settings`.
        layers: which layers the multiplier replaces.
        data: data set and split.
        data_sha256: over the pixels, labels and indices of the images used.
        images: how many of them.
        multiplier: its name.
        lut_sha256: of its table.
        attack: preset name.
        norm: ``linf`` or ``l2``.
        steps: gradients per image and budget.
        rel_step: length of a step as a part of eps.
        random_start: whether the attack starts at a random point of the ball.
        budgets: eps values.
        threat_model: who computes the gradient.
        worst_iterate: whether any iterate that is misclassified breaks an image, or the last alone.
        gradient: how the attacked network is differentiated, see `emulation.gradient`.
        seed: of random starts.
        batch: rows per pass through the network.
    """

    network: str
    weights_sha256: str
    calibration: str
    quantisation: Mapping[str, str]
    layers: str
    data: str
    data_sha256: str
    images: int
    multiplier: str
    lut_sha256: str
    attack: str
    norm: str
    steps: int
    rel_step: float
    random_start: bool
    budgets: tuple[float, ...]
    threat_model: str
    worst_iterate: bool
    gradient: str
    seed: int
    batch: int

    @property
    def key(self) -> str:
        """SHA-256 of the settings without the budgets, shortened to 20 hexadecimal digits."""
        body = asdict(self)
        del body["budgets"]
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Cell:
    """A finished cell.

    Attributes:
        settings: what was run.
        label: the multiplier's short name.
        correct: one string of 0 and 1 per budget, a digit per image.
        zero_gradient: share of images without a usable gradient, 0 to 1.
        warnings: reasons to doubt the numbers.
        seconds: wall time of each budget: an equal part of what was computed together.
        environment: versions, device, threads: what the result should not depend on.
    """

    settings: CellSettings
    label: str
    correct: tuple[str, ...]
    zero_gradient: float
    warnings: tuple[str, ...]
    seconds: tuple[float, ...]
    environment: Mapping[str, Any]

    def __post_init__(self) -> None:
        budgets = self.settings.budgets
        if not len(self.correct) == len(self.seconds) == len(budgets) or any(
            len(row) != self.settings.images for row in self.correct
        ):
            raise StudyError(
                f"expected flags of {len(budgets)} budgets and {self.settings.images} images"
            )

    def at(self, budgets: Sequence[float]) -> Cell:
        """The same cell at some of its budgets, in the order given."""
        where = [self.settings.budgets.index(eps) for eps in budgets]
        return replace(
            self,
            settings=replace(self.settings, budgets=tuple(budgets)),
            correct=tuple(self.correct[row] for row in where),
            seconds=tuple(self.seconds[row] for row in where),
        )


def joined(parts: Sequence[Cell]) -> Cell:
    """One cell from cells with equal settings but for their budgets, ascending.

    Of a budget that several have, the first counts. Warnings about the curve are made anew.
    """
    flags: dict[float, tuple[str, float]] = {}
    for part in parts:
        found = zip(part.correct, part.seconds, strict=True)
        for eps, result in zip(part.settings.budgets, found, strict=True):
            flags.setdefault(eps, result)
    budgets = tuple(sorted(flags))
    rows = tuple(flags[eps][0] for eps in budgets)
    warnings = dict.fromkeys(w for part in parts for w in part.warnings)
    if len(parts) > 1:
        correct = torch.tensor([[digit == "1" for digit in row] for row in rows])
        whole = rising_accuracy(budgets, correct)
        warnings = dict.fromkeys(w for w in warnings if not w.startswith("rising-accuracy"))
        warnings |= {str(whole): None} if whole else {}
    return replace(
        parts[0],
        settings=replace(parts[0].settings, budgets=budgets),
        correct=rows,
        zero_gradient=max(part.zero_gradient for part in parts),
        warnings=tuple(warnings),
        seconds=tuple(flags[eps][1] for eps in budgets),
    )
