# SPDX-License-Identifier: Apache-2.0
"""Random starts that depend on the seed and the sample's index and on nothing else.

A stateful generator hands out numbers in the order they are asked for, so a sample's draw would
depend on the batch it happens to be in. Here every sample owns a generator of its own:
SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA
2014; constants of Vigna's public-domain splitmix64.c), started at

    state = mix(mix(seed + GAMMA (stream + 1)) + GAMMA (index + 1))

and coordinate j takes its (j+1)-th output, `mix(state + GAMMA (j + 1))`, which needs none of the
outputs before it. The arithmetic is modulo 2^64 on int64 tensors (two's complement wraps); the
shifts must be logical, so the copies of the sign bit that int64's shift brings in are masked off.

Everything is drawn on the CPU and moved afterwards, and the transcendental functions run over
one sample at a time: a vectorised logarithm may differ in its last bit from the scalar one that
finishes a buffer, so a sample's place in a batch would otherwise show.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .inputs import check_indices, check_seed
from .norms import Norm

_UNIFORM_BITS = 24  # what a float32 holds exactly


def _signed(value: int) -> int:
    """The int64 with the same 64 bits as a non-negative integer below 2^64."""
    return value - 2**64 if value >= 2**63 else value


GAMMA = _signed(0x9E3779B97F4A7C15)
_MIX_1 = _signed(0xBF58476D1CE4E5B9)
_MIX_2 = _signed(0x94D049BB133111EB)


def _shift_right(z: Tensor, bits: int) -> Tensor:
    """Logical shift right of 64-bit patterns held as int64."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def mix(z: Tensor) -> Tensor:
    """SplitMix64's output function: a bijection of 64-bit words that scatters every bit.

    Args:
        z: int64, any shape, read as 64-bit patterns.

    Returns:
        int64 of the same shape.
    """
    z = (z ^ _shift_right(z, 30)) * _MIX_1
    z = (z ^ _shift_right(z, 27)) * _MIX_2
    return z ^ _shift_right(z, 31)


def uniforms(seed: int, indices: Tensor, count: int, *, stream: int = 0) -> Tensor:
    """Independent uniform numbers for each sample, strictly between 0 and 1.

    Args:
        seed: 0 to 2^63 - 1.
        indices: (N,) int64, the samples' numbers in their data set, not negative.
        count: how many numbers each sample gets.
        stream: different streams of one sample are independent.

    Returns:
        (N, count) float64 on the CPU: (k + 1/2) / 2^24 with k of 24 bits, so that 2u - 1 is
        exact in float32, symmetric about 0 and never 0.

    Raises:
        AttackError: a seed or index out of range.
    """
    check_seed(seed)
    samples = check_indices(indices, len(indices))
    root = mix(torch.tensor(seed) + GAMMA * torch.tensor(stream + 1))
    states = mix(root + GAMMA * (samples + 1))  # (N,)
    words = mix(states[:, None] + GAMMA * torch.arange(1, count + 1))  # (N, count)
    return (_shift_right(words, 64 - _UNIFORM_BITS).double() + 0.5) * 2.0**-_UNIFORM_BITS


def directions(seed: int, indices: Tensor, count: int, *, stream: int = 0) -> Tensor:
    """A direction for each sample, uniform on the unit sphere.

    Normal deviates by Box and Muller (1958), `sqrt(-2 ln u) cos(2 pi v)` and the sine, in
    float64, divided by their norm.

    Args:
        seed: 0 to 2^63 - 1.
        indices: (N,) int64, not negative.
        count: dimensions.
        stream: different streams of one sample are independent.

    Returns:
        (N, count) float64 on the CPU, rows of norm 1.
    """
    pairs = (count + 1) // 2
    u = uniforms(seed, indices, 2 * pairs, stream=stream)
    result = torch.empty(len(u), count, dtype=torch.float64)
    for row, into in zip(u, result, strict=True):
        length = row[:pairs].log().mul_(-2.0).sqrt_()
        angle = row[pairs:] * (2.0 * math.pi)
        normal = torch.cat((length * angle.cos(), length * angle.sin()))[:count]
        torch.div(normal, normal.square().sum().sqrt(), out=into)
    return result


def unit_ball(
    norm: Norm, seed: int, indices: Tensor, shape: tuple[int, ...], *, restart: int = 0
) -> Tensor:
    """One point for each sample, uniform in volume in the unit ball around the origin.

    The same point serves every budget, scaled by it. L-inf: each coordinate uniform in (-1, 1).
    L2: a uniform direction times U^(1/d).

    Args:
        norm: the norm of the ball.
        seed: 0 to 2^63 - 1.
        indices: (N,) int64, not negative; may repeat, equal indices get equal points.
        shape: shape of one sample.
        restart: points of different restarts are independent.

    Returns:
        (N, *shape) float32 on the CPU.

    Raises:
        AttackError: a seed or index out of range.
    """
    count = math.prod(shape)
    # A batch of several budgets repeats its samples: draw each of them once.
    samples, back = torch.unique(indices.cpu(), return_inverse=True)
    if norm is Norm.LINF:
        points = 2.0 * uniforms(seed, samples, count, stream=2 * restart) - 1.0
    else:
        radius = uniforms(seed, samples, 1, stream=2 * restart + 1)  # (n, 1)
        # Python's power, one by one: the same bits whatever the batch (see the module's head).
        powers = [u ** (1.0 / count) for u in radius[:, 0].tolist()]
        scale = torch.tensor(powers, dtype=torch.float64)
        points = directions(seed, samples, count, stream=2 * restart) * scale[:, None]
    return points.float()[back].reshape(-1, *shape)
