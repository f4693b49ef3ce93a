# SPDX-License-Identifier: Apache-2.0
"""The Markdown report says what the flags say."""

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from study_samples import cell

from axhil.report.accuracy import spread
from axhil.report.markdown import code, plain, report_markdown
from axhil.study import paper
from axhil.study.errors import StudyError
from axhil.study.results import Results

TITLES = {
    ("fgsm", "linf"): "FGSM L∞",
    ("pgd", "linf"): "PGD L∞",
    ("fgsm", "l2"): "FGM L2",
    ("pgd", "l2"): "PGD L2",
}
NAMES = {"ACC": "exact", "DR3": "drum(3)", "sT(4,8)": "scaletrim(4,8)"}


def cells(samples=40, budgets=(0.0, 0.1, 0.5), **changes):
    """Random flags for every panel; clean ones are one string per multiplier."""
    draw = np.random.default_rng(5)
    found = []
    for label, name in NAMES.items():
        clean = "".join(map(str, draw.integers(0, 2, samples)))
        for norm, attack in itertools.product(("linf", "l2"), ("fgsm", "pgd")):
            flags = ["".join(map(str, draw.integers(0, 2, samples))) for _ in budgets[1:]]
            settings = {"norm": norm, "attack": attack, "budgets": budgets, **changes}
            found.append(cell(clean, *flags, label=label, multiplier=name, **settings))
    return tuple(found)


def results(some, planned=None):
    one = some[0].settings
    count = sum(len(c.correct) for c in some)
    return Results(one.network, one.threat_model, tuple(some), planned or count)


def tables(text):
    """Tables below each heading, as rows of cells."""
    found, heading = {}, ""
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("|"):
            row = [part.strip() for part in re.split(r"(?<!\\)\|", line)[1:-1]]
            found.setdefault(heading, []).append(row)
    return found


@pytest.fixture(scope="module")
def some():
    return cells()


@pytest.fixture(scope="module")
def text(some):
    return report_markdown([results(some)], title="a title")


def test_the_title_comes_first_and_the_finding_next(text):
    lines = text.splitlines()
    assert lines[0] == "# a title"
    assert lines[2].startswith("**LeNet-5, white-box**, 40 images of mnist5k, 36 evaluations. ")
    assert "White-box: each network is attacked" in lines[2]
    assert "Unfinished" not in text


def test_every_accuracy_is_counted_from_its_flags(some, text):
    found = tables(text)
    seen = 0
    for one in some:
        panel = TITLES[one.settings.attack, one.settings.norm]
        heading, _, *rows = found[f"{panel}: LeNet-5, white-box"]
        assert heading == ["eps", "0", "0.1", "0.5"]
        (row,) = [row for row in rows if row[0] == one.label]
        for shown, flags in zip(row[1:], one.correct, strict=True):
            assert float(shown.rstrip(" ▲▼")) == round(100 * flags.count("1") / 40, 1)
            seen += 1
    assert seen == 3 * 4 * 3


def test_marks_are_where_differences_survive_and_point_their_way():
    right, wrong = "1" * 40, "0" * 40
    some = (
        cell(right, wrong, right, budgets=(0.0, 0.1, 0.5)),
        cell(right, right, wrong, label="DR3", multiplier="drum(3)", budgets=(0.0, 0.1, 0.5)),
    )
    text = report_markdown([results(some)], title="t")
    rows = tables(text)["FGSM L∞: LeNet-5, white-box"]
    assert rows[2:] == [
        ["ACC", "100.0", "0.0", "100.0"],
        ["DR3", "100.0", "100.0 ▲", "0.0 ▼"],
    ]
    assert "2 of 3 comparisons survive at 5 %" in text


