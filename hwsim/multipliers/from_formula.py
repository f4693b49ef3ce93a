# SPDX-License-Identifier: Apache-2.0
"""A multiplier of the catalogue by its definition, from the paper and not from the Verilog."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..lut import Lut
from ..operands import Operands
from .catalogued import Catalogued
from .multiplier import KeptTable, Progress

PREFIX = "formula:"
"""Before a multiplier of the catalogue."""

_ROWS, _COLUMNS = 64, 4096  # so many that each is cut only now and then, and all stay in the cache


@dataclass(frozen=True)
class FromFormula(KeptTable):
    """The formula of a multiplier of the catalogue, in NumPy.

    Attributes:
        multiplier: whose.
    """

    multiplier: Catalogued

    @property
    def name(self) -> str:
        """`formula:drum(4)`."""
        return f"{PREFIX}{self.multiplier.name}"

    @property
    def label(self) -> str:
        """`DR4 formula`."""
        return f"{self.multiplier.label} formula"

    @property
    def operands(self) -> Operands:
        """What the activation and the weight are."""
        return self.multiplier.operands

    def circuit(self) -> None:
        """There is none."""

    def rows(self, first: int, count: int) -> NDArray[np.uint32]:
        """Products of some rows, also where there are too many for a table.

        Args:
            first: bit pattern of the first activation.
            count: of rows.

        Returns:
            (count, weights) by bit pattern, modulo 2^32.
        """
        values = self.multiplier.operand.values
        activations = values[first : first + count]
        made = np.empty((count, len(values)), np.uint32)
        for row in range(0, count, _ROWS):
            a = activations[row : row + _ROWS, None]
            for column in range(0, len(values), _COLUMNS):
                b = values[None, column : column + _COLUMNS]
                products = self.multiplier.reference(a, b)
                made[row : row + _ROWS, column : column + _COLUMNS] = products.astype(np.uint32)
        return made

    def _make(self, _jobs: int | None, _progress: Progress | None) -> tuple[Lut, tuple[str, ...]]:
        self.operands.require_table()
        return Lut(self.multiplier.reference_table(), *self.operands, {"multiplier": self.name}), ()
