# SPDX-License-Identifier: Apache-2.0
"""A multiplier whose faults are looked at one by one, and what they do to its table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Self

import numpy as np

from ..errors import HwsimError
from ..lut import Lut
from ..metrics import ErrorMetrics, error_metrics
from ..multipliers import Multiplier
from ..multipliers.comparing.difference import first_differences
from ..multipliers.multiplier import Progress
from ..netlist.evaluation import table
from ..netlist.netlist import Netlist
from ..netlist.program import Program
from ..netlist.synthesis import synthesise
from ..operands import MAX_BITS, Operands
from ..tools.pool import together
from ..verilog.circuit import Circuit
from .collapse import classes
from .stuck_at import Fault, net_names, stuck, stuck_at_faults


@dataclass(frozen=True)
class Effect:
    """One table, and the faults that give it.

    Attributes:
        classes: faults, those together that are equivalent gate by gate.
        sha256: of the table.
        detected: operand pairs that show the faults: their product is not the fault-free one.
        pairs: of operands in all.
        metrics: of the table, against the exact product.
    """

    classes: tuple[tuple[Fault, ...], ...]
    sha256: str
    detected: int
    pairs: int
    metrics: ErrorMetrics

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All of them."""
        return tuple(fault for some in self.classes for fault in some)

    @property
    def harmless(self) -> bool:
        """No operands show the faults: what they are in is redundant."""
        return self.detected == 0


@dataclass(frozen=True)
class Faulty:
    """A multiplier with a fault; its table is made whenever it is needed, which takes milliseconds.

    Attributes:
        name: with the table's digest, so that it is the same for all faults that give this table.
        label: names one of these.
        cut: whose gates it has.
        fault: one of them.
    """

    name: str
    label: str
    cut: "CircuitUnderTest"
    fault: Fault
    notes: tuple[str, ...] = ()

    @property
    def operands(self) -> Operands:
        """Of the table."""
        return self.cut.netlist.operands

    def table(self, *, jobs: int | None = None, progress: Progress | None = None) -> Lut:
        """All products."""
        return self.cut.table(self.fault)

    def circuit(self) -> None:
        """There is no Verilog of it."""


def require_gates(multiplier: Multiplier) -> Circuit:
    """The Verilog of a multiplier that faults can be looked for in.

    Raises:
        HwsimError: there is none, or operands that are too wide for a table.
    """
    circuit = multiplier.circuit()
    if circuit is None:
        raise HwsimError(
            f"{multiplier.name}: expected Verilog or a multiplier of the catalogue, since faults "
            "are of gates, got a table or a model"
        )
    if max(bits := circuit.operands.bits) > MAX_BITS:
        raise HwsimError(
            f"{multiplier.name}: expected operands of at most {MAX_BITS} bits, since every fault "
            f"is looked at in a table of all products, got {max(bits)}"
        )
    return circuit


@dataclass(frozen=True, eq=False)
class CircuitUnderTest:
    """A multiplier and its gates, which compute its table.

    Attributes:
        multiplier: without a fault.
        netlist: its gates.
    """

    multiplier: Multiplier
    netlist: Netlist

    @classmethod
    def of(cls, multiplier: Multiplier) -> Self:
        """Makes the gates of a multiplier.

        Raises:
            HwsimError: see `require_gates`; there is no Yosys, or the gates compute another table.
        """
        circuit = require_gates(multiplier)
        lut = multiplier.table()
        cut = cls(multiplier, synthesise(circuit))
        count, first = first_differences(lut, cut._table(cut.netlist))
        if count:
            one = first[0]
            raise HwsimError(
                f"{multiplier.name}: expected gates that compute the simulated table, but they "
                f"differ in {count:,} of {lut.table.size:,} products: {one.a} x {one.b} is "
                f"{one.expected} as simulated, {one.actual} as gates"
            )
        return cut

    @cached_property
    def names(self) -> dict[int, str]:
        """Of nets, see `net_names`."""
        return dict(net_names(self.netlist))

    def name(self, fault: Fault) -> str:
        """A fault as test engineers write it, `sum[3] sa0`; of a branch, also what it goes to."""
        if fault.reader is None:
            return f"{self.names[fault.net]} sa{fault.value}"
        gates = self.netlist.gates
        bit = fault.reader - len(gates)
        target = f"product bit {bit}" if bit >= 0 else self.names[int(gates[fault.reader, 1])]
        return f"{self.names[fault.net]} to {target} sa{fault.value}"

    def faults(self, *, branches: bool = False) -> list[Fault]:
        """See `stuck_at_faults`."""
        return stuck_at_faults(self.netlist, branches=branches)

    def table(self, fault: Fault) -> Lut:
        """All products with a fault."""
        return self._table(stuck(self.netlist, fault))

    def faulty(self, effect: Effect) -> Faulty:
        """The multiplier with the faults of an effect."""
        fault = self.shown(effect.faults)
        name = f"{self.multiplier.name} faulty {effect.sha256[:12]}"
        return Faulty(name, f"{self.multiplier.label} {self.name(fault)}", self, fault)

    def shown(self, faults: Sequence[Fault]) -> Fault:
        """The one to name of faults that do the same: of a net that the source names, if any is."""
        return min(
            faults, key=lambda one: (one.net not in self.netlist.names, one.reader is not None)
        )

    def effects(
        self,
        faults: Sequence[Fault],
        *,
        jobs: int | None = None,
        progress: Progress | None = None,
    ) -> list[Effect]:
        """What faults do, each table once.

        Args:
            faults: some or all of `faults`.
            jobs: tables at a time; None is one per processor core.
            progress: called with (classes of faults done, classes in all).

        Returns:
            Effects in the order of the faults.
        """
        lut, wanted = self.multiplier.table(), set(faults)
        # By the others, too, two may be equivalent.
        every = self.faults(branches=any(one.reader is not None for one in faults))
        some = (tuple(f for f in one if f in wanted) for one in classes(self.netlist, every))
        groups = [one for one in some if one]

        def effect(group: tuple[Fault, ...]) -> Effect:
            made = self.table(group[0])
            detected = int(np.count_nonzero(made.table != lut.table))
            return Effect((group,), made.sha256, detected, lut.table.size, error_metrics(made))

        found = together(
            {group: partial(effect, group) for group in groups},
            jobs=jobs,
            finished=lambda _, __, done: progress(done, len(groups)) if progress else None,
        )
        by_table: dict[str, Effect] = {}
        for one in found.values():
            before = by_table.get(one.sha256)
            whole = () if before is None else before.classes
            by_table[one.sha256] = replace(one, classes=(*whole, *one.classes))
        return list(by_table.values())

    def _table(self, netlist: Netlist) -> Lut:
        return Lut(table(Program.of(netlist), threads=1), *netlist.operands)
