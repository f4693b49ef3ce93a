# SPDX-License-Identifier: Apache-2.0
"""Entries of two tables that differ."""

from dataclasses import dataclass

import numpy as np

from ...lut import Lut

SHOWN = 5
"""Differences that are shown one by one."""


@dataclass(frozen=True)
class Difference:
    """One operand pair with two products.

    Attributes:
        a: first operand's value.
        b: second operand's value.
        expected: product in the golden table.
        actual: product of the Verilog.
    """

    a: int
    b: int
    expected: int
    actual: int

    def __str__(self) -> str:
        return f"{self.a} x {self.b} = {self.actual}, golden {self.expected}"


def first_differences(expected: Lut, actual: Lut) -> tuple[int, tuple[Difference, ...]]:
    """How many entries of two tables of the same operands differ, and the first five."""
    where = np.argwhere(expected.table != actual.table)
    first = (difference_at(expected, actual, int(i), int(j)) for i, j in where[:SHOWN])
    return len(where), tuple(first)


def difference_at(expected: Lut, actual: Lut, i: int, j: int) -> Difference:
    """The entry in a row and a column of either."""
    a, b = expected.activation.values[i], expected.weight.values[j]
    return Difference(int(a), int(b), int(expected.table[i, j]), int(actual.table[i, j]))
