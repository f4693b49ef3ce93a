# SPDX-License-Identifier: Apache-2.0
"""What a norm means to an attack: its distance, its steepest direction, its ball.

Every function takes a whole batch and one budget per row, so that several budgets can share a
batch. The formulas are those of foolbox 3 (Rauber et al., 2020), in the same order of float32
operations for L-inf: results can be compared bit for bit.
"""

from __future__ import annotations

import math
from enum import StrEnum

import torch
from torch import Tensor

from .errors import AttackError

LEAST_NORM = 1e-12
"""Floor under an L2 norm that something is divided by; a shorter gradient moves its row less."""

LINF_ROUNDING = 2.0**-24
"""How far float32 rounding alone can carry an honest pixel past eps, in pixel units.

`x0 + d` in [0, 1] is rounded by at most 2^-25, and eps <= 1 itself, on its way to float32, by
another 2^-25: together one unit in the last place of a number in [0.5, 1).
"""

L2_RELATIVE_ROUNDING = 2.0**-20
"""Relative error allowed to a float32 L2 norm and to scaling by it: 16 float32 epsilons/2."""


class Norm(StrEnum):
    """The distance that an attack's budget is measured in."""

    LINF = "linf"
    L2 = "l2"

    @property
    def label(self) -> str:
        """The norm's name as people write it."""
        return {"linf": "L-inf", "l2": "L2"}[self.value]

    @property
    def symbol(self) -> str:
        """The norm as a formula, for titles."""
        return {"linf": "L∞", "l2": "L2"}[self.value]

    @classmethod
    def _missing_(cls, value: object) -> Norm:
        known = ", ".join(norm.value for norm in cls)
        raise AttackError(f"unknown norm {value!r}: expected one of {known}")


def per_row(values: Tensor, like: Tensor) -> Tensor:
    """Shape one number per row for broadcasting over that row's pixels.

    Args:
        values: (N,) any dtype.
        like: (N, ...) the batch.

    Returns:
        (N, 1, ..., 1), as many axes as `like`.
    """
    return values.reshape(-1, *[1] * (like.dim() - 1))


def l2_norm(x: Tensor) -> Tensor:
    """Euclidean norm of each row, in x's own dtype.

    Args:
        x: (N, ...) floating point.

    Returns:
        (N,).
    """
    return x.flatten(1).square().sum(1).sqrt()


def direction(norm: Norm, gradient: Tensor) -> Tensor:
    """The step of length one that raises a loss with this gradient the most.

    L-inf: `sign(g)`, with `sign(0) = 0`. L2: `g / max(||g||_2, 1e-12)`.

    Args:
        norm: the norm that measures the step.
        gradient: (N, ...) float32.

    Returns:
        (N, ...) of the gradient's dtype; a row without gradient gets zeros.
    """
    if norm is Norm.LINF:
        return gradient.sign()
    return gradient * per_row(l2_norm(gradient).clamp_min(LEAST_NORM).reciprocal(), gradient)


def project(norm: Norm, x: Tensor, x0: Tensor, radius: Tensor) -> Tensor:
    """Bring each row of x back into the ball around its row of x0; the box is not looked at.

    L-inf: `x0 + clip(x - x0, -eps, eps)`. L2: `x0 + (x - x0) min(1, eps / ||x - x0||_2)`.
    Where eps = 0 the result is x0 exactly.

    Args:
        norm: the norm of the ball.
        x: (N, ...) floating point.
        x0: (N, ...) centres, like x.
        radius: (N, 1, ..., 1) eps of each row, in x's dtype.

    Returns:
        (N, ...) in x's dtype, inside the ball up to rounding (see `rounding`).
    """
    offset = x - x0  # a new tensor, worked on in place: large temporaries cost page faults
    if norm is Norm.LINF:
        return offset.clamp_(-radius, radius).add_(x0)
    inverse = per_row(l2_norm(offset).clamp_min(LEAST_NORM).reciprocal(), offset)
    return offset.mul_((radius * inverse).clamp_max_(1.0)).add_(x0)


def distance(norm: Norm, x: Tensor, x0: Tensor) -> Tensor:
    """Distance of each row from its centre, computed in float64.

    Args:
        norm: the norm.
        x: (N, ...) floating point.
        x0: (N, ...) like x.

    Returns:
        (N,) float64.
    """
    offset = (x.double() - x0.double()).flatten(1)
    return offset.abs().amax(1) if norm is Norm.LINF else l2_norm(offset)


def rounding(norm: Norm, eps: Tensor, *, dimensions: int) -> Tensor:
    """How far past eps the float32 arithmetic of an honest attack can end.

    L-inf: one unit in the last place of a pixel, 2^-24. L2: each pixel is rounded by at most
    2^-25, hence sqrt(d) 2^-24 with a factor of two to spare, and 2^-20 eps for the norm itself.

    Args:
        norm: the norm.
        eps: (N,) float64 budgets.
        dimensions: number of pixels of one sample.

    Returns:
        (N,) float64, to be added to eps.
    """
    if norm is Norm.LINF:
        return torch.full_like(eps, LINF_ROUNDING)
    return L2_RELATIVE_ROUNDING * eps + math.sqrt(dimensions) * 2.0**-24


def powerless(norm: Norm, gradient: Tensor) -> Tensor:
    """Which rows have a gradient that gives the attack nothing to follow.

    L-inf: every entry is zero. L2: the norm is below 1e-12, so that the floor in the definition
    of the step shortens it: such a row hardly moves, however large its budget.

    Args:
        norm: the norm of the attack.
        gradient: (N, ...) floating point.

    Returns:
        (N,) bool.
    """
    if norm is Norm.LINF:
        return ~gradient.flatten(1).any(1)
    return l2_norm(gradient.double()) < LEAST_NORM
