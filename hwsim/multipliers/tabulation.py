# SPDX-License-Identifier: Apache-2.0
"""From somebody's circuit to its table: every operand pair, in one or more simulations."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..lut import MAX_WIDTH, Lut
from ..metrics import error_metrics
from ..simulation.latency import MAX_LATENCY, PROBE_CYCLES, measure, probe
from ..simulation.stream import Outputs, Subject, run_stream
from ..tools.simulators import Simulator, chosen
from ..verilog.circuit import Circuit
from ..verilog.wrapper import TOP as WRAPPER
from ..verilog.wrapper import sign_magnitude

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
        signed: of operands and products.
        generated: text of the wrapper, if one was asked for.
        simulator: that ran.
    """

    values: NDArray[Any]
    latency: int
    signed: bool
    generated: str | None
    simulator: Simulator


def tabulate(
    circuit: Circuit,
    *,
    wrap_signed: bool = False,
    jobs: int | None = None,
    limit: float = TIME_LIMIT,
    progress: Progress | None = None,
) -> Lut:
    """The complete table of a circuit.

    Args:
        circuit: of at most 12 operand bits.
        wrap_signed: put an unsigned core into a generated sign-magnitude wrapper.
        jobs: simulators at a time; None is one per processor core.
        limit: seconds without a sign of life after which a simulation is ended.
        progress: told how far it is.

    Raises:
        HwsimError: too wide for a table, X or Z on the product, a product that depends on earlier
            operands, Verilog that does not compile, stops the simulation or never settles.
    """
    width = circuit.roles.width
    if width > MAX_WIDTH:
        raise HwsimError(
            f"{circuit.name}: expected operands of at most {MAX_WIDTH} bits for a complete table, "
            f"got {width}; take a sample instead"
        )
    hashes = circuit.hashes()
    side = 2**width
    a, b = sweep_order(width)
    found = simulate_pairs(
        circuit,
        a,
        b,
        wrap_signed=wrap_signed,
        jobs=jobs,
        limit=limit,
        progress=progress,
    )
    if hashes != circuit.hashes():
        raise HwsimError(f"{circuit.name}: its Verilog changed while it was simulated")
    if found.values.max() > np.iinfo(np.int32).max or found.values.min() < np.iinfo(np.int32).min:
        raise HwsimError(f"{circuit.name}: expected products that fit 32-bit signed integers")
    table = np.empty((side, side), np.int32)
    table[a, b] = found.values
    bare = Lut(table, width=width, signed=found.signed)
    manifest = {**manifest_of(circuit, found, hashes), "metrics": error_metrics(bare).as_dict()}
    return Lut(bare.table, width=width, signed=found.signed, manifest=manifest)


