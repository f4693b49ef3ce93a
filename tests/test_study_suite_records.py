# SPDX-License-Identifier: Apache-2.0
"""The committed records of suites: never weaker than any single attack on record."""

from pathlib import Path

import numpy as np
import pytest

from axhil.attacks import Suite, parse_attack
from axhil.attacks.suites import foreign
from axhil.study.storage.store import read_cells

RECORDS = Path(__file__).parent.parent / "docs" / "records" / "studies"


def flags(cell):
    """(budgets, images) bool, by budget."""
    return {
        eps: np.frombuffer(row.encode(), np.uint8) == ord("1")
        for eps, row in zip(cell.settings.budgets, cell.correct, strict=True)
    }


def is_suite(cell):
    return isinstance(parse_attack(cell.settings.attack, cell.settings.norm), Suite)


@pytest.fixture(scope="module")
def cells():
    """All that is on record, by study."""
    return {path.stem: read_cells(path) for path in sorted(RECORDS.glob("*.parquet"))}


@pytest.fixture(scope="module")
def suites(cells):
    return [one for found in cells.values() for one in found if is_suite(one)]


def singles(suite, cells):
    """Every single attack on record on the same network and images, in the same norm."""
    names = ("multiplier", "norm", "lut_sha256", "data_sha256", "weights_sha256", "quantisation")
    return [
        one
        for found in cells.values()
        for one in found
        if not is_suite(one)
        and all(getattr(one.settings, name) == getattr(suite.settings, name) for name in names)
    ]


def test_a_suite_is_never_weaker_than_any_single_attack_at_any_budget(suites, cells):
    assert {one.settings.network for one in suites} == {"lenet5", "resnet20", "resnet50", "vgg19"}
    assert {one.settings.norm for one in suites} == {"linf", "l2"}
    compared = 0
    for suite in suites:
        ours = flags(suite)
        for single in singles(suite, cells):
            theirs = flags(single)
            for eps in ours.keys() & theirs.keys():
                where = (suite.label, single.settings.attack, single.settings.threat_model, eps)
                assert ours[eps].sum() <= theirs[eps].sum(), where
                compared += eps > 0
    # Of LeNet-5 on 1,000 images two members; FGSM, BIM, PGD; FGSM and PGD along the slope and from
    # two other networks, with two multipliers at five budgets. Of the other studies a member each.
    assert compared >= 11 * 2 * 5 + 5


def test_no_image_survives_a_suite_that_a_member_breaks_alone(suites, cells):
    for suite in suites:
        own = parse_attack(suite.settings.attack, suite.settings.norm)
        if own.bisection:  # looks at few of its budgets
            continue
        names = {member.name for member in own.members}
        members = [
            one
            for one in singles(suite, cells)
            if one.settings.attack in names
            and (one.settings.threat_model, one.settings.gradient) == ("whitebox", "float32")
        ]
        assert members, suite.settings
        for member in members:
            theirs = flags(member)
            for eps, right in flags(suite).items():
                if eps in theirs:
                    where = (suite.label, member.settings.attack, eps)
                    assert not (right & ~theirs[eps]).any(), where


def test_the_curve_of_a_suite_never_rises_and_says_who_broke_what(suites):
    for suite in suites:
        order = np.argsort(suite.settings.budgets)
        rows = np.array([flags(suite)[suite.settings.budgets[row]] for row in order])
        assert not (rows[1:] & ~rows[:-1]).any()
        for right, who in zip(suite.correct, suite.broken_by, strict=True):
            if any(who):
                assert [one == "" for one in who] == [flag == "1" for flag in right]
        # Once along the own gradient, always so.
        own = np.array(
            [[bool(who) and not foreign(who) for who in suite.broken_by[row]] for row in order]
        )
        assert not (own[:-1] & ~own[1:]).any()
