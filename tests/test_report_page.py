# SPDX-License-Identifier: Apache-2.0
"""The report says what the records say, needs nothing else, and runs nothing it is handed."""

import base64
import hashlib
import itertools
import json
import math
import os
import re
import shlex
import stat
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest
from study_samples import cell

from axhil.errors import DOCS
from axhil.hwsim import PAPER_MULTIPLIERS, Catalogued, HwsimError, golden
from axhil.hwsim.multipliers import Assignment, Tabulated, find
from axhil.report.figures.curves import looks
from axhil.report.findings import caution, finding
from axhil.report.html.charts import COLOURS
from axhil.report.html.page import report_page, write_page
from axhil.report.provenance import command
from axhil.study.comparisons import (
    accurate_multiplier,
    compare,
    detectable_difference,
    difference_interval,
    fewest_changed,
)
from axhil.study.engine.experiment import Experiment, Grid, run
from axhil.study.errors import StudyError
from axhil.study.results import Results
from axhil.study.statistics import PairedDifference
from axhil.study.storage.records import records_of
from axhil.study.storage.store import CellStore
from axhil.study.subject import load_subject
from axhil.zoo.data import embedded_split

VOID = {"meta", "input", "img", "br", "link", "hr", "use", "path", "circle"}


def results(cells, tables=()):
    """The cells as the results of the first one's network."""
    first = cells[0].settings
    planned = sum(len(c.settings.budgets) for c in cells)
    return Results(first.network, first.threat_model, tuple(cells), planned, tuple(tables))


def page_of(cells, *, tables=(), pictures=None):
    return report_page(results(cells, tables), pictures=pictures)


class Page(HTMLParser):
    """Elements of a page, its tables by caption, and its text; fails on a tag out of place."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.source = text
        self.tags, self.open, self.words = [], [], []
        self.tables, self.row, self.in_caption = {}, None, False
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in VOID:
            return
        self.open.append(tag)
        if tag == "caption":
            self.caption = ""
        elif tag == "tr":
            self.row = []
        elif tag in ("td", "th"):
            self.row.append("")
        elif tag == "small" and self.row:
            self.row[-1] += "|"

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"
        if tag == "caption":
            self.tables[self.caption] = []
        elif tag == "tr":
            self.tables[self.caption].append(self.row)
            self.row = None

    def handle_data(self, data):
        if "script" in self.open or "style" in self.open:
            return
        self.words.append(data)
        if "caption" in self.open:
            self.caption += data
        elif {"td", "th"} & set(self.open):
            self.row[-1] += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))

    @property
    def data(self):
        """What the script reads."""
        return json.loads(
            re.search(r'<script type="application/json" id="data">(.*?)</script>', self.source)[1]
        )


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Cells of a small run of LeNet-5, and the tables it was built from."""
    tables = [find("exact"), find("drum(3)")]
    budgets = dict.fromkeys(("linf", "l2"), (0.0, 0.15, 0.3))
    grid = Grid(attacks=("fgsm", "bim"), norms=("linf", "l2"), budgets=budgets)
    images = embedded_split("evaluation").select(8)
    store = CellStore(tmp_path_factory.mktemp("cells"))
    return run(
        Experiment(load_subject("lenet5"), images, [*map(Assignment.of, tables)], grid), store
    ), tables


@pytest.fixture(scope="module")
def page(real):
    cells, tables = real
    return Page(page_of(cells, tables=tables))


def synthetic(samples=40, budgets=(0.0, 0.1, 0.5), names=("exact", "drum(3)", "drum(4)")):
    """Cells of random flags for every panel; clean flags are one per multiplier."""
    draw = np.random.default_rng(5)
    cells = []
    for name in names:
        clean = "".join(map(str, draw.integers(0, 2, samples)))
        for norm, attack in itertools.product(("linf", "l2"), ("fgsm", "pgd")):
            flags = ["".join(map(str, draw.integers(0, 2, samples))) for _ in budgets[1:]]
            settings = {"norm": norm, "attack": attack, "budgets": budgets}
            cells.append(cell(clean, *flags, label=name, multiplier=name, **settings))
    return cells


