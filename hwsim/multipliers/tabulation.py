# SPDX-License-Identifier: Apache-2.0
"""From a circuit to its table: every operand pair, in one or more simulations."""

import math
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..lut import Lut
from ..metrics import error_metrics
from ..operands import MAX_BITS
from ..simulation.latency import MAX_LATENCY, measure, probe
from ..simulation.stream import Outputs, Stream, UnsettledError, compiled_stream
from ..simulation.stream_harness import Rig
from ..tools.pool import together
from ..tools.simulators import Simulator, chosen
from ..verilog.circuit import Circuit
from ..verilog.parameters import jsonable
from ..verilog.roles import Roles
from ..verilog.state import Compiled
from ..verilog.wrapper import wrapped
from .findings import before_running, in_program, in_table, judged
from .visits import LANES, sweep_order, visits

TIME_LIMIT = 60.0
"""Seconds without a sign of life after which a simulation is ended."""

Progress = Callable[[int, int], None]
"""Called with (products so far, products in all)."""

_SHARE = 1 << 18
"""Fewest products worth a simulator of their own."""

_MOST_SETTLE = 1_000_000_000
_GROWTH, _PATIENCE = 32, 2
"""Nanoseconds of half a cycle at most; how it grows, and how often, while outputs still move."""


@dataclass(frozen=True)
class Products:
    """Simulated products, and what was measured with them.

    Attributes:
        values: (N,) the products; int64 where signed, else uint64.
        latency: cycles between operands and product; 0 without a clock.
        simulator: that ran.
        warnings: sentences about what a user does not expect of the circuit.
    """

    values: NDArray[Any]
    latency: int
    simulator: Simulator
    warnings: tuple[str, ...] = ()


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
    roles = _roles(circuit)
    findings = in_table(table, circuit.operands, product=roles.product, bits=roles.product_bits)
    found = replace(found, warnings=(*found.warnings, *judged(circuit.name, findings)))
    bare = Lut(table, *circuit.operands)
    manifest = {**manifest_of(circuit, found, hashes), "metrics": error_metrics(bare).as_dict()}
    return Lut(bare.table, *circuit.operands, manifest)


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

    A circuit that may keep something of earlier operands meets every pair in several orders, see
    `visits`; any other is a function, and meets some pairs again. A circuit with delays gets more
    time than they take together.

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

    def part(number: int) -> list[_Share]:
        mine = parts[number]
        return _simulated(
            circuits,
            a[mine],
            b[mine],
            simulator=simulator,
            limit=limit,
            progress=lambda done: counter.tell(number, min(done, len(mine))),
        )

    by_part = together({number: partial(part, number) for number in range(shares)}, jobs=jobs)
    products = []
    for circuit, shares_of_it in zip(circuits, zip(*by_part.values(), strict=True), strict=True):
        latencies = {share.latency for share in shares_of_it}
        if len(latencies) != 1:
            raise HwsimError(f"{circuit.name}: expected one latency, measured {sorted(latencies)}")
        values: NDArray[Any] = np.concatenate([share.words for share in shares_of_it])
        if circuit.product.signed:
            values = circuit.product.value(values)
        warnings = dict.fromkeys(line for share in shares_of_it for line in share.warnings)
        products.append(Products(values, latencies.pop(), simulator, tuple(warnings)))
    return products