def sweep_order(width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every operand pair once, in the order that an event-driven simulator likes best.

    One operand bit changes from pair to pair, in a Gray code, and the highest bits change most
    often: what they change is nearest to the product's top, with the fewest carries behind it.

    Args:
        width: operand bits.

    Returns:
        a, b: (4^width,) bit patterns.
    """
    step = np.arange(4**width, dtype=np.int64)
    step ^= step >> 1
    a, b = np.zeros_like(step), np.zeros_like(step)
    for k in range(width):
        b |= (step >> (2 * k) & 1) << (width - 1 - k)
        a |= (step >> (2 * k + 1) & 1) << (width - 1 - k)
    return a, b


def simulate_pairs(
    circuit: Circuit,
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    *,
    wrap_signed: bool = False,
    jobs: int | None = None,
    limit: float = TIME_LIMIT,
    progress: Progress | None = None,
) -> Products:
    """Products of a circuit for given operand pairs.

    The last simulation is followed by some of the pairs again in a random order: a product that
    then differs depends on earlier operands, as behind a latch.

    Args:
        circuit: the multiplier.
        a: (N,) activation operands, bit patterns; N at least 1.
        b: (N,) weight operands, bit patterns.
        wrap_signed: put an unsigned core into a generated sign-magnitude wrapper.
        jobs: simulators at a time; None is one per processor core.
        limit: seconds without a sign of life after which a simulation is ended.
        progress: told how far it is.

    Raises:
        HwsimError: as `tabulate`.
    """
    if jobs is not None and jobs < 1:
        raise HwsimError(f"expected at least 1 job, got {jobs}")
    simulator = chosen()
    subject, generated, signed = _subject(circuit, simulator, wrap_signed=wrap_signed, limit=limit)
    shares = max(1, min(jobs or os.cpu_count() or 1, len(a) // _SHARE))
    parts = np.array_split(np.arange(len(a)), shares)
    counter = _Counter(len(a), shares, progress)

    def part(number: int) -> tuple[NDArray[np.uint64], int]:
        mine = parts[number]
        again = np.random.default_rng(_SEED).choice(mine, size=min(_AGAIN, len(mine)))
        order = np.concatenate([mine, again])
        words, latency = _stream(
            circuit,
            subject,
            a[order],
            b[order],
            signed=signed,
            simulator=simulator,
            limit=limit,
            progress=lambda done: counter.tell(number, min(done, len(mine))),
        )
        differs = words[len(mine) :] != words[again - mine[0]]
        if differs.any():
            pair = again[int(differs.argmax())]
            raise HwsimError(
                f"{circuit.name}: expected one product for each operand pair, got two for "
                f"{_pair(circuit, a[pair], b[pair], signed)}: it depends on earlier operands, "
                "as behind a latch"
            )
        return words[: len(mine)], latency

    # Threads suffice: the work is in the simulator's processes.
    with ThreadPoolExecutor(max_workers=shares) as pool:
        futures = [pool.submit(part, number) for number in range(shares)]
        for future in as_completed(futures):
            future.result()
        found = [future.result() for future in futures]
    latencies = {latency for _, latency in found}
    if len(latencies) != 1:
        raise HwsimError(f"{circuit.name}: expected one latency, measured {sorted(latencies)}")
    words = np.concatenate([words for words, _ in found])
    values: NDArray[Any] = words
    if signed:
        bits = np.uint64(64 - circuit.roles.product_width)
        # Up to the sign bit of 64 bits and back: two's complement of any width.
        values = (words << bits).view(np.int64) >> np.int64(bits)
    return Products(values, latencies.pop(), signed, generated, simulator)


def manifest_of(circuit: Circuit, found: Products, hashes: dict[str, str]) -> dict[str, Any]:
    """What a table or a sample says about where it comes from. No path of this machine is in it."""
    roles = circuit.roles
    reset = None if roles.reset is None else vars(roles.reset)
    return {
        "multiplier": circuit.top,
        "top": circuit.top,
        "parameters": dict(circuit.interface.parameters) | dict(circuit.parameters),
        "operands": {roles.activation: "activation", roles.weight: "weight"},
        "product": roles.product,
        "product_width": roles.product_width,
        "signed_from": "wrapper" if found.generated else circuit.signed_from,
        "wrapper": "sign-magnitude" if found.generated else None,
        "wrapper_verilog": found.generated,
        "latency": found.latency,
        "clock": roles.clock,
        "reset": reset,
        "enables": [vars(enable) for enable in roles.enables],
        "ties": dict(roles.ties),
        "outputs_left_open": list(roles.unread),
        "sources": hashes,
        "read_by": circuit.reader,
        "vectors_taken_apart": list(circuit.scalarized),
        "notes": list(circuit.notes),
        "simulator": {
            "name": found.simulator.title,
            "version": found.simulator.version(),
            "shows_unknown_bits": found.simulator.four_state,
        },
        "cocotb": version("cocotb"),
    }


def _subject(
    circuit: Circuit, simulator: Simulator, *, wrap_signed: bool, limit: float
) -> tuple[Subject, str | None, bool]:
    verbatim = circuit.text is None
    core = Subject(
        name=circuit.name,
        top=circuit.top,
        parameters=circuit.parameters,
        sources=circuit.sources if verbatim else (),
        roles=circuit.roles,
        includes=circuit.includes,
        memories=circuit.memories,
        generated={} if circuit.text is None else {"scalarized.v": circuit.text},
    )
    if not wrap_signed:
        return core, None, circuit.signed
    if circuit.signed:
        raise HwsimError(
            f"{circuit.name}: expected an unsigned core for the sign-magnitude wrapper, got a "
            "signed one; it serves signed networks as it is"
        )
    latency = 0
    if circuit.roles.clock is not None:
        a, b = probe(circuit.roles.width)
        outputs = run_stream(core, a, b, simulator=simulator, limit=limit)
        latency = measure(outputs, width=circuit.roles.width, name=circuit.name)
    text, roles = sign_magnitude(circuit.top, circuit.parameters, circuit.roles, latency=latency)
    generated = {**core.generated, f"{WRAPPER}.v": text}
    wrapped = replace(core, top=WRAPPER, parameters={}, roles=roles, generated=generated)
    return wrapped, text, True


def _stream(
    circuit: Circuit,
    subject: Subject,
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    *,
    signed: bool,
    simulator: Simulator,
    limit: float,
    progress: Callable[[int], None],
) -> tuple[NDArray[np.uint64], int]:
    """Output words of the pairs, and the latency that was measured in the same simulation."""
    clocked = subject.roles.clock is not None
    lead = PROBE_CYCLES if clocked else 0
    if clocked:
        probe_a, probe_b = probe(subject.roles.width)
        a_all = np.concatenate([probe_a, a, np.repeat(a[-1:], MAX_LATENCY)])
        b_all = np.concatenate([probe_b, b, np.repeat(b[-1:], MAX_LATENCY)])
    else:
        a_all, b_all = a, b
    outputs = run_stream(
        subject,
        a_all,
        b_all,
        simulator=simulator,
        limit=limit,
        progress=lambda done: progress(max(0, done - lead)),
    )
    latency = measure(outputs, width=subject.roles.width, name=circuit.name) if clocked else 0
    start = lead + latency
    _refuse_unknown(circuit, outputs, a, b, start=start, signed=signed)
    return outputs.words[start : start + len(a)], latency


def _refuse_unknown(
    circuit: Circuit,
    outputs: Outputs,
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    *,
    start: int,
    signed: bool,
) -> None:
    for cycle, bits in outputs.unknown.items():
        if start <= cycle < start + len(a):
            where = cycle - start
            raise HwsimError(
                f"{circuit.name}: expected 0 and 1 only on {circuit.roles.product}, got {bits} for "
                f"{_pair(circuit, a[where], b[where], signed)}"
            )


def _pair(circuit: Circuit, a: int, b: int, signed: bool) -> str:
    roles = circuit.roles
    half, whole = 2 ** (roles.width - 1), 2**roles.width
    first, second = (int(x) - whole if signed and x >= half else int(x) for x in (a, b))
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
