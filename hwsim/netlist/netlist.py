# SPDX-License-Identifier: Apache-2.0
"""A multiplier as gates in the order in which they can be computed, and what is odd about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..operands import Operand, Operands

Gates = NDArray[np.int32]
"""(N, 5): kind, output net, and up to three input nets, 0 where there is none."""


class Kind(IntEnum):
    """What a gate computes of x, y and z, in the order that `native/gates.hpp` has too."""

    not_ = 0
    and_ = 1
    or_ = 2
    xor = 3
    mux = 4  # y if z else x
    nand = 5
    nor = 6
    xnor = 7
    andnot = 8  # x and not y
    ornot = 9  # x or not y


@dataclass(frozen=True)
class Findings:
    """What stands in a circuit beside its gates, by the names of its source, runs of bits joined.

    Attributes:
        loops: nets on combinational loops, or between two.
        latches: bits that keep their value on some path through the Verilog.
        registers: bits that a clock edge changes.
        keeping: registers that keep their value for other reasons than waiting for an edge of the
            clock: they depend on themselves, on a condition, or on another clock.
        undriven: bits that are read and that nothing drives.
        conflicts: bits with more than one driver.
        unused: operand bits that the product does not depend on.
        uneven: product bits that combine operands of different cycles.
    """

    loops: tuple[str, ...] = ()
    latches: tuple[str, ...] = ()
    registers: tuple[str, ...] = ()
    keeping: tuple[str, ...] = ()
    undriven: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    uneven: tuple[str, ...] = ()

    @property
    def flaws(self) -> tuple[str, ...]:
        """What is a mistake whatever the products are, each a clause."""
        return _clauses(
            {
                "nothing drives {}": self.undriven,
                "more than one driver of {}": self.conflicts,
            }
        )

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why gates may compute something else than a simulator, each a clause."""
        kept = _clauses(
            {
                "a combinational loop through {}": self.loops,
                "a latch: {} keeps its value on some path": self.latches,
                "a register that keeps its value: {}": self.keeping,
                "operands of different cycles meet in {}": self.uneven,
            }
        )
        return (*kept, *self.flaws)


@dataclass(frozen=True, eq=False)
class Netlist:
    """Gates between two operands and a product; registers of a pipeline and latches are wires here.

    Attributes:
        name: of the circuit, for messages.
        operands: what goes in.
        product: what comes out.
        a: nets of the activation, the lowest bit first; net 0 is 0 and net 1 is 1.
        b: nets of the weight.
        p: nets of the product.
        gates: each after those that it reads.
        nets: how many there are.
        enable: net that is 1 where all latches are open; else the product is an earlier one.
        names: of nets, as the source spells them; gates inside an expression have none.
        latency: clock edges between operands and product; None where there is no one answer.
        findings: what is odd.
        reader: what read the Verilog, e.g. `Yosys 0.70`.
    """

    name: str
    operands: Operands
    product: Operand
    a: tuple[int, ...]
    b: tuple[int, ...]
    p: tuple[int, ...]
    gates: Gates
    nets: int
    enable: int = 1
    names: Mapping[int, str] = field(default_factory=dict)
    latency: int | None = 0
    findings: Findings = field(default_factory=Findings)
    reader: str = ""

    @property
    def depth(self) -> int:
        """Gates on the longest path."""
        level = np.zeros(self.nets, np.int32)
        for _, output, x, y, z in self.gates.tolist():
            level[output] = 1 + max(level[x], level[y], level[z])
        return int(level[list(self.p)].max())

    @property
    def counts(self) -> dict[str, int]:
        """How many gates there are of each kind."""
        numbers = np.bincount(self.gates[:, 0], minlength=len(Kind))
        return {kind.name.strip("_"): int(numbers[kind]) for kind in Kind if numbers[kind]}

    def require_function(self) -> "Netlist":
        """These gates, if the product is a function of the operands alone.

        Raises:
            HwsimError: loops, or registers that keep their value.
        """
        if self.latency is None:
            raise HwsimError(
                f"{self.name}: expected gates whose product depends on one operand pair, got "
                f"{'; '.join(self.findings.reasons)}"
            )
        return self


def _clauses(names: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(clause.format(_few(some)) for clause, some in names.items() if some)


def _few(names: tuple[str, ...], most: int = 4) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
