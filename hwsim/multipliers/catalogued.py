# SPDX-License-Identifier: Apache-2.0
"""A multiplier of the catalogue."""

from dataclasses import dataclass
from pathlib import Path

from ..designs.catalog import Multiplier as Entry
from ..designs.catalog import parse_multiplier
from ..designs.design import Design
from ..lut import Lut
from ..operands import Operand
from .cache import through_cache
from .extraction import extract
from .golden import golden
from .multiplier import KeptTable, Progress

GOLDEN_OPERAND = Operand(8, signed=True)


@dataclass(frozen=True)
class Catalogued(KeptTable):
    """A multiplier of one of the project's families.

    Attributes:
        entry: family and arguments.
        operand: of both sides.
        rtl: another Verilog folder than the project's own.
        simulate: simulate it also where there is a golden table.
        cache: take the table from the cache of simulated ones, and keep it there.
    """

    entry: Entry
    operand: Operand = GOLDEN_OPERAND
    rtl: Path | None = None
    simulate: bool = False
    cache: bool = True

    @property
    def name(self) -> str:
        return str(self.entry)

    @property
    def label(self) -> str:
        return self.entry.label

    @property
    def operands(self) -> tuple[Operand, Operand]:
        return self.operand, self.operand

    def circuit(self) -> None:
        return None

    def design(self) -> Design:
        operand = self.operand
        return Design.of(self.entry, width=operand.bits, signed=operand.signed, rtl=self.rtl)

    def _make(self, jobs: int | None, progress: Progress | None) -> tuple[Lut, tuple[str, ...]]:
        operand = self.operand
        if operand == GOLDEN_OPERAND and not self.simulate and self.rtl is None:
            try:
                return golden(self.entry), ()
            except ValueError:
                pass
        design = self.design()

        def simulated() -> Lut:
            return extract(
                [self.entry], width=operand.bits, signed=operand.signed, jobs=jobs, rtl=self.rtl
            )[self.entry]

        facts = {
            "sources": design.source_hashes(),
            "top": design.top,
            "parameters": design.manifest_parameters(),
            "width": operand.bits,
            "signed": operand.signed,
        }
        lut, origin = through_cache(facts, simulated, enabled=self.cache and not self.simulate)
        return lut, (f"{self.name}: {origin}",)


def catalogued(text: str, *, operand: Operand, **options: object) -> Catalogued:
    entry = parse_multiplier(text, width=operand.bits)
    return Catalogued(entry, operand, **options)  # type: ignore[arg-type]
