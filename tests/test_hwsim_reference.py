# SPDX-License-Identifier: Apache-2.0
"""The reference against what the papers publish and what arithmetic demands."""

import numpy as np
import pytest

from axhil.hwsim import Catalogued, HwsimError, reference


def mred(multiplier, a, b, width):
    exact = a * b
    products = reference.product(multiplier, a, b, width=width, signed=False)
    return 100 * (np.abs(products - exact) / exact).mean()


MRED_8_BIT = {
    "drum(3)": 12.10,
    "drum(4)": 5.89,
    "scaletrim(3,0)": 5.90,
    "scaletrim(3,4)": 3.73,
    "scaletrim(4,0)": 4.03,
    "scaletrim(4,4)": 2.69,
    "scaletrim(4,8)": 2.35,
}


@pytest.mark.parametrize("spelling", MRED_8_BIT)
def test_mred_of_8_bit_multipliers_is_the_published_one(spelling):
    x = np.arange(1, 256)
    found = mred(Catalogued.parse(spelling), x[:, None], x[None, :], 8)
    # The figures hold before the constants are rounded to 8 fractional bits, which moves the
    # MRED by up to 0.012 points.
    assert found == pytest.approx(MRED_8_BIT[spelling], abs=0.015)


PUBLISHED_DRUM_16_BIT = {3: 11.90, 4: 5.89, 5: 2.94, 6: 1.47, 7: 0.73, 8: 0.37}


@pytest.mark.parametrize("k", PUBLISHED_DRUM_16_BIT)
def test_mred_of_16_bit_drum_is_the_published_one(k):
    rng = np.random.default_rng(16)
    a, b = rng.integers(1, 2**16, (2, 400_000))
    found = mred(Catalogued.parse(f"drum({k})"), a, b, 16)
    assert found == pytest.approx(PUBLISHED_DRUM_16_BIT[k], rel=0.01)


@pytest.mark.parametrize("spelling", ["exact", "drum(8)"])
def test_exact_and_full_drum_are_integer_products(spelling):
    values = np.r_[0:128, -128:0]
    table = reference.table(Catalogued.parse(spelling))
    np.testing.assert_array_equal(table, np.multiply.outer(values, values))


@pytest.mark.parametrize("spelling", ["exact", "drum(3)", "scaletrim(3,8)"])
def test_signs_only_change_the_sign(spelling):
    multiplier = Catalogued.parse(spelling)
    x = np.arange(-7, 8)
    signed = reference.product(multiplier, x[:, None], x[None, :], width=4, signed=True)
    magnitude = reference.product(
        multiplier, abs(x)[:, None], abs(x)[None, :], width=4, signed=False
    )
    np.testing.assert_array_equal(signed, np.sign(np.multiply.outer(x, x)) * magnitude)
    assert not signed[7].any()
    assert not signed[:, 7].any()


def test_the_one_product_that_does_not_fit_its_wires_wraps():
    drum = Catalogued.parse("drum(2)")
    assert reference.product(drum, 128, 128, width=8, signed=False) == 192 * 192
    assert reference.product(drum, -128, -128, width=8, signed=True) == 192 * 192 - 2**16


def test_an_illegal_width_is_refused():
    with pytest.raises(HwsimError, match=r"expected 2 <= K <= WIDTH=4, got K=5"):
        reference.table(Catalogued.parse("drum(5)"), width=4)