def test_the_largest_gain_and_loss_of_each_multiplier_are_those_of_the_flags(some, text):
    flags = {
        (c.label, c.settings.attack, c.settings.norm, eps): row
        for c in some
        for eps, row in zip(c.settings.budgets, c.correct, strict=True)
    }
    _, _, *rows = tables(text)["Differences from ACC: LeNet-5, white-box"]
    assert [row[:2] for row in rows] == [
        [label, kind]
        for label in ("DR3", "sT(4,8)")
        for kind in ("clean", "largest gain", "largest loss")
    ]
    for label, kind, panel, eps, points, gained, lost, exact, adjusted, survives in rows:
        net = {}
        for (name, attack, norm, budget), own in flags.items():
            if name == label:
                pairs = list(zip(flags["ACC", attack, norm, budget], own, strict=True))
                more, fewer = pairs.count(("0", "1")), pairs.count(("1", "0"))
                net[attack, norm, budget] = (more - fewer, more, fewer)
        if kind == "clean":
            assert (panel, eps) == ("–", "0")
            expected = net["fgsm", "linf", 0.0]
        else:
            (key,) = [key for key, title in TITLES.items() if title == panel]
            expected = net[(*key, float(eps))]
            attacked = [value[0] for key, value in net.items() if key[2] > 0]
            assert expected[0] == (max if kind == "largest gain" else min)(attacked)
        assert (int(gained), int(lost)) == expected[1:]
        assert points == f"{100 * expected[0] / 40:+.1f}"
        n, k = sum(expected[1:]), max(expected[1:])
        tail = sum(math.comb(n, i) for i in range(k, n + 1)) / 2**n
        assert exact == f"{min(1.0, 2 * tail):.2g}"
        assert float(adjusted) >= float(exact)
        assert survives == ("**yes**" if float(adjusted) < 0.05 else "no")


def test_of_equal_gains_the_one_with_the_smallest_p_is_shown():
    other = {"label": "DR3", "multiplier": "drum(3)"}
    some = (
        cell("11110", "11000", "00000", budgets=(0.0, 0.1, 0.5)),
        cell("11110", "00111", "10000", budgets=(0.0, 0.1, 0.5), **other),
    )
    rows = tables(report_markdown([results(some)], title="t"))[
        "Differences from ACC: LeNet-5, white-box"
    ]
    # 3 gained and 2 lost, or 1 gained: both have p = 1, and the first counts.
    assert rows[3][3:7] == ["0.1", "+20.0", "3", "2"]
    some = (
        cell("1" * 9, "100000000", "000000000", budgets=(0.0, 0.1, 0.5)),
        cell("1" * 9, "011110000", "111000000", budgets=(0.0, 0.1, 0.5), **other),
    )
    rows = tables(report_markdown([results(some)], title="t"))[
        "Differences from ACC: LeNet-5, white-box"
    ]
    # 4 gained and 1 lost has p = 0.375, 3 gained p = 0.25.
    assert rows[3][3:7] == ["0.5", "+33.3", "3", "0"]


def test_a_multiplier_without_gain_or_loss_says_none():
    some = (cell("11", "10"), cell("11", "10", label="DR3", multiplier="drum(3)"))
    rows = tables(report_markdown([results(some)], title="t"))
    kinds = [row[:3] for row in rows["Differences from ACC: LeNet-5, white-box"][2:]]
    assert kinds == [
        ["DR3", "clean", "–"], ["DR3", "largest gain", "none"], ["DR3", "largest loss", "none"],
    ]  # fmt: skip


def test_clean_accuracy_stands_beside_table_iii_with_its_interval(some, text):
    heading, _, *rows = tables(text)["Clean accuracy"]
    assert heading == ["multiplier", "LeNet-5, %", "95 % interval", "paper"]
    assert [row[0] for row in rows] == list(NAMES)
    for label, ours, interval, published in rows:
        flags = next(c.correct[0] for c in some if c.label == label)
        share, z, n = flags.count("1") / 40, 1.959963984540054, 40
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
        assert ours == f"{100 * share:.2f}"
        assert interval == f"{100 * (middle - half):.2f} to {100 * (middle + half):.2f}"
        assert published == f"{paper.CLEAN_ACCURACY['lenet5'][label]:.2f}"
    assert "One image out of 40 is 2.5 %." in text


