# SPDX-License-Identifier: Apache-2.0
"""Each sign of gradient masking, just above and just below what is worth a warning."""

import pytest
import torch

from axhil.attacks.checks import (
    hidden_gradients,
    iterated_weaker,
    left_the_ball,
    nondeterminism,
    rising_accuracy,
    zero_gradients,
)


def flags(*counts, samples=100):
    """(rows, samples) bool, with that many True in each row."""
    return torch.stack([torch.arange(samples) < count for count in counts])


@pytest.mark.parametrize(("count", "warned"), [(0, False), (1, False), (2, True), (100, True)])
def test_zero_gradients_are_a_warning_above_one_percent(count, warned):
    warning = zero_gradients(flags(count)[0])
    assert (warning is not None) == warned
    if warning is not None:
        assert warning.code == "zero-gradient"
        assert f"{count} of 100 samples ({count}.0%)" in warning.message


@pytest.mark.parametrize(
    ("budgets", "counts", "expected"),
    [
        ((0.0, 0.1, 0.2), (90, 50, 10), None),
        ((0.0, 0.1, 0.2), (90, 50, 51), None),  # one sample may flip
        ((0.0, 0.1, 0.2), (90, 50, 52), "from 50.00% at eps 0.1 to 52.00% at eps 0.2"),
        ((0.2, 0.0, 0.1), (52, 90, 50), "from 50.00% at eps 0.1 to 52.00% at eps 0.2"),
        ((0.0, 0.1, 0.2, 0.3), (90, 40, 60, 70), "from 40.00% at eps 0.1 to 70.00% at eps 0.3"),
        ((0.0, 0.1, 0.2, 0.3), (50, 80, 10, 30), "from 50.00% at eps 0 to 80.00% at eps 0.1"),
        ((0.1, 0.1), (50, 90), None),  # the same budget twice is no rise
        ((0.1,), (50,), None),
    ],
)
def test_a_rise_with_the_budget_is_a_warning_about_the_largest(budgets, counts, expected):
    warning = rising_accuracy(budgets, flags(*counts))
    if expected is None:
        assert warning is None
    else:
        assert warning.code == "rising-accuracy"
        assert expected in warning.message


def test_single_samples_are_forgiven_in_small_sets_and_fractions_in_large_ones():
    assert rising_accuracy((0.0, 0.1), flags(5, 6, samples=10)) is None
    assert rising_accuracy((0.0, 0.1), flags(5, 7, samples=10)) is not None
    assert rising_accuracy((0.0, 0.1), flags(500, 510, samples=1000)) is None
    assert rising_accuracy((0.0, 0.1), flags(500, 511, samples=1000)) is not None


def test_an_iterated_attack_weaker_than_a_single_step_is_a_warning():
    budgets = (0.1, 0.2, 0.3)
    assert iterated_weaker(budgets, flags(60, 40, 20), flags(50, 41, 20)) is None
    warning = iterated_weaker(budgets, flags(60, 40, 20), flags(62, 45, 20))
    assert warning.code == "iterated-weaker"
    assert "at eps 0.2 is 45.00% under pgd but 40.00% under fgsm" in warning.message


@pytest.mark.parametrize(("count", "warned"), [(0, False), (1, False), (2, True), (50, True)])
def test_a_gradient_that_misses_what_others_break_is_a_warning(count, warned):
    warning = hidden_gradients((0.1, 0.2), flags(0, count))
    assert (warning is not None) == warned
    if warning is not None:
        assert warning.code == "hidden-gradient"
        assert f"at eps 0.2 {count} of 100 samples survive every attack" in warning.message


def test_logits_that_differ_between_runs_are_a_warning():
    logits = torch.zeros(4, 3)
    assert nondeterminism(logits, logits.clone()) is None
    other = logits.clone()
    other[2, 1] = 0.25
    warning = nondeterminism(logits, other)
    assert "logits of 1 of 4 samples differ" in warning.message
    assert "by up to 0.25" in warning.message


def test_leaving_the_ball_names_the_budgets():
    assert left_the_ball((0.1, 0.2), flags(0, 0), 0.0) is None
    warning = left_the_ball((0.1, 0.2), flags(0, 3), 0.5)
    assert str(warning).startswith("left-the-ball: 3 of 200 images")
    assert "by up to 0.5" in warning.message
    assert "at eps 0.2;" in warning.message
