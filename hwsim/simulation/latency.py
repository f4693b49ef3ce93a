# SPDX-License-Identifier: Apache-2.0
"""How many cycles after its operands a product appears, measured and not believed.

First every probe pair is held until the output must stand still; then the same pairs arrive one a
cycle, and the latency is the shift under which the outputs are those of the held pairs.
"""

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from .stream import Outputs

MAX_LATENCY = 64
_PAIRS = 16
_HOLD = 2 * (MAX_LATENCY + 1)
_ROUNDS = 4
_SEED = 20250101

PROBE_CYCLES = _PAIRS * _HOLD + _ROUNDS * _PAIRS + MAX_LATENCY
"""Cycles of a probe."""


def probe(bits: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The operands of a probe, as bit patterns.

    Args:
        bits: of either operand.

    Returns:
        Two arrays of PROBE_CYCLES patterns.
    """
    pairs, order = _probe_pairs(bits)
    held = np.repeat(pairs, _HOLD, axis=0)
    streamed = pairs[order]
    drained = np.repeat(streamed[-1:], MAX_LATENCY, axis=0)
    cycles = np.concatenate([held, streamed, drained])
    assert len(cycles) == PROBE_CYCLES
    return cycles[:, 0], cycles[:, 1]


def measure(outputs: Outputs, *, bits: tuple[int, int], name: str) -> int:
    """The latency that a probe shows.

    Args:
        outputs: of PROBE_CYCLES cycles or more, the probe first.
        bits: of either operand.
        name: for messages.

    Returns:
        Clock edges between operands and product, 0..64.

    Raises:
        HwsimError: the output does not come to rest, stays X or Z, or does not follow one new pair
            a cycle.
    """
    _, order = _probe_pairs(bits)
    words = outputs.words[: _PAIRS * _HOLD].reshape(_PAIRS, _HOLD)
    rest = words[:, MAX_LATENCY + 1 :]
    for pair in range(_PAIRS):
        for cycle in range(pair * _HOLD + MAX_LATENCY + 1, (pair + 1) * _HOLD):
            if cycle in outputs.unknown:
                raise HwsimError(
                    f"{name}: expected 0 and 1 only on the product after {MAX_LATENCY} cycles with "
                    f"the same operands, got {outputs.unknown[cycle]}"
                )
    if (rest != rest[:, :1]).any():
        raise HwsimError(
            f"{name}: expected a product that stands still {MAX_LATENCY} cycles after its "
            "operands, which is the longest latency that is measured, but it goes on changing: an "
            "accumulator, or a longer pipeline"
        )
    expected = rest[:, 0][order]
    if (expected == expected[0]).all():
        raise HwsimError(
            f"{name}: expected a product that follows its operands, got {expected[0]} for "
            f"{_PAIRS} pairs of which each was held for {_HOLD} cycles: a multiplier that has to "
            "be started for each pair takes a module around it that does so"
        )
    start = _PAIRS * _HOLD
    for latency in range(MAX_LATENCY + 1):
        seen = outputs.words[start + latency : start + latency + len(expected)]
        if np.array_equal(seen, expected):
            return latency
    raise HwsimError(
        f"{name}: expected one new operand pair a cycle and a latency of 0..{MAX_LATENCY} cycles, "
        "but products of streamed pairs never match those of held ones"
    )


def rested(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(pairs,) the product of each pair of a probe that is held.

    Args:
        words: outputs from that of the probe's first pair on.
    """
    return words[_HOLD - 1 : _PAIRS * _HOLD : _HOLD]


def _probe_pairs(bits: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    rng = np.random.default_rng(_SEED)
    pairs = rng.integers(1, [1 << size for size in bits], size=(_PAIRS, 2), dtype=np.int64)
    order = np.concatenate([rng.permutation(_PAIRS) for _ in range(_ROUNDS)])
    return pairs, order
