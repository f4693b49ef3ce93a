# SPDX-License-Identifier: Apache-2.0
"""What an attack asks of a network: its logits, and their loss's gradient at the input.

Nothing here leaves a trace on the network. It runs in evaluation mode and gets its own training
flags back; parameters collect no gradients; no autograd graph outlives a call.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

from .errors import AttackError
from .losses import Loss, loss_of

_CROSS_ENTROPY = loss_of("cross_entropy")


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Run a network in evaluation mode, then give each module its own training flag back.

    Dropout and batch statistics would make the attacked function random or dependent on the
    batch, and a forward pass in training mode would change running statistics.

    Args:
        model: any network.

    Yields:
        Nothing.
    """
    training = _training(model)
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _training(model: nn.Module) -> list[nn.Module]:
    """Its modules in training mode; `modules` makes up names, which takes as long as a layer."""
    found: list[nn.Module] = []
    left: list[nn.Module | None] = [model]
    while left:
        module = left.pop()
        if module is not None:
            left += module._modules.values()
            if module.training:
                found.append(module)
    return found


def device_of(model: nn.Module, default: torch.device) -> torch.device:
    """The device of a network's first parameter or buffer.

    Args:
        model: any network.
        default: the answer for a network that has neither.

    Returns:
        The device.
    """
    first = next(chain(model.parameters(), model.buffers()), None)
    return default if first is None else first.device


def _check_logits(logits: object, *, rows: int, least_classes: int) -> Tensor:
    """Refuse an output that is not one row of logits per image, enough for the labels.

    Whole numbers, as of an integer model, become float64, which holds those of 53 bits.
    """
    if not isinstance(logits, Tensor):
        raise AttackError(
            f"expected the network to return a tensor of logits, got {type(logits).__name__}"
        )
    if not (logits.is_floating_point() or logits.is_complex() or logits.dtype == torch.bool):
        logits = logits.double()
    if logits.dim() != 2 or len(logits) != rows or not logits.is_floating_point():
        raise AttackError(
            f"expected floating-point logits of shape ({rows}, classes) from the network, "
            f"got {logits.dtype} of shape {tuple(logits.shape)}"
        )
    if logits.shape[1] < least_classes:
        raise AttackError(
            f"expected labels below the network's {logits.shape[1]} classes, "
            f"got a label of {least_classes - 1}"
        )
    return logits


def predict(model: nn.Module, x: Tensor, *, least_classes: int = 0) -> Tensor:
    """Logits of a batch, without gradients, in evaluation mode.

    Args:
        model: maps (N, ...) float32 in [0, 1] to (N, classes) logits.
        x: (N, ...) float32 in [0, 1], on the network's device.
        least_classes: the number of classes that the labels need.

    Returns:
        (N, classes), finite.

    Raises:
        AttackError: no logits of that shape, too few classes, NaN or infinity.
    """
    with evaluation_mode(model), torch.no_grad():
        logits = _check_logits(model(x), rows=len(x), least_classes=least_classes)
    # A finite sum is cheap and proves it; one that is not may still be a sum of large numbers.
    finite = math.isfinite(float(logits.sum()))
    bad = torch.zeros(1) if finite else ~logits.isfinite().all(1)
    if bad.any():
        raise AttackError(
            f"expected finite logits from the network, got NaN or infinity in "
            f"{int(bad.sum())} of {len(x)} rows: check its weights and scales"
        )
    return logits


def input_gradient(
    model: nn.Module,
    x: Tensor,
    labels: Tensor,
    *,
    least_classes: int = 0,
    loss: Loss | None = None,
    targets: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradient of a loss, summed over the batch, with respect to the input only.

    The sum makes a sample's gradient independent of how many others share its batch. Nothing is
    checked for NaN here, as that would stall an accelerator in every step; see `largest`.

    Args:
        model: maps (N, ...) float32 in [0, 1] to (N, classes) logits.
        x: (N, ...) float32, on the network's device.
        labels: (N,) int64.
        least_classes: the number of classes that the labels need.
        loss: see `losses`; None is the cross-entropy.
        targets: (N,) int64, the classes that a targeted loss goes to.

    Returns:
        The gradient (N, ...) float32, the logits (N, classes) and the losses (N,), all detached.

    Raises:
        AttackError: no logits of that shape, too few classes, or no gradient to be had.
    """
    with evaluation_mode(model), torch.enable_grad():
        leaf = x.detach().requires_grad_(True)
        logits = _check_logits(model(leaf), rows=len(x), least_classes=least_classes)
        gradient: Tensor | None = None
        raised = (loss or _CROSS_ENTROPY)(logits, labels, labels if targets is None else targets)
        if logits.requires_grad:
            (gradient,) = torch.autograd.grad(raised.sum(), leaf, allow_unused=True)
    if gradient is None:
        raise AttackError(
            "expected logits that depend on the input through autograd, got a network without "
            "a gradient: give it a straight-through one, or pass another gradient_model"
        )
    return gradient, logits.detach(), raised.detach()


def largest(gradient: Tensor, logits: Tensor) -> Tensor:
    """Largest magnitude of each row's gradient and logits; NaN or infinity where either has it.

    Args:
        gradient: (N, ...).
        logits: (N, classes).

    Returns:
        (N,) floating point, still on the device.
    """
    return torch.maximum(gradient.flatten(1).abs().amax(1), logits.abs().amax(1))


def check_finite(magnitude: Tensor, *, attack: str) -> None:
    """Refuse to go on from a gradient or logits that are not finite.

    Args:
        magnitude: (N,) what `largest` gave, its maximum over the steps so far.
        attack: the attack's name.

    Raises:
        AttackError: NaN or infinity in any row.
    """
    bad = ~magnitude.isfinite()
    if bad.any():
        first = int(bad.nonzero()[0])
        raise AttackError(
            f"expected finite logits and gradients during {attack}, got NaN or infinity in "
            f"{int(bad.sum())} of {len(bad)} rows, the first of them row {first}: "
            "check the network's weights and scales"
        )
