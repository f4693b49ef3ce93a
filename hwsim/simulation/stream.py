# SPDX-License-Identifier: Apache-2.0
"""One simulation of multipliers, watched: operand pairs in, one output of each a cycle out."""

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..files import read_bytes, read_text
from ..tools.runner import Simulation
from ..tools.scratch import scratch
from ..tools.simulators import Simulator
from ..verilog.circuit import Circuit
from ..verilog.compiled.program import read_program
from ..verilog.compiled.state import UNREAD, Compiled, read_compiled
from .stream_harness import (
    MOVED,
    OPERANDS,
    PRODUCTS,
    TOP,
    UNKNOWN,
    Rig,
    instance,
    operand_bytes,
    product_words,
    stream_harness,
)

BENCH = Path(__file__).with_name("stream_bench.py")

# Times that are not said are those of the harness; open inputs are found where they matter.
_IDLE = "timescale|time unit|precision|dangling|is sensitive to all"
_WARNING = re.compile(rf"^(?!.*(?:{_IDLE}))(\S+:\d+: )warning: (.+)$", re.M)


@dataclass(frozen=True)
class Outputs:
    """What one instance gave.

    Attributes:
        words: (cycles,) uint64, the output's bits at the end of each cycle.
        unknown: X and Z by cycle, as the simulator shows the bits; the first few thousand.
    """

    words: NDArray[np.uint64]
    unknown: Mapping[int, str]


class UnsettledError(HwsimError):
    """An output goes on to move while its operands stand still."""

    code = "unsettled"


@dataclass(frozen=True)
class Stream:
    """Circuits that are compiled, ready for operand pairs.

    Attributes:
        circuits: side by side in each lane.
        rig: how they stand.
        compiled: what their compiled programs show, of each circuit.
        warnings: of the compiler.
        simulation: to be run once.
    """

    circuits: Sequence[Circuit]
    rig: Rig
    compiled: tuple[Compiled, ...]
    warnings: tuple[str, ...]
    simulation: Simulation

    def run(
        self,
        a: NDArray[np.int64],
        b: NDArray[np.int64],
        *,
        limit: float,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[Outputs]]:
        """Sends operand pairs through all lanes, one a cycle.

        Args:
            a: (lanes, N) first operands, bit patterns.
            b: (lanes, N) second operands, bit patterns.
            limit: seconds without a sign of life after which the simulation is ended.
            progress: told the number of finished cycles, from another thread's point of view late.

        Returns:
            What each circuit gave in each lane.

        Raises:
            UnsettledError: an output moves when it should stand.
            HwsimError: the Verilog stops the simulation or is in a loop without end.
        """
        folder, cycles = self.simulation.folder, a.shape[1]
        pairs = np.stack([a, b], axis=-1).astype(f">u{operand_bytes(self.circuits[0].roles.bits)}")
        (folder / OPERANDS).write_bytes(pairs.swapaxes(0, 1).tobytes())
        said = [
            {"instance": instance(0, i), "name": circuit.name, "ports": _ports(circuit)}
            for i, circuit in enumerate(self.circuits)
        ]
        (folder / "stream.json").write_text(json.dumps({"cycles": cycles, "circuits": said}))
        every = [*self.circuits] * self.rig.lanes
        self.simulation.start(writes=4 * cycles * sum(_words(every)))
        self.simulation.watch(limit=limit, progress=progress)
        if moved := read_text(folder / MOVED).split():
            circuit = self.circuits[int(moved[0]) % len(self.circuits)]
            before, after = (bits.upper() for bits in moved[2:])
            raise UnsettledError(
                f"{circuit.name}: expected {circuit.roles.product} to stand still "
                f"{self.rig.settle // 2:,} ns after its operands, but it goes on from {before} to "
                f"{after}: an oscillator, or a delay without end; leave the delays out"
            )
        outputs = _read(folder, every, cycles=cycles)
        return [outputs[i :: len(self.circuits)] for i in range(len(self.circuits))]


@contextmanager
def compiled_stream(
    circuits: Sequence[Circuit], rig: Rig, *, simulator: Simulator
) -> Iterator[Stream]:
    """Compiles circuits side by side; their folder is gone at the end of the block.

    Args:
        circuits: of equal operands, all with a clock or none.
        rig: how they stand.
        simulator: to run them on.

    Yields:
        What can be run, once.

    Raises:
        HwsimError: the Verilog does not compile.
    """
    bits = circuits[0].roles.bits
    assert all(circuit.roles.bits == bits for circuit in circuits)
    assert len({circuit.roles.clock is None for circuit in circuits}) == 1
    with scratch("stream") as folder:
        (folder / f"{TOP}.v").write_text(stream_harness(circuits, rig))
        simulation = Simulation(
            folder,
            TOP,
            [path for circuit in circuits for path in circuit.place(folder)],
            bench=BENCH,
            name=_names([circuit.name for circuit in circuits]),
            simulator=simulator,
        )
        simulation.build()
        yield Stream(
            circuits, rig, _compiled(simulation, circuits), _warnings(simulation), simulation
        )


def _compiled(simulation: Simulation, circuits: Sequence[Circuit]) -> tuple[Compiled, ...]:
    text = simulation.program
    if text is None:
        return (UNREAD,) * len(circuits)
    try:
        program = read_program(text)
        return tuple(
            read_compiled(
                program,
                instance(0, i),
                circuit.roles.product,
                clocked=circuit.roles.clock is not None,
            )
            for i, circuit in enumerate(circuits)
        )
    except (LookupError, ValueError, StopIteration):  # written otherwise by another version
        return (UNREAD,) * len(circuits)


def _warnings(simulation: Simulation) -> tuple[str, ...]:
    """What the compiler warns of, without folders."""
    return tuple(
        dict.fromkeys(
            f"{place.rpartition('/')[2]}{text}"
            for place, text in _WARNING.findall(simulation.build_log)
        )
    )


def _names(every: Sequence[str]) -> str:
    """The first three of some names, for messages."""
    shown = ", ".join(every[:3])
    return shown if len(every) <= 3 else f"{shown} and {len(every) - 3} more"


def _ports(circuit: Circuit) -> dict[str, int]:
    roles = circuit.roles
    # Of a port that both operands are parts of, the whole width.
    names = {name.partition("[")[0] for name in (roles.activation, roles.weight, roles.product)}
    return {port.name: port.width for port in circuit.interface.ports if port.name in names}


def _words(circuits: Sequence[Circuit]) -> list[int]:
    return [product_words(circuit.roles.product_bits) for circuit in circuits]


def _read(folder: Path, circuits: Sequence[Circuit], *, cycles: int) -> list[Outputs]:
    counts = _words(circuits)
    size = 4 * cycles * sum(counts)
    raw = np.frombuffer(read_bytes(folder / PRODUCTS, limit=size), dtype="<u1")
    if len(raw) != size:
        raise HwsimError(
            f"{circuits[0].name}: expected {cycles} products from the simulator, got "
            f"{len(raw) * cycles // size}; is the disk under {tempfile.gettempdir()} full?"
        )
    raw = raw.view("<u4")
    lanes = np.split(raw.reshape(cycles, -1), np.cumsum(counts)[:-1], axis=1)
    unknown: list[dict[int, str]] = [{} for _ in circuits]
    for line in read_text(folder / UNKNOWN).splitlines():
        output, cycle, bits = line.split()
        unknown[int(output)][int(cycle)] = bits.upper()
    return [
        Outputs(np.ascontiguousarray(lane).view(f"<u{4 * count}").ravel().astype(np.uint64), bits)
        for lane, count, bits in zip(lanes, counts, unknown, strict=True)
    ]