def test_networks_and_multipliers_beyond_the_paper_have_no_published_number():
    mine = cell(network="mine", label="X")
    found = tables(report_markdown([results([mine]), results([cell(label="X")])], title="t"))
    heading, _, row = found["Clean accuracy"]
    assert heading == [
        "multiplier",
        "mine, %",
        "95 % interval",
        "LeNet-5, %",
        "95 % interval",
        "paper",
    ]
    assert (row[0], row[1], row[-1]) == ("X", "75.00", "–")
    assert found["Seconds per evaluation"][2][-4:] == ["–"] * 4


def test_seconds_are_of_one_evaluation_and_compared_image_by_image():
    some = [cell("1" * 32, "0" * 32, seconds=(1.0, 2.0)), cell("1" * 32, "0" * 32, norm="l2")]
    heading, _, row = tables(report_markdown([results(some)], title="t"))["Seconds per evaluation"]
    found = dict(zip(heading, row, strict=True))
    assert found["evaluations"] == "4"
    assert found["s each"] == "1.5"  # (1 + 2 + 3) / 4
    assert (found["images"], found["threads"], found["device"]) == ("32", "1", "cpu (x)")
    assert (found["paper: images"], found["paper: s each"]) == ("64", "14.74")
    # 14.74 / 64 s an image there, 1.5 / 32 here.
    assert found["paper / here, per image"] == "4.91 x"


def test_an_unfinished_study_says_how_far_it_is():
    text = report_markdown([results([cell()], planned=8)], title="t")
    assert "**Unfinished: 2 of 8 evaluations (25 %); what follows is about those.**" in text
    text = report_markdown([results([cell()]), Results("vgg19", "whitebox", (), 9)], title="t")
    assert "**VGG-19, white-box.** Nothing is finished of 9 evaluations planned." in text
    assert len(re.findall("VGG-19", text)) == 1
    nothing = report_markdown([Results("vgg19", "whitebox", (), 9)], title="t")
    assert "##" not in nothing
    with pytest.raises(StudyError, match="at least one network, got none"):
        report_markdown([], title="t")


def test_cells_that_are_not_there_yet_leave_a_dash():
    some = [
        cell("11", "10", "00", budgets=(0.0, 0.1, 0.5)),
        cell("01", label="DR3", multiplier="drum(3)", budgets=(0.1,)),
    ]
    found = tables(report_markdown([results(some, planned=6)], title="t"))
    assert found["FGSM L∞: LeNet-5, white-box"][3] == ["DR3", "–", "50.0", "–"]
    assert found["Clean accuracy"][3][:3] == ["DR3", "–", "–"]


def test_many_budgets_are_thinned_out_and_the_rest_said_to_be_in_the_csv():
    budgets = tuple(float(eps) for eps in np.round(np.linspace(0, 2, 100), 6))
    text = report_markdown([results(cells(10, budgets))], title="t")
    for panel in TITLES.values():
        rows = tables(text)[f"{panel}: LeNet-5, white-box"]
        assert len(rows[0]) == 1 + 12
    assert text.count("12 of 100 budgets; records.csv has all.") == 4


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_budgets_shown_are_some_of_those_run_with_both_ends(norm):
    budgets = [i * 2 / 99 for i in range(100)]
    shown = spread(budgets, norm, most=12)
    assert shown == sorted(set(shown))
    assert set(shown) <= set(budgets)
    assert (shown[0], shown[-1]) == (0, 2)
    assert len(shown) == 12
    # L-inf is looked at closely where it is small: half of its budgets are below a quarter.
    assert sum(eps <= 0.5 for eps in shown) == (6 if norm == "linf" else 3)
    assert spread(budgets[:12], norm, most=12) == budgets[:12]


def test_all_warnings_are_told():
    flags = {"fgsm": ("11111111", "00000000"), "pgd": ("11111111", "11110000")}
    some = [
        cell(*flags["fgsm"], warnings=("zero-gradient: 3 of 8", "other: something")),
        cell(*flags["pgd"], attack="pgd"),
    ]
    text = report_markdown([results(some)], title="t").partition("## Warnings")[2]
    assert "- FGSM L∞, zero-gradient (ACC): 3 of 8" in text
    assert "- FGSM L∞, other (ACC): something" in text
    # Many steps leave 4 images right where a single one leaves none.
    assert "- ACC linf: iterated-weaker: robust accuracy at eps 0.5 is 50.00% under pgd" in text
    assert "[zero-gradient](https://" in text
    assert "[other](https://" not in text  # of an attack of the user's own
    assert "None: no check" in report_markdown([results([cell()])], title="t")


