# SPDX-License-Identifier: Apache-2.0
"""Symmetric linear quantisation to the codes that a signed multiplier takes.

A real value x is represented by the integer code q = clip(rint(x / scale), -qmax, qmax) with
rint rounding half to even; x is taken as q * scale. The division is a multiplication by the
float32 reciprocal of the scale, as in PyTorch's own fake quantisation, so that every backend
(NumPy, torch, C++) rounds the same way to the last bit.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

Granularity = Literal["tensor", "channel"]


def code_limit(width: int) -> int:
    """Largest code of a signed operand of `width` bits; the range is symmetric around 0."""
    return int(2 ** (width - 1)) - 1


def scale_for(largest: torch.Tensor, *, width: int) -> torch.Tensor:
    """Scale that maps magnitudes up to `largest` onto the codes, float32 of the same shape.

    A range of zero (a dead layer) gets the scale 1: every code is 0 either way.
    """
    largest = largest.to(torch.float32)
    return torch.where(largest > 0, largest / code_limit(width), torch.ones_like(largest))


def reciprocal(scale: torch.Tensor) -> torch.Tensor:
    """Float32 reciprocal of a scale: the factor that every backend multiplies by."""
    return torch.ones((), dtype=torch.float32, device=scale.device) / scale


def quantize(x: torch.Tensor, inv_scale: torch.Tensor, *, limit: int) -> torch.Tensor:
    """Real values to codes.

    Args:
        x: float32, any shape.
        inv_scale: float32 `reciprocal`, broadcast against x.
        limit: codes lie in [-limit, limit].

    Returns:
        Codes of x's shape in float32 (exact small integers; NaN stays NaN).
    """
    return (x * inv_scale).round_().clamp_(-limit, limit)


def quantize_numpy(
    x: NDArray[np.float32], inv_scale: np.float32, *, limit: int
) -> NDArray[np.int8]:
    """`quantize` in NumPy, as part of the definition; codes in int8."""
    codes: NDArray[np.float32] = np.clip(np.rint(x * np.float32(inv_scale)), -limit, limit)
    return codes.astype(np.int8)


def inside_range(x: torch.Tensor, inv_scale: torch.Tensor, *, limit: int) -> torch.Tensor:
    """Where the straight-through gradient passes: codes that were not clamped, as bool."""
    return (x * inv_scale).round_().abs_() <= limit


def quantize_weights(
    weight: torch.Tensor, *, width: int, granularity: Granularity
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights to codes and scales.

    Args:
        weight: (O, ...) float32.
        width: operand width of the multiplier, bits.
        granularity: one scale for the tensor (the paper's setting) or one per output channel.

    Returns:
        Codes (O, ...) int8 and scales (O,) float32 (all equal for ``tensor``).
    """
    weight = weight.detach().to(torch.float32)
    per_channel = weight.abs().flatten(1).amax(1)  # (O,)
    largest = per_channel if granularity == "channel" else per_channel.max().expand_as(per_channel)
    scale = scale_for(largest, width=width)
    shape = (-1, *[1] * (weight.dim() - 1))
    codes = quantize(weight, reciprocal(scale).view(shape), limit=code_limit(width))
    return codes.to(torch.int8), scale
