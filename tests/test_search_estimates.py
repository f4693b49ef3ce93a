# SPDX-License-Identifier: Apache-2.0
"""What a search knows without a trial: spellings, prices, estimates, the estimated front."""

import itertools

import numpy as np
import pytest

from axhil.hwsim.multipliers import Assignment
from axhil.search.errors import SearchError
from axhil.search.evolution import evolved
from axhil.search.measures import Judge
from axhil.search.prices import Prices
from axhil.search.sensitivity import Sensitivity
from axhil.search.space import Space

LAYERS = ("conv1", "conv2", "fc")
SPACE = Space(LAYERS, tuple(map(Assignment.parse, ("drum(3)", "exact", "drum(4)"))))
ENERGIES = ((6.0, 10.0, 8.0), (3.0, 5.0, 4.0), (1.0, 2.0, 1.5))
PRICES = Prices(
    target="cells",
    unit="um2",
    areas=(20.0, 26.0, 24.0),
    energies=ENERGIES,
    exact_area=26.0,
    exact_energies=(10.0, 5.0, 2.0),
    elsewhere=0.5,
    always=False,
)
LOSSES = np.array([[-0.08, 0.0, -0.01], [-0.02, 0.0, -0.005], [-0.001, 0.0, 0.0]])
TABLE = Sensitivity(SPACE, {"clean": 0.9}, {"clean": LOSSES})
EVERY = list(itertools.product(range(3), repeat=3))


def judge(**limits: float) -> Judge:
    return Judge(SPACE, ("clean", "energy"), limits, {"clean": 0.9}, PRICES)


def test_one_multiplier_in_all_layers_is_spelt_without_layers():
    assert [SPACE.assignment(one).name for one in SPACE.uniform] == ["drum(3)", "exact", "drum(4)"]


def test_layers_of_the_exact_choice_are_left_out():
    assert SPACE.assignment((1, 0, 2)).name == "conv2=drum(3),fc=drum(4)"
    assert SPACE.alone("fc", 0).name == SPACE.assignment((1, 1, 0)).name == "fc=drum(3)"


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [(["exact"], "at least two"), (["exact", "fc=drum(3)"], "got the assignment fc=drum")],
)
def test_what_gives_no_choice_is_refused(choices, sentence):
    with pytest.raises(SearchError, match=sentence):
        Space(LAYERS, tuple(map(Assignment.parse, choices)))


def test_energies_of_layers_add_up():
    expected = [
        sum(row[one] for row, one in zip(ENERGIES, genes, strict=True)) + 0.5 for genes in EVERY
    ]
    assert PRICES.of("energy", EVERY, exact=1) == pytest.approx(expected)
    assert PRICES.of("energy", [(1, 1, 1)], exact=1)[0] == PRICES.exact("energy") == 17.5


def test_the_area_is_that_of_the_distinct_multipliers():
    areas = {0: 20.0, 1: 26.0, 2: 24.0}
    expected = [sum(areas[one] for one in set(genes)) for genes in EVERY]
    assert PRICES.of("area", EVERY, exact=1) == pytest.approx(expected)


def test_a_network_with_layers_that_stay_exact_has_an_exact_multiplier():
    from dataclasses import replace

    always = replace(PRICES, always=True)
    assert always.of("area", [(0, 0, 0), (0, 1, 0)], exact=1).tolist() == [46.0, 46.0]
    assert always.of("area", [(0, 0, 0)], exact=None).tolist() == [46.0]


def test_limits_are_points_of_accuracy_and_percent_of_the_exact_price():
    excess = judge(clean=1, energy=90).excess([(1, 1, 1), (0, 0, 0)], {"clean": [0.89, 0.88]})
    assert excess == pytest.approx(np.array([[0.0, 0.1], [0.01, 10.5 / 17.5 - 0.9]]))


def test_losses_of_layers_add_up_and_no_accuracy_is_negative():
    assert TABLE.estimate([(0, 2, 1)])["clean"] == pytest.approx([0.9 - 0.08 - 0.005])
    low = Sensitivity(SPACE, {"clean": 0.1}, {"clean": LOSSES * 10})
    assert low.estimate([(0, 0, 0)])["clean"] == [0.0]


def test_trials_correct_the_table_towards_what_they_show():
    truth = LOSSES * 1.5
    shown = {"clean": np.array([0.9 + truth[range(3), genes].sum() for genes in EVERY])}
    fitted = TABLE.corrected(EVERY, shown)
    before = np.abs(TABLE.estimate(EVERY)["clean"] - shown["clean"]).mean()
    after = np.abs(fitted.estimate(EVERY)["clean"] - shown["clean"]).mean()
    assert after < before / 2
    assert (fitted.changes["clean"][:, SPACE.exact] == 0).all()


def test_trials_that_the_table_foretold_change_nothing():
    fitted = TABLE.corrected(EVERY, TABLE.estimate(EVERY))
    assert fitted.changes["clean"] == pytest.approx(LOSSES)


def test_the_way_from_exact_to_cheap_saves_most_for_what_it_loses():
    way = TABLE.cheaper("clean", np.array(ENERGIES))
    assert way[0] == (1, 1, 1)
    assert way[-1] == (0, 0, 0)
    spent = PRICES.of("energy", way, exact=1)
    assert (np.diff(spent) < 0).all()


def front(one: Judge) -> set[tuple[int, ...]]:
    """By looking at all 27 assignments."""
    kept = [g for g in EVERY if (one.excess([g], TABLE.estimate([g])) <= 0).all()]
    points = {g: tuple(one.values([g], TABLE.estimate([g]))[0]) for g in kept}
    return {
        g
        for g, p in points.items()
        if not any(
            q != p and all(a <= b for a, b in zip(q, p, strict=True)) for q in points.values()
        )
    }


@pytest.mark.parametrize("limits", [{}, {"clean": 2.0}, {"energy": 70.0}])
def test_nsga_2_finds_the_front_of_a_small_space(limits):
    found = evolved(judge(**limits), TABLE, SPACE.uniform, seed=1)
    values = judge().values(found, TABLE.estimate(found))
    best = front(judge(**limits))
    expected = judge().values(sorted(best), TABLE.estimate(sorted(best)))
    assert {tuple(v) for v in values.tolist()} == {tuple(v) for v in expected.tolist()}


def test_the_same_seed_finds_the_same_whatever_was_drawn_before():
    first = evolved(judge(), TABLE, [], seed=5)
    np.random.seed(3)  # noqa: NPY002  (the state that must not matter)
    assert evolved(judge(), TABLE, [], seed=5) == first


def test_where_nothing_keeps_the_limits_nothing_is_found():
    assert evolved(judge(energy=1.0), TABLE, SPACE.uniform, seed=0) == []
