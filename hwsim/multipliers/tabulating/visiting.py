# SPDX-License-Identifier: Apache-2.0
"""Products of operand pairs, with as many visits and as much time as a circuit needs.

What a circuit needs stands in its compiled program, so one that needs more than most is compiled
again, in another rig.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import HwsimError
from ...simulation.latency import MAX_LATENCY, measure, probe
from ...simulation.stream import Outputs, Stream, UnsettledError, compiled_stream
from ...simulation.stream_harness import Rig
from ...tools.simulators import Simulator
from ...verilog.circuit import Circuit
from ...verilog.compiled.state import UNREAD, Compiled
from .findings import before_running, in_program, judged
from .visits import LANES, visits

_MOST_SETTLE = 1_000_000_000
"""Nanoseconds of half a cycle."""

_GROWTH = 64
"""How much more time there is, once, where outputs move when delays in loops were counted once."""


@dataclass(frozen=True)
class Share:
    """What one simulation gave of a circuit.

    Attributes:
        words: (N,) uint64, the bits of its products.
        latency: cycles between operands and product; 0 without a clock.
        warnings: sentences about what a user does not expect of it.
    """

    words: NDArray[np.uint64]
    latency: int
    warnings: tuple[str, ...]


def simulate(
    circuits: Sequence[Circuit],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    *,
    simulator: Simulator,
    limit: float,
    progress: Callable[[int], None],
) -> list[Share]:
    """Products of the pairs, visited as often and given as much time as the circuits need.

    Args:
        circuits: of equal operands, all combinational if there are several.
        a: (N,) activation operands, bit patterns; N at least 1.
        b: (N,) weight operands, bit patterns.
        simulator: to run it on.
        limit: seconds without a sign of life after which a simulation is ended.
        progress: told the number of finished products.

    Raises:
        HwsimError: what is wrong with the first circuit that has no products.
    """
    clocked = circuits[0].roles.clock is not None
    rig, grown = Rig(lanes=2 if clocked else 1), False
    if simulator.key != "icarus":  # a program that is not read needs no compilation to say so
        rig = _needed((UNREAD,), rig, name=circuits[0].name)
    while True:
        with compiled_stream(circuits, rig, simulator=simulator) as stream:
            for circuit, compiled in zip(circuits, stream.compiled, strict=True):
                judged(circuit.name, before_running(compiled))
            needed = _needed(stream.compiled, rig, name=circuits[0].name)
            if needed == rig:
                try:
                    shares = visit(stream, a, b, limit=limit, progress=progress)
                    break
                except UnsettledError:
                    if grown:
                        raise
                    grown = True
                    needed = replace(rig, settle=min(_MOST_SETTLE, _GROWTH * rig.settle))
        rig = needed
    for share in shares:
        if isinstance(share, HwsimError):
            raise share
    return [share for share in shares if isinstance(share, Share)]


def _needed(compiled: Sequence[Compiled], rig: Rig, *, name: str) -> Rig:
    """More lanes where something may be kept, more time where something is late."""
    delay = max(one.delay for one in compiled)
    if 2 * delay > _MOST_SETTLE:
        raise HwsimError(
            f"{name}: expected delays of at most {_MOST_SETTLE / 2e9:g} s, all together, got "
            f"{delay / 1e9:g} s; check its `timescale, or leave the delays out"
        )
    return Rig(
        LANES if any(one.keeps for one in compiled) else rig.lanes,
        max(rig.settle, math.ceil(2 * delay)),
        watched=delay > 0,
    )


def visit(
    stream: Stream,
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    *,
    limit: float,
    progress: Callable[[int], None] | None = None,
) -> list[Share | HwsimError]:
    """Sends the pairs through all lanes, and compares what they gave.

    Args:
        stream: compiled circuits.
        a: (N,) activation operands, bit patterns; N at least 1.
        b: (N,) weight operands, bit patterns.
        limit: seconds without a sign of life after which the simulation is ended.
        progress: told the number of finished products.

    Returns:
        What each circuit gave, or why it has no products.

    Raises:
        UnsettledError: an output moves when it should stand.
        HwsimError: the Verilog stops the simulation or is in a loop without end.
    """
    circuits, lanes = stream.circuits, stream.rig.lanes
    bits, clocked = circuits[0].roles.bits, circuits[0].roles.clock is not None
    orders = visits(a, b, lanes=lanes, bits=bits[1])
    if clocked:
        before_a, before_b = (np.tile(one, (lanes, 1)) for one in probe(bits))
    else:
        # The first pair has to arrive as a change of every bit, as all others do of some.
        first = orders[:, :1]
        before_a, before_b = a[first] ^ ((1 << bits[0]) - 1), b[first] ^ ((1 << bits[1]) - 1)
    last = np.repeat(orders[:, -1:], MAX_LATENCY if clocked else 0, axis=1)
    order, lead = np.concatenate([orders, last], axis=1), before_a.shape[1]
    length = orders.shape[1]
    every = stream.run(
        np.concatenate([before_a, a[order]], axis=1),
        np.concatenate([before_b, b[order]], axis=1),
        limit=limit,
        # In products, however often each is visited.
        progress=progress and (lambda done: progress(max(0, done - lead) * len(a) // length)),
    )
    shares: list[Share | HwsimError] = []
    for circuit, compiled, outputs in zip(circuits, stream.compiled, every, strict=True):
        findings = [*in_program(compiled, stream.warnings)]
        causes = [one for one in (compiled.keeps, *(one.what for one in findings)) if one]
        try:
            words, latency = _known_words(
                circuit, outputs, orders, (a, b), lead=lead, causes=causes
            )
            _refuse_kept(circuit, orders, words, (a, b), why=compiled.keeps)
            warnings = judged(circuit.name, findings)
            shares.append(Share(words[0][: len(a)], latency, warnings))
        except HwsimError as error:
            shares.append(error)
    return shares


def _known_words(
    circuit: Circuit,
    outputs: Sequence[Outputs],
    orders: NDArray[np.intp],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    *,
    lead: int,
    causes: Sequence[str],
) -> tuple[list[NDArray[np.uint64]], int]:
    """The product's bits of each visit in each lane, without X and Z; and the latency."""
    clocked, product = circuit.roles.clock is not None, (circuit.core or circuit).roles.product
    words, latencies = [], set()
    for order, output in zip(orders, outputs, strict=True):
        latency = measure(output, bits=circuit.roles.bits, name=circuit.name) if clocked else 0
        latencies.add(latency)
        start = lead + latency
        for cycle, bits in output.unknown.items():
            if start <= cycle < start + len(order):
                pair = _pair(circuit, *(side[order[cycle - start]] for side in pairs))
                raise HwsimError(
                    f"{circuit.name}: expected 0 and 1 only on {product}, got {bits} "
                    f"for {pair}{': ' if causes else ''}{'; '.join(causes)}"
                )
        words.append(output.words[start : start + len(order)])
    if len(latencies) != 1:
        raise HwsimError(f"{circuit.name}: expected one latency, measured {sorted(latencies)}")
    return words, latencies.pop()


def _refuse_kept(
    circuit: Circuit,
    orders: NDArray[np.intp],
    words: Sequence[NDArray[np.uint64]],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    *,
    why: str | None,
) -> None:
    products = words[0][: len(pairs[0])]
    for order, found in zip(orders, words, strict=True):
        differs = found != products[order]
        if differs.any():
            place = int(differs.argmax())
            pair = order[place]
            first, second = (circuit.product.value(one) for one in (products[pair], found[place]))
            raise HwsimError(
                f"{circuit.name}: expected one product for each operand pair, got {first} and "
                f"{second} for {_pair(circuit, *(side[pair] for side in pairs))}: it depends on "
                f"earlier operands{f': {why}' if why else ', as behind a latch'}; make it a "
                "function of its operands alone"
            )


def _pair(circuit: Circuit, a: int, b: int) -> str:
    roles = (circuit.core or circuit).roles
    first, second = circuit.operands.activation.value(a), circuit.operands.weight.value(b)
    return f"{roles.activation}={first}, {roles.weight}={second}"
