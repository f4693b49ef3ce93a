# SPDX-License-Identifier: Apache-2.0
"""A multiplier in a user's Verilog files."""

from dataclasses import dataclass, field, replace
from functools import cached_property

from axhil.errors import explained

from ..lut import Lut
from ..models.cmodel import TIME_LIMIT
from ..operands import Asked, Operands
from ..verilog.circuit import Circuit, read_circuit
from .cache import circuit_facts, through_cache
from .multiplier import KeptTable, Progress
from .source import VerilogSource
from .tabulating.controls import settled
from .tabulating.tabulation import tabulate, with_signs


@dataclass(frozen=True)
class FromVerilog(KeptTable):
    """A multiplier in Verilog.

    Attributes:
        source: the files, and what they do not say.
        requested: what the user says of the operands where the source does not.
        time_limit: seconds without progress before a simulation is ended.
        cache: take the table from the cache of simulated ones, and keep it there.
    """

    source: VerilogSource
    requested: Asked = field(default_factory=Asked)
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
    def operands(self) -> Operands:
        """Those of the table: signed ones behind a wrapper."""
        operands = self._circuit.operands
        return operands.as_signed() if self._wrap else operands

    @property
    def notes(self) -> tuple[str, ...]:
        """What was concluded from the Verilog, and where the table was taken from."""
        if made := super().notes:
            return made
        read = self.__dict__.get("_settled") or self.__dict__.get("_circuit")
        return () if read is None else tuple(f"{self.name}: {one}" for one in read.notes)

    def circuit(self) -> Circuit:
        """What a simulator sees: the core, or the wrapper around it."""
        return self._simulated

    @cached_property
    def _simulated(self) -> Circuit:
        return with_signs(self._settled, limit=self.time_limit) if self._wrap else self._settled

    @cached_property
    def _settled(self) -> Circuit:
        return settled(self._circuit, limit=self.time_limit)

    @property
    def _wrap(self) -> bool:
        return self.source.sign == "wrap"

    @cached_property
    def _circuit(self) -> Circuit:
        source = self.source
        assert source.file is not None, "facts alone are no multiplier"
        return read_circuit(
            [source.file, *source.more],
            top=source.top,
            a=source.a,
            b=source.b,
            p=source.p,
            weight=source.weight,
            asked=self._asked,
            parameters=source.parameters,
            includes=source.includes,
            defines=source.defines,
            ties=source.ties,
            product_shift=source.product_shift or 0,
        )

    @property
    def _asked(self) -> Asked:
        source = self.source
        if source.operands is not None:
            return Asked(operands=source.operands)
        if source.sign is None:
            return replace(self.requested, default=None)
        return Asked(self.requested.width, source.sign == "signed")

    def _make(self, jobs: int | None, progress: Progress | None) -> tuple[Lut, tuple[str, ...]]:
        lut, origin = through_cache(
            circuit_facts(self._circuit, wrap=self._wrap),
            lambda: tabulate(self.circuit(), jobs=jobs, limit=self.time_limit, progress=progress),
            enabled=self.cache,
        )
        wrapped = " in a sign-magnitude wrapper, as requested" if self._wrap else ""
        concluded = (f"{self.name}: {one}" for one in lut.manifest.get("notes", ()))
        warnings = (
            f"warning: {self.name}: {explained(one)}" for one in lut.manifest.get("warnings", ())
        )
        return lut, (*concluded, *warnings, f"{self.name}{wrapped}: {origin}")
