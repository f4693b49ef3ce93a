# SPDX-License-Identifier: Apache-2.0
"""What multiplies and what accumulates in a layer, without a word on how it is computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from axhil.hwsim.lut import Lut
from axhil.hwsim.operands import Operand

from ..quantise.quantize import S8
from .accumulator import Accumulator
from .external import External
from .factorise import Term, factorise


@dataclass(frozen=True)
class ExactArithmetic:
    """Integer products of 8-bit operands, summed without overflow."""

    name: ClassVar[str] = "exact"
    activation: ClassVar[Operand] = S8
    weight: ClassVar[Operand] = S8
    accumulator: ClassVar[None] = None

    @property
    def table(self) -> NDArray[np.int32]:
        """(2^8, 2^8) int32 products by bit pattern."""
        return np.outer(S8.values, S8.values).astype(np.int32)

    @property
    def terms(self) -> tuple[Term, ...] | None:
        """The table's one separable term: both operands as they are."""
        return (Term(S8.values.copy(), S8.values.copy()),)


@dataclass(frozen=True)
class TableArithmetic:
    """Products from a table.

    Attributes:
        lut: the table.
        accumulator: of few bits; None: no sum overflows.
    """

    lut: Lut
    accumulator: Accumulator | None = None

    @property
    def name(self) -> str:
        """The multiplier's."""
        return self.lut.name

    @property
    def activation(self) -> Operand:
        """Of the table's rows."""
        return self.lut.activation

    @property
    def weight(self) -> Operand:
        """Of the table's columns."""
        return self.lut.weight

    @property
    def table(self) -> NDArray[np.int32]:
        """(2^a, 2^w) int32 products by bit pattern."""
        return self.lut.table

    @property
    def terms(self) -> tuple[Term, ...] | None:
        """Few separable terms whose sum the table is; None where none were found."""
        return _terms(self.lut)


@dataclass(frozen=True)
class ExternalArithmetic:
    """Products computed elsewhere.

    Attributes:
        external: what multiplies.
        accumulator: of few bits; None: no sum overflows.
    """

    external: External
    accumulator: Accumulator | None = None

    @property
    def name(self) -> str:
        """The multiplier's."""
        return self.external.name

    @property
    def activation(self) -> Operand:
        """Its first operand."""
        return self.external.activation

    @property
    def weight(self) -> Operand:
        """Its second operand."""
        return self.external.weight


Arithmetic = ExactArithmetic | TableArithmetic | ExternalArithmetic


@lru_cache(maxsize=64)
def _terms(lut: Lut) -> tuple[Term, ...] | None:
    return factorise(lut.table)
