# SPDX-License-Identifier: Apache-2.0
"""Accumulators of few bits: Python's integers are the oracle."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from axhil.emulation import EmulationError, convert, prepare
from axhil.emulation.products.accumulator import Accumulator, lut_matmul_bits
from axhil.emulation.products.definition import lut_matmul
from axhil.hwsim import Catalogued, golden

PRODUCTS = st.lists(st.integers(-(2**15), 2**15 - 1), max_size=40)
DRUM = golden(Catalogued.parse("drum(4)"))


def oracle(products, bits, overflow):
    """One Python integer, step by step."""
    low, high, acc = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0
    for product in products:
        acc += product
        if overflow == "saturate":
            acc = min(max(acc, low), high)
        while not low <= acc <= high:  # only where it wraps: a product may be several turns
            acc += (1 << bits) * (1 if acc < low else -1)
    return acc


@given(PRODUCTS, st.integers(8, 32), st.sampled_from(["wrap", "saturate"]))
def test_sums_are_those_of_a_register_step_by_step(products, bits, overflow):
    expected = oracle(products, bits, overflow)
    accumulator = Accumulator(bits, overflow)
    assert accumulator.sum(products) == expected
    assert -(2 ** (bits - 1)) <= expected < 2 ** (bits - 1)


@given(PRODUCTS, st.integers(8, 32), st.randoms())
def test_the_order_does_not_matter_when_wrapping(products, bits, random):
    shuffled = random.sample(products, len(products))
    assert Accumulator(bits).sum(products) == Accumulator(bits).sum(shuffled)


def test_saturation_goes_by_ascending_k():
    saturate = Accumulator(16, "saturate")
    assert saturate.sum([30000, 30000, -30000]) == 2767
    assert saturate.sum([-30000, 30000, 30000]) == 30000
    assert saturate.sum([[-30000, -30000], [1, 2]]).tolist() == [-32768, 3]


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize("bits", [12, 16, 32])
def test_a_matrix_product_sums_the_tables_products_in_order(bits, overflow):
    rng = np.random.default_rng(bits)
    x = rng.integers(-127, 128, (5, 30)).astype(np.int8)
    w = rng.integers(-127, 128, (4, 30)).astype(np.int8)
    found = lut_matmul_bits(x, w, DRUM.table, Accumulator(bits, overflow))
    for n in range(5):
        for m in range(4):
            products = [int(DRUM.table[a, b]) for a, b in zip(x[n], w[m], strict=True)]
            assert found[n, m] == oracle(products, bits, overflow)
    if bits == 32:
        np.testing.assert_array_equal(found, lut_matmul(x, w, DRUM.table))
    else:
        assert (found != lut_matmul(x, w, DRUM.table)).any()


def test_a_network_with_few_bits_takes_the_path_and_differs_only_where_sums_overflow():
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)
    )
    images = torch.rand(4, 2, 6, 6)
    prepared = prepare(model, images)
    whole = prepared.emulate(DRUM)(images)
    wide = prepared.emulate(DRUM, accumulator=Accumulator(32, "saturate"))
    assert torch.equal(wide(images), whole)
    assert {(e.path, e.reason) for e in wide.plan} == {
        ("accumulator", "32-bit accumulator, saturate")
    }
    for overflow in ("wrap", "saturate"):
        narrow = prepared.emulate({"0": None, "3": DRUM}, accumulator=Accumulator(12, overflow))
        # An exact layer keeps its exact sums.
        assert narrow.plan[0].path != "accumulator"
        assert not torch.equal(narrow(images), whole)
    at_once = convert(model, DRUM, calibration=images, accumulator=Accumulator(12, "wrap"))
    assert {entry.path for entry in at_once.plan} == {"accumulator"}
    # Gradients pass straight through, as without.
    x = images.clone().requires_grad_()
    wide(x).sum().backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("bits", "overflow", "sentence"),
    [
        (7, "wrap", "expected an accumulator of 8 to 32 bits, got 7"),
        (33, "wrap", "expected an accumulator of 8 to 32 bits, got 33"),
        (16, "clip", "expected an accumulator to wrap or to saturate, got 'clip'"),
    ],
)
def test_other_registers_are_refused(bits, overflow, sentence):
    with pytest.raises(EmulationError, match=sentence):
        Accumulator(bits, overflow)
