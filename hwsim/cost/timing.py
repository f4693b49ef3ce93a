# SPDX-License-Identifier: Apache-2.0
"""Delays, slews and energies of the cells of a multiplier, from the tables of their library.

Rising and falling edges apart; each net's slew is the slowest of those that its driver's inputs
give it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from .library import Library
from .mapped import Instance, Mapped
from .tables import Arc

FANOUT = 4
"""Smallest inverters that every product bit drives."""

# Edges of an input that make an output rise, and fall: 0 is a rise, 1 is a fall.
_EDGES = {"positive_unate": ((0,), (1,)), "negative_unate": ((1,), (0,))}
_BOTH = ((0, 1), (0, 1))
_CONSTANT = {0, 1}

Nets = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Timing:
    """What a multiplier's nets take.

    Attributes:
        critical: ns of the longest path: from an operand or a register's clock, to the product or
            to a register, which must have its value for its setup time.
        arrival: (nets,) ns when each has settled at the latest.
        delay: (nets,) ns of its driver: the mean over edges and inputs, for simulation.
        load: (nets,) pF.
        energy: (nets,) pJ of one edge, mean of both: the net's load, its driver, and what its
            readers take at their inputs.
    """

    critical: float
    arrival: Nets
    delay: Nets
    load: Nets
    energy: Nets


def timing(mapped: Mapped, library: Library, *, wires: bool = False) -> Timing:
    """Delays and energies of every net.

    Args:
        mapped: the multiplier.
        library: of its cells.
        wires: nets have the capacitance of the library's default wire-load model.
    """
    load = _loads(mapped, library, wires=wires)
    shape = (2, mapped.nets)
    arrival, slew = np.zeros(shape), np.full(shape, operand_slew(library))
    delay, energy = np.zeros(mapped.nets), 0.5 * load * library.voltage**2
    for one in mapped.instances:
        for pin, net in one.outputs:
            output, c = one.cell.outputs[pin], float(load[net])
            delays = []
            latest, slowest = [0.0, 0.0], [0.0, 0.0]
            for arc in output.timing:
                source = one.pins.get(arc.pin, 0)
                if source in _CONSTANT or arc.rise is None or arc.fall is None:
                    continue
                edges = _EDGES.get(arc.sense, _BOTH)
                tables = ((arc.rise, arc.rise_slew), (arc.fall, arc.fall_slew))
                for way, (table, slews) in enumerate(tables):
                    for edge in edges[way]:
                        own = table(slew[edge, source], c)
                        delays.append(own)
                        latest[way] = max(latest[way], arrival[edge, source] + own)
                        if slews is not None:
                            slowest[way] = max(slowest[way], slews(slew[edge, source], c))
            arrival[:, net], slew[:, net] = latest, slowest
            delay[net] = fmean(delays) if delays else 0.0
            # What a reset would cost is no matter.
            power = (arc for arc in output.power if not one.cell.clock or arc.pin == one.cell.clock)
            energy[net] += _energy(power, one.pins, net, slew, load=c)
        for pin, net in one.inputs:
            energy[net] += _energy(one.cell.power[pin], {}, net, slew, load=0.0)
    settled = arrival.max(0)
    ends = [float(settled[list(mapped.p)].max())]
    ends += [end for one in mapped.registers for end in _ends(one, arrival, slew)]
    return Timing(max(ends), settled, delay, load, energy)


def _ends(register: Instance, arrival: Nets, slew: Nets) -> Iterator[float]:
    """When the clock's edge may come at the earliest, by each of a register's data pins."""
    cell, pins = register.cell, register.pins
    clock = float(slew[:, pins[cell.clock]].mean())
    for pin, net in register.inputs:
        if pin == cell.clock or net in _CONSTANT:
            continue
        for way in range(2):
            tables = [(arc.rise, arc.fall)[way] for arc in cell.setup.get(pin, ())]
            needed = [table(slew[way, net], clock) for table in tables if table is not None]
            yield float(arrival[way, net] + max(needed, default=0.0))


def operand_slew(library: Library) -> float:
    """That of the buffer which drives the operands, loaded by `FANOUT` inverters, in ns."""
    driver = library.buffer or library.inverter
    assert driver is not None
    (output,) = driver.outputs.values()
    tables = [table for arc in output.timing for table in (arc.rise_slew, arc.fall_slew)]
    found = [table(0.0, product_load(library)) for table in tables if table is not None]
    return fmean(found) if found else 0.0


def gate_delay(library: Library) -> float:
    """Delay in ns of the smallest inverter when it drives `FANOUT` of its kind."""
    assert library.inverter is not None
    (output,) = library.inverter.outputs.values()
    tables = [table for arc in output.timing for table in (arc.rise, arc.fall)]
    slew, load = operand_slew(library), product_load(library)
    return fmean(table(slew, load) for table in tables if table is not None)


def product_load(library: Library) -> float:
    """Capacitance in pF on every product bit: that of `FANOUT` of the smallest inverters."""
    assert library.inverter is not None
    return FANOUT * sum(library.inverter.inputs.values())


def _loads(mapped: Mapped, library: Library, *, wires: bool) -> Nets:
    load, fanout = np.zeros(mapped.nets), np.zeros(mapped.nets, np.int64)
    for net, readers in mapped.readers.items():
        load[net] = sum(one.cell.inputs[pin] for one, pin in readers)
        fanout[net] = len(readers)
    for net in mapped.p:
        load[net] += product_load(library)
        fanout[net] += 1
    if wires:
        load += [library.wire(int(count)) for count in fanout]
    return load


def _energy(
    arcs: Iterable[Arc], pins: Mapping[str, int], net: int, slew: Nets, *, load: float
) -> float:
    """Mean energy of an edge over the inputs that may have caused it."""
    found = []
    for arc in arcs:
        source = pins.get(arc.pin, net)
        tables = [table for table in (arc.rise, arc.fall) if table is not None]
        found += [fmean(table(float(slew[:, source].mean()), load) for table in tables)]
    return fmean(found) if found else 0.0