def test_the_accuracy_tables_hold_every_record_and_its_interval(real, page):
    cells, _ = real
    titles = {("fgsm", "linf"): "FGSM L∞", ("bim", "linf"): "BIM L∞"}
    titles |= {("fgsm", "l2"): "FGM L2", ("bim", "l2"): "BIM L2"}
    seen = 0
    for one in cells:
        title = titles[one.settings.attack, one.settings.norm]
        heading, *rows = page.tables[f"{title}: robust accuracy, %"]
        assert heading == ["eps", "0", "0.15", "0.3"]
        (row,) = [row for row in rows if row[0] == one.label]
        for shown, flags in zip(row[1:], one.correct, strict=True):
            share, z, n = flags.count("1") / 8, 1.959963984540054, 8
            middle = (share + z * z / (2 * n)) / (1 + z * z / n)
            half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
            # Wilson's interval, from its formula.
            low, high = max(0.0, middle - half), min(1.0, middle + half)
            assert shown == f"{100 * share:.1f}|{100 * low:.1f}–{100 * high:.1f}"
            seen += 1
    assert seen == 2 * 4 * 3


def test_what_hovering_shows_are_the_same_numbers(real, page):
    cells, _ = real
    data = page.data
    assert (data["samples"], data["labels"]) == (8, ["ACC", "DR3"])
    titles = [panel["title"] for panel in data["panels"]]
    assert titles == ["FGSM L∞", "BIM L∞", "FGM L2", "BIM L2"]
    keys = [("fgsm", "linf"), ("bim", "linf"), ("fgsm", "l2"), ("bim", "l2")]
    for panel, key in zip(data["panels"], keys, strict=True):
        for number, points in panel["curves"]:
            (one,) = [
                c
                for c in cells
                if (c.settings.attack, c.settings.norm) == key and c.label == data["labels"][number]
            ]
            intervals = [
                (round(100 * r.accuracy.low, 1), round(100 * r.accuracy.high, 1))
                for r in records_of([one])
            ]
            assert [(low, high) for _, _, low, high, *_ in points] == intervals
            shown = [(eps, right) for eps, right, *_ in points]
            counts = [flags.count("1") for flags in one.correct]
            assert shown == list(zip((0, 0.15, 0.3), counts, strict=True))


def test_curves_stand_where_their_numbers_are(page):
    charts = re.findall(r'<svg class="chart".*?</svg>', page.source, re.DOTALL)
    assert len(charts) == 4
    for chart, panel in zip(charts, page.data["panels"], strict=True):
        for number, points in panel["curves"]:
            group = re.search(rf'<g class="curve line [^>]*data-k="{number}">(.*?</g>)', chart)[1]
            drawn = re.search(r'<path d="M (.*?)"', group)[1]
            places = [[float(v) for v in point.split()] for point in drawn.split(" L ")]
            np.testing.assert_allclose(places, [point[4:] for point in points], atol=0.06)
            heights = {right: y for _, right, _, _, _, y in points}
            assert sorted(heights.values(), reverse=True) == [heights[r] for r in sorted(heights)]
            assert group.count("<use") == len(points)


