# SPDX-License-Identifier: Apache-2.0
"""Do two flat modules have the same cells, whatever their order and the names of their nets?

Every bit gets a class: bits of one class are the same function of the inputs. Cells of one type,
one set of parameters and inputs of the same classes have outputs of the same classes. Registers of
one name are taken to be of one class, and are split for as long as their inputs are of several:
what stays together at last keeps the same values for ever if it begins with the same.
"""

import json
import re
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

Body = Mapping[str, Any]
"""A module of Yosys' JSON."""

_KEEPS = re.compile(r"\$(_|a|s|al)*(dff|ff|dlatch|sr|mem|lut_ff)", re.I)
_PASSED_OVER = {"$scopeinfo", "$print", "$check", "$assert", "$assume", "$cover"}


def read_module(path: Path, name: str) -> Body:
    """One module of a file that Yosys wrote."""
    body: Body = json.loads(path.read_text(encoding="utf-8"))["modules"][name]
    return body


def differing_ports(x: Body, y: Body) -> tuple[str, ...]:
    """Output ports of two modules whose cells are not the same.

    Args:
        x: flat.
        y: flat, with the same ports.
    """
    classes = _Classes((x, y))
    of_x, of_y = (classes.outputs(side) for side in (0, 1))
    return tuple(port for port in of_x if of_x[port] != of_y.get(port))


class _Classes:
    """Classes of the bits of some modules, made together."""

    def __init__(self, bodies: Sequence[Body]) -> None:
        self._bodies = bodies
        self._numbers: dict[Hashable, int] = {}
        cells = [
            {n: c for n, c in body["cells"].items() if c["type"] not in _PASSED_OVER}
            for body in bodies
        ]
        self._registers = [
            {n: c for n, c in side.items() if _KEEPS.match(c["type"])} for side in cells
        ]
        self._logic = [
            {n: c for n, c in side.items() if not _KEEPS.match(c["type"])} for side in cells
        ]
        self._orders = [_ordered(side) for side in self._logic]
        names = [_names(body) for body in bodies]
        kept = [
            {
                n: self._number("register", c["type"], _facts(c), _outputs(c, names[side]))
                for n, c in registers.items()
            }
            for side, registers in enumerate(self._registers)
        ]
        count = 0
        while True:
            self._bits = [self._classified(side, kept[side]) for side in range(len(bodies))]
            kept = [
                {
                    n: self._number("register", kept[side][n], self._inputs(side, c))
                    for n, c in registers.items()
                }
                for side, registers in enumerate(self._registers)
            ]
            parts = len({number for side in kept for number in side.values()})
            if parts == count:
                return
            count = parts

    def outputs(self, side: int) -> dict[str, tuple[int, ...]]:
        """By output port: the classes of its bits."""
        return {
            name: tuple(self._of(side, bit) for bit in port["bits"])
            for name, port in self._bodies[side]["ports"].items()
            if port["direction"] == "output"
        }

    def _number(self, *key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _classified(self, side: int, kept: Mapping[str, int]) -> dict[Any, int]:
        """By bit, its class, given those of the registers."""
        self._bits_now: dict[Any, int] = {}
        for name, port in self._bodies[side]["ports"].items():
            if port["direction"] == "input":
                for place, bit in enumerate(port["bits"]):
                    self._bits_now[bit] = self._number("input", name, place)
        for name, cell in self._registers[side].items():
            self._drive(cell, kept[name])
        for name in self._orders[side]:
            cell = self._logic[side][name]
            pins = tuple(
                (pin, tuple(self._now(side, bit) for bit in cell["connections"][pin]))
                for pin in sorted(cell["connections"])
                if cell["port_directions"][pin] == "input"
            )
            self._drive(cell, self._number("cell", cell["type"], _facts(cell), pins))
        return self._bits_now

    def _drive(self, cell: Body, number: int) -> None:
        for pin, bits in cell["connections"].items():
            if cell["port_directions"][pin] == "output":
                for place, bit in enumerate(bits):
                    self._bits_now[bit] = self._number("pin", number, pin, place)

    def _now(self, side: int, bit: Any) -> int:
        known = self._bits_now.get(bit)
        if known is not None:
            return known
        # A constant; or undriven, or on a loop: like nothing in another module.
        return self._number("constant", bit) if isinstance(bit, str) else self._number(side, bit)

    def _of(self, side: int, bit: Any) -> int:
        self._bits_now = self._bits[side]
        return self._now(side, bit)

    def _inputs(self, side: int, cell: Body) -> tuple[Hashable, ...]:
        return tuple(
            (pin, tuple(self._of(side, bit) for bit in cell["connections"][pin]))
            for pin in sorted(cell["connections"])
            if cell["port_directions"][pin] == "input"
        )


def _facts(cell: Body) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(cell["parameters"].items()))


def _names(body: Body) -> dict[Any, str]:
    """By bit: a name that a person wrote."""
    return {
        bit: f"{name}[{place}]"
        for name, net in sorted(body["netnames"].items())
        if not net["hide_name"]
        for place, bit in enumerate(net["bits"])
    }


def _outputs(cell: Body, names: Mapping[Any, str]) -> tuple[Any, ...]:
    return tuple(
        names.get(bit, "")
        for pin, bits in sorted(cell["connections"].items())
        if cell["port_directions"][pin] == "output"
        for bit in bits
    )


def _ordered(cells: Mapping[str, Body]) -> list[str]:
    """Cells after those that they read; without those on or behind a loop."""
    driver = {
        bit: name
        for name, cell in cells.items()
        for pin, bits in cell["connections"].items()
        if cell["port_directions"][pin] == "output"
        for bit in bits
    }
    readers: dict[str, list[str]] = defaultdict(list)
    missing = {}
    for name, cell in cells.items():
        sources = {
            driver[bit]
            for pin, bits in cell["connections"].items()
            if cell["port_directions"][pin] == "input"
            for bit in bits
            if bit in driver
        }
        missing[name] = len(sources)
        for source in sources:
            readers[source].append(name)
    ready = [name for name, count in missing.items() if count == 0]
    for name in ready:  # which grows
        for reader in readers[name]:
            missing[reader] -= 1
            if missing[reader] == 0:
                ready.append(reader)
    return ready
