# SPDX-License-Identifier: Apache-2.0
"""A multiplier made of the cells of a library."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from ..errors import HwsimError
from ..netlist.netlist import Kind, Netlist
from ..operands import Operand, Operands
from .functions import Function
from .library import Cell, Library

_CONSTANTS = {"0": 0, "x": 0, "z": 0, "1": 1}


@dataclass(frozen=True, eq=False)
class Instance:
    """One cell and what it is connected to.

    Attributes:
        cell: of the library.
        pins: net of each connected pin.
    """

    cell: Cell
    pins: Mapping[str, int]

    @property
    def inputs(self) -> Iterator[tuple[str, int]]:
        """Input pins and their nets."""
        return ((pin, self.pins[pin]) for pin in self.cell.inputs if pin in self.pins)

    @property
    def outputs(self) -> Iterator[tuple[str, int]]:
        """Output pins and their nets."""
        return ((pin, self.pins[pin]) for pin in self.cell.outputs if pin in self.pins)


@dataclass(frozen=True, eq=False)
class Mapped:
    """A multiplier of cells, combinational or a pipeline.

    Attributes:
        name: for messages.
        operands: what goes in.
        product: what comes out.
        a: nets of the activation, the lowest bit first; net 0 is 0 and net 1 is 1.
        b: of the weight.
        p: of the product.
        instances: each after those that it reads.
        nets: how many there are.
    """

    name: str
    operands: Operands
    product: Operand
    a: tuple[int, ...]
    b: tuple[int, ...]
    p: tuple[int, ...]
    instances: tuple[Instance, ...]
    nets: int

    @classmethod
    def of(
        cls, body: Mapping[str, Any], library: Library, *, name: str, operands: Operands,
        product: Operand,
    ) -> Self:  # fmt: skip
        """From what `connections` keeps of Yosys' JSON.

        Args:
            body: `cells`, each a name and its pins, and `a`, `b`, `p`.
            library: that has these cells.
            name: for messages.
            operands: of the multiplier.
            product: likewise.

        Raises:
            HwsimError: a cell is not of the library; there is a loop, with registers in it or not;
                registers are not all on one edge of a clock that nothing drives.
        """
        number: dict[Any, int] = dict(_CONSTANTS)
        nets = 2

        def net(bit: Any) -> int:
            nonlocal nets
            if bit not in number:
                number[bit], nets = nets, nets + 1
            return number[bit]

        a, b = (tuple(net(bit) for bit in body[port]) for port in "ab")
        instances = [
            Instance(library[cell], {pin: net(bit) for pin, bit in pins.items()})
            for cell, pins in body["cells"]
        ]
        p = tuple(net(bit) for bit in body["p"])
        ordered = _ordered(instances, name)
        clocks = {(one.pins[one.cell.clock], one.cell.falling) for one in ordered if one.cell.clock}
        driven = {net for one in ordered for _, net in one.outputs}
        if len(clocks) > 1 or any(clock in driven for clock, _ in clocks):
            raise HwsimError(
                f"{name}: expected all registers at one edge of the clock to know its cost, got "
                "some at another edge or behind a gate"
            )
        return cls(name, operands, product, a, b, p, tuple(ordered), nets)

    @property
    def area(self) -> float:
        """In the library's unit."""
        return sum(one.cell.area for one in self.instances)

    @property
    def leakage(self) -> float:
        """In nW."""
        return sum(one.cell.leakage for one in self.instances)

    @cached_property
    def registers(self) -> tuple[Instance, ...]:
        """Those of a pipeline; none in a combinational multiplier."""
        return tuple(one for one in self.instances if one.cell.clock)

    @cached_property
    def readers(self) -> dict[int, list[tuple[Instance, str]]]:
        """By net: instances that read it, and on which pin."""
        found: dict[int, list[tuple[Instance, str]]] = defaultdict(list)
        for one in self.instances:
            for pin, net in one.inputs:
                found[net].append((one, pin))
        return found

    @cached_property
    def netlist(self) -> Netlist:
        """The same as gates; nets keep their numbers, those inside of cells stand behind.

        Registers are wires, or inverters, as in every netlist.
        """
        gates: list[list[int]] = []
        nets = self.nets

        def build(function: Function, pins: Mapping[str, int], output: int) -> None:
            if function.kind is None:
                source = _pin(pins, function.pin)
                gates.append([Kind.or_, output, source, source, 0])
                return
            inputs = [inner(one, pins) for one in function.inputs]
            gates.append([function.kind, output, *inputs, *[0] * (3 - len(inputs))])

        def inner(function: Function, pins: Mapping[str, int]) -> int:
            nonlocal nets
            if function.kind is None:
                return _pin(pins, function.pin)
            nets += 1
            own = nets - 1
            build(function, pins, own)
            return own

        for one in self.instances:
            for pin, output in one.outputs:
                build(one.cell.outputs[pin].function, one.pins, output)
        return Netlist(
            self.name, self.operands, self.product, self.a, self.b, self.p,
            np.array(gates, np.int32).reshape(-1, 5), nets,
        )  # fmt: skip


def connections(module: Mapping[str, Any], *, a: str, b: str, p: str) -> dict[str, Any]:
    """What a `Mapped` needs of one module of Yosys' JSON, for a cache.

    Args:
        module: flat, of cells.
        a: port of the activation.
        b: of the weight.
        p: of the product.
    """
    return {
        "cells": [
            [cell["type"], {pin: bits[0] for pin, bits in cell["connections"].items() if bits}]
            for cell in module["cells"].values()
            if cell["type"] != "$scopeinfo"
        ],
        **{key: module["ports"][port]["bits"] for key, port in zip("abp", (a, b, p), strict=True)},
    }


def _pin(pins: Mapping[str, int], name: str) -> int:
    return int(name) if name in "01" else pins.get(name, 0)


def _ordered(instances: list[Instance], name: str) -> list[Instance]:
    driven = {net for one in instances for _, net in one.outputs}
    readers: dict[int, list[int]] = defaultdict(list)
    missing = []
    for place, one in enumerate(instances):
        sources = {net for _, net in one.inputs} & driven
        missing.append(len(sources))
        for net in sources:
            readers[net].append(place)
    ready = [place for place, count in enumerate(missing) if count == 0]
    for place in ready:  # which grows
        for _, net in instances[place].outputs:
            for reader in readers[net]:
                missing[reader] -= 1
                if missing[reader] == 0:
                    ready.append(reader)
    if len(ready) != len(instances):
        kept = any(instances[place].cell.clock for place in set(range(len(instances))) - set(ready))
        expected, got = "cells without a combinational loop", "one"
        if kept:
            expected, got = "a pipeline to know its cost", "registers that depend on themselves"
        raise HwsimError(f"{name}: expected {expected}, got {got}")
    return [instances[place] for place in ready]
