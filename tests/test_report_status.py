# SPDX-License-Identifier: Apache-2.0
"""How far a study is: counted, and estimated from what is finished."""

import dataclasses

import pytest
from study_samples import SETTINGS, cell

from axhil.report.measurements import progress
from axhil.report.status import Status, status_of
from axhil.report.titles import duration
from axhil.study.results import Results

PLANNED = [
    dataclasses.replace(SETTINGS, multiplier=name, attack=attack, budgets=(0.0, 0.5))
    for name in ("exact", "drum(3)")
    for attack in ("fgsm", "pgd")
]


def results(*cells):
    return Results(network="lenet5", threat_model="whitebox", cells=cells, planned=8)


def test_what_is_left_is_told_from_the_pace_of_each_attack():
    found = status_of(
        results(
            cell(multiplier="exact", attack="fgsm", seconds=(1.0, 1.0)),
            cell(multiplier="exact", attack="pgd", seconds=(10.0, 30.0)),
        ),
        PLANNED,
    )
    # DRUM(3) is left: two budgets of a one-second attack, two of a twenty-second one.
    assert found == Status(done=4, planned=8, seconds=42.0, left=42.0)


def test_half_a_cell_counts_for_its_budgets():
    half = cell("0111", budgets=(0.0,), multiplier="exact", attack="fgsm", seconds=(2.0,))
    rest = [one for one in PLANNED if one.attack == "fgsm"]
    found = status_of(dataclasses.replace(results(half), planned=4), rest)
    assert (found.done, found.planned, found.left) == (1, 4, 6.0)


def test_an_attack_without_any_finished_cell_has_no_estimate():
    found = status_of(results(cell(multiplier="exact", attack="fgsm")), PLANNED)
    assert found.left is None
    assert status_of(results(), PLANNED) == Status(done=0, planned=8, seconds=0, left=None)


def test_a_finished_study_has_nothing_left():
    cells = [cell(multiplier=one.multiplier, attack=one.attack) for one in PLANNED]
    assert status_of(results(*cells), PLANNED).left == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (4020, "1 h 7 min")],
)
def test_durations_read_as_one_says_them(seconds, text):
    assert duration(seconds) == text


def test_the_table_has_a_line_for_each_part():
    states = {
        "a": Status(done=1, planned=4, seconds=70, left=210.0),
        "b": Status(done=0, planned=4, seconds=0, left=None),
    }
    rows = [[entry.text for entry in row] for row in progress(states, title="t").rows]
    assert rows == [
        ["a", "1", "4", "25", "1 min 10 s", "3 min 30 s"],
        ["b", "0", "4", "0", "0 s", "?"],
    ]
