# SPDX-License-Identifier: Apache-2.0
"""Vectors of numbers of which less is better: which are non-dominated, which stand for a front."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def non_dominated(values: Values) -> list[int]:
    """Rows of which no other is as good in everything and better in something, in order.

    >>> non_dominated(np.array([[1, 3], [2, 2], [2, 3], [1, 3]]))
    [0, 1, 3]

    Args:
        values: (N, objectives), less is better.
    """
    as_good = (values[:, None] <= values[None]).all(2)  # [one, other]
    better = (values[:, None] < values[None]).any(2)
    return [int(row) for row in np.flatnonzero(~(as_good & better).any(0))]


def spread(values: Values, most: int) -> list[int]:
    """Rows that stand for all of a front: the best of each objective, then the loneliest.

    Args:
        values: (N, objectives) of a front.
        most: how many to take.

    Returns:
        Positions, in the order in which they were taken.
    """
    if not len(values):
        return []
    span = np.ptp(values, axis=0)
    scaled = values / np.where(span > 0, span, 1)
    taken = list(dict.fromkeys(int(row) for row in values.argmin(0)))[:most]
    while len(taken) < min(most, len(values)):
        gap = np.linalg.norm(scaled[:, None] - scaled[None, taken], axis=2).min(1)
        gap[taken] = -1
        taken.append(int(gap.argmax()))
    return taken
