# SPDX-License-Identifier: Apache-2.0
"""Multipliers whose products are computed from the gates of their Verilog, not looked up."""

import hashlib
import json
from dataclasses import dataclass

from ..errors import HwsimError
from ..lut import Lut
from ..netlist.evaluation import table
from ..netlist.netlist import Netlist
from ..netlist.program import Program
from ..netlist.synthesis import synthesise
from ..operands import MAX_BITS, Operands
from .cache import circuit_facts
from .catalogued import Catalogued
from .from_verilog import FromVerilog
from .multiplier import KeptTable, Multiplier, Progress

PREFIX = "gates:"
"""Before a multiplier of the catalogue, or Verilog."""

TABLE_BITS = 8
"""Widest operands whose products a network looks up where nobody requests gates."""


@dataclass(frozen=True)
class ByGates(KeptTable):
    """The gates of a multiplier's Verilog: its table needs no simulator, its networks no table.

    Attributes:
        multiplier: whose.
    """

    multiplier: Catalogued | FromVerilog

    @property
    def name(self) -> str:
        """`gates:drum(4)`."""
        return f"{PREFIX}{self.multiplier.name}"

    @property
    def label(self) -> str:
        """`DR4 gates`."""
        return f"{self.multiplier.label} gates"

    @property
    def operands(self) -> Operands:
        """What the activation and the weight are."""
        return self.multiplier.operands

    def circuit(self) -> None:
        """None that a simulator sees."""

    def _make(self, _jobs: int | None, _progress: Progress | None) -> tuple[Lut, tuple[str, ...]]:
        self.operands.require_table()
        return Lut(table(program_of(self)), *self.operands, {"multiplier": self.name}), ()


def gates_of(multiplier: Multiplier) -> Netlist:
    """The gates of a multiplier's Verilog, made once; latches that can close are refused.

    Raises:
        HwsimError: there is no Verilog, or no Yosys.
    """
    if isinstance(multiplier, ByGates):
        return gates_of(multiplier.multiplier)
    kept = multiplier.__dict__  # beside the fields, as the table is
    if "gates" not in kept:
        circuit = multiplier.circuit()
        if circuit is None:
            raise HwsimError(
                f"{multiplier.name}: expected Verilog, whose gates give products of operands of "
                f"{max(multiplier.operands.bits)} bits"
            )
        netlist = synthesise(circuit)
        if netlist.enable != 1:
            raise HwsimError(f"{multiplier.name}: {'; '.join(netlist.findings.reasons)}")
        kept["gates"] = netlist
    gates: Netlist = kept["gates"]
    return gates


def program_of(multiplier: Multiplier) -> Program:
    """What evaluates them, made once.

    Raises:
        HwsimError: as `gates_of`; or a product is no function of one operand pair.
    """
    if isinstance(multiplier, ByGates):
        return program_of(multiplier.multiplier)
    kept = multiplier.__dict__
    if "program" not in kept:
        kept["program"] = Program.of(gates_of(multiplier))
    program: Program = kept["program"]
    return program


def notes_of(multiplier: Multiplier) -> tuple[str, ...]:
    """What is to be said of a multiplier, and of its gates where they were made."""
    core = multiplier.multiplier if isinstance(multiplier, ByGates) else multiplier
    netlist: Netlist | None = core.__dict__.get("gates")
    if netlist is None:
        return multiplier.notes
    parts = (f"{len(netlist.gates):,} gates by {netlist.reader}", *netlist.findings.flaws)
    return (*multiplier.notes, f"{multiplier.name}: {'; '.join(parts)}")


def is_by_gates(multiplier: Multiplier) -> bool:
    """Whether networks compute its products from gates: on request, or as no table is practical."""
    return isinstance(multiplier, ByGates) or max(multiplier.operands.bits) > TABLE_BITS


def computed(multiplier: Multiplier, *, jobs: int | None = None) -> Lut | Program:
    """What a network computes products with: a table to look them up in, or gates.

    Args:
        multiplier: any.
        jobs: simulators at a time, for a table.

    Raises:
        HwsimError: one sentence about why there is neither.
    """
    return program_of(multiplier) if is_by_gates(multiplier) else multiplier.table(jobs=jobs)


def digest_of(multiplier: Multiplier) -> str:
    """SHA-256 of a multiplier's table; of its Verilog where there are too many products.

    Raises:
        HwsimError: as `computed`.
    """
    if not is_by_gates(multiplier):
        return multiplier.table().sha256
    core = multiplier.multiplier if isinstance(multiplier, ByGates) else multiplier
    kept = core.__dict__
    if "digest" not in kept:
        program, circuit = program_of(core), core.circuit()
        assert circuit is not None  # as there are gates
        facts = json.dumps(circuit_facts(circuit), sort_keys=True)
        kept["digest"] = (
            hashlib.sha256(facts.encode()).hexdigest()
            if max(core.operands.bits) > MAX_BITS
            else Lut(table(program), *core.operands).sha256
        )
    digest: str = kept["digest"]
    return digest
