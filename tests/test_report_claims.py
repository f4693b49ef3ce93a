# SPDX-License-Identifier: Apache-2.0
"""A claim is called true or false only where the sample can tell."""

from dataclasses import replace

import pytest
from study_samples import cell

from axhil.report.claims import judge, judge_clean, one_image
from axhil.study.results import Results

LOSS, EXISTS, SIZE, WORST, NEAR = range(5)


def flags(right, samples):
    return "1" * right + "0" * (samples - right)


def under_suite(one):
    """The same cell as of a suite of attacks, whose first member broke what is broken."""
    clean = one.correct[0]
    rows = tuple(
        tuple(
            {"1": ""}.get(flag, "apgd" if right == "1" and row else "clean")
            for right, flag in zip(clean, flags, strict=True)
        )
        for row, flags in enumerate(one.correct)
    )
    return replace(
        one, settings=replace(one.settings, attack="adaptive"), broken_by=rows, zero_gradient=0.0
    )


def suite_results(samples, **right):
    """The same as below, of a suite."""
    found = results(samples, **right)
    return replace(found, cells=tuple(map(under_suite, found.cells)))


def results(samples, **right):
    """Cells of multipliers by images right (clean, attacked), the accurate one first."""
    names = {"sT": "sT(4,8)"}
    cells = [
        cell(
            flags(clean, samples),
            flags(attacked, samples),
            label=names.get(label, label),
            multiplier="exact" if label == "ACC" else label,
        )
        for label, (clean, attacked) in right.items()
    ]
    return Results("lenet5", "whitebox", tuple(cells), planned=2 * len(cells))


@pytest.mark.parametrize(
    ("samples", "right", "expected"),
    [
        # 10 of 1,000 lost is 1 point, give or take less than one; 200 is 20, give or take 3.
        (1000, {"ACC": (1000, 0), "DR3": (990, 0)}, "holds"),
        (1000, {"ACC": (1000, 0), "DR3": (800, 0)}, "does not hold"),
        # 2 of 20 is 10 points, but 20 images cannot tell that from 1 or from 25.
        (20, {"ACC": (20, 0), "DR3": (18, 0)}, "cannot be told"),
        # 1,000 of 10,000 is 10 points and surely more than 7; the paper's own 7.38 is not.
        (10000, {"ACC": (10000, 0), "DR3": (9000, 0)}, "does not hold"),
        (10000, {"ACC": (10000, 0), "DR3": (9262, 0)}, "cannot be told"),
        (1000, {"ACC": (900, 0), "DR3": (950, 0)}, "holds"),
    ],
)
def test_clean_loss_is_held_against_the_papers_seven_points(samples, right, expected):
    verdict = judge(results(samples, **right))[LOSS]
    assert verdict.claim == "Approximate multipliers cost up to 7 points of clean accuracy"
    assert verdict.outcome == expected


@pytest.mark.parametrize(
    ("samples", "gained", "exists", "size"),
    [
        (1000, 300, "holds", "holds"),  # 30 points
        (1000, 40, "holds", "does not hold"),  # 4 points: a gain, and surely less than 10
        (1000, 1, "cannot be told", "does not hold"),
        (200, 20, "holds", "cannot be told"),  # 10 points, give or take 5
        (20, 2, "cannot be told", "cannot be told"),  # 10 points, of two images
        (20, 0, "cannot be told", "does not hold"),
    ],
)
def test_a_gain_has_to_survive_and_its_size_has_to_be_sure(samples, gained, exists, size):
    right = {"ACC": (samples, 0), "DR3": (samples, gained)}
    found = judge(suite_results(samples, **right))
    if (samples, gained) == (20, 0):
        # No image changed of 20: the interval is 9 points to either side.
        assert (
            "+0.0 points (0 gained and 0 lost of 20; between -8.9 and +8.9" in found[SIZE].evidence
        )
    assert (found[EXISTS].outcome, found[SIZE].outcome) == (exists, size)
    # A single attack that fails says nothing of the network.
    for one in judge(results(samples, **right))[EXISTS : SIZE + 1]:
        assert one.outcome == "cannot be told"
        assert "; no suite of attacks was run, and single ones support no claim of" in one.evidence


