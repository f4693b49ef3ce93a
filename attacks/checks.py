# SPDX-License-Identifier: Apache-2.0
"""Signs that an attack failed for its own reasons, so that robustness is not what was measured.

Quantised arithmetic has flat pieces and saturated logits; both take the gradient away from an
attack, and a network without a gradient looks like a robust one (Athalye, Carlini and Wagner,
"Obfuscated gradients give a false sense of security", 2018; the list of Carlini et al., "On
evaluating adversarial robustness", 2019). Each check looks for one such sign and answers with a
warning to be kept in the record, or with None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

WarningCode = Literal[
    "zero-gradient",
    "hidden-gradient",
    "rising-accuracy",
    "iterated-weaker",
    "nondeterministic",
    "left-the-ball",
]

ZERO_GRADIENT_FRACTION = 0.01
"""Share of samples without a usable gradient that is worth a warning: each may count as robust
unattacked, and differences between multipliers are of the order of one in a hundred."""

EXCESS_FRACTION = 0.01
"""Share of samples by which an accuracy must be higher than it should be: see above."""

EXCESS_SAMPLES = 2
"""And the number of samples: a single one may sit on the boundary and flip with any change."""


@dataclass(frozen=True)
class AttackWarning:
    """One reason to doubt a robust accuracy.

    Attributes:
        code: which check it comes from.
        message: one sentence with the numbers.
    """

    code: WarningCode
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def zero_gradients(zero: Tensor) -> AttackWarning | None:
    """Warn when many samples have no usable gradient at the clean image.

    Args:
        zero: (N,) bool, see `norms.powerless`.

    Returns:
        A warning, or None.
    """
    count, samples = int(zero.sum()), len(zero)
    if count <= ZERO_GRADIENT_FRACTION * samples:
        return None
    return AttackWarning(
        "zero-gradient",
        f"{count} of {samples} samples ({count / samples:.1%}) have a gradient too small to "
        "follow at the clean image, so they may count as robust without having been attacked",
    )


def hidden_gradients(budgets: Sequence[float], hidden: Tensor) -> AttackWarning | None:
    """Warn when a network's own gradient misses many images that others break.

    Args:
        budgets: eps of each row of `hidden`.
        hidden: (budgets, N) bool, broken along another network's gradient or without any, after
            everything along the own one had failed.

    Returns:
        A warning about the budget with most of them, or None.
    """
    counts = hidden.sum(1).tolist()
    worst = max(range(len(budgets)), key=lambda row: counts[row])
    if not _exceeds(counts[worst], hidden.shape[1]):
        return None
    return AttackWarning(
        "hidden-gradient",
        f"at eps {budgets[worst]:g} {counts[worst]} of {hidden.shape[1]} samples survive every "
        "attack along the network's own gradient and are broken along another's or without any",
    )


def _exceeds(count: int, samples: int) -> bool:
    """Whether an accuracy is too high by more than single samples explain."""
    return count >= EXCESS_SAMPLES and count > EXCESS_FRACTION * samples


def rising_accuracy(budgets: Sequence[float], correct: Tensor) -> AttackWarning | None:
    """Warn when robust accuracy is higher at a larger budget than at a smaller one.

    A larger budget contains the smaller one, so a sound attack never gets weaker with it. A
    single step may overshoot, which is a weakness of that attack rather than of the network's
    gradient; the numbers are as misleading for it.

    Args:
        budgets: eps of each row of `correct`, in any order.
        correct: (budgets, N) bool.

    Returns:
        A warning about the largest rise, or None.
    """
    samples = correct.shape[1]
    order = sorted(range(len(budgets)), key=lambda row: budgets[row])
    counts = correct.sum(1).tolist()
    rise, low, high = 0, 0, 0
    least = order[0]  # row of the lowest accuracy so far
    for row in order[1:]:
        if budgets[row] > budgets[least] and counts[row] - counts[least] > rise:
            rise, low, high = counts[row] - counts[least], least, row
        if counts[row] < counts[least]:
            least = row
    if not _exceeds(rise, samples):
        return None
    return AttackWarning(
        "rising-accuracy",
        f"robust accuracy rises from {counts[low] / samples:.2%} at eps {budgets[low]:g} to "
        f"{counts[high] / samples:.2%} at eps {budgets[high]:g}, over {samples} samples, "
        "although the larger budget contains the smaller one",
    )


def iterated_weaker(
    budgets: Sequence[float],
    single: Tensor,
    iterated: Tensor,
    *,
    single_name: str = "fgsm",
    iterated_name: str = "pgd",
) -> AttackWarning | None:
    """Warn when an iterated attack leaves more samples correct than a single step does.

    Args:
        budgets: eps of each row, the same for both.
        single: (budgets, N) bool, correct under the single-step attack.
        iterated: (budgets, N) bool, correct under the iterated attack.
        single_name: the single-step attack's name.
        iterated_name: the iterated attack's name.

    Returns:
        A warning about the budget with the largest difference, or None.
    """
    samples = single.shape[1]
    more = (iterated.sum(1) - single.sum(1)).tolist()
    worst = max(range(len(budgets)), key=lambda row: more[row])
    if not _exceeds(more[worst], samples):
        return None
    return AttackWarning(
        "iterated-weaker",
        f"robust accuracy at eps {budgets[worst]:g} is {int(iterated[worst].sum()) / samples:.2%} "
        f"under {iterated_name} but {int(single[worst].sum()) / samples:.2%} under "
        f"{single_name}, over {samples} samples, although many steps should find what one does",
    )


def nondeterminism(first: Tensor, second: Tensor) -> AttackWarning | None:
    """Warn when two runs on one batch give different logits.

    Args:
        first: (N, classes) logits.
        second: (N, classes) logits of the same batch, later.

    Returns:
        A warning, or None.
    """
    apart = (first != second).any(1)
    if not apart.any():
        return None
    largest = float((first.double() - second.double()).abs().max())
    return AttackWarning(
        "nondeterministic",
        f"logits of {int(apart.sum())} of {len(apart)} samples differ between two runs on the "
        f"same batch, by up to {largest:.3g}: the network is random or was changed meanwhile",
    )


def left_the_ball(budgets: Sequence[float], outside: Tensor, excess: float) -> AttackWarning | None:
    """Warn when an attack returned images beyond its budget or outside [0, 1].

    Args:
        budgets: eps of each row of `outside`.
        outside: (budgets, N) bool.
        excess: the furthest that an image was beyond its eps, 0 if only the box was left.

    Returns:
        A warning, or None.
    """
    count = int(outside.sum())
    if count == 0:
        return None
    at = ", ".join(
        f"{eps:g}" for eps, row in zip(budgets, outside.any(1).tolist(), strict=True) if row
    )
    return AttackWarning(
        "left-the-ball",
        f"{count} of {outside.numel()} images came back outside the eps-ball (by up to "
        f"{excess:.3g}) or outside [0, 1], at eps {at}; they were projected before being judged",
    )
