# SPDX-License-Identifier: Apache-2.0
"""Smallest budgets and verdicts, by hand-made cells and by a network that is masked on purpose."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import rankdata
from study_samples import cell
from torch import nn

from axhil.attacks import Borrowed, Suite, evaluate, parse_attack
from axhil.attacks.suites import Member
from axhil.report.markdown import report_markdown
from axhil.report.robustness import smallest_tables, taken_away, verdict_tables
from axhil.study.errors import StudyError
from axhil.study.results import Results
from axhil.study.smallest import (
    area_under_curve,
    bisected,
    mean_budget,
    median_budget,
    paired_budgets,
    smallest_budgets,
)
from axhil.study.storage.cells import Cell, joined
from axhil.study.storage.records import write_records
from axhil.study.storage.store import CellStore
from axhil.study.verdicts import RULE, verdicts
from axhil.zoo.data import embedded_split
from axhil.zoo.weights import pretrained

BUDGETS = (0.0, 0.1, 0.2, 0.3)


def broken_at(places, by="apgd", *, budgets=BUDGETS, label="ACC", zero=0.0, **changes):
    """A suite's cell: of each image the place of the budget that breaks it; 4 for none."""
    rows = tuple(
        tuple(("clean" if place == 0 else by) if place <= row else "" for place in places)
        for row in range(len(budgets))
    )
    flags = tuple("".join("10"[who != ""] for who in row) for row in rows)
    made = cell(*flags, label=label, budgets=budgets, attack="adaptive", **changes)
    return replace(made, broken_by=rows, zero_gradient=zero)


def test_smallest_budgets_median_and_area_are_those_of_the_curve():
    one = broken_at([0, 1, 2, 2, 4])
    assert smallest_budgets(one).tolist() == [0.0, 0.1, 0.2, 0.2, np.inf]
    assert median_budget(one) == 0.2
    assert median_budget(broken_at([4, 4, 1])) == np.inf
    # What survives to the last budget, 0.3, bears 0.4 at least.
    assert mean_budget(one) == pytest.approx((0.0 + 0.1 + 0.2 + 0.2 + 0.4) / 5)
    # accuracies 4/5, 3/5, 1/5, 1/5
    assert area_under_curve(one) == pytest.approx(0.1 * (0.7 + 0.4 + 0.2))


def test_paired_budgets_are_ranked_as_by_hand():
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 5, 40), rng.integers(0, 5, 40)
    found = paired_budgets(broken_at(a), broken_at(b, label="DR3"))
    change = b - a
    assert (found.larger, found.smaller) == ((change > 0).sum(), (change < 0).sum())
    changed = change[change != 0]
    assert found.rank_sign == np.sign((np.sign(changed) * rankdata(abs(changed))).sum())
    same = paired_budgets(broken_at(a), broken_at(a))
    assert (same.rank_p, same.sign_p, same.rank_sign, same.larger) == (1.0, 1.0, 0, 0)
    # Two p-values known in closed form: all n changes one way.
    few = paired_budgets(broken_at([1] * 8), broken_at([2] * 8))
    assert few.sign_p == pytest.approx(2 * 0.5**8)
    assert few.rank_sign == 1
    with pytest.raises(StudyError, match="two cells of the same images and budgets"):
        paired_budgets(broken_at([1]), broken_at([1], budgets=(0.0, 0.1, 0.2, 0.4)))


def judged(own, exact=None):
    exact = exact or broken_at([2] * 40)
    (first, second) = verdicts([exact, own], "ACC")
    assert first.name == "reference"
    return second


