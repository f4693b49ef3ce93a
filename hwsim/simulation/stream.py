# SPDX-License-Identifier: Apache-2.0
"""One simulation of multipliers, watched: operand pairs in, one output of each a cycle out."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..tools.runner import Simulation
from ..tools.simulators import Simulator
from ..verilog.circuit import Circuit
from .stream_harness import (
    OPERANDS,
    PRODUCTS,
    TOP,
    UNKNOWN,
    operand_bytes,
    product_words,
    stream_harness,
)

BENCH = Path(__file__).with_name("stream_bench.py")


@dataclass(frozen=True)
class Outputs:
    """What a stream gave.

    Attributes:
        words: (cycles,) uint64, the output's bits at the end of each cycle.
        unknown: X and Z by cycle, as the simulator shows the bits; the first few thousand.
    """

    words: NDArray[np.uint64]
    unknown: Mapping[int, str]


def run_stream(
    circuits: Sequence[Circuit],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    *,
    simulator: Simulator,
    limit: float,
    progress: Callable[[int], None] | None = None,
) -> list[Outputs]:
    """Sends operand pairs through circuits side by side, one a cycle.

    Args:
        circuits: of equal operands, all combinational if there are several.
        a: (N,) first operands, bit patterns.
        b: (N,) second operands, bit patterns.
        simulator: to run it on.
        limit: seconds without a sign of life after which it is ended.
        progress: told the number of finished cycles, from another thread's point of view late.

    Returns:
        What each circuit gave.

    Raises:
        HwsimError: the Verilog does not compile, stops the simulation or never settles.
    """
    bits = circuits[0].roles.bits
    assert all(circuit.roles.bits == bits for circuit in circuits)
    assert len(circuits) == 1 or all(circuit.roles.clock is None for circuit in circuits)
    with tempfile.TemporaryDirectory(prefix="axhil-stream-") as scratch:
        folder = Path(scratch)
        pairs = np.stack([a, b], axis=1).astype(f">u{operand_bytes(bits)}")
        (folder / OPERANDS).write_bytes(pairs.tobytes())
        said = [{"name": circuit.name, "ports": _ports(circuit)} for circuit in circuits]
        settings = {"cycles": len(a), "circuits": said}
        (folder / "stream.json").write_text(json.dumps(settings))
        (folder / f"{TOP}.v").write_text(stream_harness(circuits))
        simulation = Simulation(
            folder,
            TOP,
            [path for circuit in circuits for path in circuit.place(folder)],
            bench=BENCH,
            name=_names([circuit.name for circuit in circuits]),
            simulator=simulator,
        )
        simulation.run(limit=limit, progress=progress)
        return _read(folder, circuits, cycles=len(a))


def _names(every: Sequence[str]) -> str:
    """The first three of some names, for messages."""
    shown = ", ".join(every[:3])
    return shown if len(every) <= 3 else f"{shown} and {len(every) - 3} more"


def _ports(circuit: Circuit) -> dict[str, int]:
    roles = circuit.roles
    # Of a port that both operands are parts of, the whole width.
    names = {name.partition("[")[0] for name in (roles.activation, roles.weight, roles.product)}
    return {port.name: port.width for port in circuit.interface.ports if port.name in names}


def _read(folder: Path, circuits: Sequence[Circuit], *, cycles: int) -> list[Outputs]:
    counts = [product_words(circuit.roles.product_bits) for circuit in circuits]
    raw = np.fromfile(folder / PRODUCTS, dtype="<u4")
    if len(raw) != cycles * sum(counts):
        raise HwsimError(
            f"{circuits[0].name}: expected {cycles} products from the simulator, got "
            f"{len(raw) // sum(counts)}; is the disk under {tempfile.gettempdir()} full?"
        )
    lanes = np.split(raw.reshape(cycles, -1), np.cumsum(counts)[:-1], axis=1)
    unknown: list[dict[int, str]] = [{} for _ in circuits]
    for line in (folder / UNKNOWN).read_text().splitlines():
        circuit, cycle, bits = line.split()
        unknown[int(circuit)][int(cycle)] = bits.upper()
    return [
        Outputs(np.ascontiguousarray(lane).view(f"<u{4 * count}").ravel().astype(np.uint64), bits)
        for lane, count, bits in zip(lanes, counts, unknown, strict=True)
    ]
