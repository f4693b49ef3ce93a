# SPDX-License-Identifier: Apache-2.0
"""Naive definition of every multiplier: the independent oracle of the RTL.

Written from the formulas of the papers, never from the Verilog, and meant to be plain rather than
quick. All arithmetic is float64 on dyadic numbers that fit its 53 bits, hence exact.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import scaletrim
from .catalog import Multiplier

Integers = NDArray[np.int64]


def exact(a: Integers, b: Integers) -> Integers:
    """Exact product: p = a * b."""
    return a * b


def drum(a: Integers, b: Integers, *, k: int) -> Integers:
    """DRUM: p = seg(a) * seg(b) (Hashemi et al., ICCAD 2015).

    Args:
        a: unsigned first operand.
        b: unsigned second operand.
        k: bits kept from the leading one down.
    """
    return _drum_segment(a, k) * _drum_segment(b, k)


def _drum_segment(x: Integers, k: int) -> Integers:
    t = _leading_one(np.maximum(x, 1))
    unit = 2 ** np.maximum(t - k + 1, 0)  # weight of the lowest kept bit
    kept = x // unit
    forced = kept + (kept % 2 == 0)  # the lowest kept bit becomes 1
    return np.where(t < k, x, forced * unit)


def scale_trim(a: Integers, b: Integers, *, width: int, h: int, m: int) -> Integers:
    """scaleTRIM: p = floor((1 + s + s*2^dEE + C[segment]) * 2^(n_a+n_b)) (Farahmand et al., 2023).

    Args:
        a: unsigned first operand.
        b: unsigned second operand.
        width: operand bits, which the constants depend on.
        h: bits kept below the leading one.
        m: compensation constants, 0 for none.
    """
    constants = scaletrim.fit(width, h, m)
    n_a, a_h = _truncate(np.maximum(a, 1), h)
    n_b, b_h = _truncate(np.maximum(b, 1), h)
    s = (a_h + b_h) / 2.0**h
    value = 1 + s + s * 2.0**constants.dee
    if m:
        # The top log2(M) bits of the H+1 bits of a_h + b_h.
        segment = (a_h + b_h) * m // 2 ** (h + 1)
        value = value + np.array(constants.comp)[segment] / 2.0**scaletrim.COMP_FRAC
    product = np.floor(value * 2.0 ** (n_a + n_b)).astype(np.int64)
    return np.where((a == 0) | (b == 0), 0, product)


def _truncate(x: Integers, h: int) -> tuple[Integers, Integers]:
    """The n and x_h of x = 2^n (1 + X), x >= 1: x_h = floor(X * 2^h)."""
    n = _leading_one(x)
    fraction = x / 2.0**n - 1
    return n, np.floor(fraction * 2**h).astype(np.int64)


def _leading_one(x: Integers) -> Integers:
    """floor(log2 x) for x >= 1."""
    return np.frexp(x.astype(np.float64))[1].astype(np.int64) - 1


def product(
    multiplier: Multiplier, a: ArrayLike, b: ArrayLike, *, width: int, signed: bool
) -> Integers:
    """The multiplier's product of any operands.

    Args:
        multiplier: which.
        a: operand values, in [0, 2^width) or, signed, in [-2^(width-1), 2^(width-1)).
        b: operand values, broadcast against `a`.
        width: operand bits.
        signed: wrap the unsigned core by sign and magnitude; a zero operand gives 0.

    Returns:
        int64 products.

    Raises:
        HwsimError: the multiplier is illegal for this width.
    """
    multiplier.check(width)
    x, y = np.asarray(a, np.int64), np.asarray(b, np.int64)
    if signed:
        magnitude = product(multiplier, np.abs(x), np.abs(y), width=width, signed=False)
        value: Integers = np.where((x == 0) | (y == 0), 0, np.sign(x) * np.sign(y) * magnitude)
        # The output has 2*width wires. One product of the catalogue does not fit their range:
        # DRUM(2) makes 9/16 * 4^width of the most negative operand's square, which wraps.
        half = 2 ** (2 * width - 1)
        wrapped: Integers = (value + half) % (2 * half) - half
        return wrapped
    if multiplier.family == "drum":
        return drum(x, y, k=multiplier.args[0])
    if multiplier.family == "scaletrim":
        h, m = multiplier.args
        return scale_trim(x, y, width=width, h=h, m=m)
    return exact(x, y)


def table(multiplier: Multiplier, *, width: int = 8, signed: bool = True) -> NDArray[np.int32]:
    """All products, in the layout of `Lut.table`.

    Returns:
        (2^width, 2^width) int32, indexed [a, b] by two's complement bit pattern.

    Raises:
        HwsimError: the multiplier is illegal for this width.
    """
    values = np.arange(2**width, dtype=np.int64)
    if signed:
        values = np.where(values < 2 ** (width - 1), values, values - 2**width)
    return product(multiplier, values[:, None], values[None, :], width=width, signed=signed).astype(
        np.int32
    )
