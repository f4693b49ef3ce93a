# SPDX-License-Identifier: Apache-2.0
"""The design-time fit of scaleTRIM: from (WIDTH, H, M) to the constants in the hardware.

Farahmand et al., "scaleTRIM: Scalable TRuncation-Based Integer Approximate Multiplier with
Linearization and Compensation", 2023. An operand x >= 1 is x = 2^n (1 + X), 0 <= X < 1, and x_h
is X cut to H bits. The product of two mantissas, (1 + X)(1 + Y) = 1 + T with T = X + Y + XY, is
approximated by 1 + s (1 + 2^DEE) + C, where s = x_h + y_h. All sums run over every pair of
non-zero unsigned operands and are exact integers, so the constants are the same on any machine.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

COMP_FRAC = 8
"""Fractional bits of a compensation constant."""

COMP_BITS = 16
"""Bits of one constant in the packed Verilog parameter COMP (two's complement)."""


@dataclass(frozen=True)
class ScaleTrimFit:
    """Constants of one scaleTRIM multiplier.

    Attributes:
        alpha: slope of the line T ~ alpha * s through the origin.
        dee: floor(log2(alpha - 1)); the hardware's slope is 1 + 2^dee.
        comp: M compensation constants in units of 2^-COMP_FRAC, segment 0 first.
    """

    alpha: float
    dee: int
    comp: tuple[int, ...]

    @property
    def packed(self) -> int:
        """`comp` as the Verilog parameter COMP: COMP_BITS a constant, segment 0 lowest."""
        mask = (1 << COMP_BITS) - 1
        return sum((c & mask) << (COMP_BITS * i) for i, c in enumerate(self.comp))


@cache
def fit(width: int, h: int, m: int) -> ScaleTrimFit:
    """Fits the line and the compensation constants.

    Args:
        width: operand bits, 4..16.
        h: mantissa bits kept, 1..width-1.
        m: number of constants: 0, or a power of two up to 2^(h+1).

    Returns:
        The constants; a segment that no operand pair falls into gets 0.
    """
    pairs, t_sum = _sums_by_s(width, h)
    s = [Fraction(i, 2**h) for i in range(len(pairs))]

    t_dot_s = sum((t * x for t, x in zip(t_sum, s, strict=True)), Fraction(0))
    s_dot_s = sum((n * x * x for n, x in zip(pairs, s, strict=True)), Fraction(0))
    alpha = t_dot_s / s_dot_s
    dee = _floor_log2(alpha - 1)
    slope = 1 + Fraction(2) ** dee

    comp = []
    per_segment = 2 ** (h + 1) // m if m else 0
    for first in range(0, m * per_segment, per_segment or 1):
        here = [i for i in range(first, first + per_segment) if i < len(pairs)]
        count = sum(pairs[i] for i in here)
        if count == 0:
            comp.append(0)
            continue
        residual = sum((t_sum[i] - slope * s[i] * pairs[i] for i in here), Fraction(0))
        nearest = _floor(residual / count * 2**COMP_FRAC + Fraction(1, 2))
        # 1 + slope*s + C must stay below 4, or the product would not fit 2*WIDTH bits. Only very
        # large M at large WIDTH come this near.
        headroom = -_floor(-(3 - slope * s[here[-1]]) * 2**COMP_FRAC) - 1
        comp.append(min(nearest, headroom))
    return ScaleTrimFit(alpha=float(alpha), dee=dee, comp=tuple(comp))


def _sums_by_s(width: int, h: int) -> tuple[list[int], list[Fraction]]:
    """Number of operand pairs, and their sum of T, for every value of s = i / 2^h.

    T = (1 + X)(1 + Y) - 1 and s depends on the two operands through x_h + y_h alone, so both are
    convolutions of what one operand contributes to each x_h.
    """
    x = np.arange(1, 2**width, dtype=np.int64)
    n = np.frexp(x.astype(np.float64))[1].astype(np.int64) - 1
    x_h = ((x << h) >> n) - (1 << h)
    mantissa = x << (width - 1 - n)  # (1 + X) in units of 2^-(width-1)
    count = np.bincount(x_h, minlength=2**h)
    # Sums stay below 2^32, so float64 weights are exact.
    total = np.bincount(x_h, weights=mantissa, minlength=2**h).astype(np.int64)

    pairs = _self_convolution(count)
    product = _self_convolution(total)
    unit = 4 ** (width - 1)
    return pairs, [Fraction(p, unit) - n for p, n in zip(product, pairs, strict=True)]


def _self_convolution(values: NDArray[np.int64]) -> list[int]:
    """sum_j values[j] * values[i-j] as exact integers.

    The values become the digits, base 2^128, of one integer; its square has the convolution as
    digits. No sum can reach 2^128 (2^32 * 2^32 * 2^15 at most), so no digit carries.
    """
    digit = 16
    packed = b"".join(int(v).to_bytes(digit, "little") for v in values)
    square = int.from_bytes(packed, "little") ** 2
    length = 2 * len(values) - 1
    raw = square.to_bytes(digit * (length + 1), "little")
    return [int.from_bytes(raw[digit * i : digit * (i + 1)], "little") for i in range(length)]


def _floor(value: Fraction) -> int:
    return value.numerator // value.denominator


def _floor_log2(value: Fraction) -> int:
    guess = value.numerator.bit_length() - value.denominator.bit_length()
    return guess if Fraction(2) ** guess <= value else guess - 1
