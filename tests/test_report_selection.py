# SPDX-License-Identifier: Apache-2.0
"""Of many multipliers the page shows those that differ most, and nothing else changes."""

import random
import re

import pytest
from study_samples import cell

from axhil.report.html.page import report_page
from axhil.report.markdown import report_markdown
from axhil.report.selection import MOST, MOST_ROWS, selection, shown
from axhil.study.results import Results
from axhil.study.statistics import holm, paired_difference

MANY = 3 * MOST
EPS = (0.0, 0.5)


def flags(draw, right):
    return "".join("01"[draw.random() < right] for _ in range(300))


@pytest.fixture(scope="module")
def results():
    """Of 120 multipliers, the last two gain and lose much; the exact one stands in the middle."""
    draw = random.Random(0)
    clean, attacked = flags(draw, 0.95), flags(draw, 0.5)
    cells = []
    for number in range(MANY):
        changed = {MANY - 1: 150, MANY - 2: 120}.get(number, number % 7)
        value = "0" if number == MANY - 2 else "1"
        worse = value * changed + attacked[changed:]
        exact = number == MANY // 2
        one = cell(
            clean,
            attacked if exact else worse,
            label="ACC" if exact else f"M{number}",
            multiplier="exact" if exact else f"m{number}.npz",
            lut_sha256=f"{number:064x}",
        )
        cells.append(one)
    return Results("lenet5", "whitebox", tuple(cells), MANY * len(EPS))


def test_shown_are_the_accurate_one_and_those_that_differ_most(results):
    part = shown(results)
    assert len(part.labels) == MOST
    assert {"ACC", f"M{MANY - 1}", f"M{MANY - 2}"} <= set(part.labels)
    largest = {
        label: abs(one.correct[1].count("1") - results.cells[MANY // 2].correct[1].count("1"))
        for label, one in zip(results.labels, results.cells, strict=True)
    }
    others = [largest[label] for label in part.labels if label != "ACC"]
    left_out = [size for label, size in largest.items() if label not in part.labels]
    assert min(others) >= max(left_out)
    # In the study's order.
    assert list(part.labels) == [label for label in results.labels if label in part.labels]


def test_what_is_shown_is_corrected_over_everything(results):
    reference = results.cells[MANY // 2]
    rest = [one for one in results.cells if one is not reference]
    p_values = [
        paired_difference(reference.correct[row], one.correct[row]).p_value
        for one in rest
        for row in range(len(EPS))
    ]
    expected = dict(
        zip([(one.label, eps) for one in rest for eps in EPS], holm(p_values), strict=True)
    )
    part = shown(results)
    assert len(part.comparisons) == (MOST - 1) * len(EPS)
    for c in part.comparisons:
        assert c.adjusted == pytest.approx(expected[c.record.cell.label, c.record.eps])


def test_page_and_markdown_say_what_they_leave_out_and_link_it(results):
    page, text = report_page(results), report_markdown([results], title="Many")
    sentence = f"Of {MANY} multipliers tables and curves show ACC and the {MOST - 1} with the most"
    family = (MANY - 1) * len(EPS)
    assert sentence in page
    assert sentence in text
    assert '<a href="records.csv">' in page
    assert "[records.csv](records.csv)" in text
    assert f"correction over all\n{family}" in page
    assert f"correction over all {family}" in text
    assert len(re.findall(r'data-toggle="\d', page)) == MOST
    # The differences are of everybody while there are not too many.
    assert family <= MOST_ROWS
    table = page[page.index('id="comparisons"') :].partition("</table>")[0]
    assert table.count("<tr>") == 1 + family


def test_a_table_of_differences_keeps_the_most_certain(results, monkeypatch):
    monkeypatch.setattr("axhil.report.html.page.MOST_ROWS", 3)
    page = report_page(results)
    table = page[page.index('id="comparisons"') :].partition("</table>")[0]
    assert table.count("<tr>") == 1 + 3
    assert f"M{MANY - 1}" in table
    assert f"M{MANY - 2}" in table
    assert "The table has the 3 most certain;" in page


def test_few_multipliers_are_all_shown():
    few = Results("lenet5", "whitebox", (cell(), cell(label="M", multiplier="m.npz")), 4)
    assert shown(few) is few
    assert selection(few) == ""
    assert "records.csv" not in report_page(few)