def test_the_differences_are_those_of_the_flags_and_holm_covers_them_all(page, real):
    cells, _ = real
    heading, *rows = page.tables["Paired differences"]
    assert heading[3:] == ["points", "gained", "lost", "p exact", "p Holm", "survives"]
    assert len(rows) == 4 * 2 + 1  # clean once
    flags = {
        (c.label, c.settings.attack, c.settings.norm, eps): row
        for c in cells
        for eps, row in zip(c.settings.budgets, c.correct, strict=True)
    }
    keys = {"FGSM L∞": ("fgsm", "linf"), "BIM L∞": ("bim", "linf"), "FGM L2": ("fgsm", "l2")}
    keys |= {"BIM L2": ("bim", "l2"), "clean": ("fgsm", "linf")}
    for label, panel, eps, points, gained, lost, exact, adjusted, survives in rows:
        ours = flags[label, *keys[panel], float(eps)]
        theirs = flags["ACC", *keys[panel], float(eps)]
        more = sum(a > b for a, b in zip(ours, theirs, strict=True))
        fewer = sum(a < b for a, b in zip(ours, theirs, strict=True))
        assert (int(gained), int(lost)) == (more, fewer)
        assert points == f"{100 * (more - fewer) / 8:+.1f}"
        # The exact two-sided sign test, by counting.
        n, k = more + fewer, max(more, fewer)
        tail = sum(math.comb(n, i) for i in range(k, n + 1)) / 2**n
        assert exact == f"{min(1.0, 2 * tail):.2g}"
        assert float(adjusted) >= float(exact)
        assert survives == ("yes" if float(adjusted) < 0.05 else "no")


def test_a_difference_survives_only_after_the_correction_for_the_whole_family():
    """12 images one way, p = 2^-11, survive a family of 6; 6 images, p = 2^-5, only alone."""
    right, some, wrong = ("1" * n + "0" * (12 - n) + "10" * 14 for n in (12, 6, 0))
    cells = [
        cell(right, wrong, right, label="ACC", budgets=(0.0, 0.1, 0.5)),
        cell(right, right, right, label="DR3", multiplier="drum(3)", budgets=(0.0, 0.1, 0.5)),
        cell(right, some, wrong, label="DR4", multiplier="drum(4)", budgets=(0.0, 0.1, 0.5)),
    ]
    found = compare(records_of(cells), "ACC")
    assert len(found) == 2 * 3
    surviving = {
        (c.record.cell.label, c.record.eps): c.difference.value for c in found if c.survives
    }
    assert surviving == {("DR3", 0.1): 0.3, ("DR4", 0.5): -0.3}
    assert min(c.adjusted for c in found) == pytest.approx(6 * 2 * 0.5**12)
    (alone,) = [c for c in found if c.difference.value == 6 / 40]
    assert alone.difference.p_value == pytest.approx(2 * 0.5**6)
    assert alone.adjusted == pytest.approx(4 * 2 * 0.5**6)
    document = Page(page_of(cells))
    assert "2 of 6 comparisons survive" in document.text
    expected = (
        "Compared with the accurate multiplier (ACC) on the same 40 images, and beyond what chance "
        "explains: DR3 gets more images right at 1 of 2 attack settings (by up to 30.0 points); "
        "DR4 gets fewer images right at 1 of 2 attack settings (by up to 30.0 points)."
    )
    assert finding(found, "ACC") == expected
    assert expected in document.text
    accuracies = document.source.partition('id="accuracies"')[2].partition("</section>")[0]
    assert re.findall(r'<td class="(\w+)"', accuracies) == ["gain", "loss"]


def test_the_finding_names_who_differs_how_and_who_does_not():
    right, wrong = "1" * 20 + "10" * 10, "0" * 20 + "10" * 10
    budgets = (0.0, 0.1, 0.5)
    flags = {
        "exact": (right, wrong, right),
        "a": (right, right, right),  # better at 0.1
        "b": (right, right, wrong),  # better at 0.1, worse at 0.5
        "c": (wrong, wrong, right),  # worse clean
        "d": (right, wrong, right),
        "e": (right, wrong, right),
    }
    cells = [cell(*f, label=name, multiplier=name, budgets=budgets) for name, f in flags.items()]
    assert finding(compare(records_of(cells), "exact"), "exact").partition("explains: ")[2] == (
        "a gets more images right at 1 of 2 attack settings (by up to 50.0 points) and b at 1 "
        "(50.0); b gets fewer images right at 1 of 2 attack settings (by up to 50.0 points); "
        "without attack c -50.0 points; d and e show no such difference."
    )


