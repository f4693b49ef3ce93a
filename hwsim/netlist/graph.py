# SPDX-License-Identifier: Apache-2.0
"""Yosys' JSON of one flat module as a graph of bits: what drives them, in which order, what is odd.

A bit is a number, or `0`, `1`, `x` where it is constant.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

import numpy as np

from .bitgraph import ranges
from .netlist import Findings, Gates, Kind

Bit = int | str

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
_REGISTER = "$_DFF_P_"
_LATCH = re.compile(r"\$a?dlatch(sr)?|\$sr|\$_DLATCH\w*|\$_SR\w*")
_PASSED_OVER = {"$scopeinfo", "$print", "$check", "$assert", "$assume", "$cover"}


@dataclass(frozen=True)
class Cell:
    """One cell of Yosys.

    Attributes:
        type: such as `$_AND_`.
        pins: bits by pin.
        outputs: pins that are driven by it.
    """

    type: str
    pins: Mapping[str, Sequence[Bit]]
    outputs: tuple[str, ...]

    def bits(self, *, outputs: bool) -> list[Bit]:
        """What it drives, or what it reads."""
        return [
            b for pin, bits in self.pins.items() for b in bits if (pin in self.outputs) is outputs
        ]


class Module:
    """One module.

    Args:
        body: of Yosys' JSON.
        inside: before the names of nets that a person wrote.
    """

    def __init__(self, body: Mapping[str, Any], *, inside: str) -> None:
        self._body, self._inside = body, inside
        self.cells = [
            Cell(
                cell["type"],
                cell["connections"],
                tuple(pin for pin, way in cell["port_directions"].items() if way == "output"),
            )
            for cell in body["cells"].values()
            if cell["type"] not in _PASSED_OVER
        ]

    def port(self, name: str) -> list[Bit]:
        """Bits of a port, the lowest first."""
        bits: list[Bit] = self._body["ports"][name]["bits"]
        return bits

    def names(self) -> dict[Bit, str]:
        """A name for every bit that has one: the shortest of those that a person wrote."""
        wires = [
            (name.startswith(self._inside), name.removeprefix(self._inside), wire)
            for name, wire in self._body["netnames"].items()
            if not wire["hide_name"]
        ]
        found: dict[Bit, str] = {}
        for _, name, wire in sorted(wires, key=lambda w: (not w[0], w[1].count("."), len(w[1]))):
            bits, low = wire["bits"], wire.get("offset", 0)
            for place, bit in enumerate(bits):
                index = low + (len(bits) - 1 - place if wire.get("upto") else place)
                found.setdefault(bit, f"{name}[{index}]" if len(bits) > 1 else name)
        return found

    def shown(self, bits: Iterable[Bit]) -> tuple[str, ...]:
        """Names of bits for people, runs joined."""
        names = self.names()
        return tuple(sorted(ranges(names.get(bit, "an unnamed net") for bit in set(bits))))

    def latches(self) -> tuple[str, ...]:
        """Bits that latches drive."""
        cells = [cell for cell in self.cells if _LATCH.fullmatch(cell.type)]
        return self.shown(bit for cell in cells for bit in cell.bits(outputs=True))

    def conflicts(self) -> tuple[str, ...]:
        """Bits with more than one driver; a net that is assigned to another is one bit with it."""
        drivers: Counter[Bit] = Counter()
        for port in self._body["ports"].values():
            drivers.update(port["bits"] if port["direction"] == "input" else [])
        for cell in self.cells:
            drivers.update(cell.bits(outputs=True))
        return self.shown(b for b, count in drivers.items() if count > 1 or isinstance(b, str))


@dataclass(frozen=True)
class Order:
    """The gates of a module in the order in which they can be computed.

    Attributes:
        gates: those that can be.
        nets: how many numbers of nets they use; 0 and 1 are the constants.
        net: number of every bit; a register's output has that of its input.
        latency: clock edges between operands and product; None where there is no one answer.
        findings: what the order shows.
    """

    gates: Gates
    nets: int
    net: Mapping[Bit, int]
    latency: int | None
    findings: Findings


def order(module: Module, *, a: str, b: str, p: str, clock: str) -> Order:
    """Orders the gates of a module that was lowered to gates, registers as if they were wires.

    Args:
        module: the module.
        a: port of the first operand.
        b: of the second.
        p: of the product.
        clock: whose rising edges may change registers.
    """
    operands, product = [*module.port(a), *module.port(b)], module.port(p)
    (edge,) = module.port(clock)
    driver = {
        bit: cell
        for cell in module.cells
        for bit in cell.bits(outputs=True)
        if cell.type in _KINDS or (cell.type == _REGISTER and cell.pins["C"][0] == edge)
    }
    others = {bit: cell for cell in module.cells for bit in cell.bits(outputs=True)}
    others = {bit: cell for bit, cell in others.items() if bit not in driver}
    read = {bit for cell in module.cells for bit in cell.bits(outputs=False)} | {*product}
    undriven = read - {*operands, edge, "0", "1", "x", "z"} - driver.keys() - others.keys()

    # What is not computed is 0 here; the findings say so.
    net: dict[Bit, int] = dict.fromkeys([edge, *others, *undriven, "0", "x", "z"], 0) | {"1": 1}
    net |= {bit: 2 + place for place, bit in enumerate(dict.fromkeys(operands))}
    nets = 2 + len(set(operands))
    # A mask for every bit: 2^k where it depends on the operands of k cycles ago.
    cycles = {bit: int(bit in operands) for bit in net}
    gates = []
    ready, stuck = _sorted(driver)
    for bit in ready:
        cell = driver[bit]
        sources = _sources(cell)
        if cell.type == _REGISTER:
            net[bit], cycles[bit] = net[sources[0]], cycles[sources[0]] << 1
            continue
        gates.append([_KINDS[cell.type][0], nets, *(net[one] for one in sources)])
        gates[-1] += [0] * (5 - len(gates[-1]))
        net[bit], nets = nets, nets + 1
        cycles[bit] = reduce(or_, (cycles[one] for one in sources))
    net, cycles = net | dict.fromkeys(stuck, 0), cycles | dict.fromkeys(stuck, 0)

    registers = {bit for bit, cell in driver.items() if cell.type == _REGISTER}
    keeping = (_on_cycles(stuck, driver) & registers) | {
        bit for bit, cell in others.items() if not _LATCH.fullmatch(cell.type)
    }
    mask = reduce(or_, (cycles[bit] for bit in product))
    uneven = mask & (mask - 1) != 0
    return Order(
        np.array(gates, np.int32).reshape(-1, 5),
        nets,
        net,
        None if uneven or stuck or others else max(0, mask.bit_length() - 1),
        Findings(
            loops=module.shown(_on_cycles(stuck - registers, driver)),
            registers=module.shown(registers | keeping),
            keeping=module.shown(keeping),
            undriven=module.shown(undriven),
            unused=module.shown(bit for bit in operands if bit not in read),
            uneven=module.shown(bit for bit in product if cycles[bit]) if uneven else (),
        ),
    )


def _sources(cell: Cell) -> list[Bit]:
    pins = "D" if cell.type == _REGISTER else _KINDS[cell.type][1]
    return [cell.pins[pin][0] for pin in pins]


def _sorted(driver: Mapping[Bit, Cell]) -> tuple[list[Bit], set[Bit]]:
    """Bits after those that they are computed from, and those on or behind a cycle."""
    readers: dict[Bit, list[Bit]] = defaultdict(list)
    missing = {}
    for bit, cell in driver.items():
        sources = set(_sources(cell)) & driver.keys()
        missing[bit] = len(sources)
        for source in sources:
            readers[source].append(bit)
    ready = [bit for bit, count in missing.items() if count == 0]
    for bit in ready:  # which grows
        for reader in readers[bit]:
            missing[reader] -= 1
            if missing[reader] == 0:
                ready.append(reader)
    return ready, driver.keys() - set(ready)


def _on_cycles(bits: set[Bit], driver: Mapping[Bit, Cell]) -> set[Bit]:
    """Those of some bits that are computed from one another in a cycle, or between two cycles."""
    left = {bit: set(_sources(driver[bit])) & bits for bit in bits}
    while True:
        read = {source for sources in left.values() for source in sources}
        stay = {bit for bit, sources in left.items() if sources and bit in read}
        if len(stay) == len(left):
            return stay
        left = {bit: left[bit] & stay for bit in stay}
