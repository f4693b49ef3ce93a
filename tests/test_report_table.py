# SPDX-License-Identifier: Apache-2.0
"""A table is a value; three printers show it, and none obeys what stands in it."""

import doctest
import io
import itertools
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console
from study_samples import cell

from axhil.report import table as table_module
from axhil.report.accuracy import robust_accuracy
from axhil.report.html.page import report_page
from axhil.report.markdown import markdown_table, report_markdown
from axhil.report.table import NONE, Entry, Table, number, percent, rows_of, visible
from axhil.report.terminal import terminal_table
from axhil.study.results import Results
from axhil.study.statistics import proportion

HOSTILE = {
    "html": "<script>alert(1)</script>",
    "attribute": "\"'><img src=x onerror=alert(1)>",
    "formula": "=cmd|' /C calc'!A0",
    "pipes": "a|b | c",
    "markdown": "**x** [a](b) `c` _d_",
    "rich": "[red]x[/red] [link=https://x.org]y[/link]",
    "escape": "\x1b[31mred\x1b[0m\x07",
    "template": "{{ 7 * 7 }}{% raw %}",
    "bidi": "abc\u202edef",
}


def on_terminal(table, *, width=200):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(terminal_table(table))
    return console.file.getvalue()


def words_of(page):
    """The text of a page, without its scripts and styles."""
    words, inside = [], []

    class Words(HTMLParser):
        def handle_starttag(self, tag, attrs):
            inside.append(tag)

        def handle_data(self, data):
            if not inside or inside[-1] not in ("script", "style"):
                words.append(data)

    Words(convert_charrefs=True).feed(page)
    return "".join(words)


def results(name):
    cells = (cell(), cell("1111", "0000", label=name, multiplier=name, warnings=(f"x: {name}",)))
    return Results("lenet5", "whitebox", cells, 4)


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_terminal_shows_a_name_as_it_is_and_obeys_nothing_of_it(name):
    (table, _), *_ = robust_accuracy(results(name))
    shown = on_terminal(table)
    assert visible(name) in shown
    assert "\x1b[31m" not in shown
    assert "\x07" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_markdown_keeps_a_name_in_its_cell(name):
    text = report_markdown([results(name)], title=name)
    (heading,) = re.findall(r"(?m)^\| eps .*$", text)
    (row,) = re.findall(r"(?m)^\| .*? \| 100\.0 \| 0\.0 \|$", text)
    columns = [len(re.split(r"(?<!\\)\|", line)) for line in (heading, row)]
    assert columns == [5, 5]
    assert "\x1b" not in text
    outside_code = re.sub(r"(?m)^    .*$|(?<!\\)`+.*?(?<!\\)`+", "", text)
    assert "<script" not in outside_code
    assert "<img" not in outside_code
    assert not re.search(r"(?<!\\)\[a\\?\]", outside_code)


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_page_shows_a_name_as_it_is(name):
    page = report_page(results(name))
    assert visible(name) in words_of(page)
    assert page.count("<script") == 2
    assert "<img" not in page
    assert "\x1b" not in page


def test_an_interval_is_half_a_width_on_screen_both_ends_on_the_page_and_left_out_in_markdown():
    share = percent(proportion(3, 4))
    table = Table("t", ("who", "right"), rows_of([["x", share]]))
    assert re.search(r"x +75\.0±45 *\n", on_terminal(table))
    assert markdown_table(table).splitlines()[-1] == "| x | 75.0 |"
    low, high = share.interval
    assert f"75.0<small>{low:.1f}–{high:.1f}</small>" in report_page(
        Results("lenet5", "whitebox", (cell("0111", "0111"),), 2)
    )


def test_marks_can_be_read_without_colours():
    row = [Entry("gain", mark="gain"), Entry("loss", mark="loss"), Entry("yes", mark="strong")]
    table = Table("t", ("a", "b", "c", "d"), rows_of([[*row, NONE]]))
    assert markdown_table(table).splitlines()[-1] == "| gain ▲ | loss ▼ | **yes** | – |"


def test_columns_are_aligned_as_said_and_by_default_all_but_the_first_to_the_right():
    rows = rows_of([["x", number(1234, ",")]])
    assert markdown_table(Table("t", ("a", "b"), rows)).splitlines()[1] == "| --- | ---: |"
    other = Table("t", ("a", "b"), rows, align="ll")
    assert markdown_table(other).splitlines()[1] == "| --- | --- |"
    assert re.search(r"x +1,234 ", on_terminal(Table("a title", ("a", "bbbbbbbbbb"), rows)))


def test_a_total_stands_last():
    table = Table("t", ("a", "b"), rows_of([["x", "1"]]), total=rows_of([["all", "2"]])[0])
    assert markdown_table(table).splitlines()[-1] == "| all | 2 |"
    assert on_terminal(table).split()[-2:] == ["all", "2"]


def test_a_title_does_not_wrap_above_a_narrow_table():
    table = Table("a title of some length", ("a",), rows_of([["x"]]), subject="percent")
    assert on_terminal(table).splitlines()[0].strip() == "a title of some length: percent"


@pytest.mark.parametrize("change", [{"rows": rows_of([["x"]])}, {"align": "l"}, {"total": (NONE,)}])
def test_a_table_whose_columns_do_not_agree_is_refused(change):
    body = {"rows": rows_of([["x", "y"]]), **change}
    with pytest.raises(ValueError, match="t: expected 2 columns, got 1"):
        Table("t", ("a", "b"), **body)


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(table_module).failed == 0


WIDE = Table(
    "Error metrics over all operand pairs",
    ("multiplier", "MAE", "largest difference", "why"),
    rows_of(
        [
            ["drum(3)", number(478.68), number(-9216), "an operand of three bits"],
            ["scaletrim(4,8)", number(12.5), number(103), "compensated"],
        ]
    ),
    align="lrrl",
)


@pytest.mark.parametrize("width", [12, 20, 26, 40, 60, 100])
def test_a_terminal_of_any_width_shows_every_word_of_a_table(width):
    console = Console(width=width, file=io.StringIO())
    console.print(terminal_table(WIDE))
    lines = console.file.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    assert not any("…" in line for line in lines)
    text = " ".join(lines)
    # A word that is longer than half of the width, or than all of it, is broken and not cut.
    shown = "".join(text.split())
    for entry in itertools.chain(WIDE.headings, *((e.text for e in row) for row in WIDE.rows)):
        for word in entry.split():
            assert word in text if len(word) <= width // 2 - 3 else word[:2] in shown
    # Every part has the rows' names.
    parts = sum("MAE" in line or "why" in line for line in lines)
    assert sum("drum" in line for line in lines) >= parts


def test_a_table_that_fits_is_one_table():
    for width in (80, 200):
        console = Console(width=width, file=io.StringIO())
        console.print(terminal_table(WIDE))
        assert console.file.getvalue().count("drum(3)") == 1
