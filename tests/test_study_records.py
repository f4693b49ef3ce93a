# SPDX-License-Identifier: Apache-2.0
"""Cells become points of curves, and lines of a file that anybody can read."""

import csv

import pytest
from study_samples import SETTINGS, cell

from axhil.study.statistics import proportion
from axhil.study.storage.records import records_of, write_records
from axhil.study.storage.store import CellStore, schema_of

CELLS = [
    cell("0111", "0010", seconds=(1.0, 2.0)),
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


@pytest.fixture
def lines(tmp_path):
    path = write_records(CELLS, tmp_path / "new" / "records.csv")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_line_carries_settings_result_and_environment(lines):
    assert len(lines) == 4
    assert list(lines[0]) == schema_of(CELLS).names
    line, expected = lines[1], proportion(1, 4)
    for key in ("network", "weights_sha256", "data_sha256", "lut_sha256", "threat_model"):
        assert line[key] == getattr(SETTINGS, key)
    assert line["quantisation_weights"] == SETTINGS.quantisation["weights"]
    assert (float(line["eps"]), line["correct"]) == (0.5, "0010")
    numbers = [float(line[key]) for key in ("accuracy", "accuracy_low", "accuracy_high")]
    assert numbers == [0.25, expected.low, expected.high]
    assert float(line["seconds"]) == 2.0
    assert float(line["zero_gradient"]) == 0.25
    assert (line["torch"], line["device"], line["threads"]) == ("2", "cpu (x)", "1")
    assert lines[2]["warnings"] == 'one, two | say "x"'


def test_cells_read_back_give_the_same_bytes_as_cells_just_computed(tmp_path):
    store = CellStore(tmp_path / "store")
    for one in CELLS:
        store.put(one)
    stored = [store.get(one.settings) for one in CELLS]
    paths = [
        write_records(cells, tmp_path / name / "records.csv")
        for name, cells in (("computed", CELLS), ("stored", stored))
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()
