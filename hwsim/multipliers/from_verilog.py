# SPDX-License-Identifier: Apache-2.0
"""A multiplier in a user's Verilog files."""

from dataclasses import dataclass
from functools import cached_property

from ..errors import HwsimError
from ..lut import Lut
from ..models.cmodel import TIME_LIMIT
from ..operands import Operand
from ..verilog.circuit import Circuit, read_circuit
from .cache import circuit_facts, through_cache
from .multiplier import KeptTable, Progress
from .source import VerilogSource
from .tabulation import tabulate, with_signs


@dataclass(frozen=True)
class FromVerilog(KeptTable):
    """A multiplier in Verilog.

    Attributes:
        source: the files, and what they do not say.
        bits: operand bits that are expected; None: as they are.
        time_limit: seconds without progress before a simulation is ended.
        cache: take the table from the cache of simulated ones, and keep it there.
    """

    source: VerilogSource
    bits: int | None = None
    time_limit: float = TIME_LIMIT
    cache: bool = True

    @property
    def name(self) -> str:
        """File and facts."""
        return self.source.name

    @property
    def label(self) -> str:
        """Top or file, and parameters."""
        return self.source.label

    @property
    def operands(self) -> tuple[Operand, Operand]:
        """Those of the table: signed ones behind a wrapper."""
        operand = Operand(self._circuit.roles.width, self._wrap or self._circuit.signed)
        return operand, operand

    @property
    def notes(self) -> tuple[str, ...]:
        """What was concluded from the Verilog, and where the table was taken from."""
        read = self.__dict__.get("_circuit")
        concluded = () if read is None else tuple(f"{self.name}: {one}" for one in read.notes)
        return (*concluded, *super().notes)

    def circuit(self) -> Circuit:
        """What a simulator sees: the core, or the wrapper around it."""
        return self._simulated

    @cached_property
    def _simulated(self) -> Circuit:
        return with_signs(self._circuit, limit=self.time_limit) if self._wrap else self._circuit

    @property
    def _wrap(self) -> bool:
        return self.source.sign == "wrap"

    @cached_property
    def _circuit(self) -> Circuit:
        source = self.source
        assert source.file is not None, "facts alone are no multiplier"
        circuit = read_circuit(
            [source.file, *source.more],
            top=source.top,
            a=source.a,
            b=source.b,
            p=source.p,
            weight=source.weight,
            signed=None if source.sign is None else source.sign == "signed",
            parameters=source.parameters,
            includes=source.includes,
            ties=source.ties,
        )
        if self.bits not in {None, circuit.roles.width}:
            raise HwsimError(
                f"{circuit.name}: expected operands of {self.bits} bits, got {circuit.roles.width}"
            )
        return circuit

    def _make(self, jobs: int | None, progress: Progress | None) -> tuple[Lut, tuple[str, ...]]:
        lut, origin = through_cache(
            circuit_facts(self._circuit, wrap=self._wrap),
            lambda: tabulate(self.circuit(), jobs=jobs, limit=self.time_limit, progress=progress),
            enabled=self.cache,
        )
        wrapped = " in a sign-magnitude wrapper, as requested" if self._wrap else ""
        return lut, (f"{self.name}{wrapped}: {origin}",)
