# SPDX-License-Identifier: Apache-2.0
"""The committed record of the adaptive suite: never weaker than any single attack on record."""

from pathlib import Path

import numpy as np
import pytest

from axhil.attacks import Suite, parse_attack
from axhil.study.storage.store import read_cells

RECORDS = Path(__file__).parent.parent / "docs" / "records" / "studies"
SINGLE = ("lenet5_adaptive", "lenet5_1000", "lenet5_slope", "lenet5_transfer")


def flags(cell):
    """(budgets, images) bool, by budget."""
    return {
        eps: np.frombuffer(row.encode(), np.uint8) == ord("1")
        for eps, row in zip(cell.settings.budgets, cell.correct, strict=True)
    }


def is_suite(cell):
    return isinstance(parse_attack(cell.settings.attack, cell.settings.norm), Suite)


@pytest.fixture(scope="module")
def suites():
    """By label, the suite's cell."""
    cells = read_cells(RECORDS / "lenet5_adaptive.parquet")
    return {cell.label: cell for cell in cells if is_suite(cell)}


def singles(suite):
    """Every single attack on record on the same network and images, in L-inf."""
    found = []
    for name in SINGLE:
        for cell in read_cells(RECORDS / f"{name}.parquet"):
            settings, own = cell.settings, suite.settings
            same = (
                (settings.multiplier, settings.norm) == (own.multiplier, "linf")
                and settings.lut_sha256 == own.lut_sha256
                and settings.data_sha256 == own.data_sha256
                and settings.weights_sha256 == own.weights_sha256
                and settings.quantisation == own.quantisation
            )
            if same and not is_suite(cell):
                found.append(cell)
    return found


def test_the_suite_is_never_weaker_than_any_single_attack_at_any_budget(suites):
    assert set(suites) >= {"ACC", "DR3"}
    for suite in suites.values():
        ours, others = flags(suite), singles(suite)
        # Two members; FGSM, BIM, PGD; FGSM and PGD along the slope and from two other networks.
        assert len(others) == 2 + 3 + 2 + 4
        for single in others:
            theirs = flags(single)
            shared = [eps for eps in ours if eps in theirs]
            assert len(shared) >= 6
            for eps in shared:
                where = (suite.label, single.settings.attack, single.settings.threat_model, eps)
                assert ours[eps].sum() <= theirs[eps].sum(), where


def test_no_image_survives_the_suite_that_a_member_breaks_alone(suites):
    for suite in suites.values():
        names = {member.name for member in parse_attack(suite.settings.attack).members}
        members = [one for one in singles(suite) if one.settings.attack in names]
        assert len(members) == 2
        for member in members:
            theirs = flags(member)
            for eps, right in flags(suite).items():
                assert not (right & ~theirs[eps]).any(), (suite.label, member.settings.attack, eps)


def test_the_suites_curve_never_rises_and_says_who_broke_what(suites):
    for suite in suites.values():
        rows = np.array([flags(suite)[eps] for eps in sorted(suite.settings.budgets)])
        assert not (rows[1:] & ~rows[:-1]).any()
        for right, who in zip(suite.correct, suite.broken_by, strict=True):
            if any(who):
                assert [one == "" for one in who] == [flag == "1" for flag in right]
