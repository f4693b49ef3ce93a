# SPDX-License-Identifier: Apache-2.0
"""Cost where people look: records read back, columns, non-dominated multipliers, their picture."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from study_samples import cell

from axhil.hwsim import Catalogued, HwsimError, golden
from axhil.hwsim.cost import CostRecord
from axhil.hwsim.multipliers import Tabulated
from axhil.report.accuracy import clean_accuracy
from axhil.report.cost import with_costs
from axhil.report.figures.pareto import pareto_figure
from axhil.report.files import write_report
from axhil.report.fronts import Choice, Front, fronts
from axhil.report.html.page import report_page
from axhil.study.results import Results
from axhil.study.storage.store import read_cells, write_cells

RECORDS = Path(__file__).parent.parent / "docs" / "records"
NAMES = {"ACC": "exact", "DR3": "drum(3)", "sT(4,0)": "scaletrim(4,0)"}
LUTS = {label: golden(Catalogued.parse(name)) for label, name in NAMES.items()}
MIXED = "conv*=drum(3),fc*=exact"
FLAGS = {"ACC": ("11111110", "11110000"), "DR3": ("11111100", "11100000"),
         "sT(4,0)": ("11111110", "11111000"), "mixed": ("11111111", "11110000")}  # fmt: skip


def least(**figures):
    return {name: {name: value} for name, value in figures.items()}


def body(*, network="lenet5"):
    """Costs as `axhil cost --json` writes them, of round numbers."""
    rows = {"exact": (120, 3.0), "drum(3)": (80, 1.0), "scaletrim(4,0)": (90, 2.0)}
    multipliers = [
        {"name": name, "operands": "s8", "least": least(area=area, energy=energy)}
        for name, (area, energy) in rows.items()
    ]
    layers = {"conv1": {"output stationary": 1.0}, "fc1": {"output stationary": 1.0}}
    sums = {"exact, s8": 10.0, "exact": 12.0, "drum(3)": 11.0, "scaletrim(4,0)": 15.0, MIXED: 11.5}
    return {
        "costs": [
            {
                "target": "cells",
                "multipliers": multipliers,
                "exact": [{"name": "exact", "operands": "s8",
                           "least": least(area=100, energy=1.5)}],
            }
        ],
        "network": network,
        "inferences": [
            {"name": name, "nJ": {"output stationary": total}, "layers": layers}
            for name, total in sums.items()
        ]
        + [{"name": "conv*=exact,fc*=float", "nJ": {"output stationary": 1.0},
            "layers": {"conv1": {}}}],
    }  # fmt: skip


@pytest.fixture(scope="module")
def results():
    """Three multipliers and an assignment at two budgets, with their costs."""
    words = {**NAMES, "mixed": MIXED}
    cells = tuple(
        cell(*flags, label=label, multiplier=words[label],
             lut_sha256=LUTS[label].sha256 if label in LUTS else "a" * 64)
        for label, flags in FLAGS.items()
    )  # fmt: skip
    tables = tuple(Tabulated(NAMES[label], label, lut) for label, lut in LUTS.items())
    return Results("lenet5", "whitebox", cells, 8, tables, costs=CostRecord.of(body()))


def test_what_the_command_wrote_is_read_back():
    record = CostRecord.from_file(RECORDS / "cost_signed.json")
    drum = record.find("drum(3)", operands="s8")
    written = json.loads((RECORDS / "cost_signed.json").read_text())
    (row,) = (one for one in written["costs"][0]["multipliers"] if one["name"] == "drum(3)")
    for figure, entry in row["least"].items():
        assert drum.values[figure] == entry[figure]
        assert record.relative(drum, figure) == pytest.approx(
            entry["relative_to_best_exact"], abs=1e-5
        )
    (image,) = (one["nJ"] for one in written["inferences"] if one["name"] == "drum(3)")
    assert drum.values["image output stationary"] == image["output stationary"]
    assert record.find("drum(3)", operands="u8") is None
    assert set(record.under("vgg19").figures) == {"area", "delay", "wired delay", "energy"}


def test_a_row_of_another_table_is_not_the_multipliers(results):
    other = body()
    other["costs"][0]["multipliers"][1]["table"] = "0" * 64
    assert "DR3" not in replace(results, costs=CostRecord.of(other)).cost
    other["costs"][0]["multipliers"][1]["table"] = LUTS["DR3"].sha256
    assert "DR3" in replace(results, costs=CostRecord.of(other)).cost


BAD = {
    "no json": ("{", "it is not JSON"),
    "no costs": ("{}", "no 'costs'"),
    "another shape": ('{"costs": 5}', "not subscriptable"),
    "no number": (json.dumps(body()).replace("120", "NaN"), "a figure is no number"),
    "a word": (json.dumps(body()).replace("120", '"large"'), "could not convert"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), BAD.values(), ids=BAD)
def test_another_file_is_refused_in_one_sentence(text, reason, tmp_path):
    (tmp_path / "cost.json").write_text(text)
    with pytest.raises(HwsimError, match=rf"expected what `axhil cost --json` writes.*{reason}"):
        CostRecord.from_file(tmp_path / "cost.json")


def test_an_assignment_has_the_energy_of_its_images_alone(results):
    assert dict(results.cost["mixed"].values) == {"image output stationary": 11.5}
    table = with_costs(clean_accuracy([results]), [results], exact=True)
    rows = {row[0].text: [entry.text for entry in row[-3:]] for row in table.rows}
    assert table.headings[-3:] == ("area", "uniform pJ", "output stationary nJ/image")
    assert rows["DR3"] == ["80 (-20 %)", "1.00 (-33 %)", "11 (+10 %)"]
    assert rows["mixed"] == ["–", "–", "11.5 (+15 %)"]
    assert rows["best exact"] == ["100", "1.50", "10"]
    assert "conv*=exact,fc*=float" not in {one.name for one in results.costs.rows}


def test_costs_of_another_network_leave_no_energy_of_images(results):
    other = replace(results, costs=CostRecord.of(body(network="vgg19")))
    assert set(other.costs.figures) == {"area", "energy"}
    assert "mixed" not in {label for label, row in other.cost.items() if row.values}


POINTS = [(1, 5), (2, 5), (2, 7), (3, 6), (3, 9), (3, 9), (4, 9), (0, 1)]


@pytest.mark.parametrize("lower", [False, True])
def test_the_front_is_what_no_other_choice_dominates(lower):
    sign = -1 if lower else 1
    choices = tuple(Choice(str(n), n, x, sign * y) for n, (x, y) in enumerate(POINTS))
    expected = {
        one.label
        for one, (x, y) in zip(choices, POINTS, strict=True)
        if not any((u <= x and v >= y) and (u, v) != (x, y) for u, v in POINTS)
    }
    best = Front("cost", "merit", choices, lower=lower).best
    assert {one.label for one in best} == expected == {"7", "0", "2", "4", "5"}
    assert [one.cost for one in best] == sorted(one.cost for one in best)


def test_every_merit_is_shown_over_every_cost_with_the_best_exact_one(results):
    rows = fronts(results)
    assert [len(row) for row in rows] == [3, 3, 3]
    clean, robust, error = rows
    assert [front.merit for front in (clean[0], robust[0], error[0])] == [
        "clean accuracy, %", "robust accuracy, %, FGSM L∞, eps 0.5", "MRED, %",
    ]  # fmt: skip
    over_images, over_energy, over_area = clean
    by_label = {one.label: one for one in over_images.choices}
    assert by_label["mixed"].value == 100
    assert by_label["best exact"].cost == 10
    assert by_label["best exact"].value == by_label["ACC"].value == 87.5
    low, high = by_label["DR3"].interval
    record = results.clean["DR3"].accuracy
    assert (low, high) == (100 * record.low, 100 * record.high)
    assert "mixed" not in {one.label for one in (*over_energy.choices, *over_area.choices)}
    assert [one.label for one in over_images.best] == ["best exact", "mixed"]
    assert [one.label for one in over_area.best] == ["DR3", "sT(4,0)"]
    assert error[2].lower and error[2].best[0].label == "DR3"
    assert fronts(replace(results, costs=None)) == []


def test_labels_of_the_picture_overlap_neither_each_other_nor_a_point(results):
    figure = pareto_figure(fronts(results), title="a title")
    assert len(figure.axes) == 9
    FigureCanvasAgg(figure).draw()
    renderer = figure.canvas.get_renderer()
    written = 0
    shown = [front for row in fronts(results) for front in row]
    for axes, front in zip(figure.axes, shown, strict=True):
        boxes = [text.get_window_extent(renderer) for text in axes.texts]
        written += len(boxes)
        for number, box in enumerate(boxes):
            assert box.count_overlaps(boxes[number + 1 :]) == 0
            for one in front.choices:
                assert not box.contains(*axes.transData.transform((one.cost, one.value)))
        stairs = max(axes.get_lines(), key=lambda line: len(line.get_xdata()))
        merits = np.array(stairs.get_ydata())
        assert (np.diff(merits) * (-1 if front.lower else 1) >= 0).all()
    choices = sum(len(front.choices) for front in shown)
    assert written >= 0.9 * choices, "a label without a place is left out, which is rare"


def test_the_report_has_picture_columns_and_records(results, tmp_path):
    names = {path.name for path in write_report([results], tmp_path, title="t")}
    assert {"pareto.png", "pareto.svg"} <= names
    text = (tmp_path / "report.md").read_text()
    assert "(<pareto.png>)" in text
    assert re.search(r"\| DR3 \| .* \| 80 \(-20 %\) \| 1\.00 \(-33 %\) \| 11 \(\+10 %\) \|", text)
    assert re.search(r"nJ/image, best exact.*\n.*\n.* 10 \| 11 \(DR3\) \|", text)
    frame = pd.read_csv(tmp_path / "records.csv")
    assert frame.groupby("label")["cost_area"].first().dropna().to_dict() == {
        "ACC": 120, "DR3": 80, "sT(4,0)": 90,
    }  # fmt: skip
    bare = replace(results, costs=None, tables=())
    plain = {path.name for path in write_report([bare], tmp_path / "plain", title="t")}
    assert plain == {name for name in names if not name.startswith(("pareto", "tables"))}
    assert "cost_area" not in pd.read_csv(tmp_path / "plain" / "records.csv")


def test_an_export_keeps_costs_and_the_cells_their_names(results, tmp_path):
    file = write_cells(results.costed, tmp_path / "all.parquet")
    for before, after in zip(results.cells, read_cells(file), strict=True):
        assert after.settings.key == before.settings.key
        assert after.cost == results.cost[before.label].values
        assert replace(after, cost={}) == before


def test_the_page_draws_costs_in_its_own_colours(results):
    page = report_page(results)
    section = page[page.index('<section id="cost">') : page.index('<section id="differences">')]
    assert section.count('<svg class="chart"') == 9
    assert "style=" not in section
    for look in ("curve best k", "curve point k", 'class="front"', 'class="exact"'):
        assert look in section, look
    assert ">best exact</text>" in section
    assert '<section id="cost">' not in report_page(replace(results, costs=None))
