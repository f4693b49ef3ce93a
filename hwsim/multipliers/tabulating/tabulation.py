# SPDX-License-Identifier: Apache-2.0
"""From a circuit to its table: every operand pair, in one or more simulations."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import HwsimError
from ...lut import Lut
from ...metrics import error_metrics
from ...operands import MAX_BITS
from ...simulation.latency import measure, probe
from ...simulation.stream import compiled_stream
from ...simulation.stream_harness import Rig
from ...tools.box import unconfined
from ...tools.pool import together
from ...tools.simulators import Simulator, chosen
from ...verilog.circuit import Circuit
from ...verilog.parameters import jsonable
from ...verilog.wrapper import wrapped
from .findings import in_table, judged
from .vhdl import hold_to_vhdl
from .visiting import Share, simulate
from .visits import sweep_order

TIME_LIMIT = 60.0
"""Seconds without a sign of life after which a simulation is ended."""

Progress = Callable[[int, int], None]
"""Called with (products so far, products in all)."""

_SHARE = 1 << 18
"""Fewest products worth a simulator of their own."""


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
    roles = (circuit.core or circuit).roles
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
    """Products of one circuit; see `simulate_together`. Those of VHDL are held to GHDL's own."""
    (found,) = simulate_together([circuit], a, b, jobs=jobs, limit=limit, progress=progress)
    doubts = hold_to_vhdl(circuit, a, b, found.values, found.latency)
    return replace(found, warnings=(*found.warnings, *doubts))


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
        circuits: of equal operands, all with a clock or none.
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

    def part(number: int) -> list[Share]:
        mine = parts[number]
        return simulate(
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
        values = circuit.products(np.concatenate([share.words for share in shares_of_it]))
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
            **({"front_end": inner.front_end} if inner.front_end else {}),
        },
        "cocotb": version("cocotb"),
        **{key: value for key, (value, usual) in said.items() if value != usual},
        **unconfined(),
    }


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
