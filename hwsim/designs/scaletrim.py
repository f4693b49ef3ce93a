# SPDX-License-Identifier: Apache-2.0
"""scaleTRIM(H,M): p = floor((1 + s + s*2^DEE + C[segment]) * 2^(n_a+n_b)).

Farahmand et al., "scaleTRIM: Scalable TRuncation-Based Integer Approximate Multiplier with
Linearization and Compensation", 2023. An operand x >= 1 is x = 2^n (1 + X), 0 <= X < 1, and x_h
is X cut to H bits. The product of two mantissas, (1 + X)(1 + Y) = 1 + T with T = X + Y + XY, is
approximated by 1 + s (1 + 2^DEE) + C, where s = x_h + y_h. DEE and the M constants C are fitted at
design time, from (WIDTH, H, M). All sums run over every pair of non-zero unsigned operands and are
exact integers, so the constants are the same on any machine.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .family import SIGNS_REFUSED, Args, Family, Integers, leading_one

COMP_FRAC = 8
"""Fractional bits of a compensation constant."""

COMP_BITS = 16
"""Bits of one constant in the packed Verilog parameter COMP (two's complement)."""

_DEE = (-16, -9, -4, -1, 0, 1)


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
        """`comp` as the Verilog parameter COMP."""
        return pack(self.comp)


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


def pack(comp: Sequence[int]) -> int:
    """Constants as the Verilog parameter COMP: COMP_BITS each, segment 0 lowest."""
    mask = (1 << COMP_BITS) - 1
    return sum((c & mask) << (COMP_BITS * i) for i, c in enumerate(comp))


def unpack(packed: int, m: int) -> tuple[int, ...]:
    """The M constants in the Verilog parameter COMP."""
    words = (packed >> COMP_BITS * i & (1 << COMP_BITS) - 1 for i in range(m))
    return tuple(w - 2**COMP_BITS if w >= 2 ** (COMP_BITS - 1) else w for w in words)


def product(a: Integers, b: Integers, parameters: Mapping[str, int]) -> Integers:
    """The formula with any constants; all arithmetic is float64 on dyadic numbers, hence exact."""
    h, m, dee = (parameters[name] for name in ("H", "M", "DEE"))
    n_a, a_h = _truncate(np.maximum(a, 1), h)
    n_b, b_h = _truncate(np.maximum(b, 1), h)
    # For every a_h + b_h there may be, since nothing else is behind 1 + s + s*2^DEE + C.
    sums = np.arange(2 ** (h + 1) - 1)
    s = sums / 2.0**h
    value = 1 + s + s * 2.0**dee
    if m:
        # The top log2(M) bits of the H+1 bits of a_h + b_h.
        segment = sums * m // 2 ** (h + 1)
        value += np.array(unpack(parameters["COMP"], m))[segment] / 2.0**COMP_FRAC
    # A zero operand gives 0.
    unit_a, unit_b = (np.where(x == 0, 0, 2.0**n) for x, n in ((a, n_a), (b, n_b)))
    return np.floor(value.take(a_h + b_h) * unit_a * unit_b).astype(np.int64)


def _truncate(x: Integers, h: int) -> tuple[Integers, Integers]:
    """The n and x_h of x = 2^n (1 + X), x >= 1: x_h = floor(X * 2^h)."""
    n = leading_one(x)
    fraction = x / 2.0**n - 1
    return n, np.floor(fraction * 2**h).astype(np.int64)


def _derived(width: int, args: Args) -> dict[str, int]:
    constants = fit(width, *args)
    return {"DEE": constants.dee, "COMP": constants.packed}


def _instances(width: int) -> Iterator[Args]:
    for h in range(1, width):
        yield from ((h, m) for m in (0, *(2**j for j in range(1, h + 2))))


def _samples(width: int) -> list[Args]:
    few = [(1, 0), (3, 0), (4, 8), (7, 256), (width - 2, 2), (width - 1, 0), (width - 1, 16)]
    return [*dict.fromkeys(few)]


def _beyond(width: int, rng: np.random.Generator) -> Iterator[dict[str, int]]:
    """DEE and COMP that no fit makes, through the whole of their range."""
    # With few H a constant for every value of s, with many H two constants.
    for h, dee in itertools.product((1, 2, 4) if width < 6 else (9, width - 1), _DEE):
        m = 2 ** (h + 1) if h < 5 else 2
        comp = []
        for first in range(0, 2 ** (h + 1), 2 ** (h + 1) // m):
            ends = (first, first + 2 ** (h + 1) // m - 1)
            low, high = (1 + i / 2**h * (1 + 2.0**dee) for i in ends)
            # Anywhere that keeps 0 <= 1 + s (1 + 2^DEE) + C < 4.
            comp.append(int(rng.integers(np.ceil(-256 * low), np.ceil(256 * (4 - high)))))
        yield {"H": h, "M": m, "DEE": dee, "COMP": pack(comp)}
        if dee < 0:
            yield {"H": h, "M": 0, "DEE": dee, "COMP": 0}
    yield {"H": 3, "M": 0, "DEE": -2, "COMP": 256}  # which nothing reads


FAMILY = Family(
    name="scaletrim",
    parameters=("H", "M"),
    legal="1 <= H < WIDTH and M = 0 or a power of two, 2 <= M <= 2^(H+1)",
    label="sT({},{})",
    modules=("mul_scaletrim", "leading_one"),
    instances=_instances,
    formula=product,
    header={"WIDTH": 8, "H": 4, "M": 0, "DEE": -2, "COMP": 0, "SIGNED": 0},
    derived=_derived,
    signed_top="mul_signed",
    samples=_samples,
    alone=({}, {"M": 4}),
    beyond=_beyond,
    # A small WIDTH needs an H that it allows, or H's own check would stop it.
    refused=(
        *({"WIDTH": 3, "H": 2}, {"WIDTH": 17}, {"WIDTH": 20}),
        *({"H": h} for h in (0, -1, 8, 9)),
        *({"M": m} for m in (1, 3, 6, 12, 24, 33, 64, -1, -2)),
        {"H": 1, "M": 8},
        {"WIDTH": 16, "H": 16},
        *({"DEE": dee} for dee in (2, 3, -17, -18)),
        *SIGNS_REFUSED,
    ),
)
