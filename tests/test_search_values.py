# SPDX-License-Identifier: Apache-2.0
"""Fronts of vectors."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from axhil.search.values import non_dominated, spread

FEW = st.integers(1, 12).flatmap(
    lambda rows: arrays(np.float64, (rows, 3), elements=st.sampled_from([0.0, 1.0, 2.0, 3.0]))
)


def dominates(one: list[float], other: list[float]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


@given(FEW)
def test_a_row_is_kept_exactly_if_no_other_dominates_it(values):
    rows = values.tolist()
    expected = [i for i, row in enumerate(rows) if not any(dominates(o, row) for o in rows)]
    assert non_dominated(values) == expected


@given(FEW, st.integers(1, 15))
def test_a_spread_has_each_row_once_and_the_best_of_every_objective_that_fits(values, most):
    taken = spread(values, most)
    assert len(set(taken)) == len(taken) == min(most, len(values))
    if most >= 3:
        assert (values[taken].min(0) == values.min(0)).all()


def test_a_spread_takes_the_loneliest_next():
    values = np.array([[0.0, 10.0], [1.0, 9.0], [5.0, 5.0], [10.0, 0.0]])
    assert spread(values, 3) == [0, 3, 2]
