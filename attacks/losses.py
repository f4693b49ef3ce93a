# SPDX-License-Identifier: Apache-2.0
"""What an attack raises: a loss of each row's logits, by name.

| loss | of the logits z, the true class y and a target t |
|---|---|
| `cross_entropy` | -log softmax(z)_y |
| `margin` | max over i != y of z_i, minus z_y: Carlini and Wagner, 2017; broken above 0 |
| `dlr` | margin / (z_(1) - z_(3)): Croce and Hein, 2020 |
| `targeted_dlr` | (z_t - z_y) / (z_(1) - (z_(3) + z_(4)) / 2): the same |

z_(k) is the k-th largest logit. The last three do not saturate where softmax does, and the last two
do not change when all logits are scaled, which hides a gradient from the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from .errors import AttackError

LossName = Literal["cross_entropy", "margin", "dlr", "targeted_dlr"]

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From logits (N, classes), true classes (N,) and targets (N,) to a loss for each row (N,)."""

_LEAST = 1e-12  # under a difference of logits that a loss is divided by


def _cross_entropy(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    del targets
    return F.cross_entropy(logits, labels, reduction="none")


def _margin(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    del targets
    true = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.amax(1) - true


def _dlr(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    ranked = _ranked(logits, 3)
    return _margin(logits, labels, targets) / (ranked[:, 0] - ranked[:, 2] + _LEAST)


def _targeted_dlr(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    ranked = _ranked(logits, 4)
    gap = logits.gather(1, targets[:, None])[:, 0] - logits.gather(1, labels[:, None])[:, 0]
    return gap / (ranked[:, 0] - 0.5 * (ranked[:, 2] + ranked[:, 3]) + _LEAST)


def _ranked(logits: Tensor, classes: int) -> Tensor:
    """The largest logits, descending."""
    if logits.shape[1] < classes:
        raise AttackError(
            f"expected at least {classes} classes for this DLR loss, the network has "
            f"{logits.shape[1]}: use margin"
        )
    return logits.topk(classes, dim=1).values


_LOSSES: Mapping[str, Loss] = {
    "cross_entropy": _cross_entropy,
    "margin": _margin,
    "dlr": _dlr,
    "targeted_dlr": _targeted_dlr,
}


def loss_of(name: str) -> Loss:
    """Look a loss up.

    Raises:
        AttackError: there is none of that name.
    """
    if name not in _LOSSES:
        raise AttackError(f"unknown loss {name!r}: expected one of {', '.join(get_args(LossName))}")
    return _LOSSES[name]


def targeted(name: str) -> bool:
    """Whether a loss needs a class to go to."""
    return name.startswith("targeted")


def likeliest_wrong(logits: Tensor, labels: Tensor, count: int) -> Tensor:
    """The classes to go to: the wrong ones, the likeliest first.

    Args:
        logits: (N, classes) of the clean images.
        labels: (N,) int64.
        count: how many at most.

    Returns:
        (N, min(count, classes - 1)) int64.
    """
    others = logits.scatter(1, labels[:, None], -torch.inf)
    order = others.argsort(dim=1, descending=True, stable=True)
    return order[:, : min(count, logits.shape[1] - 1)]
