# SPDX-License-Identifier: Apache-2.0
"""Robust accuracy, measured by somebody who trusts neither the attack nor the network.

Attacks are run over all budgets, what they return is judged (see `judging`), and what the network
under attack said of each image is stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .assault import Targets, assault, single, suite_rows
from .attack import Attack, TransferAttack
from .checks import (
    AttackWarning,
    hidden_gradients,
    left_the_ball,
    nondeterminism,
    rising_accuracy,
    zero_gradients,
)
from .errors import AttackError
from .grid import BATCH_SIZE, attack_rows
from .inputs import (
    check_budgets,
    check_count,
    check_images,
    check_indices,
    check_labels,
    check_seed,
)
from .judging import Judge
from .network import check_finite, device_of, input_gradient, largest, predict
from .norms import Norm, powerless
from .suites import Suite, hidden

Progress = Callable[[int, int], None]
"""Called with (done, total) in rows through a network; the total never changes in a run."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What one attack did to one network, sample by sample. All tensors are on the CPU.

    Attributes:
        attack: the attack's name.
        norm: the norm of the budgets.
        steps: the attack's rows through the network for each image and budget.
        threat_model: "whitebox", "transfer" or "transfer:<name of the gradient's network>".
        worst_iterate: whether an image is broken by the clean image or any iterate that is
            misclassified, rather than by the last iterate alone.
        budgets: eps values, in the order asked for.
        seed: of random starts.
        indices: (N,) int64, each sample's number in its data set.
        labels: (N,) int64.
        clean_predictions: (N,) int64, classes given to the clean images.
        predictions: (budgets, N) int64, classes given to the attacked images; of the worst
            iterate, the class that broke the image first.
        broken_by: of a suite, for each budget and image the member that broke it at the smallest
            budget, or, once one along the network's own gradient does, that one; "clean" where it
            is misclassified as it is, or "" where it survived all; empty for others.
        zero_gradient: (N,) bool, no usable gradient at the clean image (`norms.powerless`); all
            False for an attack that needs none.
        excess: (budgets,) float64, the furthest an attacked image lay beyond eps as the attack
            returned it; up to `norms.rounding` it is rounding.
        seconds: wall time.
        warnings: reasons to doubt the numbers, see `checks`.
    """

    attack: str
    norm: Norm
    steps: int
    threat_model: str
    worst_iterate: bool
    budgets: tuple[float, ...]
    seed: int
    indices: Tensor
    labels: Tensor
    clean_predictions: Tensor
    predictions: Tensor
    broken_by: tuple[tuple[str, ...], ...]
    zero_gradient: Tensor
    excess: Tensor
    seconds: float
    warnings: tuple[AttackWarning, ...]

    @property
    def correct(self) -> Tensor:
        """(budgets, N) bool: the attacked image still gets its true class."""
        return self.predictions == self.labels

    @property
    def clean_correct(self) -> Tensor:
        """(N,) bool: the clean image gets its true class."""
        return self.clean_predictions == self.labels

    @property
    def robust_accuracy(self) -> tuple[float, ...]:
        """Share of all samples, clean errors included, still correct at each budget."""
        return tuple(int(row.sum()) / len(row) for row in self.correct)

    @property
    def clean_accuracy(self) -> float:
        """Share of all samples that are correct without an attack."""
        return int(self.clean_correct.sum()) / len(self.labels)


def network_rows(
    attack: Attack, *, budgets: Sequence[float], samples: int, worst_iterate: bool = False
) -> int:
    """How many rows `evaluate` sends through a network: its progress's total.

    One for each clean image and, where the attack needs gradients, one more for its gradient; the
    attack's own; and one for each image at each budget above 0. A worst iterate needs one for
    each step, at most; rows that stop early count as done.

    Args:
        attack: the attack.
        budgets: eps values.
        samples: number of images.
        worst_iterate: see `evaluate`.

    Returns:
        The number of rows.
    """
    clean = (1 + attack.needs_gradient) * samples
    positive = sum(eps > 0.0 for eps in budgets)
    if positive == 0:
        return clean
    if isinstance(attack, Suite):
        return clean + samples * suite_rows(attack, positive)
    steps = attack_rows(attack, budgets=positive, samples=samples)
    looks = positive * samples * (attack.steps if worst_iterate else 1)
    return clean + steps + looks


def evaluate(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    attack: Attack,
    *,
    budgets: Sequence[float],
    gradient_model: nn.Module | None = None,
    gradient_name: str = "",
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    indices: Tensor | None = None,
    worst_iterate: bool = False,
    sources: Mapping[str, nn.Module] | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Attack a network at several budgets and measure what is left of its accuracy.

    Neither network is changed: see `attacks.network`. A budget of 0 is clean accuracy, taken
    from the pass over the clean images.

    Args:
        model: the network under attack, (N, ...) float32 in [0, 1] to (N, classes) logits.
        images: (N, ...) float32 in [0, 1], on any device; batches move to the network's.
        labels: (N,) int64, on the images' device.
        attack: the attack.
        budgets: eps values, each 0 or more.
        gradient_model: the network that the gradients come from, on the same device; None is
            the network under attack itself (white box).
        gradient_name: what to call the gradient's network in the threat model.
        seed: of random starts.
        batch_size: rows per pass through a network, which bounds the memory.
        indices: (N,) int64, each sample's number in its data set, for random starts; None
            counts from 0.
        worst_iterate: an image is broken when its clean version or any iterate is misclassified,
            and is not attacked further; otherwise the last iterate decides.
        sources: by name, networks that a suite takes gradients of, see `suites`.
        progress: called with (rows done, rows in all).

    Returns:
        The evaluation.

    Raises:
        AttackError: inputs, budgets or networks that an attack cannot work with, and an attack
            that returns something else than finite images of the same shape.
    """
    began = time.perf_counter()
    check_images(images)
    least_classes = check_labels(labels, images) + 1
    levels = check_budgets(budgets)
    samples = check_indices(indices, len(images))
    check_seed(seed)
    check_count(batch_size, what="batch_size")
    source, threat_model = _threat(model, images, gradient_model, gradient_name)
    if source is not model and isinstance(attack, TransferAttack):
        attack = attack.for_transfer()
    total = network_rows(attack, budgets=levels, samples=len(images), worst_iterate=worst_iterate)
    meter = _Meter(progress, total)

    batches = torch.split(torch.arange(len(images)), batch_size)
    device = device_of(model, images.device)
    truth = labels.cpu()
    clean = torch.empty_like(truth)
    zero = torch.zeros(len(truth), dtype=torch.bool)
    first_logits = torch.empty(0)
    for rows in batches:
        x, y = images[rows].to(device), labels[rows].to(device)
        logits = predict(model, x, least_classes=least_classes)
        if rows[0] == 0:
            first_logits = logits
        clean[rows] = logits.argmax(1).cpu()
        if attack.needs_gradient:
            gradient, its_logits, _ = input_gradient(source, x, y, least_classes=least_classes)
            check_finite(largest(gradient, its_logits), attack=attack.name)
            zero[rows] = powerless(attack.norm, gradient).cpu()
        meter.add((1 + attack.needs_gradient) * len(rows))

    eps = torch.tensor(levels, dtype=torch.float64)
    judge = Judge(model, attack, images, labels, clean=clean, budgets=eps)
    # A clean image that is misclassified is the first of its iterates: nothing is left to break.
    seen_first = worst_iterate or isinstance(attack, Suite)
    task = Targets(
        images=images,
        labels=labels,
        indices=samples,
        columns=torch.arange(len(truth))[(clean == truth) | (not seen_first)],
        budgets=eps,
        seed=seed,
        batch_size=batch_size,
    )
    broken_by: tuple[tuple[str, ...], ...] = ()
    if isinstance(attack, Suite):
        networks = {**(sources or {}), "own": source}
        broken_by = assault(attack, networks, judge, task, on_rows=meter.add)
    elif len(task.columns):
        single(attack, source, judge, task, worst_iterate=worst_iterate, on_rows=meter.add)
    meter.finish()

    again = predict(model, images[batches[0]].to(device))
    found = (
        zero_gradients(zero),
        hidden_gradients(levels, hidden(broken_by)) if broken_by else None,
        rising_accuracy(levels, judge.predictions == truth),
        nondeterminism(first_logits, again),
        left_the_ball(levels, judge.outside, float(judge.excess.max())),
    )
    return Evaluation(
        attack=attack.name,
        norm=attack.norm,
        steps=attack.steps,
        threat_model=threat_model,
        worst_iterate=worst_iterate,
        budgets=levels,
        seed=seed,
        indices=samples.clone(),
        labels=truth.clone(),
        clean_predictions=clean,
        predictions=judge.predictions,
        broken_by=broken_by,
        zero_gradient=zero,
        excess=judge.excess.amax(1),
        seconds=time.perf_counter() - began,
        warnings=tuple(warning for warning in found if warning is not None),
    )


class _Meter:
    """Adds rows up and tells the caller."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._done, self._total = progress, 0, total

    def add(self, rows: int) -> None:
        self._done += rows
        if self._progress is not None:
            self._progress(self._done, self._total)

    def finish(self) -> None:
        """Count what did not have to be done as done."""
        if self._done < self._total:
            self.add(self._total - self._done)


def _threat(
    model: nn.Module, images: Tensor, gradient_model: nn.Module | None, name: str
) -> tuple[nn.Module, str]:
    """The network that gives the gradients, and what to call that."""
    if gradient_model is None or gradient_model is model:
        return model, "whitebox"
    here, there = (device_of(one, images.device) for one in (model, gradient_model))
    if here != there:
        raise AttackError(
            f"expected gradient_model on the network's device {here}, it is on {there}"
        )
    return gradient_model, f"transfer:{name}" if name else "transfer"