def test_a_loss_under_attack_is_no_gain():
    right = {"ACC": (1000, 500), "DR3": (1000, 100)}
    (_, exists, *_) = judge(suite_results(1000, **right))
    assert exists.outcome == "does not hold"
    assert exists.evidence.startswith("Under Adaptive suite L∞: DR3 less robust (fewer at eps ")
    found = judge(results(1000, **right))
    assert "0 of 1 comparisons are gains and none survives" in found[EXISTS].evidence
    # Of two comparisons: 7 images give p = 2^-6, twice that is below 5 %; 6 images do not.
    assert "takes a net gain of 7 images (0.7 points) or more" in found[EXISTS].evidence


@pytest.mark.parametrize(
    ("right", "expected", "lowest"),
    [
        ({"ACC": (990, 500), "DR3": (800, 100), "DR4": (950, 300)}, "holds", "1 of 1"),
        ({"ACC": (990, 500), "DR3": (985, 600), "DR4": (800, 300)}, "does not hold", "0 of 1"),
        ({"ACC": (990, 500), "DR3": (950, 300), "DR4": (950, 300)}, "cannot be told", "0 of 1"),
    ],
    ids=["below all", "above one", "level with one"],
)
def test_drum_3_is_the_worst_where_it_is_surely_below_every_other(right, expected, lowest):
    verdict = judge(results(1000, **right))[WORST]
    assert verdict.claim == "DR3 is the worst multiplier"
    assert verdict.outcome == expected
    assert f"lowest accuracy alone at {lowest} settings" in verdict.evidence


@pytest.mark.parametrize(
    ("samples", "lost", "expected"),
    [(1000, 0, "holds"), (1000, 100, "does not hold"), (64, 0, "cannot be told")],
)
def test_scaletrim_is_near_where_its_whole_interval_is(samples, lost, expected):
    found = judge(results(samples, ACC=(samples, 0), DR3=(samples, 0), sT=(samples - lost, 0)))
    assert found[NEAR].claim == "scaleTRIM stays near the accurate model"
    assert found[NEAR].outcome == expected


def test_more_comparisons_make_a_claim_harder_to_settle():
    one = {"ACC": (100, 0), "DR3": (100, 23)}
    assert judge(suite_results(100, **one))[SIZE].outcome == "holds"
    many = {f"m{i}": (100, 0) for i in range(60)}
    assert judge(suite_results(100, **one, **many))[SIZE].outcome == "cannot be told"


def test_every_verdict_says_what_one_image_is_worth():
    found = judge(results(64, ACC=(64, 30), DR3=(63, 31), sT=(64, 30)))
    assert len(found) == 5
    for verdict in found:
        assert verdict.evidence.endswith("one image out of 64 is 1.56 %.")
    assert one_image(50) == "one image out of 50 is 2 %"


def test_claims_that_the_data_cannot_speak_to_are_left_out():
    assert judge(Results("lenet5", "whitebox", (), planned=1)) == []
    assert judge(results(20, DR3=(20, 1))) == []
    claims = [v.claim for v in judge(results(20, ACC=(20, 1), other=(20, 1)))]
    assert len(claims) == 3
    assert not [claim for claim in claims if "DR3" in claim or "scaleTRIM" in claim]
    attacked = tuple(
        cell("11", budgets=(0.5,), label=label, multiplier=name)
        for label, name in (("ACC", "exact"), ("sT(4,8)", "scaletrim(4,8)"))
    )
    assert len(judge(Results("lenet5", "whitebox", attacked, planned=2))) == 2


def test_whole_test_sets_settle_what_fifty_images_leave_open():
    samples = 10_000
    correct = {
        "ACC": flags(9_350, samples),
        "DR3": flags(7_000, samples),
        "sT(4,0)": flags(9_340, samples),
        "sT(4,8)": flags(9_345, samples),
    }
    found = {v.claim: v for v in judge_clean(correct)}
    assert [v.outcome for v in found.values()] == ["does not hold", "holds", "holds"]
    loss, worst, near = (v.evidence for v in found.values())
    assert "DR3's, -23.5 points (0 gained and 2350 lost of 10,000; between" in loss
    assert "DR3 gets 70.00 % right, the others 93.40 to 93.50 %; it is below 3 of 3" in worst
    assert "sT(4,0) -0.1, sT(4,8) -0.1" in near
    # The same shares of 50 images settle none of them.
    few = {label: flags(one.count("1") // 200, 50) for label, one in correct.items()}
    assert judge_clean(few)[2].outcome == "cannot be told"


def test_the_claims_about_clean_accuracy_need_the_multipliers_that_they_are_about():
    (only,) = judge_clean({"exact": "1110", "mine": "1010"}, reference="exact")
    assert only.claim.startswith("Approximate multipliers cost up to")
