# SPDX-License-Identifier: Apache-2.0
"""The published numbers agree with each other."""

import pytest

from axhil.hwsim import PAPER_MULTIPLIERS
from axhil.study import paper


@pytest.mark.parametrize("network", paper.HOURS)
def test_seconds_and_hours_of_table_iv_are_of_4200_evaluations(network):
    # The paper rounds both, hours to a tenth for LeNet-5.
    hours = paper.SECONDS_PER_EVALUATION[network] * 4200 / 3600
    assert hours == pytest.approx(paper.HOURS[network], abs=0.06)
    assert paper.EVALUATIONS == 4200


def test_every_network_has_an_accuracy_of_every_multiplier_of_the_catalogue():
    labels = [multiplier.label for multiplier in PAPER_MULTIPLIERS]
    assert set(paper.CLEAN_ACCURACY) == set(paper.HOURS) == set(paper.IMAGES) < set(paper.TITLES)
    for percent in paper.CLEAN_ACCURACY.values():
        assert list(percent) == labels
        assert all(80 < value < 100 for value in percent.values())


def test_the_claims_are_those_of_table_iii():
    losses = {
        (network, label): percent["ACC"] - value
        for network, percent in paper.CLEAN_ACCURACY.items()
        for label, value in percent.items()
    }
    assert int(max(losses.values())) == paper.LARGEST_CLEAN_LOSS
    for network, percent in paper.CLEAN_ACCURACY.items():
        assert min(percent, key=percent.get) == paper.WORST
        others = set(percent) - {"ACC", *paper.NEAR}
        assert max(losses[network, near] for near in paper.NEAR) < max(
            losses[network, other] for other in others
        )