@pytest.mark.parametrize(
    ("own", "name", "reason"),
    [
        (broken_at([3] * 40, label="DR3"), "more robust", "more at eps 0.2, smallest budgets"),
        (broken_at([1] * 40, label="DR3"), "less robust", "fewer at eps 0.1, smallest budgets"),
        (broken_at([2] * 39 + [3], label="DR3"), "cannot be told", "no difference is more than"),
        (
            broken_at([1] * 20 + [3] * 20, label="DR3"),
            "cannot be told",
            "more at eps 0.2, fewer at eps 0.1",
        ),
        (broken_at([3] * 40, label="DR3", zero=0.1), "gradient masked", "10% of the images have"),
        (
            broken_at([3] * 40, "square", label="DR3"),
            "gradient masked",
            "100% of the images survive",
        ),
        (
            broken_at([3] * 40, "apgd@float", label="DR3"),
            "gradient masked",
            "100% of the images survive",
        ),
        (broken_at([1] * 40, "square", label="DR3"), "less robust", "fewer at eps 0.1"),
    ],
)
def test_the_rule_is_applied_as_it_is_printed(own, name, reason):
    found = judged(own)
    assert found.name == name
    assert reason in found.reason


def test_a_loss_against_a_masked_reference_proves_nothing():
    exact = broken_at([2] * 40, "square")
    found = judged(broken_at([1] * 40, label="DR3"), exact)
    assert found.name == "cannot be told"
    assert found.reason.startswith("of the accurate multiplier 100% of the images survive")


def later(places, delay, *, label, count=40):
    """On a fine grid: another gradient breaks every image, the own one so many budgets later."""
    budgets = tuple(0.01 * step for step in range(count))
    made = broken_at(places, "apgd@float", budgets=budgets, label=label)
    rows = tuple(
        tuple(
            "apgd" if place + delay <= row else who
            for place, who in zip(places, found, strict=True)
        )
        for row, found in enumerate(made.broken_by)
    )
    return replace(made, broken_by=rows)


def test_a_fine_grid_masks_nobody_whose_own_gradient_follows_a_step_later():
    places = list(range(1, 31))
    found = judged(
        later([place + 4 for place in places], 1, label="DR3"), later(places, 1, label="ACC")
    )
    assert (found.name, round(found.hidden, 6)) == ("more robust", round(1 / 30, 6))
    # The own gradient is eight budgets late: at most of them it misses eight images of thirty.
    found = judged(
        later([place + 4 for place in places], 8, label="DR3", count=50),
        later(places, 1, label="ACC", count=50),
    )
    assert found.name == "gradient masked"
    assert found.reason.startswith("27% of the images survive the own gradient at eps ")
    assert found.reason.endswith("and fall to others (of the accurate multiplier 3% at most)")
    # Three budgets, and three images: so few may be chance.
    found = judged(
        later([place + 4 for place in places], 3, label="DR3"), later(places, 1, label="ACC")
    )
    assert (found.name, found.hidden) == ("more robust", pytest.approx(0.1))
    # What the accurate network shows as well is not the multiplier's.
    found = judged(
        later([place + 4 for place in places], 2, label="DR3"), later(places, 1, label="ACC")
    )
    assert found.name == "more robust"


def test_nothing_can_be_told_without_a_reference_or_a_suite():
    own = broken_at([1] * 40, label="DR3")
    (alone,) = verdicts([own], None)
    assert alone.name == "cannot be told"
    assert verdicts([cell()], "ACC") == []


def test_report_and_tables_show_verdicts_rule_and_what_was_taken_away():
    cells = (broken_at([2] * 40), broken_at([1] * 38 + [0, 4], label="DR3", multiplier="drum(3)"))
    results = Results("lenet5", "whitebox", cells, 8)
    (table,) = verdict_tables(results)
    assert [row[1].text for row in table.rows] == ["reference", "less robust"]
    (smallest,) = smallest_tables(results)
    exact, own = ([entry.text for entry in row] for row in smallest.rows)
    assert exact == ["ACC", "0.2", "0.2000", "0.1500", "0", "–", "–", "–", "–"]
    # 38 images at 0.1, one wrong as it is, one that bears 0.3; ranks and signs agree.
    assert own[:7] == ["DR3", "0.1", ">= 0.1050", "0.0550", "1", "1", "39"]
    assert float(own[8]) < 1e-6
    (taken,) = taken_away(results)
    assert [entry.text for entry in taken.rows[2]] == ["DR3", "wrong without attack", "1", "1", "1"]
    assert [entry.text for entry in taken.rows[3]] == ["DR3", "apgd", "38", "38", "38"]
    assert [entry.text for entry in taken.rows[4]] == ["DR3", "survived all", "1", "1", "1"]
    (_, said) = results.as_dict()["verdicts"]
    assert (said["label"], said["verdict"], said["median_eps"]) == ("DR3", "less robust", 0.1)
    assert (said["bears_more"], said["bears_less"]) == (1, 39)
    assert said["p_wilcoxon_holm"] < 0.001 > said["p_sign_holm"]
    text = report_markdown([results], title="x")
    assert "## Verdict: LeNet-5, white-box" in text
    assert RULE[:60] in text
    plain = Results("lenet5", "whitebox", (cell(),), 2)
    assert "## Verdict" not in report_markdown([plain], title="x")


