# SPDX-License-Identifier: Apache-2.0
"""From a circuit to its table: every operand pair, in one or more simulations."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..lut import Lut
from ..metrics import error_metrics
from ..operands import MAX_BITS, Operands
from ..simulation.latency import MAX_LATENCY, PROBE_CYCLES, measure, probe
from ..simulation.stream import Outputs, run_stream
from ..tools.pool import together
from ..tools.simulators import Simulator, chosen
from ..verilog.circuit import Circuit
from ..verilog.parameters import jsonable
from ..verilog.wrapper import wrapped

TIME_LIMIT = 60.0
"""Seconds without a sign of life after which a simulation is ended."""

Progress = Callable[[int, int], None]
"""Called with (products so far, products in all)."""

_SHARE = 1 << 18
"""Fewest products worth a simulator of their own."""

_AGAIN = 1024
_SEED = 20250101


@dataclass(frozen=True)
class Products:
    """Simulated products, and what was measured with them.

    Attributes:
        values: (N,) the products; int64 where signed, else uint64.
        latency: cycles between operands and product; 0 without a clock.
        simulator: that ran.
    """

    values: NDArray[Any]
    latency: int
    simulator: Simulator


def tabulate(
    circuit: Circuit,
    *,
    jobs: int | None = None,
    limit: float = TIME_LIMIT,
    progress: Progress | None = None,
) -> Lut:
    """The complete table of a circuit.

    Args:
        circuit: of at most 12 operand bits.
        jobs: simulators at a time; None is one per processor core.
        limit: seconds without a sign of life after which a simulation is ended.
        progress: told how far it is.

    Raises:
        HwsimError: too wide for a table, X or Z on the product, a product that depends on earlier
            operands, Verilog that does not compile, stops the simulation or never settles.
    """
    if max(circuit.operands.bits) > MAX_BITS:
        raise HwsimError(
            f"{circuit.name}: expected operands of at most {MAX_BITS} bits for a complete table, "
            f"got {max(circuit.operands.bits)}; take a sample instead"
        )
    hashes = circuit.hashes()
    a, b = sweep_order(circuit.operands)
    found = simulate_pairs(circuit, a, b, jobs=jobs, limit=limit, progress=progress)
    if hashes != circuit.hashes():
        raise HwsimError(
            f"{circuit.name}: its Verilog changed while it was simulated; run it again"
        )
    if found.values.max() > np.iinfo(np.int32).max or found.values.min() < np.iinfo(np.int32).min:
        raise HwsimError(f"{circuit.name}: expected products that fit 32-bit signed integers")
    table = np.empty(circuit.operands.shape, np.int32)
    table[a, b] = found.values
    bare = Lut(table, *circuit.operands)
    manifest = {**manifest_of(circuit, found, hashes), "metrics": error_metrics(bare).as_dict()}
    return Lut(bare.table, *circuit.operands, manifest)


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


def simulate_pairs(
    circuit: Circuit,
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    *,
    jobs: int | None = None,
    limit: float = TIME_LIMIT,
    progress: Progress | None = None,
) -> Products:
    """Products of one circuit; see `simulate_together`."""
    return simulate_together([circuit], a, b, jobs=jobs, limit=limit, progress=progress)[0]


def simulate_together(
    circuits: Sequence[Circuit],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    *,
    jobs: int | None = None,
    limit: float = TIME_LIMIT,
    progress: Progress | None = None,
) -> list[Products]:
    """Products of circuits that stand side by side, for given operand pairs.

    Every simulation is followed by some of its pairs again in a random order: a product that then
    differs depends on earlier operands, as behind a latch.

    Args:
        circuits: of equal operands, all combinational if there are several.
        a: (N,) activation operands, bit patterns; N at least 1.
        b: (N,) weight operands, bit patterns.
        jobs: simulators at a time; None is one per processor core.
        limit: seconds without a sign of life after which a simulation is ended.
        progress: told how far it is.

    Returns:
        The products of each circuit.

    Raises:
        HwsimError: as `tabulate`.
    """
    simulator = chosen()
    shares = max(1, min(jobs or os.cpu_count() or 1, len(a) // _SHARE))
    parts = np.array_split(np.arange(len(a)), shares)
    counter = _Counter(len(a), shares, progress)

    def part(number: int) -> list[tuple[NDArray[np.uint64], int]]:
        mine = parts[number]
        again = np.random.default_rng(_SEED).choice(mine, size=min(_AGAIN, len(mine)))
        order = np.concatenate([mine, again])
        streams = _stream(
            circuits,
            a[order],
            b[order],
            simulator=simulator,
            limit=limit,
            progress=lambda done: counter.tell(number, min(done, len(mine))),
        )
        for circuit, (words, _) in zip(circuits, streams, strict=True):
            differs = words[len(mine) :] != words[again - mine[0]]
            if differs.any():
                pair = again[int(differs.argmax())]
                raise HwsimError(
                    f"{circuit.name}: expected one product for each operand pair, got two for "
                    f"{_pair(circuit, a[pair], b[pair])}: it depends on earlier operands, as "
                    "behind a latch"
                )
        return [(words[: len(mine)], latency) for words, latency in streams]

    by_part = together({number: partial(part, number) for number in range(shares)}, jobs=jobs)
    products = []
    for circuit, streams in zip(circuits, zip(*by_part.values(), strict=True), strict=True):
        latencies = {latency for _, latency in streams}
        if len(latencies) != 1:
            raise HwsimError(f"{circuit.name}: expected one latency, measured {sorted(latencies)}")
        values = circuit.products(np.concatenate([words for words, _ in streams]))
        products.append(Products(values, latencies.pop(), simulator))
    return products


def with_signs(circuit: Circuit, *, limit: float = TIME_LIMIT) -> Circuit:
    """An unsigned circuit inside a generated sign-magnitude wrapper; its latency is measured.

    Raises:
        HwsimError: the circuit is signed, or as `tabulate`.
    """
    if circuit.product.signed or circuit.roles.clock is None:
        return wrapped(circuit)
    a, b = probe(circuit.roles.bits)
    (outputs,) = run_stream([circuit], a, b, simulator=chosen(), limit=limit)
    latency = measure(outputs, bits=circuit.roles.bits, name=circuit.name)
    return wrapped(circuit, latency=latency)


def manifest_of(circuit: Circuit, found: Products, hashes: dict[str, str]) -> dict[str, Any]:
    """What a table or a sample says about where it comes from. No path of this machine is in it.

    What a combinational circuit in plain Verilog with declared operands says of itself is left out.
    """
    inner = circuit.core or circuit
    roles, simulator = inner.roles, found.simulator
    said = {
        "product_width": (roles.product_bits, sum(roles.bits)),
        "product_shift": (roles.product_shift, 0),
        "signed_from": (circuit.signed_from, "declared"),
        "wrapper": ("sign-magnitude" if circuit.core else None, None),
        "wrapper_verilog": (circuit.wrapper, None),
        "latency": (found.latency, 0),
        "clock": (roles.clock, None),
        "reset": (None if roles.reset is None else vars(roles.reset), None),
        "enables": ([vars(enable) for enable in roles.enables], []),
        "ties": (dict(roles.ties), {}),
        "outputs_left_open": (list(roles.unread), []),
        "defines": (dict(inner.defines), {}),
        "vectors_taken_apart": (list(inner.scalarized), []),
        "notes": (list(inner.notes), []),
    }
    return {
        "multiplier": inner.multiplier,
        "top": inner.top,
        "parameters": jsonable({**inner.interface.parameters, **inner.parameters}),
        "operands": {roles.activation: "activation", roles.weight: "weight"},
        "product": roles.product,
        "sources": hashes,
        "simulator": {
            "name": simulator.title,
            "version": simulator.version(),
            **({} if simulator.four_state else {"shows_unknown_bits": False}),
        },
        "cocotb": version("cocotb"),
        **{key: value for key, (value, usual) in said.items() if value != usual},
    }


def _stream(
    circuits: Sequence[Circuit],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    *,
    simulator: Simulator,
    limit: float,
    progress: Callable[[int], None],
) -> list[tuple[NDArray[np.uint64], int]]:
    """Each circuit's output words of the pairs, and its latency measured in the same simulation."""
    bits = circuits[0].roles.bits
    clocked = circuits[0].roles.clock is not None
    lead = PROBE_CYCLES if clocked else 0
    if clocked:
        probe_a, probe_b = probe(bits)
        a_all = np.concatenate([probe_a, a, np.repeat(a[-1:], MAX_LATENCY)])
        b_all = np.concatenate([probe_b, b, np.repeat(b[-1:], MAX_LATENCY)])
    else:
        a_all, b_all = a, b
    every = run_stream(
        circuits,
        a_all,
        b_all,
        simulator=simulator,
        limit=limit,
        progress=lambda done: progress(max(0, done - lead)),
    )
    streams = []
    for circuit, outputs in zip(circuits, every, strict=True):
        latency = measure(outputs, bits=bits, name=circuit.name) if clocked else 0
        start = lead + latency
        _refuse_unknown(circuit, outputs, a, b, start=start)
        streams.append((outputs.words[start : start + len(a)], latency))
    return streams


def _refuse_unknown(
    circuit: Circuit,
    outputs: Outputs,
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    *,
    start: int,
) -> None:
    for cycle, bits in outputs.unknown.items():
        if start <= cycle < start + len(a):
            where = cycle - start
            product = (circuit.core or circuit).roles.product
            raise HwsimError(
                f"{circuit.name}: expected 0 and 1 only on {product}, got {bits} for "
                f"{_pair(circuit, a[where], b[where])}"
            )


def _pair(circuit: Circuit, a: int, b: int) -> str:
    roles = (circuit.core or circuit).roles
    first, second = circuit.operands.activation.value(a), circuit.operands.weight.value(b)
    return f"{roles.activation}={first}, {roles.weight}={second}"


class _Counter:
    """Progress of several simulations as one."""

    def __init__(self, total: int, parts: int, progress: Progress | None) -> None:
        self._total, self._progress = total, progress
        self._done = [0] * parts
        self._lock = threading.Lock()

    def tell(self, part: int, done: int) -> None:
        with self._lock:
            self._done[part] = done
            if self._progress is not None:
                self._progress(sum(self._done), self._total)
