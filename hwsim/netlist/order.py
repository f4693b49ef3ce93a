# SPDX-License-Identifier: Apache-2.0
"""The gates of a module in the order in which they can be computed, and what keeps them from it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_

import numpy as np

from .module import Bit, Module
from .netlist import Findings, Gates, Kind

_KINDS = {
    "$_NOT_": (Kind.not_, "A"),
    "$_BUF_": (Kind.or_, "AA"),
    "$_AND_": (Kind.and_, "AB"),
    "$_OR_": (Kind.or_, "AB"),
    "$_XOR_": (Kind.xor, "AB"),
    "$_MUX_": (Kind.mux, "ABS"),
    "$_NAND_": (Kind.nand, "AB"),
    "$_NOR_": (Kind.nor, "AB"),
    "$_XNOR_": (Kind.xnor, "AB"),
    "$_ANDNOT_": (Kind.andnot, "AB"),
    "$_ORNOT_": (Kind.ornot, "AB"),
}
_REGISTERS = ("$_DFF_P_", "$_DFF_N_")
_LATCHES = ("$_DLATCH_P_", "$_DLATCH_N_")  # transparent while E is 1, while E is 0
_CONSTANTS: Mapping[Bit, int] = {"0": 0, "x": 0, "z": 0, "1": 1}


@dataclass(frozen=True)
class Order:
    """The gates of a module in the order in which they can be computed.

    Attributes:
        gates: those that can be.
        nets: how many numbers of nets they use; 0 and 1 are the constants.
        net: number of every bit; what a register or a latch drives has that of its input.
        enable: net that is 1 where all latches are open, and so are wires.
        latency: clock edges between operands and product; None where there is no one answer.
        findings: what the order shows.
    """

    gates: Gates
    nets: int
    net: Mapping[Bit, int]
    enable: int
    latency: int | None
    findings: Findings


@dataclass(frozen=True)
class _Driver:
    """What a bit is computed from: by a gate, by a register or, without either, by a latch."""

    sources: tuple[Bit, ...]
    kind: Kind | None = None
    register: bool = False


def order(module: Module, *, a: str, b: str, p: str, clock: str) -> Order:
    """Orders the gates of a module that was lowered to gates, registers and latches as wires.

    Args:
        module: the module.
        a: port of the first operand.
        b: of the second.
        p: of the product.
        clock: whose edges may change registers, all on the rising or all on the falling one.
    """
    operands, product = [*module.port(a), *module.port(b)], module.port(p)
    (edge,) = module.port(clock)
    drivers, others, latches = _drivers(module, edge)
    read = {bit for cell in module.cells for bit in cell.reads} | {*product}
    undriven = read - {*operands, edge, *_CONSTANTS} - drivers.keys() - others

    # What is not computed is 0 here; the findings say so.
    net: dict[Bit, int] = {**_CONSTANTS, **dict.fromkeys([edge, *others, *undriven], 0)}
    net |= {bit: 2 + place for place, bit in enumerate(dict.fromkeys(operands))}
    nets = 2 + len(set(operands))
    # A mask for every bit: 2^k where it depends on the operands of k cycles ago.
    cycles = {bit: int(bit in operands) for bit in net}
    gates = []
    ready, stuck = _sorted(drivers)
    for bit in ready:
        driver = drivers[bit]
        inputs = [net[source] for source in driver.sources]
        cycles[bit] = reduce(or_, (cycles[one] for one in driver.sources)) << driver.register
        if driver.kind is None:
            (net[bit],) = inputs
            continue
        gates.append([driver.kind, nets, *inputs, *[0] * (3 - len(inputs))])
        net[bit], nets = nets, nets + 1
    net, cycles = net | dict.fromkeys(stuck, 0), cycles | dict.fromkeys(stuck, 0)
    enable = 1
    for bit, positive in dict.fromkeys(latches):
        gates.append([Kind.and_ if positive else Kind.andnot, nets, enable, net[bit], 0])
        enable, nets = nets, nets + 1

    registers = {bit for bit, driver in drivers.items() if driver.register}
    keeping = (_on_cycles(stuck, drivers) & registers) | (others - module.latched)
    mask = reduce(or_, (cycles[bit] for bit in product))
    uneven = mask & (mask - 1) != 0
    return Order(
        np.array(gates, np.int32).reshape(-1, 5),
        nets,
        net,
        enable,
        None if uneven or stuck or others else max(0, mask.bit_length() - 1),
        Findings(
            loops=module.shown(_on_cycles(stuck - registers, drivers)),
            registers=module.shown(registers | keeping),
            keeping=module.shown(keeping),
            undriven=module.shown(undriven),
            unused=module.shown(bit for bit in operands if bit not in read),
            uneven=module.shown(bit for bit in product if cycles[bit]) if uneven else (),
        ),
    )


def _drivers(
    module: Module, edge: Bit
) -> tuple[dict[Bit, _Driver], set[Bit], list[tuple[Bit, bool]]]:
    """What every bit is computed from.

    Returns:
        Drivers by bit. Bits that something drives that is none. Enables of latches, and whether 1
        opens them.
    """
    kinds = {cell.type for cell in module.cells}
    clocked = any(edge in cell.reads for cell in module.cells)
    register = next((kind for kind in _REGISTERS if kind in kinds), None)
    drivers, others, latches = dict[Bit, _Driver](), set[Bit](), []
    for cell in module.cells:
        pins = {pin: bits[0] for pin, bits in cell.pins.items() if bits}
        if cell.type in _KINDS:
            kind, inputs = _KINDS[cell.type]
            drivers[pins["Y"]] = _Driver(tuple(pins[pin] for pin in inputs), kind)
        elif cell.type == register and pins["C"] == edge:
            drivers[pins["Q"]] = _Driver((pins["D"],), register=True)
        elif cell.type in _LATCHES and not clocked:  # a clock opens and closes them in turn
            drivers[pins["Q"]] = _Driver((pins["D"],))
            latches.append((pins["E"], cell.type == _LATCHES[0]))
        else:
            others |= set(cell.drives)
    return drivers, others - drivers.keys(), latches


def _sorted(drivers: Mapping[Bit, _Driver]) -> tuple[list[Bit], set[Bit]]:
    """Bits after those that they are computed from, and those on or behind a cycle."""
    readers: dict[Bit, list[Bit]] = defaultdict(list)
    missing = {}
    for bit, driver in drivers.items():
        sources = set(driver.sources) & drivers.keys()
        missing[bit] = len(sources)
        for source in sources:
            readers[source].append(bit)
    ready = [bit for bit, count in missing.items() if count == 0]
    for bit in ready:  # which grows
        for reader in readers[bit]:
            missing[reader] -= 1
            if missing[reader] == 0:
                ready.append(reader)
    return ready, drivers.keys() - set(ready)


def _on_cycles(bits: set[Bit], drivers: Mapping[Bit, _Driver]) -> set[Bit]:
    """Those of some bits that are computed from one another in a cycle, or between two cycles."""
    left = {bit: set(drivers[bit].sources) & bits for bit in bits}
    while True:
        read = {source for sources in left.values() for source in sources}
        stay = {bit for bit, sources in left.items() if sources and bit in read}
        if len(stay) == len(left):
            return stay
        left = {bit: left[bit] & stay for bit in stay}