def test_who_broke_what_survives_the_store_and_budgets_that_come_later(tmp_path):
    whole = broken_at([0, 1, 2, 3, 4])
    store = CellStore(tmp_path)
    for budgets in ((0.0, 0.2), (0.1, 0.3)):
        store.put(whole.at(budgets))
    found = store.get(whole.settings)
    assert found == whole
    text = write_records([whole, cell(label="DR3")], tmp_path / "r.csv").read_text()
    assert "clean|apgd||" in text
    # An attack may be weaker at a larger budget: what fell at a smaller one stays broken.
    late = broken_at([4], budgets=(0.2, 0.3))
    assert joined([broken_at([1], budgets=(0.0, 0.1)), late]).correct == ("1", "0", "0", "0")
    # Along the own gradient at a larger budget takes over, another's does not.
    for late, who in (("apgd", "apgd"), ("square", "apgd@float")):
        parts = (
            broken_at([1], "apgd@float", budgets=(0.0, 0.1)),
            broken_at([0], budgets=(0.2, 0.3)),
        )
        named = replace(parts[1], broken_by=((late,), (late,)))
        assert joined([parts[0], named]).broken_by == (("",), ("apgd@float",), (who,), (who,))


def test_smallest_budgets_are_looked_for_by_suites_alone():
    assert bisected(["adaptive", "autoattack(bisection=true)"]) == [
        "adaptive(bisection=true)",
        "autoattack(bisection=true)",
    ]
    with pytest.raises(StudyError, match="--smallest: expected suites, adaptive or autoattack, "):
        bisected(["adaptive", "pgd"])


class Steep(nn.Module):
    """A network behind a quantiser so steep that its gradient vanishes."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(torch.sigmoid(400.0 * (x - 0.5)))


def test_a_network_masked_on_purpose_is_called_masked():
    """LeNet-5 as it is against LeNet-5 behind a steep quantiser, by a suite of small size."""
    network = pretrained("lenet5").eval()
    x, y = embedded_split("evaluation").select(40).batch()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    attacks = [parse_attack(one) for one in ("apgd(steps=15)", "square(queries=100)")]
    members = (Member(attacks[0]), Member(attacks[0], "float"), Member(attacks[1]))
    suite = Suite("adaptive", attacks[0].norm, members)
    budgets = (0.0, 0.1, 0.2, 0.3)
    cells: list[Cell] = []
    for label, model in (("ACC", network), ("DR3", Steep(network))):
        lender = model if model is network else Borrowed(model, network)
        found = evaluate(model, x, y, suite, budgets=budgets, sources={"float": lender})
        flags = ("".join(str(int(flag)) for flag in row) for row in found.correct)
        cells.append(
            replace(
                cell(*flags, label=label, budgets=budgets, attack="adaptive"),
                broken_by=found.broken_by,
                zero_gradient=float(found.zero_gradient.float().mean()),
            )
        )
    torch.set_num_threads(threads)
    assert cells[1].correct[3].count("1") > cells[0].correct[3].count("1")  # looks more robust
    assert [one.name for one in verdicts(cells, "ACC")] == ["reference", "gradient masked"]
