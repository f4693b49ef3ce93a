# SPDX-License-Identifier: Apache-2.0
"""How often every net of a circuit changes while operands pass, glitches among it.

A gate's output follows its inputs after the gate's delay, and only where the new value then stays
for as long: an inertial delay, as Verilog's. Without delays there are no glitches; without inertia
there are far too many. The compiled kernel and NumPy count the same.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..netlist.evaluation import FUNCTIONS
from ..netlist.netlist import Netlist
from . import native

_WORDS = 128
"""Words of 64 transitions that NumPy has in memory at a time, for every step of every net."""

Counts = NDArray[np.uint64]
Steps = NDArray[np.int32]
Words = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Sources:
    """What drives a circuit's gates, step by step.

    Attributes:
        nets: (S,) that change at the beginning of a step.
        bits: (S, N) uint8, 0 or 1, of N steps, at least 2.
    """

    nets: NDArray[np.int32]
    bits: NDArray[np.uint8]

    @classmethod
    def operands(
        cls, netlist: Netlist, a: NDArray[np.integer], b: NDArray[np.integer]
    ) -> "Sources":
        """Operand pairs, one after another.

        Args:
            netlist: whose operands they are.
            a: (N,) bit patterns of the activation.
            b: (N,) of the weight.
        """
        both = ((netlist.a, a), (netlist.b, b))
        rows = [operand >> bit & 1 for nets, operand in both for bit in range(len(nets))]
        return cls(np.array([*netlist.a, *netlist.b], np.int32), np.array(rows, np.uint8))


def edges(netlist: Netlist, delay: Steps, sources: Sources) -> Counts:
    """Edges of every net from one step to the next, each step until all is settled.

    Args:
        netlist: the gates.
        delay: (nets,) steps of the gate that drives each; 0 within a cell.
        sources: what drives them.

    Returns:
        (nets,) over all N - 1 transitions.
    """
    counts = np.zeros(netlist.nets, np.uint64)
    bits = np.ascontiguousarray(sources.bits)
    kernel = native.module()
    if kernel is not None:
        gates = np.ascontiguousarray(netlist.gates, np.int32)
        steps = np.ascontiguousarray(delay, np.int32)
        kernel.edges(gates, steps, np.ascontiguousarray(sources.nets, np.int32), bits, counts)
        return counts
    for start in range(0, bits.shape[1] - 1, 64 * _WORDS):
        part = Sources(sources.nets, bits[:, start : start + 64 * _WORDS + 1])
        counts += _numpy_edges(netlist, delay.tolist(), part)
    return counts


def _numpy_edges(netlist: Netlist, delay: list[int], sources: Sources) -> Counts:
    """The same for some of them: a row of words for every step in which a net may change."""
    counts = np.zeros(netlist.nets, np.uint64)
    transitions = sources.bits.shape[1] - 1
    words = -(-transitions // 64)
    mask = _packed(np.ones(transitions, np.uint8), words)
    still = np.zeros((1, words), np.uint64)
    # Of each net: the time after its first row, and its rows; it keeps the first and the last.
    waves: dict[int, tuple[int, Words]] = {0: (0, still), 1: (0, ~still)}
    for net, bits in zip(sources.nets.tolist(), sources.bits, strict=True):
        waves[net] = 0, np.stack([_packed(bits[:-1], words), _packed(bits[1:], words)])
        counts[net] = _changes(waves[net][1], mask)
    for kind, out, *inputs in netlist.gates.tolist():
        d = delay[out]
        moving = [waves[net] for net in inputs if len(waves[net][1]) > 1]
        first = d + min((start for start, _ in moving), default=0)
        last = d + max((start + len(rows) - 2 for start, rows in moving), default=-d - 1)
        times = np.arange(first - 1, max(last, first - 1) + 1) - d

        def at(net: int, times: NDArray[np.int64] = times) -> Words:
            start, rows = waves[net]
            return rows[np.clip(times - start + 1, 0, len(rows) - 1)]

        rows = FUNCTIONS[kind](*map(at, inputs))
        waves[out] = first, _inertial(rows, d)
        counts[out] = _changes(waves[out][1], mask)
    return counts


def _inertial(rows: Words, delay: int) -> Words:
    """Each row follows where its value then stays for the delay."""
    if delay < 2 or len(rows) < 2:
        return rows
    up, down = rows.copy(), rows.copy()
    for ahead in range(1, min(delay, len(rows))):
        up[:-ahead] &= rows[ahead:]
        down[:-ahead] |= rows[ahead:]
    for k in range(1, len(rows)):
        rows[k] = up[k] | (rows[k - 1] & down[k])
    return rows


def _changes(rows: Words, mask: Words) -> int:
    flips = (rows[1:] ^ rows[:-1]) & mask
    return int(np.unpackbits(flips.view(np.uint8)).sum())


def _packed(bits: NDArray[np.uint8], words: int) -> Words:
    padded = np.zeros(64 * words, np.uint8)
    padded[: len(bits)] = bits
    return np.packbits(padded, bitorder="little").view("<u8")
