# SPDX-License-Identifier: Apache-2.0
"""Gates and registers on one clock, as functions without registers: one step, or many cycles."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .equivalence import Cone
from .identity import Body
from .module import Module
from .netlist import Gates
from .order import order

_REGISTER = "$_DFF_P_"


@dataclass(frozen=True, eq=False)
class Machine:
    """A module of several circuits side by side, lowered to gates and registers.

    Attributes:
        gates: in order.
        nets: how many.
        inputs: nets by number of the circuit.
        outputs: likewise.
        registers: by name: net that it keeps, and net that it takes at an edge.
    """

    gates: Gates
    nets: int
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    registers: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, body: Body, *, inputs: str, clock: str) -> "Machine":
        """From a module with inputs `x0`, `x1`, ..., outputs `y0`, `y1`, ... and a clock.

        Args:
            body: of Yosys' JSON, flat.
            inputs: what the names of inputs begin with.
            clock: port.

        Raises:
            ValueError: latches, loops, another clock, or nets that nothing or several things drive.
        """
        (edge,) = body["ports"][clock]["bits"]
        cells = body["cells"]
        kept = {
            name: cell["connections"]
            for name, cell in cells.items()
            if cell["type"] == _REGISTER and cell["connections"]["C"] == [edge]
        }
        names = {
            bit: f"{name}[{place}]"
            for name, net in sorted(body["netnames"].items(), reverse=True)
            if not net["hide_name"]
            for place, bit in enumerate(net["bits"])
        }
        registers = {
            names.get(pins["Q"][0], f"?{name}"): (pins["Q"][0], pins["D"][0])
            for name, pins in kept.items()
        }
        count = sum(port.startswith(inputs) for port in body["ports"])
        wires = [
            [body["ports"][f"{way}{i}"]["bits"] for i in range(count)] for way in (inputs, "y")
        ]
        inner = [bit for bits in wires[0] for bit in bits] + [q for q, _ in registers.values()]
        outer = [bit for bits in wires[1] for bit in bits] + [d for _, d in registers.values()]
        ports = {
            "a": {"direction": "input", "bits": inner},
            "p": {"direction": "output", "bits": outer},
            "c": {"direction": "input", "bits": [edge]},
        }
        rest = {name: cell for name, cell in cells.items() if name not in kept}
        module = Module({**body, "cells": rest, "ports": ports}, inside="u_")
        found = order(module, a="a", b="a", p="p", clock="c")
        odd = found.findings
        if found.latency is None or found.enable != 1 or odd.undriven or module.conflicts:
            raise ValueError("no gates and registers on one clock alone")
        entering, leaving = (
            tuple(tuple(found.net[bit] for bit in bits) for bits in side) for side in wires
        )
        kept_nets = {name: (found.net[q], found.net[d]) for name, (q, d) in registers.items()}
        ordered = dict(sorted(kept_nets.items()))
        return cls(found.gates, found.nets, entering, leaving, ordered)

    def cone(self, *circuits: int) -> Cone:
        """From inputs to outputs of some circuits that have no registers."""
        return Cone(
            self.gates,
            tuple(net for number in circuits for net in self.inputs[number]),
            tuple(net for number in circuits for net in self.outputs[number]),
        ).pruned()

    def step(self) -> Cone:
        """From inputs and registers to outputs and what the registers become."""
        inputs, outputs = ([net for nets in side for net in nets] for side in self._ports)
        q, d = zip(*self.registers.values(), strict=True)
        return Cone(self.gates, (*inputs, *q), (*outputs, *d))

    @property
    def _ports(self) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
        return self.inputs, self.outputs

    def unrolled(self, cycles: int) -> Cone:
        """From the inputs of some cycles to the outputs of all, from registers that are 0."""
        entering, leaving = ([net for nets in side for net in nets] for side in self._ports)
        state = dict.fromkeys((q for q, _ in self.registers.values()), 0)
        inputs, outputs, gates = list[int](), list[int](), list[Gates]()
        for cycle in range(cycles):
            # The nets of this cycle stand behind those of the last one.
            number = np.arange(self.nets, dtype=np.int32) + cycle * self.nets
            number[:2] = (0, 1)
            for q, net in state.items():
                number[q] = net
            made = self.gates.copy()
            made[:, 1:] = number[made[:, 1:]]
            gates.append(made)
            inputs += number[entering].tolist()
            outputs += number[leaving].tolist()
            state = {q: int(number[d]) for q, d in self.registers.values()}
        return Cone(np.concatenate(gates), tuple(inputs), tuple(outputs))