def test_clean_accuracy_is_one_comparison_though_every_panel_repeats_it():
    found = compare(records_of(synthetic()), "exact")
    assert len(found) == 2 * (4 * 2 + 1)
    assert sum(c.clean for c in found) == 2


@pytest.mark.parametrize(
    ("gained", "lost", "samples"), [(0, 0, 64), (5, 1, 64), (57, 0, 200), (12, 26, 10000)]
)
def test_the_interval_of_a_difference_is_walds_with_half_an_image_more_in_each_cell(
    gained, lost, samples
):
    low, high = difference_interval(PairedDifference(gained, lost, samples, 1.0))
    # p12 and p21 of the 2x2 table with 0.5 added to each cell, and the textbook variance.
    n, p12, p21 = samples + 2, (gained + 0.5) / (samples + 2), (lost + 0.5) / (samples + 2)
    deviation = math.sqrt((p12 + p21 - (p12 - p21) ** 2) / n)
    assert (low + high) / 2 == pytest.approx(p12 - p21)
    assert high - low == pytest.approx(2 * 1.959964 * deviation, rel=1e-6)
    wide_low, wide_high = difference_interval(
        PairedDifference(gained, lost, samples, 1.0), family=9
    )
    assert wide_low < low < high < wide_high


@pytest.mark.parametrize("family", [1, 2, 9, 58, 348, 3570, 1024 * 20])
def test_the_fewest_changed_images_are_the_first_that_pass_the_test(family):
    def smallest_p(changed):
        return min(1.0, family * 2 * 0.5**changed)

    d = fewest_changed(family)
    assert smallest_p(d) < 0.05 <= smallest_p(d - 1)


@pytest.mark.parametrize(("samples", "changed"), [(50, 6), (50, 14), (200, 14), (64, 1), (14, 14)])
def test_the_detectable_difference_is_found_four_times_in_five(samples, changed):
    x = detectable_difference(samples, changed)
    found = sum(
        math.comb(samples, i) * x**i * (1 - x) ** (samples - i) for i in range(changed, samples + 1)
    )
    assert found == pytest.approx(0.8)


def test_too_few_images_are_said_to_show_nothing(page):
    assert detectable_difference(8, fewest_changed(9)) is None
    assert "8 images are fewer than that: nothing here can survive." in page.text
    assert "8 images cannot show any in a family of 9" in page.text


def test_the_accurate_multiplier_is_known_by_its_table_before_its_name():
    cells = [cell(label="A"), cell(label="B", multiplier="mine")]
    records = records_of(cells)
    exact, drum = (golden(Catalogued.parse(name)) for name in ("exact", "drum(3)"))
    assert accurate_multiplier(records) == "A"
    swapped = [Tabulated("exact", "A", drum), Tabulated("mine", "B", exact)]
    assert accurate_multiplier(records, swapped) == "B"
    assert accurate_multiplier(records, [Tabulated("exact", "A", drum)]) is None


def test_without_an_accurate_multiplier_nothing_is_compared():
    document = Page(page_of([cell(label="DR3", multiplier="drum(3)")]))
    assert "No multiplier here is exact" in document.text
    assert "Paired differences" not in document.tables
    assert finding([], "ACC").startswith("Only ACC was run")


def test_gains_are_not_called_robustness_where_the_gradient_may_be_at_fault():
    right, wrong = "1" * 20, "0" * 20
    cells = [cell(right, wrong), cell(right, right, label="DR3", multiplier="drum(3)")]
    records = records_of(cells)
    assert "less useful gradient" in caution(records, compare(records, "ACC"))
    moved = records_of(
        [replace(c, settings=replace(c.settings, threat_model="transfer:float")) for c in cells]
    )
    assert "the float network" in caution(moved, compare(moved, "ACC"))
    sloped = records_of(
        [replace(c, settings=replace(c.settings, gradient="slope:16")) for c in cells]
    )
    said = caution(sloped, compare(sloped, "ACC"))
    assert "the slope of its own table, over 16 codes to either side" in said
    assert "less useful gradient" in said
    assert "straight-through" not in said
    worst = records_of([cell(right, wrong, worst_iterate=True)])
    assert "any iterate" in caution(worst, ())
    assert "any iterate" not in caution(moved, ())


