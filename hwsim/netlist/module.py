# SPDX-License-Identifier: Apache-2.0
"""One flat module of Yosys' JSON: cells, bits, and the names that a person gave them.

A bit is a number, or `0`, `1`, `x`, `z` where it is constant.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Bit = int | str

_LATCH = re.compile(r"\$a?dlatch(sr)?|\$sr|\$_DLATCH\w*|\$_SR\w*")
BUFFERS = {"$_BUF_", "$buf"}
"""Cells that connect nets."""

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

    @property
    def drives(self) -> list[Bit]:
        """What its outputs are connected to."""
        return [bit for pin in self.outputs for bit in self.pins[pin]]

    @property
    def reads(self) -> list[Bit]:
        """What its inputs are connected to."""
        return [bit for pin in self.pins.keys() - set(self.outputs) for bit in self.pins[pin]]


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

    @cached_property
    def names(self) -> dict[Bit, str]:
        """A name for every bit that has one: the shortest of those that a person wrote."""
        wires = [
            (name.startswith(self._inside), name.removeprefix(self._inside), wire)
            for name, wire in self._body["netnames"].items()
            if not wire["hide_name"]
        ]
        found: dict[Bit, str] = {}
        for _, name, wire in sorted(wires, key=lambda w: (not w[0], w[1].count("."), len(w[1]))):
            for bit, shown in zip(wire["bits"], _indexed(name, wire), strict=True):
                found.setdefault(bit, shown)
        return found

    def spelt(self, net: str) -> list[str]:
        """Names of the bits of a net that a person wrote, the lowest first."""
        return _indexed(net, self._body["netnames"][self._inside + net])

    @cached_property
    def places(self) -> dict[str, str]:
        """Where the nets that a person wrote are declared: file and line by name."""
        return {
            name.removeprefix(self._inside): match[1]
            for name, wire in self._body["netnames"].items()
            # Instances that the net is inside of come before it.
            if (match := re.search(r"([^|]+:\d+)\.[\d.-]+$", wire["attributes"].get("src", "")))
        }

    def shown(self, bits: Iterable[Bit]) -> tuple[str, ...]:
        """Names of bits for people, runs joined."""
        bits = set(bits)
        return tuple(sorted(ranges(self.named(bits)))) or ("a net without a name",) * bool(bits)

    def named(self, bits: Iterable[Bit]) -> set[str]:
        """Names of those bits that have one."""
        return {self.names[bit] for bit in bits if bit in self.names}

    @property
    def latched(self) -> set[Bit]:
        """Bits that latches drive."""
        cells = [cell for cell in self.cells if _LATCH.fullmatch(cell.type)]
        return {bit for cell in cells for bit in cell.drives}

    @property
    def conflicts(self) -> set[Bit]:
        """Bits with more than one driver; a net that is assigned to another is one bit with it."""
        drivers: Counter[Bit] = Counter()
        for port in self._body["ports"].values():
            drivers.update(port["bits"] if port["direction"] == "input" else [])
        for cell in self.cells:
            drivers.update(cell.drives)
        return {bit for bit, count in drivers.items() if count > 1 or isinstance(bit, str)}

    @property
    def undriven(self) -> set[Bit]:
        """Bits that a person named, that something reads, and that nothing drives."""
        driven = {bit for cell in self.cells for bit in cell.drives}
        driven |= {bit for bits in self._ports("input", "inout") for bit in bits}
        # A variable may keep the value that it begins with.
        initial = {
            bit
            for wire in self._body["netnames"].values()
            for bit, value in zip(wire["bits"], _initial(wire), strict=False)
            if value in "01"
        }
        return (self._own & self._readers.keys()) - driven - initial

    @property
    def unused(self) -> set[Bit]:
        """Bits that a person named and that nothing reads, where each net is a module's own.

        The loop variables of a process, and variables whose value goes on under another name, are
        none.
        """
        source = {
            y: a
            for cell in self.cells
            if cell.type in BUFFERS
            for a, y in zip(cell.pins["A"], cell.pins["Y"], strict=True)
        }

        def goes_on(bit: Bit) -> bool:
            while (bit := source.get(bit, bit)) not in self._own:
                if isinstance(bit, str) or self._readers[bit] > 1:
                    return True
                if bit not in source:
                    break
            return False

        return {bit for bit in self._own - self._readers.keys() if not goes_on(bit)}

    @cached_property
    def _own(self) -> set[Bit]:
        nets = self._body["netnames"].items()
        return {
            bit
            for name, wire in nets
            if name.startswith(self._inside) and not wire["hide_name"]
            for bit in wire["bits"]
            if not isinstance(bit, str)
        }

    @cached_property
    def _readers(self) -> Counter[Bit]:
        readers = Counter(bit for cell in self.cells for bit in cell.reads)
        for bits in self._ports("output", "inout"):
            readers.update(bits)
        return readers

    def _ports(self, *directions: str) -> Iterator[list[Bit]]:
        for port in self._body["ports"].values():
            if port["direction"] in directions:
                yield port["bits"]


def _indexed(name: str, wire: Mapping[str, Any]) -> list[str]:
    count, low = len(wire["bits"]), wire.get("offset", 0)
    if count == 1:
        return [name]
    names = [f"{name}[{low + place}]" for place in range(count)]
    return names[::-1] if wire.get("upto") else names


def _initial(wire: Mapping[str, Any]) -> str:
    value: str = wire["attributes"].get("init", "")
    return value[::-1]


_INDEXED = re.compile(r"(.*)\[(-?\d+)\]")


def ranges(names: Iterable[str]) -> list[str]:
    """Names of bits with runs of one net joined: `n[0]`, `n[1]` become `n[1:0]`."""
    indexes: dict[str, list[int]] = {}
    whole: dict[str, None] = {}
    for name in names:
        match = _INDEXED.fullmatch(name)
        if match is None:
            whole[name] = None
        else:
            indexes.setdefault(match[1], []).append(int(match[2]))
    found = list(whole)
    for net, numbers in indexes.items():
        found += [
            f"{net}[{low}]" if low == high else f"{net}[{high}:{low}]"
            for low, high in _runs(sorted(numbers))
        ]
    return found


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    start = previous = numbers[0]
    for number in numbers[1:]:
        if number > previous + 1:
            yield start, previous
            start = number
        previous = number
    yield start, previous
