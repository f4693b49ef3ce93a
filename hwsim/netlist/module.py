# SPDX-License-Identifier: Apache-2.0
"""One flat module of Yosys' JSON: cells, bits, and the names that a person gave them.

A bit is a number, or `0`, `1`, `x`, `z` where it is constant.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .bitgraph import ranges

Bit = int | str

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
            bits, low = wire["bits"], wire.get("offset", 0)
            for place, bit in enumerate(bits):
                index = low + (len(bits) - 1 - place if wire.get("upto") else place)
                found.setdefault(bit, f"{name}[{index}]" if len(bits) > 1 else name)
        return found

    def shown(self, bits: Iterable[Bit]) -> tuple[str, ...]:
        """Names of bits for people, runs joined."""
        bits = set(bits)
        named = [self.names[bit] for bit in bits & self.names.keys()]
        return tuple(sorted(ranges(named))) or ("a net without a name",) * bool(bits)

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
