# SPDX-License-Identifier: Apache-2.0
"""Attacks by the table's own slope: the definition, entry by entry, and nothing but the slope."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from axhil.emulation import EmulationError, External, Geometry, convert
from axhil.emulation.gradients.gradient import GradientRule, parse_gradient
from axhil.emulation.gradients.slope import SlopeGradient, SlopeTerms, slope_table
from axhil.emulation.products.definition import lut_conv2d
from axhil.hwsim import PAPER_MULTIPLIERS, Catalogued, Lut, golden
from axhil.hwsim.operands import Operands

S8 = Operands.parse("s8")
DRUM = golden(Catalogued.parse("drum(3)"))


def naive_slope(lut, a, b, window):
    """Of one entry, from the products alone."""
    above, below = min(a + window, 127), max(a - window, -127)
    rise = int(lut.table[above & 255, b & 255]) - int(lut.table[below & 255, b & 255])
    return rise / (above - below)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(PAPER_MULTIPLIERS),
    st.integers(-127, 127),
    st.integers(-128, 127),
    st.integers(1, 254),
)
def test_an_entry_is_the_secant_over_the_window(multiplier, a, b, window):
    lut = golden(multiplier)
    found = slope_table(lut, window=window)
    assert found.shape == (255, 256)
    assert found[a + 127, b & 255] == naive_slope(lut, a, b, window)


def test_an_exact_products_slope_is_the_other_operand():
    found = slope_table(golden(Catalogued.parse("exact")), window=7)
    weights = np.where(np.arange(256) < 128, np.arange(256), np.arange(256) - 256)
    np.testing.assert_array_equal(found, np.tile(weights, (255, 1)))


def test_within_a_step_of_drum_the_narrow_slope_is_zero_and_the_wide_one_is_not():
    # DRUM(3) takes 96..111 for the same operand.
    assert naive_slope(DRUM, 100, 64, 1) == 0
    assert slope_table(DRUM, window=1)[100 + 127, 64] == 0
    assert slope_table(DRUM, window=16)[100 + 127, 64] > 0


@pytest.mark.parametrize("multiplier", PAPER_MULTIPLIERS, ids=str)
def test_the_terms_add_up_to_the_slope_as_far_as_float32_goes(multiplier):
    lut = golden(multiplier)
    terms, slope = SlopeTerms.of(lut, window=16), slope_table(lut, window=16)
    found = (terms.u.double().T @ terms.v.double()).numpy()
    assert np.abs(found - slope).max() < 1e-5 * np.abs(slope).max()
    if multiplier.family in {"exact", "drum"}:
        assert len(terms.u) == 1
    else:
        assert 1 < len(terms.u) <= 45


def test_of_few_terms_the_largest_are_taken():
    lut = golden(Catalogued.parse("scaletrim(4,8)"))
    slope = slope_table(lut, window=16)
    few = SlopeTerms.of(lut, window=16, most=4)
    left, values, right = np.linalg.svd(slope)
    best = (left[:, :4] * values[:4]) @ right[:4]  # Eckart and Young, 1936
    np.testing.assert_allclose((few.u.T @ few.v).numpy(), best, atol=1e-5 * values[0])
    assert np.linalg.norm(best - slope) < 0.03 * np.linalg.norm(slope)


def test_a_table_of_zeros_has_no_slope():
    terms = SlopeTerms.of(Lut(np.zeros((256, 256), np.int32), *S8), window=1)
    assert not (terms.u.T @ terms.v).any()


GEOMETRIES = {
    "plain": Geometry(),
    "stride, padding": Geometry(stride=(2, 1), padding=(1, 2)),
    "dilation, groups": Geometry(dilation=(2, 1), groups=2),
}


@pytest.mark.parametrize("name", ["drum(3)", "scaletrim(3,0)", "scaletrim(4,8)", "random"])
@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_a_layers_gradient_is_the_sum_over_its_products(name, geometry):
    rng = np.random.default_rng(1)
    if name == "random":  # of full rank, and rough
        lut = Lut(rng.integers(-9999, 9999, (256, 256)).astype(np.int32), *S8)
    else:
        lut = golden(Catalogued.parse(name))
    x = rng.integers(-127, 128, (2, 4, 6, 7))
    w = rng.integers(-127, 128, (6, 4 // geometry.groups, 3, 2)).astype(np.int8)
    scale = rng.uniform(0.5, 2.0, 6).astype(np.float32)
    out = lut_conv2d(x.astype(np.int8), w, lut.table, geometry)
    grad = rng.normal(size=out.shape).astype(np.float32)
    slope = slope_table(lut, window=5)
    expected = np.zeros(x.shape)
    n, o, oh, ow = np.indices(out.shape)
    (sh, sw), (ph, pw), (dh, dw) = geometry.stride, geometry.padding, geometry.dilation
    per_group = 6 // geometry.groups
    for c in range(w.shape[1]):
        for i in range(3):
            for j in range(2):
                channel = o // per_group * w.shape[1] + c
                row, column = oh * sh - ph + i * dh, ow * sw - pw + j * dw
                inside = (row >= 0) & (row < 6) & (column >= 0) & (column < 7)
                place = tuple(p[inside] for p in (n, channel, row, column))
                pattern = w[o, c, i, j].astype(int) & 255
                value = grad * scale[o] * slope[x[n, channel, row % 6, column % 7] + 127, pattern]
                np.add.at(expected, place, value[inside])
    layer = SlopeGradient(
        torch.from_numpy(w),
        torch.from_numpy(scale),
        SlopeTerms.of(lut, window=5),
        geometry,
        least=-127,
    )
    found = layer(torch.from_numpy(grad), torch.from_numpy(x.astype(np.float32)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.line = nn.Linear(3 * 36, 4)

    def forward(self, x):
        return self.line(torch.relu(self.conv(x)).flatten(1))


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return Small(), torch.rand(8, 1, 6, 6)


def gradients(network, images):
    x = images.clone().requires_grad_()
    logits = network(x)
    logits[:, 1].sum().backward()
    return logits.detach(), x.grad


def test_a_network_differentiated_by_slopes_computes_the_same_and_leans_elsewhere(small):
    model, images = small
    plain, sloped = (
        convert(model, DRUM, calibration=images, gradient=how) for how in ("float32", "slope:32")
    )
    (logits, straight), (same, slope) = gradients(plain, images), gradients(sloped, images)
    assert torch.equal(logits, same)
    # Over many steps they are alike, so the units are right, those of the input; and not equal.
    assert 0.05 < (slope - straight).norm() / straight.norm() < 0.5


def test_of_an_exact_product_the_slope_is_the_straight_through_gradient(small):
    model, images = small
    exact = golden(Catalogued.parse("exact"))
    for table in (exact, None):
        plain, sloped = (
            convert(model, table, calibration=images, gradient=how)
            for how in ("float32", "slope:9")
        )
        straight, slope = gradients(plain, images)[1], gradients(sloped, images)[1]
        assert torch.allclose(straight, slope, rtol=1e-4, atol=1e-6 * float(straight.abs().max()))


def test_a_clamped_activation_passes_no_slope(small):
    model, images = small
    network = convert(model, DRUM, calibration=images * 0.2, gradient="slope:16")
    _, slope = gradients(network, images)
    clamped = images > 0.25
    assert clamped.any()
    assert not slope[clamped].any()
    assert slope[~clamped & (images > 0.01)].any()


@pytest.mark.parametrize("text", ["slope", "slope:0", "slope:255", "slope:1.5", "float64", ""])
def test_an_unknown_gradient_is_refused(text, small):
    with pytest.raises(EmulationError, match=r"expected a gradient float32, bfloat16 or slope:H"):
        parse_gradient(text)
    with pytest.raises(EmulationError, match=r"1 <= H <= 254, got"):
        convert(small[0], DRUM, calibration=small[1], gradient=text)


def test_the_spellings_of_a_gradient():
    assert parse_gradient("float32") == GradientRule()
    assert parse_gradient("bfloat16") == GradientRule("bfloat16")
    assert parse_gradient("slope:16") == GradientRule(window=16)


def test_products_from_elsewhere_have_no_slope(small):
    model, images = small
    external = External("circuit", lambda a, b: a.astype(np.int64) * b)
    with pytest.raises(EmulationError, match=r"circuit has no table whose slope"):
        convert(model, external, calibration=images, gradient="slope:2")
