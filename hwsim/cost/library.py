# SPDX-License-Identifier: Apache-2.0
"""Standard cells of a Liberty file: areas, functions, capacitances, delays, energies.

Whatever the file's units: areas as in the file, times in ns, capacitances in pF, voltages in V,
energies in pJ, leakage in nW.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import HwsimError
from ..netlist.netlist import Kind
from .functions import Function, parse_function
from .liberty import Group, read_liberty
from .tables import Arc, Table

_PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "k": 1e3}
_UNIT = re.compile(r"([\d.]*(?:[eE][+-]?\d+)?)\s*([a-zA-Z]*)")
_MOST_PINS = 12  # of a truth table


@dataclass(frozen=True, eq=False)
class Output:
    """An output of a cell.

    Attributes:
        function: of the cell's inputs.
        timing: delays from its inputs.
        power: energies of its edges.
    """

    function: Function
    timing: tuple[Arc, ...]
    power: tuple[Arc, ...]


@dataclass(frozen=True, eq=False)
class Cell:
    """A combinational cell, or a register whose outputs are what it takes at an edge of its clock.

    Attributes:
        name: of it.
        area: in the file's unit, mostly square micrometres.
        leakage: nW, mean over its states where the file has no figure of its own.
        inputs: capacitances in pF.
        power: energies that edges of an input cost inside, whatever the outputs do.
        outputs: by pin.
        usable: not marked as `dont_use`.
        clock: pin of a register's clock; empty for a combinational cell.
        falling: a register takes its value at the clock's falling edge.
        setup: by data pin of a register, how long before the edge it must have its value.
    """

    name: str
    area: float
    leakage: float
    inputs: dict[str, float]
    power: dict[str, tuple[Arc, ...]]
    outputs: dict[str, Output]
    usable: bool
    clock: str = ""
    falling: bool = False
    setup: dict[str, tuple[Arc, ...]] = field(default_factory=dict)


class Library:
    """A Liberty file.

    Args:
        path: of it, plain or by gzip.

    Raises:
        HwsimError: it cannot be read, or has no combinational cell.
    """

    def __init__(self, path: Path) -> None:
        self._group = read_liberty(path)
        self.path = path
        self.name = " ".join(self._group.names)
        scale, unit = (*self._group.values("capacitive_load_unit"), "1", "pf")[:2]
        self.load_unit = _unit(f"{scale}{unit}", "F") / 1e-12
        self.time_unit = _unit(self._group.attributes.get("time_unit", "1ns"), "s") / 1e-9
        volt = _unit(self._group.attributes.get("voltage_unit", "1V"), "V")
        self.voltage = volt * self._group.number("nom_voltage", 1.0)
        self.energy_unit = self.load_unit * volt**2
        self.leakage_unit = (
            _unit(self._group.attributes.get("leakage_power_unit", "1nW"), "W") / 1e-9
        )
        self._cells = {group.names[0]: group for group in self._group.all("cell") if group.names}
        self._templates = {
            group.names[0]: group
            for kind in ("lu_table_template", "power_lut_template")
            for group in self._group.all(kind)
        }
        self._read: dict[str, Cell | None] = {}
        if not self.inverter:
            raise HwsimError(f"{path}: expected a library with an inverter, found none")

    @cached_property
    def sha256(self) -> str:
        """Of the file, uncompressed, hexadecimal."""
        return hashlib.sha256(self._group._text.encode("latin-1")).hexdigest()

    @property
    def text(self) -> str:
        """Of the file."""
        return self._group._text

    def __iter__(self) -> Iterator[Cell]:
        """Combinational cells."""
        found = (self._cell(name) for name in self._cells)
        return (cell for cell in found if cell is not None and not cell.clock)

    def __getitem__(self, name: str) -> Cell:
        """A combinational cell or a register.

        Raises:
            HwsimError: there is none of this name.
        """
        cell = self._cell(name)
        if cell is None:
            raise HwsimError(
                f"{self.path}: expected a combinational cell or a register {name}, found none"
            )
        return cell

    def _cell(self, name: str) -> Cell | None:
        if name not in self._read:
            group = self._cells.get(name)
            self._read[name] = None if group is None else self._made(group)
        return self._read[name]

    @cached_property
    def inverter(self) -> Cell | None:
        """The smallest one."""
        return min(self._single(0b01), key=lambda cell: cell.area, default=None)

    @cached_property
    def buffer(self) -> Cell | None:
        """One to drive operands with: the smallest of at least twice the smallest inverter."""
        assert self.inverter is not None
        buffers = sorted(self._single(0b10), key=lambda cell: cell.area)
        strong = [cell for cell in buffers if cell.area >= 2 * self.inverter.area]
        return next(iter([*strong, *buffers[-1:]]), None)

    def _single(self, truth: int) -> list[Cell]:
        return [
            cell
            for cell in self
            if cell.usable and len(cell.inputs) == len(cell.outputs) == 1
            for output in cell.outputs.values()
            if output.function.truth(tuple(cell.inputs)) == truth
        ]

    @cached_property
    def full_adder(self) -> tuple[Cell, str, str] | None:
        """The smallest cell that adds three bits, and its outputs: sum and carry."""
        found = []
        for cell in self:
            if cell.usable and (len(cell.inputs), len(cell.outputs)) == (3, 2):
                pins = tuple(cell.inputs)
                by_truth = {
                    output.function.truth(pins): pin for pin, output in cell.outputs.items()
                }
                if by_truth.keys() == {_SUM, _CARRY}:
                    found.append((cell, by_truth[_SUM], by_truth[_CARRY]))
        return min(found, key=lambda one: one[0].area, default=None)

    @cached_property
    def _wire_load(self) -> Group | None:
        named = self._group.attributes.get("default_wire_load")
        groups = {group.names[0]: group for group in self._group.all("wire_load") if group.names}
        return groups.get(named or "")

    @property
    def wire_load(self) -> str:
        """Name of the library's default model of wires; empty where it has none."""
        return "" if self._wire_load is None else self._wire_load.names[0]

    def wire(self, fanout: int) -> float:
        """Capacitance in pF of a net's wire by the default wire-load model; 0 without one."""
        group = self._wire_load
        if group is None or not fanout:
            return 0.0
        points = sorted((float(n), float(length)) for n, length, *_ in group.every("fanout_length"))
        if not points:
            return 0.0
        counts, lengths = zip(*points, strict=True)
        length = float(np.interp(fanout, counts, lengths))
        length += max(0.0, fanout - counts[-1]) * group.number("slope")
        return float(length * group.number("capacitance") * self.load_unit)

    def _made(self, group: Group) -> Cell | None:
        """The cell; None where it is a latch, can let go of an output, or has no output."""
        if any(group.all(kind) for kind in ("latch", "ff_bank", "latch_bank", "statetable")):
            return None
        registers = group.all("ff")
        state: dict[str, Function] = {}
        clock, falling = "", False
        if registers:
            words = [registers[0].attributes.get(key) for key in ("next_state", "clocked_on")]
            if len(registers) > 1 or None in words:
                return None
            taken, edge = (parse_function(word or "") for word in words)
            state = dict(zip(registers[0].names, (taken, taken.inverted), strict=False))
            falling = edge.kind is Kind.not_
            clock = (edge.inputs[0] if falling else edge).pin
        inputs, power, outputs, setup = {}, {}, {}, {}
        for pin in group.all("pin"):
            name, direction = pin.names[0], pin.attributes.get("direction")
            if direction == "input":
                default = self._group.number("default_input_pin_cap")
                inputs[name] = pin.number("capacitance", default) * self.load_unit
                power[name] = self._energies(pin)
                setup[name] = self._timing(pin, ("rise_constraint", "fall_constraint"), "setup_")
            elif direction == "output":
                if "three_state" in pin.attributes or "function" not in pin.attributes:
                    return None
                function = parse_function(pin.attributes["function"])
                if registers:
                    if function.pin not in state:
                        return None
                    function = state[function.pin]
                timing = self._timing(pin, ("cell_rise", "cell_fall"))
                outputs[name] = Output(function, timing, self._energies(pin))
        if not outputs or len(inputs) > _MOST_PINS:
            return None
        states = [one.number("value") for one in group.all("leakage_power")]
        leakage = group.number("cell_leakage_power", float(np.mean(states)) if states else 0.0)
        return Cell(
            group.names[0],
            group.number("area"),
            leakage * self.leakage_unit,
            inputs,
            power,
            outputs,
            group.attributes.get("dont_use", "false").lower() != "true",
            clock,
            falling,
            {name: arcs for name, arcs in setup.items() if arcs},
        )

    def _timing(self, pin: Group, tables: tuple[str, str], kind: str = "") -> tuple[Arc, ...]:
        return tuple(
            arc
            for one in pin.all("timing")
            if one.attributes.get("timing_type", "").startswith(kind)
            for arc in self._arcs(one, tables, self.time_unit)
        )

    def _energies(self, pin: Group) -> tuple[Arc, ...]:
        return tuple(
            arc
            for one in pin.all("internal_power")
            for arc in self._arcs(one, ("rise_power", "fall_power"), self.energy_unit)
        )

    def _arcs(self, group: Group, kinds: tuple[str, str], value: float) -> list[Arc]:
        def table(kind: str, value: float) -> Table | None:
            found = next(iter(group.all(kind)), None)
            if found is None:
                return None
            template = self._templates.get(found.names[0]) if found.names else None
            return Table(found, template, time=self.time_unit, load=self.load_unit, value=value)

        both = table("power", value)
        rise, fall = (table(kind, value) or both for kind in kinds)
        slews = (table(kind, self.time_unit) for kind in ("rise_transition", "fall_transition"))
        sense = group.attributes.get("timing_sense", "non_unate")
        tables = (rise, fall, *slews)
        return [
            Arc(pin, sense, *tables)
            for pin in group.attributes.get("related_pin", "").split() or [""]
        ]


_SUM, _CARRY = (parse_function(text).truth("ABC") for text in ("A^B^C", "A B + B C + A C"))


def _unit(text: str, base: str) -> float:
    """`1pf` or `10ns` in the base unit.

    Raises:
        HwsimError: it is no such unit.
    """
    match = _UNIT.fullmatch(text.strip())
    prefix = match[2].lower().removesuffix(base.lower()) if match else ""
    if match is None or not match[2].lower().endswith(base.lower()) or prefix not in _PREFIXES:
        raise HwsimError(f"expected a unit in {base}, such as 1n{base}, got {text!r:.40}")
    return float(match[1] or 1) * _PREFIXES[prefix]
