# SPDX-License-Identifier: Apache-2.0
"""Wilson intervals against the formula of the textbooks."""

import math
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axhil.study.errors import StudyError
from axhil.study.statistics import proportion

Z = NormalDist().inv_cdf(0.975)


def wilson(count: int, samples: int) -> tuple[float, float]:
    """E. B. Wilson 1927, as in Brown, Cai and DasGupta 2001, equation (4)."""
    p = count / samples
    centre = (p + Z**2 / (2 * samples)) / (1 + Z**2 / samples)
    spread = Z / (1 + Z**2 / samples) * math.sqrt(p * (1 - p) / samples + Z**2 / (4 * samples**2))
    return centre - spread, centre + spread


@given(samples=st.integers(1, 10_000), share=st.floats(0, 1))
def test_the_interval_is_wilsons(samples, share):
    count = round(share * samples)
    found = proportion(count, samples)
    low, high = wilson(count, samples)
    assert found.low == pytest.approx(low, abs=1e-9)
    assert found.high == pytest.approx(high, abs=1e-9)
    assert found.value == count / samples


@pytest.mark.parametrize(
    ("count", "samples", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17, 1998, table I, method 3.
        pytest.param(81, 263, 0.2553, 0.3662, id="81/263"),
        pytest.param(15, 148, 0.0624, 0.1605, id="15/148"),
        pytest.param(0, 20, 0.0, 0.1611, id="0/20"),
        pytest.param(1, 29, 0.0061, 0.1718, id="1/29"),
    ],
)
def test_published_intervals_come_out(count, samples, low, high):
    found = proportion(count, samples)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize("samples", [1, 20, 64, 10_000])
def test_none_and_all_have_one_sided_intervals_that_mirror_each_other(samples):
    none, every = proportion(0, samples), proportion(samples, samples)
    bound = Z**2 / (samples + Z**2)  # what Wilson's formula becomes at p = 0
    assert none.low == pytest.approx(0, abs=1e-12)
    assert none.high == pytest.approx(bound)
    assert every.high == pytest.approx(1, abs=1e-12)
    assert every.low == pytest.approx(1 - bound)
    assert none.half_width == pytest.approx(every.half_width)


def test_the_half_width_is_the_longer_side():
    found = proportion(19, 20)
    low, high = wilson(19, 20)
    assert found.half_width == pytest.approx(0.95 - low)
    assert found.half_width > high - 0.95


@pytest.mark.parametrize(("count", "samples"), [(0, 0), (-1, 5), (6, 5), (0, -1)])
def test_impossible_counts_are_refused_with_both_numbers(count, samples):
    with pytest.raises(
        StudyError, match=rf"expected 0 <= count <= samples.*got {count}, {samples}"
    ):
        proportion(count, samples)
