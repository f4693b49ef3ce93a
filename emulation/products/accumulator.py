# SPDX-License-Identifier: Apache-2.0
"""Accumulators of few bits: what an accelerator's sums become when they overflow.

Two's complement of `bits` bits. `wrap` is modulo 2**bits, so only the sum counts, not its order.
`saturate` clips to [-2**(bits-1), 2**(bits-1) - 1] after every addition, so the order counts: here,
as in `rtl/mac_array.v`, from 0 in ascending k, that is by input channel, then kernel row, then
kernel column, padding included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import EmulationError
from .definition import Codes

Overflow = Literal["wrap", "saturate"]
BITS = range(8, 33)


@dataclass(frozen=True)
class Accumulator:
    """An accumulator register.

    Attributes:
        bits: 8..32.
        overflow: what a sum beyond them becomes.

    Raises:
        EmulationError: other bits, or another overflow.
    """

    bits: int
    overflow: Overflow = "wrap"

    def __post_init__(self) -> None:
        if self.bits not in BITS:
            raise EmulationError(
                f"expected an accumulator of {BITS[0]} to {BITS[-1]} bits, got {self.bits}"
            )
        if self.overflow not in get_args(Overflow):
            raise EmulationError(
                f"expected an accumulator to wrap or to saturate, got {self.overflow!r}"
            )

    def __str__(self) -> str:
        return f"{self.bits}-bit accumulator, {self.overflow}"

    def add(self, acc: NDArray[np.int64], products: ArrayLike) -> NDArray[np.int64]:
        """The register after one addition, for every element."""
        total = acc + np.asarray(products, np.int64)
        half = 2 ** (self.bits - 1)
        if self.overflow == "saturate":
            return np.clip(total, -half, half - 1)
        wrapped: NDArray[np.int64] = (total + half) % (2 * half) - half
        return wrapped

    def sum(self, products: ArrayLike) -> NDArray[np.int64]:
        """Add products up in order, from 0.

        Args:
            products: (..., K) integers.

        Returns:
            (...) int64 in [-2**(bits-1), 2**(bits-1) - 1].
        """
        terms = np.asarray(products, np.int64)
        if self.overflow == "wrap":
            return self.add(terms.sum(axis=-1), 0)
        acc = np.zeros(terms.shape[:-1], np.int64)
        for k in range(terms.shape[-1]):
            acc = self.add(acc, terms[..., k])
        return acc


def lut_matmul_bits(
    x: Codes,
    w: Codes,
    table: NDArray[np.int32],
    accumulator: Accumulator,
) -> NDArray[np.int64]:
    """`definition.lut_matmul` with accumulators of few bits.

    Args:
        x: (N, K) activation codes.
        w: (M, K) weight codes.
        table: (2^a, 2^w) int32 products.
        accumulator: the register.

    Returns:
        (N, M) int64.
    """
    rows = x.astype(np.int64) & (table.shape[0] - 1)
    columns = w.astype(np.int64) & (table.shape[1] - 1)
    acc = np.zeros((len(x), len(w)), np.int64)
    for k in range(x.shape[1]):
        products = table[rows[:, k, None], columns[None, :, k]]  # (N, M)
        # Wrapping can wait: 64 bits hold the sum of any layer's products.
        acc = acc + products if accumulator.overflow == "wrap" else accumulator.add(acc, products)
    return accumulator.add(acc, 0)
