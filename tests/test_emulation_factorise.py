# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axhil.emulation.products.factorise import factorise
from axhil.hwsim import PAPER_MULTIPLIERS, Catalogued, golden


def rebuild(terms, side):
    return sum((np.outer(t.u, t.v) for t in terms), np.zeros((side, side), np.int64))


@pytest.mark.parametrize("name", ["exact", "drum(3)", "drum(4)"])
def test_exact_and_drum_are_one_separable_term(name):
    table = golden(Catalogued.parse(name)).table
    (term,) = factorise(table)
    assert np.array_equal(np.outer(term.u, term.v), table)


@pytest.mark.parametrize("multiplier", PAPER_MULTIPLIERS[3:], ids=str)
def test_scaletrim_is_no_sum_of_two_terms(multiplier):
    table = golden(multiplier).table
    assert np.linalg.matrix_rank(table.astype(float)) > 2
    assert factorise(table) is None


def test_scaletrim_without_compensation_has_seven_terms():
    table = golden(Catalogued.parse("scaletrim(4,0)")).table
    assert np.linalg.matrix_rank(table.astype(float)) == 7
    assert np.array_equal(rebuild(factorise(table, max_terms=7), 256), table)
    assert factorise(table, max_terms=6) is None


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_whatever_is_returned_rebuilds_the_table(seed, rank):
    rng = np.random.default_rng(seed)
    table = sum(
        np.outer(rng.integers(-9, 10, 16), rng.integers(-9, 10, 16)) for _ in range(rank)
    ).astype(np.int32)
    terms = factorise(table, max_terms=3)
    if terms is not None:
        assert np.array_equal(rebuild(terms, 16), table)
        assert len(terms) <= 3


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_every_table_of_rank_one_is_found(seed):
    rng = np.random.default_rng(seed)
    u, v = rng.integers(-100, 101, 16), rng.integers(-100, 101, 16)
    table = np.outer(u, v).astype(np.int32)
    terms = factorise(table, max_terms=1)
    assert terms is not None
    assert np.array_equal(rebuild(terms, 16), table)


def test_one_wrong_entry_is_not_separable():
    table = golden(Catalogued.parse("exact")).table.copy()
    table[200, 77] += 1
    terms = factorise(table, max_terms=1)
    assert terms is None


def test_the_zero_table_has_no_terms():
    assert factorise(np.zeros((16, 16), np.int32)) == ()