def test_the_title_calls_the_network_as_people_do():
    assert "<h1>LeNet-5 built from 1 multiplier</h1>" in page_of([cell()])
    other = page_of([cell(network="torchvision:alexnet")])
    assert "<h1>torchvision:alexnet built from 1 multiplier</h1>" in other


def test_what_is_unusual_about_the_attack_stands_at_the_top():
    usual = page_of([cell()])
    assert "<li>worst iterate</li>" not in usual
    assert "<li>gradient" not in usual
    unusual = page_of([cell(worst_iterate=True, gradient="slope:16")])
    facts = re.findall(r"<li>(.*?)</li>", unusual)
    assert facts[1:4] == ["whitebox", "gradient slope:16", "worst iterate"]


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\"'"


def test_whatever_records_hold_is_shown_and_not_obeyed():
    cells = [
        cell(data=EVIL, network=EVIL, calibration=EVIL),
        cell(
            label=EVIL, multiplier=EVIL, data=EVIL, network=EVIL, calibration=EVIL, warnings=(EVIL,)
        ),
    ]
    lut = golden(Catalogued.parse("drum(3)"))
    cells = [replace(c, environment={EVIL: EVIL}) for c in cells]
    cells[1] = replace(cells[1], settings=replace(cells[1].settings, lut_sha256=lut.sha256))
    document = Page(page_of(cells, tables=[Tabulated(EVIL, EVIL, lut)]))
    assert document.text.count("alert(1)") >= 10
    assert len(document.all("script")) == 2
    assert {image["src"][:5] for image in document.all("img")} == {"data:"}
    assert not [name for _, attrs in document.tags for name in attrs if name.startswith("on")]
    assert document.data["labels"] == ["ACC", EVIL]
    assert document.tables["One row per multiplier"][2][0].startswith(EVIL)


def test_the_page_asks_for_nothing_from_anywhere(page):
    (glossary,) = (a for a in page.all("a") if a["href"].startswith("https:"))  # when clicked
    assert glossary["href"] == f"{DOCS}/glossary.md"
    for tag, attrs in page.tags:
        if attrs == glossary:
            continue
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "action", "srcset", "poster", "data", "xlink:href"):
            assert attrs.get(name, "#").startswith(("#", "data:image/png;base64,")), (tag, attrs)
    assert not re.search(
        r"https?:|//\w+\.\w|url\(|@import|fetch\(|XMLHttp", page.source.replace(DOCS, "")
    )


def test_the_policy_allows_the_pages_own_script_and_no_other(page):
    (policy,) = [a["content"] for a in page.all("meta") if "http-equiv" in a]
    script = re.search(r"<script>(.*?)</script>", page.source, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )


def test_every_heading_of_a_sortable_table_is_a_button(page):
    tables = re.findall(r'<table class="sortable".*?</table>', page.source, re.DOTALL)
    assert len(tables) == len(page.tables) == 3 + 4 + 3
    for table in tables:
        head = table.partition("</thead>")[0]
        headings = re.findall(
            r'<th scope="col" aria-sort="none"(?: class="words")?><button type="button">', head
        )
        assert len(headings) == head.count("<th ") > 1
    for rows in page.tables.values():
        assert {len(row) for row in rows} == {len(rows[0])}
    # A wide table scrolls in its own box, which the keyboard can reach.
    assert page.source.count('<div class="scroll') == len(tables)
    assert len(re.findall(r'<div class="scroll[^>]*tabindex="0" role="region"', page.source)) == 10


def test_cells_that_show_more_than_a_number_carry_what_they_sort_by(page):
    for row in re.findall(r"<tr>(.*?)</tr>", page.source):
        for attributes, content in re.findall(r"<td([^>]*)>(.*?)</td>", row):
            if "<small>" in content:
                assert 'data-v="' in attributes, content


