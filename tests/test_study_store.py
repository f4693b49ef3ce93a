# SPDX-License-Identifier: Apache-2.0
"""The store: one Parquet data set, whole files only, a sentence for damaged ones, one at a time."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from study_samples import SETTINGS, cell

from axhil.hwsim import HwsimError
from axhil.study.errors import StudyError
from axhil.study.statistics import proportion
from axhil.study.storage import store as store_module
from axhil.study.storage.cells import FORMAT_VERSION
from axhil.study.storage.store import CellStore, read_cells, write_cells


def file_of(store):
    (path,) = store.records.iterdir()
    return path


def test_a_cell_comes_back_as_it_was_put(tmp_path):
    store, original = CellStore(tmp_path / "deep" / "store"), cell(warnings=("a", "b é"))
    store.put(original)
    found = store.get(original.settings)
    assert found == original
    assert found.settings.key == original.settings.key
    assert file_of(store).name.startswith(f"{original.settings.key}-")
    assert store.cells() == [original]


def test_an_empty_or_missing_folder_has_no_cells_and_stays_as_it_is(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        store = CellStore(folder)
        assert store.get(SETTINGS) is None
        assert store.missing(SETTINGS) == SETTINGS.budgets
        assert store.cells() == []
    assert list(tmp_path.iterdir()) == []


def test_more_budgets_join_those_that_are_finished(tmp_path):
    store = CellStore(tmp_path)
    store.put(cell("0111", "0010", budgets=(0.0, 0.5)))
    wanted = dataclasses.replace(SETTINGS, budgets=(0.0, 0.25, 0.5))
    assert store.missing(wanted) == (0.25,)
    assert store.get(wanted) is None
    store.put(cell("0110", budgets=(0.25,)))
    assert store.missing(wanted) == ()
    assert store.get(wanted).correct == ("0111", "0110", "0010")
    assert store.get(SETTINGS).correct == ("0111", "0010")
    assert len(list(store.records.iterdir())) == 2
    assert len(store.cells()) == 1


def test_a_cell_can_be_put_again(tmp_path):
    store = CellStore(tmp_path)
    store.put(cell("0111", "0010"))
    store.put(cell("0111", "0011"))
    assert store.get(SETTINGS).correct == ("0111", "0011")
    assert len(list(store.records.iterdir())) == 1


def test_pandas_and_duckdb_read_the_store_in_one_line(tmp_path):
    store = CellStore(tmp_path)
    store.put(cell("0111", "0010", warnings=("w: x",), seconds=(1.0, 2.0)))
    store.put(cell("0101", "0000", label="DR3", multiplier="drum(3)", lut_sha256="3" * 64))
    frame = pd.read_parquet(tmp_path / "records").sort_values(["label", "eps"])
    assert list(frame.label) == ["ACC", "ACC", "DR3", "DR3"]
    assert list(frame.eps) == [0.0, 0.5, 0.0, 0.5]
    assert list(frame.accuracy) == [0.75, 0.25, 0.5, 0.0]
    assert [list(flags) for flags in frame.correct][1] == [False, False, True, False]
    assert list(frame.seconds)[:2] == [1.0, 2.0]
    assert list(frame.warnings.iloc[0]) == ["w: x"]
    low = proportion(1, 4).low
    assert frame.accuracy_low.iloc[1] == low
    assert set(frame.lut_sha256) == {"e" * 64, "3" * 64}
    assert set(frame.quantisation_weights) == {"tensor"}
    rows = duckdb.sql(
        "SELECT label, eps, list_avg(correct::INT[]) "
        f"FROM '{tmp_path}/records/*.parquet' ORDER BY 1, 2"
    ).fetchall()
    assert rows == [("ACC", 0.0, 0.75), ("ACC", 0.5, 0.25), ("DR3", 0.0, 0.5), ("DR3", 0.5, 0.0)]


def test_the_bytes_depend_on_the_cell_alone(tmp_path):
    for name in "ab":
        CellStore(tmp_path / name).put(cell())
    a, b = (file_of(CellStore(tmp_path / name)) for name in "ab")
    assert a.name == b.name
    assert a.read_bytes() == b.read_bytes()


def _rewritten(path, **columns):
    table = pq.ParquetFile(path).read()
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(
            at, table.schema.field(at), pa.array(values, table.schema.types[at])
        )
    pq.write_table(table, path)


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "other bytes": lambda path: path.write_bytes(b"\xff\xfe\x00\x80" * 9),
    "another table": lambda path: pq.write_table(pa.table({"x": [1]}), path),
    "no rows": lambda path: pq.write_table(pq.ParquetFile(path).read().slice(0, 0), path),
    "other settings": lambda path: _rewritten(path, seed=[7, 7]),
    "too few flags": lambda path: _rewritten(path, correct=[[True], [False]]),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_file_is_a_sentence_with_its_path_and_the_way_out(damage, tmp_path):
    store = CellStore(tmp_path)
    store.put(cell())
    path = file_of(store)
    damage(path)
    with pytest.raises(StudyError, match=r"is no finished cell of axhil .*remove it") as caught:
        store.get(SETTINGS)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_newer_store_is_a_sentence_and_is_not_touched(tmp_path):
    CellStore(tmp_path).put(cell())
    mark = tmp_path / "store.json"
    mark.write_text(json.dumps({"format_version": FORMAT_VERSION + 1}))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(StudyError, match="json has format version 4, this axhil reads 2 to 3: up"):
        CellStore(tmp_path)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_newer_file_in_the_store_is_not_damage(tmp_path):
    store = CellStore(tmp_path)
    store.put(cell())
    path = file_of(store)
    table = pq.ParquetFile(path).read()
    pq.write_table(table.replace_schema_metadata({b"axhil_format": b"4"}), path)
    with pytest.raises(StudyError, match="parquet has format version 4, this axhil reads 2 to 3"):
        store.get(SETTINGS)


@pytest.mark.parametrize("moment", ["fsync", "rename"])
@pytest.mark.parametrize("before", [None, cell("0000", "0000")], ids=["new", "replacing"])
def test_putting_is_all_or_nothing(moment, before, tmp_path, monkeypatch):
    store = CellStore(tmp_path)
    store.put(cell(seed=99))
    if before is not None:
        store.put(before)
    names = sorted(path.name for path in store.records.iterdir())

    def fail(*_):
        # What a full disk has let through so far is never under a cell's name.
        assert store.get(SETTINGS) == before
        raise OSError(28, "No space left on device")

    if moment == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
        monkeypatch.setattr(os, "replace", fail)
        monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(HwsimError, match=r"cannot write .*\.parquet: No space left on device"):
        store.put(cell())
    assert store.get(SETTINGS) == before
    assert sorted(path.name for path in store.records.iterdir()) == names


def test_cells_go_through_one_file_and_back(tmp_path):
    cells = [
        cell("0111", "0010", warnings=("w: x",), seconds=(1.0, 2.0)),
        cell("0101", "0000", label="DR3", multiplier="drum(3)", lut_sha256="3" * 64),
    ]
    path = write_cells(cells, tmp_path / "all.parquet")
    assert read_cells(path) == cells
    assert len(pd.read_parquet(path)) == 4


@pytest.mark.parametrize("content", [b"", b"PAR1xxPAR1", None], ids=["empty", "damaged", "other"])
def test_another_file_is_a_sentence(content, tmp_path):
    path = tmp_path / "all.parquet"
    if content is None:
        pq.write_table(pa.table({"x": [1]}), path)
    else:
        path.write_bytes(content)
    with pytest.raises(StudyError, match=r"all\.parquet is no file of records of axhil"):
        read_cells(path)


def test_a_claim_keeps_others_out_until_it_ends(tmp_path):
    store, other = CellStore(tmp_path), CellStore(tmp_path)
    with store.claim(SETTINGS) as mine:
        assert mine
        with other.claim(SETTINGS) as theirs:
            assert not theirs
        with other.claim(dataclasses.replace(SETTINGS, seed=1)) as another:
            assert another
    with other.claim(SETTINGS) as theirs:
        assert theirs


def test_a_claim_ends_with_a_killed_process(tmp_path):
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[2]); from pathlib import Path;"
        "from axhil.study.storage.store import CellStore; from study_samples import SETTINGS;"
        "claim = CellStore(Path(sys.argv[1])).claim(SETTINGS);"
        "print(claim.__enter__(), flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "True\n"
        with CellStore(tmp_path).claim(SETTINGS) as mine:
            assert not mine
    finally:
        holder.kill()
        holder.communicate()
    with CellStore(tmp_path).claim(SETTINGS) as mine:
        assert mine


def test_a_claim_whose_holder_gives_no_sign_of_life_is_taken_over(tmp_path, monkeypatch):
    holder, waiter = CellStore(tmp_path), CellStore(tmp_path)

    def free():
        with waiter.claim(SETTINGS) as mine:
            return mine

    now = 0.0
    monkeypatch.setattr(store_module, "time", SimpleNamespace(monotonic=lambda: now))
    with holder.claim(SETTINGS):
        for _ in range(4):
            assert not free()
            time.sleep(0.02)  # the clock of files is coarse
            holder.beat()
            now += 0.9 * store_module.SILENCE
        assert not free()
        now += 0.9 * store_module.SILENCE
        assert not free()
        now += 0.2 * store_module.SILENCE
        assert free()
    # Nobody answers for what is not held any more.
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "locks").iterdir()}
    holder.beat()
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_finding_cells_does_not_take_a_listing_of_the_store_each(tmp_path, monkeypatch):
    store = CellStore(tmp_path)
    cells = [cell(seed=seed) for seed in range(60)]
    for one in cells:
        store.put(one)
    listings = []
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda path, what: listings.append(path) or glob(path, what))
    # As slow as in a store of a hundred thousand.
    monkeypatch.setattr(store_module, "_LISTING_SHARE", 1000)
    assert [store.get(one.settings) for one in cells] == cells
    assert len(listings) < len(cells) / 4
    # What another run adds is found by its name at once.
    other = cell(seed=99)
    CellStore(tmp_path).put(other)
    assert store.get(other.settings) == other
