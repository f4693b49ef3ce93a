# SPDX-License-Identifier: Apache-2.0
"""The figure shows the records, and nothing but the records decides its bytes."""

import itertools
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from study_samples import cell

from axhil.report.figures.curves import robustness_figure
from axhil.report.figures.saving import save_figure
from axhil.study.storage.records import records_of

BUDGETS = (0.0, 0.1, 0.5)
ATTACKS, NORMS, NAMES = ("fgsm", "pgd"), ("linf", "l2"), ("ACC", "DR3", "sT(4,8)")


@pytest.fixture(scope="module")
def records():
    """Curves that all differ: 16 images, a number of ones for each panel, line and budget."""
    draw = np.random.default_rng(3)
    cells = []
    for label, norm, attack in itertools.product(NAMES, NORMS, ATTACKS):
        flags = ["".join(map(str, draw.integers(0, 2, 16))) for _ in BUDGETS]
        cells.append(
            cell(*flags, label=label, multiplier=label, norm=norm, attack=attack, budgets=BUDGETS)
        )
    return records_of(cells)


def test_there_is_a_panel_per_attack_across_and_norm_down(records):
    figure = robustness_figure(records, title="a title")
    titles = [panel.get_title() for panel in figure.axes]
    assert titles == ["FGSM L∞", "PGD L∞", "FGM L2", "PGD L2"]
    shape = figure.axes[0].get_gridspec().get_geometry()
    assert shape == (len(NORMS), len(ATTACKS))
    assert figure.get_suptitle() == "a title"


def test_every_panel_has_a_line_per_multiplier_with_its_own_numbers(records):
    figure = robustness_figure(records, title="")
    for panel, (norm, attack) in zip(figure.axes, itertools.product(NORMS, ATTACKS), strict=True):
        lines = {line.get_label(): line for line in panel.get_lines()}
        assert tuple(lines) == NAMES
        for label, line in lines.items():
            expected = [
                100 * record.correct.count("1") / 16
                for record in records
                if (record.cell.label, record.cell.settings.norm, record.cell.settings.attack)
                == (label, norm, attack)
            ]
            np.testing.assert_allclose(line.get_xdata(), BUDGETS)
            np.testing.assert_allclose(line.get_ydata(), expected)


def test_the_band_around_a_line_is_its_interval(records):
    panel = robustness_figure(records, title="").axes[0]
    band = panel.collections[0].get_paths()[0].vertices
    chosen = [r for r in records if r.cell.label == "ACC"][: len(BUDGETS)]
    for record in chosen:
        there = band[np.isclose(band[:, 0], record.eps), 1]
        assert there.min() == pytest.approx(100 * record.accuracy.low)
        assert there.max() == pytest.approx(100 * record.accuracy.high)


def test_lines_of_one_multiplier_look_alike_in_every_panel_and_unlike_the_others(records):
    figure = robustness_figure(records, title="")
    looks = {}
    for panel in figure.axes:
        for line in panel.get_lines():
            looks.setdefault(line.get_label(), set()).add((line.get_color(), line.get_marker()))
    assert all(len(look) == 1 for look in looks.values())
    assert len(set().union(*looks.values())) == len(NAMES)
    assert next(iter(looks["ACC"]))[0] == "#000000"


def test_the_legend_names_each_multiplier_once(records):
    (legend,) = robustness_figure(records, title="").legends
    assert tuple(text.get_text() for text in legend.get_texts()) == NAMES


def test_png_and_svg_are_written_whole_and_the_same_each_time(records, tmp_path):
    written = [
        save_figure(robustness_figure(records, title="t"), tmp_path / name / "robustness")
        for name in ("one", "two")
    ]
    for (png, svg), name in zip(written, ("one", "two"), strict=True):
        assert (png, svg) == (
            tmp_path / name / "robustness.png",
            tmp_path / name / "robustness.svg",
        )
        assert png.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert png.read_bytes().endswith(b"IEND\xaeB`\x82")
        root = ET.fromstring(svg.read_text())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        # Text stays text, so that it can be searched for and set in the reader's font.
        assert "FGSM L∞" in {(e.text or "").strip() for e in root.iter()}
    for one, two in zip(*written, strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_other_records_give_another_figure(records, tmp_path):
    svgs = [
        save_figure(robustness_figure(some, title="t"), tmp_path / name)[1].read_bytes()
        for name, some in (("all", records), ("some", records[: len(records) // 3]))
    ]
    assert svgs[0] != svgs[1]


def test_long_curves_have_fewer_markers_than_points_and_short_ones_all():
    budgets = tuple(i / 100 for i in range(100))
    long = records_of([cell(*["01"] * 100, budgets=budgets)])
    short = records_of([cell("01", "01", budgets=(0.0, 0.5))])
    every = [robustness_figure(r, title="").axes[0].get_lines()[0] for r in (long, short)]
    assert len(every[0].get_xdata()) == 100
    assert every[0].get_markevery() is not None
    assert every[1].get_markevery() is None