def test_the_legend_has_a_button_per_multiplier_and_ids_are_unique(page):
    buttons = [a for a in page.all("button") if "data-toggle" in a]
    assert [a["data-toggle"] for a in buttons] == ["0", "1"]
    assert {a["aria-pressed"] for a in buttons} == {"true"}
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for use in page.all("use"):
        assert use["href"].removeprefix("#") in ids


def test_warnings_of_cells_and_across_attacks_are_told():
    # Many steps leave 4 images right where a single one leaves none.
    flags = {"fgsm": ("11111111", "00000000"), "pgd": ("11111111", "11110000")}
    cells = [
        cell(*flags["fgsm"], warnings=("zero-gradient: 3 of 8",)),
        cell(*flags["pgd"], attack="pgd"),
    ]
    page = Page(page_of(cells))
    text = page.text
    assert "FGSM L∞, zero-gradient (ACC): 3 of 8" in text
    links = [one["href"] for one in page.all("a") if "messages" in one["href"]]
    assert links == [f"{DOCS}/messages.md#{code}" for code in ("zero-gradient", "iterated-weaker")]
    assert "ACC linf: iterated-weaker: robust accuracy at eps 0.5 is 50.00% under pgd" in text
    assert "1 cell of 2 with warnings" in text
    assert "None: no check of the attacks found a reason" in Page(page_of([cell()])).text


def test_provenance_names_settings_hashes_versions_and_seconds(real, page):
    cells, tables = real
    first = cells[0]
    for fact in (first.settings.weights_sha256, first.settings.data_sha256):
        assert fact in page.text
    for fact in first.environment.values():
        assert str(fact) in page.text
    hashes = page.tables["Hashes of the tables"][1:]
    assert [row[2] for row in hashes] == [one.table().sha256 for one in tables]
    for row in page.tables["Seconds per evaluation"][1:]:
        assert int(row[2]) == 2 * 3
    total = sum(float(row[4]) for row in page.tables["Seconds per evaluation"][1:])
    assert total == pytest.approx(sum(sum(c.seconds) for c in cells), abs=0.05 * 4 + 1e-9)


