# SPDX-License-Identifier: Apache-2.0
"""Cells become lines, and both files say the same."""

import csv
import dataclasses
import json

import pytest
from study_samples import SETTINGS, cell

from study.cells import Cell
from study.records import records_of, write_records
from study.statistics import proportion

CELLS = [
    cell("0111", "0010", seconds=3.0),
    cell("0101", "0000", label="DR3", multiplier="drum(3)", warnings=("one, two", 'say "x"')),
]


def test_a_cell_becomes_a_record_per_budget_in_order():
    found = records_of(CELLS)
    assert [(r.cell.label, r.eps, r.correct) for r in found] == [
        ("ACC", 0.0, "0111"),
        ("ACC", 0.5, "0010"),
        ("DR3", 0.0, "0101"),
        ("DR3", 0.5, "0000"),
    ]


def test_budgets_come_ascending_with_their_own_flags():
    found = records_of([cell("0010", "0111", budgets=(0.5, 0.0))])
    assert [(r.eps, r.correct) for r in found] == [(0.0, "0111"), (0.5, "0010")]


def test_the_accuracy_is_the_share_of_ones():
    found = records_of(CELLS)
    assert [(r.accuracy.count, r.accuracy.samples) for r in found] == [
        (3, 4), (1, 4), (2, 4), (0, 4),
    ]  # fmt: skip


def test_a_cell_whose_flags_do_not_match_its_budgets_is_refused():
    with pytest.raises(ValueError, match=r"shorter|longer"):
        records_of([cell("0111", budgets=(0.0, 0.5))])


@pytest.fixture
def written(tmp_path):
    as_json, as_csv = write_records(records_of(CELLS), tmp_path / "new")
    assert (as_json.name, as_csv.name) == ("records.json", "records.csv")
    with as_csv.open(newline="") as file:
        return json.loads(as_json.read_text()), list(csv.DictReader(file))


def test_json_and_csv_agree_in_every_value(written):
    rows, lines = written
    assert len(rows) == len(lines) == 4
    for row, line in zip(rows, lines, strict=True):
        assert row.keys() == line.keys()
        for key, value in row.items():
            text = line[key]
            if isinstance(value, float):
                assert float(text) == value, key
            else:
                assert text == str(value), key


def test_a_line_carries_settings_result_and_environment(written):
    rows, _ = written
    expected = proportion(1, 4)
    row = rows[1]
    settings = dataclasses.asdict(SETTINGS)
    quantisation = settings.pop("quantisation")
    del settings["budgets"]
    assert settings.items() <= row.items()
    assert {f"quantisation_{key}": value for key, value in quantisation.items()}.items() <= (
        row.items()
    )
    assert row["eps"] == 0.5
    assert row["correct"] == "0010"
    assert (row["accuracy"], row["accuracy_low"], row["accuracy_high"]) == (
        0.25,
        expected.low,
        expected.high,
    )
    assert row["seconds"] == 1.5  # 3 s over two budgets
    assert row["zero_gradient"] == 0.25
    assert (row["torch"], row["device"], row["threads"]) == ("2", "cpu (x)", 1)
    assert rows[2]["warnings"] == 'one, two | say "x"'


def test_writing_twice_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_records(records_of(CELLS), tmp_path / name)
    for file in ("records.json", "records.csv"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_cells_read_back_give_the_same_bytes_as_cells_just_computed(tmp_path):
    stored = [Cell.from_json(one.to_json(), source="x") for one in CELLS]
    for name, cells in (("computed", CELLS), ("stored", stored)):
        write_records(records_of(cells), tmp_path / name)
    for file in ("records.json", "records.csv"):
        computed, read = ((tmp_path / name / file).read_bytes() for name in ("computed", "stored"))
        assert computed == read
