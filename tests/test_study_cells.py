# SPDX-License-Identifier: Apache-2.0
"""Cells: a key for every setting but the budgets, and parts that join."""

import dataclasses

import pytest
from study_samples import SETTINGS, cell

from axhil.study.errors import StudyError
from axhil.study.storage.cells import CellSettings, joined

CHANGED = {
    str: lambda value: value + "'",
    int: lambda value: value + 1,
    float: lambda value: value + 0.5,
    bool: lambda value: not value,
    dict: lambda value: {**value, "weights": "channel"},
}
NAMES = [field.name for field in dataclasses.fields(CellSettings) if field.name != "budgets"]


@pytest.mark.parametrize("name", NAMES)
def test_a_change_of_any_setting_is_another_key(name):
    value = getattr(SETTINGS, name)
    changed = dataclasses.replace(SETTINGS, **{name: CHANGED[type(value)](value)})
    assert changed.key != SETTINGS.key


def test_budgets_are_results_of_their_own_and_not_part_of_the_key():
    assert dataclasses.replace(SETTINGS, budgets=(0.25,)).key == SETTINGS.key


def test_equal_settings_have_one_key_whatever_the_order_of_their_mapping():
    turned = dict(reversed(list(SETTINGS.quantisation.items())))
    assert dataclasses.replace(SETTINGS, quantisation=turned).key == SETTINGS.key


@pytest.mark.parametrize(
    ("flags", "budgets"),
    [(("0111",), (0.0, 0.5)), (("0111", "011"), (0.0, 0.5)), (("0111", "0010"), (0.0,))],
    ids=["a budget without flags", "an image without a flag", "flags without a budget"],
)
def test_a_cell_whose_flags_do_not_match_is_refused(flags, budgets):
    with pytest.raises(StudyError, match=r"expected flags of . budgets and 4 images"):
        cell(*flags, budgets=budgets)


def test_a_cell_at_some_budgets_keeps_their_flags_and_times():
    whole = cell("0111", "0010", "0000", budgets=(0.0, 0.5, 1.0), seconds=(1.0, 2.0, 3.0))
    part = whole.at((1.0, 0.0))
    assert part.settings.budgets == (1.0, 0.0)
    assert (part.correct, part.seconds) == (("0000", "0111"), (3.0, 1.0))


def test_parts_join_in_the_order_of_their_budgets_and_the_first_counts():
    one = cell("0111", "0010", budgets=(0.0, 1.0), warnings=("a: x",), seconds=(1.0, 2.0))
    two = cell("0110", "0000", budgets=(0.5, 1.0), warnings=("b: y",), seconds=(3.0, 4.0))
    whole = joined([one, two])
    assert whole.settings.budgets == (0.0, 0.5, 1.0)
    assert whole.correct == ("0111", "0110", "0010")
    assert whole.seconds == (1.0, 3.0, 2.0)
    assert whole.warnings == ("a: x", "b: y")


def test_a_curve_that_rises_only_between_its_parts_is_warned_about():
    low = cell("1" * 10, "1" + "0" * 9, budgets=(0.0, 0.5))
    high = cell("1" * 5 + "0" * 5, budgets=(1.0,))
    assert low.warnings == high.warnings == ()
    (warning,) = joined([low, high]).warnings
    assert warning.startswith("rising-accuracy")
    # And one that a part was warned about alone is not repeated when the whole is looked at.
    alone = dataclasses.replace(low, warnings=("rising-accuracy: of a part",))
    assert joined([alone, cell("0" * 10, budgets=(1.0,))]).warnings == ()