def test_the_command_on_the_page_asks_for_the_same_cells(real):
    words = shlex.split(command(real[0]))
    assert words[:5] == ["axhil", "eval", "lenet5", "--data", "mnist5k"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert words[5:9] == ["-m", "exact", "-m", "drum(3)"]
    assert options["--eps"] == "0,0.15,0.3"
    assert (options["--images"], options["--seed"]) == ("8", "0")
    assert words.count("--attack") == words.count("--norm") == 2
    full = command([cell("0", "1", budgets=(0.0, 1.010101), data="mnist/test")])
    assert "--eps 0,1.010101 " in full
    assert "--data mnist " in full
    assert "--worst-iterate" not in full
    assert "--worst-iterate --batch 512" in command([cell(worst_iterate=True)])


def test_norms_with_budgets_of_their_own_take_a_command_each():
    cells = [
        cell("0", "1", norm="linf", budgets=(0.0, 0.1)),
        cell("0", "1", norm="l2", budgets=(0.0, 2.0)),
    ]
    lines = [shlex.split(line) for line in command(cells).splitlines()]
    found = [(words[words.index("--norm") + 1], words[words.index("--eps") + 1]) for words in lines]
    assert found == [("linf", "0,0.1"), ("l2", "0,2")]
    assert all(words.count("--norm") == 1 for words in lines)


def test_tables_are_shown_only_where_they_are_the_ones_that_ran(real, page):
    cells, tables = real
    title = "Error metrics over all operand pairs"
    assert [row[0] for row in page.tables[title]] == [
        "multiplier", "ACC |exact", "DR3 |drum(3)",
    ]  # fmt: skip
    (image,) = page.all("img")
    assert image["alt"].startswith("Error of every product of ACC, DR3: ")
    other = Tabulated("drum(3)", "DR3", golden(Catalogued.parse("drum(4)")))
    document = Page(page_of(cells, tables=[tables[0], other]))
    assert [row[0] for row in document.tables[title]] == ["multiplier", "ACC |exact"]
    assert title not in Page(page_of(cells)).tables


def test_the_pages_colours_are_the_figures():
    css = resources.files("axhil.report.html").joinpath("templates/page.css").read_text("utf-8")
    colours = re.findall(r"--c\d: (#\w{6})", css.partition("@media")[0])
    assert colours == [looks(number).colour for number in range(COLOURS)]
    assert looks(COLOURS).colour == looks(0).colour
    assert looks(COLOURS).line != looks(0).line


def test_the_same_cells_give_the_same_bytes_and_others_do_not(real):
    cells, tables = real
    assert page_of(cells, tables=tables) == page_of(cells, tables=tables)
    assert page_of(cells[:4], tables=tables) != page_of(cells, tables=tables)


def test_the_papers_full_grid_stays_under_two_megabytes():
    budgets = tuple(float(eps) for eps in np.round(np.linspace(0, 2, 100), 6))
    names = [str(i) for i in range(6)]
    cells = synthetic(64, budgets, ("exact", *names))
    cells += [
        replace(c, settings=replace(c.settings, attack="bim"))
        for c in cells
        if c.settings.attack == "pgd"
    ]
    tables = [find(str(one)) for one in PAPER_MULTIPLIERS]
    used = [str(one.name) for one in tables]
    renamed = dict(zip(("exact", *names), zip(used, tables, strict=True), strict=True))
    cells = [
        replace(
            c,
            settings=replace(
                c.settings,
                multiplier=renamed[c.label][0],
                lut_sha256=renamed[c.label][1].table().sha256,
            ),
            label=renamed[c.label][1].label,
        )
        for c in cells
    ]
    text = page_of(cells, tables=tables)
    assert text.count("<img ") == 1
    assert len(text.encode()) < 2_000_000


def test_the_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new" / "report.html"
    assert write_page(results([cell()]), path) == path
    first = path.read_text(encoding="utf-8")
    assert first.endswith("</html>\n")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(HwsimError, match="No space left"):
            write_page(results([cell(label="other")]), path)
    assert path.read_text(encoding="utf-8") == first
    assert [one.name for one in path.parent.iterdir()] == ["report.html"]
    assert stat.S_ISREG(path.stat().st_mode)


@pytest.mark.parametrize(
    ("cells", "match"),
    [
        ([cell(), cell(label="b", data_sha256="f" * 64)], "2 values of data_sha256"),
        ([cell(), cell(label="b", network="vgg19")], "cells of lenet5, whitebox; got one of vgg19"),
        ([cell(), cell(label="b", threat_model="transfer:float")], "got one of lenet5, transfer"),
        ([cell(), cell(label="b", worst_iterate=True)], "values of worst_iterate"),
        ([cell(), cell(label="b", gradient="slope:4")], "values of gradient"),
        ([cell(), cell(seed=1)], "two of ACC, fgsm, linf"),
    ],
    ids=["images", "network", "threat model", "worst", "gradient", "one curve twice"],
)
def test_cells_that_cannot_stand_on_one_page_are_refused(cells, match):
    with pytest.raises(StudyError, match=match):
        page_of(cells)


def test_nothing_finished_is_no_page():
    with pytest.raises(StudyError, match="at least one finished cell"):
        report_page(Results("lenet5", "whitebox", (), 9))


def test_a_picture_stands_in_the_page_itself_with_its_caption_escaped():
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(60))
    page = page_of(synthetic(), pictures={"what <b> & c": png})
    (encoded,) = re.findall(r'src="data:image/png;base64,([^"]+)"><figcaption>', page)
    assert base64.b64decode(encoded) == png
    assert "<figcaption>what &lt;b&gt; &amp; c</figcaption>" in page
    assert "Adversarial examples" not in page_of(synthetic())
