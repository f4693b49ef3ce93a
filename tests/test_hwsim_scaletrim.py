# SPDX-License-Identifier: Apache-2.0
"""The design-time fit, against plain sums over every operand pair."""

import math
from fractions import Fraction

import numpy as np
import pytest

from axhil.hwsim.designs import families
from axhil.hwsim.designs.scaletrim import COMP_BITS, COMP_FRAC, fit, product, unpack


def all_pairs(width, h):
    """s * 2^h (integer) and T of every pair of non-zero operands, by the definition."""
    x = np.arange(1, 2**width)
    n = np.array([int(v).bit_length() - 1 for v in x])
    fraction = x / 2.0**n - 1
    x_h = np.floor(fraction * 2**h).astype(int)
    t = (1 + fraction)[:, None] * (1 + fraction)[None, :] - 1
    return x_h[:, None] + x_h[None, :], t


@pytest.mark.parametrize("width", range(4, 9))
def test_every_legal_fit_equals_plain_sums_over_all_pairs(width):
    for h, m in families()["scaletrim"].instances(width):
        found = fit(width, h, m)
        s_int, t = all_pairs(width, h)
        s = s_int / 2.0**h
        alpha = (t * s).sum() / (s * s).sum()
        assert found.alpha == pytest.approx(alpha, rel=1e-12), (h, m)
        assert found.dee == math.floor(math.log2(alpha - 1)), (h, m)
        assert len(found.comp) == m
        residual = t - s * (1 + 2.0**found.dee)
        for segment, constant in enumerate(found.comp):
            here = s_int // (2 ** (h + 1) // m) == segment
            mean = residual[here].mean() if here.any() else 0.0
            assert abs(constant - mean * 2**COMP_FRAC) <= 0.5 + 1e-9, (h, m, segment)


def test_the_published_slopes():
    assert round(fit(8, 3, 0).alpha, 4) == 1.4063
    assert round(fit(8, 4, 0).alpha, 4) == 1.3306
    assert fit(8, 3, 0).dee == fit(8, 4, 8).dee == -2


@pytest.mark.parametrize(("width", "h", "m"), [(16, 15, 65536), (16, 12, 8192), (16, 4, 8)])
def test_a_mantissa_product_stays_in_its_two_integer_bits(width, h, m):
    found = fit(width, h, m)
    slope = 1 + Fraction(2) ** found.dee
    per_segment = 2 ** (h + 1) // m
    for segment, constant in enumerate(found.comp):
        last = min((segment + 1) * per_segment - 1, 2 ** (h + 1) - 2)
        low = 1 + slope * Fraction(segment * per_segment, 2**h) + Fraction(constant, 2**COMP_FRAC)
        high = 1 + slope * Fraction(last, 2**h) + Fraction(constant, 2**COMP_FRAC)
        assert low >= 0
        assert high < 4


def test_constants_are_packed_lowest_segment_first_in_twos_complement():
    found = fit(8, 4, 8)
    words = [(found.packed >> (COMP_BITS * i)) % 2**COMP_BITS for i in range(8)]
    assert [w - 2**COMP_BITS if w >= 2 ** (COMP_BITS - 1) else w for w in words] == list(found.comp)
    assert min(found.comp) < 0 < max(found.comp)
    assert unpack(found.packed, 8) == found.comp


def in_integers(a, b, *, h, dee, comp):
    """floor((1 + s + s*2^DEE + C) * 2^(n_a+n_b)) in integers with 32 fractional bits."""
    if 0 in {a, b}:
        return 0
    n_a, n_b = a.bit_length() - 1, b.bit_length() - 1
    steps = ((a << h) >> n_a) + ((b << h) >> n_b) - (2 << h)
    s = steps << 32 - h
    value = (1 << 32) + s + (s >> -dee if dee < 0 else s << dee)
    if comp:
        value += comp[steps * len(comp) >> (h + 1)] << 32 - COMP_FRAC
    return value << (n_a + n_b) >> 32


@pytest.mark.parametrize("args", [(4, 8), (3, 0), (5, 2)])
@pytest.mark.parametrize("dee", [None, -16, 1])
def test_the_formula_is_that_of_integers(args, dee):
    h, m = args
    constants = fit(8, h, m)
    dee = constants.dee if dee is None else dee
    side = np.arange(256)
    parameters = {"H": h, "M": m, "DEE": dee, "COMP": constants.packed}
    found = product(side[:, None], side[None, :], parameters)
    expected = [
        [in_integers(a, b, h=h, dee=dee, comp=constants.comp) for b in range(256)]
        for a in range(256)
    ]
    np.testing.assert_array_equal(found, expected)