def with_signs(circuit: Circuit, *, limit: float = TIME_LIMIT) -> Circuit:
    """An unsigned circuit inside a generated sign-magnitude wrapper; its latency is measured.

    Raises:
        HwsimError: the circuit is signed, or as `tabulate`.
    """
    if circuit.product.signed or circuit.roles.clock is None:
        return wrapped(circuit)
    a, b = probe(circuit.roles.bits)
    with compiled_stream([circuit], Rig(), simulator=chosen()) as stream:
        ((outputs,),) = stream.run(a[None], b[None], limit=limit)
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
        "signed_from": (circuit.signed_from, "declared"),
        "wrapper": ("sign-magnitude" if circuit.core else None, None),
        "wrapper_verilog": (circuit.wrapper, None),
        "latency": (found.latency, 0),
        "clock": (roles.clock, None),
        "reset": (None if roles.reset is None else vars(roles.reset), None),
        "enables": ([vars(enable) for enable in roles.enables], []),
        "ties": (dict(roles.ties), {}),
        "outputs_left_open": (list(roles.unread), []),
        "read_by": (inner.reader, "pyverilog"),
        "vectors_taken_apart": (list(inner.scalarized), []),
        "notes": (list(inner.notes), []),
        "warnings": (list(found.warnings), []),
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


@dataclass(frozen=True)
class _Share:
    """What one simulation gave of a circuit: (N,) bits of its products, and what was seen."""

    words: NDArray[np.uint64]
    latency: int
    warnings: tuple[str, ...]


def _simulated(
    circuits: Sequence[Circuit],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    *,
    simulator: Simulator,
    limit: float,
    progress: Callable[[int], None],
) -> list[_Share]:
    """Products of the pairs, visited as often and given as much time as the circuits need."""
    clocked = circuits[0].roles.clock is not None
    rig, patience = Rig(lanes=2 if clocked else 1), _PATIENCE
    while True:
        with compiled_stream(circuits, rig, simulator=simulator) as stream:
            for circuit, compiled in zip(circuits, stream.compiled, strict=True):
                judged(circuit.name, before_running(compiled))
            needed = _needed(stream.compiled, rig, name=circuits[0].name)
            if needed == rig:
                try:
                    return _visited(stream, a, b, limit=limit, progress=progress)
                except UnsettledError:
                    if not patience:
                        raise
                    patience -= 1
                    needed = replace(rig, settle=min(_MOST_SETTLE, _GROWTH * rig.settle))
        rig = needed


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


def _visited(
    stream: Stream,
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    *,
    limit: float,
    progress: Callable[[int], None],
) -> list[_Share]:
    """Sends the pairs through all lanes, and compares what they gave."""
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
    every = stream.run(
        np.concatenate([before_a, a[order]], axis=1),
        np.concatenate([before_b, b[order]], axis=1),
        limit=limit,
        progress=lambda done: progress(max(0, done - lead)),
    )
    shares = []
    for circuit, compiled, outputs in zip(circuits, stream.compiled, every, strict=True):
        findings = [*in_program(compiled, stream.warnings)]
        causes = [one for one in (compiled.keeps, *(one.what for one in findings)) if one]
        words = []
        for lane, output in enumerate(outputs):
            latency = measure(output, bits=bits, name=circuit.name) if clocked else 0
            start, visited = lead + latency, orders[lane]
            _refuse_unknown(circuit, output, a[visited], b[visited], start=start, causes=causes)
            words.append(output.words[start : start + len(visited)])
        _refuse_kept(circuit, orders, words, (a, b), why=compiled.keeps)
        warnings = judged(circuit.name, findings)
        shares.append(_Share(words[0][: len(a)], latency, warnings))
    return shares


def _refuse_unknown(
    circuit: Circuit,
    outputs: Outputs,
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    *,
    start: int,
    causes: Sequence[str],
) -> None:
    for cycle, bits in outputs.unknown.items():
        if start <= cycle < start + len(a):
            where = cycle - start
            raise HwsimError(
                f"{circuit.name}: expected 0 and 1 only on {_roles(circuit).product}, got {bits} "
                f"for {_pair(circuit, a[where], b[where])}"
                f"{': ' if causes else ''}{'; '.join(causes)}"
            )


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
                f"earlier operands{f': {why}' if why else ', as behind a latch'}"
            )


def _roles(circuit: Circuit) -> Roles:
    return (circuit.core or circuit).roles


def _pair(circuit: Circuit, a: int, b: int) -> str:
    roles = _roles(circuit)
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
