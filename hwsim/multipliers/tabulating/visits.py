# SPDX-License-Identifier: Apache-2.0
"""In which orders operand pairs are simulated, so that what depends on the order shows.

What a latch keeps for a pair is what the pair before left in it. Each pair is visited behind one
that differs in one bit, behind one that differs in every bit or in all but one, behind random ones,
behind all zeros and behind all ones: whatever is kept of them is not the same. Every instance
begins with another pair, which shows what the first pair of all decides.
"""

import numpy as np
from numpy.typing import NDArray

from ...operands import Operands

LANES = 6
"""Instances of a circuit that may keep earlier operands."""

_AGAIN = 1024
_SEED = 20250101


def sweep_order(operands: Operands) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every operand pair once, in an order that an event-driven simulator likes.

    One operand bit changes from pair to pair, in a Gray code, and the lowest bits change most
    often: what an approximate multiplier cuts off costs nothing.

    Args:
        operands: of at most 12 bits.

    Returns:
        a, b: (2^(bits together),) bit patterns.
    """
    step = np.arange(operands.product.count, dtype=np.int64)
    step ^= step >> 1
    return step >> operands.weight.bits, operands.weight.pattern(step)


def visits(
    a: NDArray[np.int64], b: NDArray[np.int64], *, lanes: int, bits: int
) -> NDArray[np.intp]:
    """The orders.

    Args:
        a: (N,) first operands, bit patterns; N at least 1.
        b: (N,) second operands.
        lanes: instances: 1, of a circuit that keeps nothing, meets some pairs again at its end, the
            first among them; 2, of a pipeline, meet each once; LANES meet it as said above.
        bits: of the second operand.

    Returns:
        (lanes, at least N) indices; the first lane begins with 0, 1, ..., N - 1.
    """
    count, rng = len(a), np.random.default_rng(_SEED)
    given, pairs = np.arange(count), (a << bits) | b
    if lanes == 1:
        again = rng.choice(given, size=min(_AGAIN, count))
        return np.concatenate([given, [0], again])[None]
    orders = np.stack([given, np.roll(_opposites(pairs), count // 3)])
    if lanes == 2:
        return orders
    low, high = int(pairs.argmin()), int(pairs.argmax())
    ends = np.where(given % 2 == 0, low, high), np.where(given % 2 == 0, high, low)
    firsts = [*orders, *(rng.permutation(count) for _ in range(lanes - len(ends) - 2))]
    rows = [np.concatenate([first, rng.permutation(count)]) for first in firsts]
    for end, shift in zip(ends, (count // 2 + 1, count + 1), strict=True):
        rows.append(np.roll(np.stack([end, given], axis=1).ravel(), shift))
    visited = np.stack(rows)
    # The first of each order comes again, behind a pair that is known.
    return np.concatenate([visited, visited[:, :1]], axis=1)


def _opposites(pairs: NDArray[np.int64]) -> NDArray[np.intp]:
    """Each pair of the lower half, in its order, followed by its mirror image in the upper half.

    Where all pairs are there, the mirror image has every bit turned.
    """
    count = len(pairs)
    sorted_places = np.argsort(pairs, kind="stable")
    rank = np.empty(count, np.intp)
    rank[sorted_places] = np.arange(count)
    lower = np.flatnonzero(rank < count // 2)
    mirrored = sorted_places[count - 1 - rank[lower]]
    middle = sorted_places[count // 2 : count // 2 + count % 2]
    return np.concatenate([np.stack([lower, mirrored], axis=1).ravel(), middle])
