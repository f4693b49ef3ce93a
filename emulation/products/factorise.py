# SPDX-License-Identifier: Apache-2.0
"""Tables that are a sum of few separable integer terms, found from the table alone.

    lut[a, b] = sum over r of u_r[a] * v_r[b]        (exactly, on all entries, in integers)

Such a table turns a layer into r ordinary convolutions of remapped operands. DRUM and the exact
product have r = 1. The search is Wedderburn's rank reduction (J. H. M. Wedderburn, "Lectures on
Matrices", 1934, section 5.06) restricted to pivots that keep every factor an integer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Term:
    """One separable term: u indexed by the activation's bit pattern, v by the weight's."""

    u: Vector
    v: Vector


def factorise(table: NDArray[np.int32], *, max_terms: int = 2) -> tuple[Term, ...] | None:
    """Write a table as a sum of at most `max_terms` separable integer terms.

    Each step takes a non-zero row of what is left, divided by the greatest common divisor of its
    entries, as v, and looks for a column j whose every entry is a multiple of v[j]; then
    u = column / v[j], and subtracting u v clears that row and that column, so the rank falls by
    one.

    Args:
        table: (2**width, 2**width) int32.
        max_terms: give up beyond so many terms.

    Returns:
        The terms (none for the all-zero table), or None where no such sum was found.
    """
    rest = table.astype(np.int64)
    terms: list[Term] = []
    while rest.any():
        if len(terms) == max_terms:
            return None
        term = _pivot(rest)
        if term is None:
            return None
        rest = rest - np.outer(term.u, term.v)
        terms.append(term)
    rebuilt = sum((np.outer(t.u, t.v) for t in terms), np.zeros(table.shape, np.int64))
    assert np.array_equal(rebuilt, table)
    return tuple(terms)


def _pivot(rest: NDArray[np.int64]) -> Term | None:
    """Find one term whose subtraction clears a row and a column of `rest`, smallest pivot first."""
    for row in np.flatnonzero(rest.any(axis=1)):
        v = rest[row] // np.gcd.reduce(rest[row])
        columns = np.flatnonzero(v)
        for j in columns[np.argsort(np.abs(v[columns]), kind="stable")][:8]:
            if not (rest[:, j] % v[j]).any():
                return Term(rest[:, j] // v[j], v)
        if row > 8:
            break  # a table of low rank shows a pivot in its first rows
    return None
