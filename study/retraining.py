# SPDX-License-Identifier: Apache-2.0
"""Retraining of a network through a multiplier, on images as they are or under attack.

Adversarial training is that of A. Madry et al., "Towards deep learning models resistant to
adversarial attacks", ICLR 2018: every batch is attacked first, and the attacked network is the one
that is trained, approximate products included.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import nn

from axhil.attacks import Attack, Suite, parse_attack
from axhil.emulation import prepare
from axhil.emulation.gradients.gradient import parse_gradient
from axhil.emulation.trainable import TrainableNetwork
from axhil.hwsim.multipliers import Assignment
from axhil.zoo import Images
from axhil.zoo.train import RECIPES, EpochReport, Harder, Recipe, checkpoint_of, fit
from axhil.zoo.weights import own_state, save_state, sha256_of

from .accuracy import classified
from .engine.experiment import quantisation_of
from .engine.worker import environment
from .errors import StudyError
from .statistics import paired_difference, proportion
from .subject import Subject, calibration_images

Scales = Literal["learned", "calibrated"]
"""What becomes of activation scales: trained by their gradient, or set anew after each epoch."""

_BATCH = 250


@dataclass(frozen=True)
class Retraining:
    """How a network is retrained; part of the record.

    Attributes:
        recipe: of the loop.
        gradient: of the layers: straight-through in ``float32`` or ``bfloat16``, or ``slope:H``.
        scales: what becomes of activation scales.
        attack: that every batch goes through first, by its canonical spelling; empty: none.
        norm: of the attack's budget.
        eps: its budget.
        seed: of shuffles, augmentation and random starts.
    """

    recipe: Recipe
    gradient: str = "float32"
    scales: Scales = "learned"
    attack: str = ""
    norm: str = "linf"
    eps: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        parse_gradient(self.gradient)
        if self.scales not in get_args(Scales):
            raise StudyError(
                f"expected scales {' or '.join(get_args(Scales))}, got {self.scales!r}"
            )
        if not (math.isfinite(self.eps) and self.eps >= 0):
            raise StudyError(
                f"adversarial training: expected a finite budget of 0 or more, got {self.eps:g}"
            )
        if bool(self.attack) != (self.eps > 0):
            missing = "an attack beside a budget" if self.eps else "a budget above 0 of the attack"
            raise StudyError(f"adversarial training: expected {missing} (--attack pgd --eps 0.1)")
        if not (math.isfinite(self.recipe.peak_lr) and self.recipe.peak_lr > 0):
            raise StudyError(
                f"expected a finite peak learning rate above 0, got {self.recipe.peak_lr:g}"
            )
        if self.attack:
            self.inner_loop()

    def inner_loop(self) -> Attack:
        """The attack.

        Raises:
            StudyError: it is a suite.
        """
        attack = parse_attack(self.attack, self.norm)
        if isinstance(attack, Suite):
            raise StudyError(
                f"adversarial training: expected a single attack such as pgd(steps=7), got the "
                f"suite {self.attack}"
            )
        return attack

    def written(self) -> dict[str, Any]:
        """The settings by name, as a record has them."""
        body = asdict(self)
        if not self.attack:
            del body["attack"], body["norm"], body["eps"]
        return body


def retraining_recipe(
    network: str, *, epochs: int | None = None, peak_lr: float | None = None
) -> Recipe:
    """A network's own recipe, shorter and at a tenth of its learning rate.

    Raises:
        StudyError: it has none.
    """
    if network not in RECIPES:
        raise StudyError(f"no recipe for {network!r}: expected {', '.join(RECIPES)}")
    own = RECIPES[network]
    peak_lr = own.peak_lr / 10 if peak_lr is None else peak_lr
    return replace(own, epochs=epochs or 2, peak_lr=peak_lr, bfloat16=False)


def retrain(
    subject: Subject,
    multiplier: Assignment,
    how: Retraining,
    *,
    images: Images,
    test: Images,
    out: Path,
    root: Path | None = None,
    report: Callable[[EpochReport], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Retrain a network through a multiplier and write its weights.

    The file holds float weights and the range of every layer's activations; whatever takes
    weights takes it. `<out>.checkpoint` holds the state after the last finished epoch, from which
    a killed run goes on to the same weights.

    Args:
        subject: the network, on the CPU.
        multiplier: what it is built from.
        how: settings.
        images: the training set.
        test: what epochs end with, and the accuracy before and after is of.
        out: the safetensors file to write.
        root: data folder, of the calibration images.
        report: called after every epoch.
        progress: called with (images done, images in all).

    Returns:
        The record: settings, hashes, accuracy on the test images before and after with a digit per
        image, versions.

    Raises:
        StudyError: batch norms that are folded into the weights.
        EmulationError: see `Prepared.emulate` and `zoo.train.fit`.
    """
    # Trained weights and batch norms take the place of corrected biases.
    settings = replace(subject.prepared.settings, bias_correction=False)
    prepared = replace(subject.prepared, settings=settings)
    if settings.batch_norm != "keep":
        raise StudyError("retraining: expected batch norms that are kept, got folded ones")
    layers, built = subject.network.approximate, multiplier.mapping()
    calibration = calibration_images(subject.network, root)
    pixels, _ = calibration.batch()
    network = TrainableNetwork(
        subject.float_model,
        prepared,
        built,
        layers=layers,
        gradient=how.gradient,
        learned=how.scales == "learned",
    )
    facts = {
        "network": subject.network.name,
        "from_sha256": subject.weights_sha256,
        "multiplier": multiplier.name,
        "lut_sha256": multiplier.digest,
        "layers": layers,
        "quantisation": quantisation_of(settings),
        "calibration": subject.calibration,
        **how.written(),
        "train_images": len(images),
        "train_sha256": images.sha256,
    }
    checkpoint = checkpoint_of(out)
    fit(
        network,
        how.recipe,
        images,
        test,
        checkpoint=checkpoint,
        settings=facts,
        seed=how.seed,
        parameters=network.parameter_groups(),
        harder=_attacked(network, how, images) if how.attack else None,
        after_epoch=None if how.scales == "learned" else lambda: network.calibrate(pixels),
        report=report,
        progress=progress,
    )
    retrained = network.released()
    after = prepare(retrained, pixels, settings=settings)
    before, now = (
        classified(one.emulate(built, layers=layers), test, batch=_BATCH)
        for one in (prepared, after)
    )
    save_state(out, retrained, metadata={"network": subject.network.name})
    checkpoint.unlink(missing_ok=True)
    difference = paired_difference(before, now)
    return {
        **facts,
        "test_images": len(test),
        "test_sha256": test.sha256,
        "before": asdict(proportion(before.count("1"), len(before))),
        "after": asdict(proportion(now.count("1"), len(now))),
        "gained": difference.gained,
        "lost": difference.lost,
        "p_value": difference.p_value,
        "correct_before": before,
        "correct_after": now,
        "weights_sha256": sha256_of(own_state(retrained)),
        **environment("cpu"),
    }


def _attacked(network: TrainableNetwork, how: Retraining, images: Images) -> Harder:
    """Every batch under the attack, against the network as it is then."""
    attack, indices = how.inner_loop(), torch.from_numpy(images.indices)

    def harder(x: torch.Tensor, y: torch.Tensor, rows: torch.Tensor, epoch: int) -> torch.Tensor:
        budget = torch.full((len(x),), how.eps, dtype=torch.float64)
        seed = how.seed * 1_000_003 + epoch
        with _frozen(network):
            return attack(network, x, y, eps=budget, seed=seed, indices=indices[rows.cpu()])

    return harder


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """Without gradients of the parameters: an attack wants those of images alone."""
    trained = [one for one in model.parameters() if one.requires_grad]
    for one in trained:
        one.requires_grad_(False)
    try:
        yield
    finally:
        for one in trained:
            one.requires_grad_(True)