def test_provenance_has_hashes_settings_versions_and_the_command(text):
    rows = tables(text)["LeNet-5, white-box"]
    facts = dict(row for row in rows if len(row) == 2)
    assert facts["weights sha256"] == f"`{'w' * 64}`"
    assert facts["data sha256"] == f"`{'d' * 64}`"
    assert facts["attack"] == "`fgsm; pgd`"
    assert (facts["seed"], facts["batch"], facts["threat model"]) == ("`0`", "`512`", "`whitebox`")
    assert facts["worst iterate"] == "`False`"
    assert facts["quantisation weights"] == "`tensor`"
    assert (facts["run on: axhil"], facts["run on: torch"]) == ("`0.1.0`", "`2`")
    assert facts["budgets of l2"] == "`0, 0.1, 0.5`"
    assert [f"`{name}`" for name in NAMES.values()] == [
        row[1] for row in rows if len(row) == 3 and row[0] in NAMES
    ]
    assert "    axhil eval lenet5" in text


def test_the_papers_claims_are_listed_for_each_set_of_results():
    there = cells(threat_model="transfer:float")
    text = report_markdown([results(cells()), results(there)], title="t")
    rows = tables(text)["The paper's claims"][2:]
    assert [row[0] for row in rows] == ["LeNet-5, white-box"] * 5 + ["LeNet-5, transfer:float"] * 5
    assert {row[2] for row in rows} <= {"**holds**", "**does not hold**", "**cannot be told**"}
    assert all("one image out of 40 is 2.5 %" in row[3] for row in rows)
    # Clean accuracy is the same under every threat model and told once.
    assert len(tables(text)["Clean accuracy"][0]) == 4


def test_without_an_accurate_multiplier_nothing_is_compared_or_judged():
    text = report_markdown([results([cell(multiplier="drum(3)", label="DR3")])], title="t")
    assert "Differences" not in text
    assert "claims" not in text
    assert "▲" not in text


def test_pictures_are_shown_by_their_captions():
    shown = {"a caption": "a b.png"}
    text = report_markdown([results([cell()])], title="t", pictures=shown)
    assert "![a caption](<a b.png>)" in text


EVIL = "<script>alert(1)</script> | x `y` *z* [a](b)\n# c"


def test_whatever_records_hold_is_shown_and_not_obeyed():
    some = [
        cell(data=EVIL, calibration=EVIL),
        cell(data=EVIL, calibration=EVIL, label=EVIL, multiplier=EVIL, warnings=(EVIL,)),
    ]
    some = [replace(c, environment={"device": EVIL, "threads": 1}) for c in some]
    text = report_markdown([results(some)], title=EVIL, pictures={EVIL: "x.png"})
    outside = re.sub(r"(?m)^    .*$|(`+)(?!`).*?(?<!`)\1(?!`)", "", text.replace("\\`", ""))
    assert "alert(1)" in outside
    assert "<script" not in outside
    assert not re.search(r"(?<!\\)\[a", outside)
    assert "\n# c" not in text
    for rows in tables(text).values():
        widths = {len(row) for row in rows}
        assert len(widths) <= 2  # provenance has two tables under one heading


def test_escapes_keep_plain_words_as_they_are():
    assert plain("DR3, sT(4,8): 1.5 %") == "DR3, sT(4,8): 1.5 %"
    assert plain("a|b_c\n d") == r"a\|b\_c d"
    assert code("a|b") == r"`a\|b`"
    assert code("a`b") == "`` a`b ``"


def test_the_same_results_give_the_same_text_and_others_another(some, text):
    assert report_markdown([results(some)], title="a title") == text
    assert report_markdown([results(some[:4])], title="a title") != text
