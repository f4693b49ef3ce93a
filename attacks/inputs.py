# SPDX-License-Identifier: Apache-2.0
"""What an attack accepts: images, labels, budgets, indices and seeds, each checked in one place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .errors import AttackError

SEED_LIMIT = 2**63
"""Seeds and indices are non-negative 63-bit numbers: they are hashed as int64."""


def check_images(images: Tensor, *, what: str = "images") -> None:
    """Refuse anything but a batch of float32 pixels in [0, 1].

    Args:
        images: (N, ...) float32 in [0, 1], N >= 1.
        what: what to call them in the message.

    Raises:
        AttackError: wrong type, shape, dtype or range; NaN is out of range.
    """
    if not isinstance(images, Tensor) or images.dtype != torch.float32:
        got = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise AttackError(f"expected {what} as a float32 tensor, got {got}")
    if images.dim() < 2 or images.numel() == 0:
        raise AttackError(
            f"expected {what} of shape (N, ...) with at least one sample and one pixel, "
            f"got {tuple(images.shape)}"
        )
    low, high = (float(value) for value in images.detach().aminmax())
    if not (low >= 0.0 and high <= 1.0):
        raise AttackError(
            f"expected {what} in [0, 1], got values from {low:g} to {high:g}: "
            "normalisation belongs into the network"
        )


def check_labels(labels: Tensor, images: Tensor) -> int:
    """Refuse anything but one class number per image.

    Args:
        labels: (N,) int64, not negative.
        images: (N, ...) the batch that they belong to.

    Returns:
        The largest label, which the network must have a logit for.

    Raises:
        AttackError: wrong type, dtype, shape, device or a negative label.
    """
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
        got = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
        raise AttackError(f"expected labels as an int64 tensor, got {got}")
    if labels.shape != images.shape[:1]:
        raise AttackError(
            f"expected {len(images)} labels of shape ({len(images)},), one per image, "
            f"got shape {tuple(labels.shape)}"
        )
    if labels.device != images.device:
        raise AttackError(
            f"expected labels on the images' device {images.device}, got {labels.device}"
        )
    low, high = (int(value) for value in labels.aminmax())
    if low < 0:
        raise AttackError(f"expected labels of 0 and more, got {low}")
    return high


def check_budget(eps: float) -> float:
    """Refuse a budget that is no length.

    Args:
        eps: a number, 0 or more.

    Returns:
        The budget as a float.

    Raises:
        AttackError: negative, NaN, infinite or no number.
    """
    if isinstance(eps, bool) or not isinstance(eps, (int, float)):
        raise AttackError(f"expected eps as a number or a tensor, got {type(eps).__name__}")
    if not (math.isfinite(eps) and eps >= 0.0):
        raise AttackError(f"expected a finite eps of 0 or more, got {eps:g}")
    return float(eps)


def check_budgets(budgets: Sequence[float]) -> tuple[float, ...]:
    """Refuse an empty list of budgets or one with a budget that is no length.

    Args:
        budgets: numbers, 0 or more, in any order.

    Returns:
        The budgets as floats, in the order given.

    Raises:
        AttackError: none at all, or one of them is negative, NaN or infinite.
    """
    if len(budgets) == 0:
        raise AttackError("expected at least one budget, got none")
    return tuple(check_budget(eps) for eps in budgets)


def row_budgets(eps: float | Tensor, rows: int) -> Tensor:
    """One budget per row, in float64, so that a step relative to it is rounded only once.

    Args:
        eps: one number for all rows, or (N,) floating point; float64 keeps decimal budgets.
        rows: N.

    Returns:
        (N,) float64 on the CPU.

    Raises:
        AttackError: wrong shape or dtype; negative, NaN or infinite.
    """
    if not isinstance(eps, Tensor):
        return torch.full((rows,), check_budget(eps), dtype=torch.float64)
    if not eps.is_floating_point() or eps.shape not in {(), (rows,)}:
        raise AttackError(
            f"expected eps as a number or a floating-point tensor of shape ({rows},), one per "
            f"row, got {eps.dtype} of shape {tuple(eps.shape)}"
        )
    values = eps.detach().to("cpu", torch.float64).expand(rows)
    bad = values[~((values >= 0.0) & values.isfinite())]
    if len(bad):
        raise AttackError(f"expected a finite eps of 0 or more in each row, got {float(bad[0]):g}")
    return values


def check_indices(indices: Tensor | None, rows: int) -> Tensor:
    """The number of each sample in its data set, by which random draws are told apart.

    Args:
        indices: (N,) int64, not negative; None counts from 0.
        rows: N.

    Returns:
        (N,) int64 on the CPU.

    Raises:
        AttackError: wrong dtype or shape, or negative.
    """
    if indices is None:
        return torch.arange(rows)
    if not isinstance(indices, Tensor) or indices.dtype != torch.int64:
        got = indices.dtype if isinstance(indices, Tensor) else type(indices).__name__
        raise AttackError(f"expected indices as an int64 tensor, got {got}")
    if indices.shape != (rows,):
        raise AttackError(
            f"expected indices of shape ({rows},), one per sample, got {tuple(indices.shape)}"
        )
    if int(indices.min()) < 0:
        raise AttackError(f"expected indices of 0 and more, got {int(indices.min())}")
    return indices.cpu()


def check_count(value: int, *, what: str) -> None:
    """Refuse anything but a whole number of at least one that a computer can count to.

    Args:
        value: the number.
        what: its name in the message.

    Raises:
        AttackError: no integer, below 1, or 2^31 and more.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise AttackError(f"expected {what} as a whole number of at least 1, got {value!r}")
    if value >= 2**31:
        raise AttackError(f"expected {what} below 2^31, got a number of {value.bit_length()} bits")


def check_seed(seed: int) -> None:
    """Refuse a seed that is no non-negative 63-bit integer.

    Args:
        seed: the number.

    Raises:
        AttackError: no integer, negative or 2^63 and more.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < SEED_LIMIT:
        raise AttackError(f"expected a seed from 0 to 2^63 - 1, got {seed!r}")
