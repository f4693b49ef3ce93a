# SPDX-License-Identifier: Apache-2.0
"""Directions, projections and distances, by hand and as properties."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from axhil.attacks import AttackError, Norm
from axhil.attacks.norms import direction, distance, per_row, powerless, project, rounding

PIXELS = st.lists(st.floats(0, 1, width=32), min_size=6, max_size=6)


def test_sign_of_zero_is_zero():
    gradient = torch.tensor([[2.0, 0.0, -0.0, -1e-30]])
    assert direction(Norm.LINF, gradient).tolist() == [[1.0, 0.0, 0.0, -1.0]]


def test_l2_direction_has_length_one_down_to_the_floor():
    gradient = torch.tensor([[3.0, 4.0], [0.0, 0.0], [3e-14, 4e-14]])
    expected = torch.tensor([[0.6, 0.8], [0.0, 0.0], [0.03, 0.04]])  # 5e-14 / 1e-12
    torch.testing.assert_close(direction(Norm.L2, gradient), expected)


def test_l2_projection_by_hand():
    x0 = torch.tensor([[0.0, 0.0], [0.5, 0.5], [0.25, 0.25]])
    x = torch.tensor([[3.0, 4.0], [0.5, 0.75], [0.25, 0.25]])
    radius = per_row(torch.tensor([2.5, 1.0, 0.0]), x)
    expected = torch.tensor([[1.5, 2.0], [0.5, 0.75], [0.25, 0.25]])
    torch.testing.assert_close(project(Norm.L2, x, x0, radius), expected)


def test_linf_projection_by_hand():
    x0 = torch.tensor([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]])
    x = torch.tensor([[0.9, 0.1, 0.6], [0.9, 0.1, 0.6]])
    radius = per_row(torch.tensor([0.25, 0.0]), x)
    expected = torch.tensor([[0.75, 0.25, 0.6], [0.5, 0.5, 0.5]])
    torch.testing.assert_close(project(Norm.LINF, x, x0, radius), expected)


def test_distances_by_hand_over_image_shapes():
    x0 = torch.zeros(2, 1, 2, 2)
    x = torch.tensor([[0.0, 0.3, 0.4, 0.0], [1.0, 1.0, 1.0, 1.0]]).reshape(2, 1, 2, 2)
    torch.testing.assert_close(
        distance(Norm.L2, x, x0), torch.tensor([0.5, 2.0]).double(), rtol=0, atol=1e-7
    )
    assert distance(Norm.LINF, x, x0).tolist() == [pytest.approx(0.4), 1.0]


@settings(max_examples=200, deadline=None)
@given(x=PIXELS, x0=PIXELS, eps=st.floats(0, 3), norm=st.sampled_from(list(Norm)))
def test_a_projection_is_in_the_ball_and_keeps_what_was_inside(x, x0, eps, norm):
    a, b = torch.tensor([x]), torch.tensor([x0])
    budget = torch.tensor([eps], dtype=torch.float64)
    inside = project(norm, a, b, per_row(budget.float(), a))
    slack = rounding(norm, budget, dimensions=6)
    assert (distance(norm, inside, b) <= budget + slack).all()
    if distance(norm, a, b) < eps * (1 - 1e-6):
        torch.testing.assert_close(inside, a, rtol=0, atol=2.0**-23)
    if eps == 0.0:
        assert torch.equal(inside, b)


@settings(max_examples=200, deadline=None)
@given(x=PIXELS, x0=PIXELS, eps=st.floats(0, 1.5, width=32))
def test_a_linf_projection_lands_between_the_rounded_edges_of_the_ball(x, x0, eps):
    b, radius = torch.tensor([x0]), torch.tensor([[eps]])
    once = project(Norm.LINF, torch.tensor([x]), b, radius)
    lowest, highest = b - radius, b + radius  # rounded to float32: the ball as float32 sees it
    assert ((lowest <= once) & (once <= highest)).all()


def test_a_powerless_gradient_is_zero_or_below_the_floor_of_l2():
    gradient = torch.tensor([[0.0, 0.0], [0.0, 1e-30], [1e-13, 0.0], [1e-11, 0.0]])
    assert powerless(Norm.LINF, gradient).tolist() == [True, False, False, False]
    assert powerless(Norm.L2, gradient).tolist() == [True, True, True, False]


def test_an_unknown_norm_lists_the_known_ones():
    with pytest.raises(AttackError, match="unknown norm 'l1': expected one of linf, l2"):
        Norm("l1")
