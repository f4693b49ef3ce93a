# SPDX-License-Identifier: Apache-2.0
"""Records grow: what was finished keeps its name, and what is new gets another."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from study_samples import SETTINGS, cell

from axhil.attacks import parse_attack
from axhil.emulation import Settings
from axhil.study.engine.experiment import quantisation_of
from axhil.study.engine.run import Plan
from axhil.study.errors import StudyError
from axhil.study.storage import cells, store
from axhil.study.storage.cells import FORMAT_VERSION, CellSettings
from axhil.study.storage.difference import difference
from axhil.study.storage.store import CellStore, read_cells, write_cells

RECORDS = Path(__file__).resolve().parent.parent / "docs" / "records" / "studies"

# Cells of each file, and a hash over their sorted keys: by the program of format 2, ...
OF_FORMAT_2 = {
    "cifar10_1000": (28, "108093acc54b14cb"),
    "lenet5_1000": (42, "7883af4c5f28d827"),
    "lenet5_slope": (28, "b4de0006bff72d71"),
    "lenet5_transfer": (56, "8370ac1b437bbca1"),
    "paper_lenet5": (42, "cfe862a23ecc4ee5"),
    "paper_resnet50": (42, "f4ce8feb6aba3ed7"),
    "paper_vgg19": (42, "0ba940ed269324f5"),
}
# ... and by that of format 3, in which an attack is a name with its settings.
COMMITTED = OF_FORMAT_2 | {
    "cifar10_transfer": (9, "bb5064b6cc63b69c"),
    "lenet5_adaptive": (6, "01636e931d931b5d"),
    "lenet5_adaptive_l2": (4, "7d5eb6cfc4eab31f"),
    "lenet5_multipliers": (6, "b69abae8cee2b4b2"),
    "lenet5_smallest": (4, "6498fa996203c025"),
    "resnet20_adaptive": (6, "443759ef96748f4b"),
    "resnet50_adaptive": (4, "22f2fdc278b32675"),
    "vgg19_adaptive": (4, "df2364ae094897e7"),
}
HASHED_BY_FORMAT_2 = (
    "network", "weights_sha256", "calibration", "layers", "data", "data_sha256", "images",
    "multiplier", "lut_sha256", "attack", "norm", "steps", "rel_step", "random_start",
    "threat_model", "worst_iterate", "gradient", "seed", "batch",
)  # fmt: skip


def key_of_format_2(row):
    body = {name: row[name] for name in HASHED_BY_FORMAT_2}
    parts = ("weights", "activations", "batch_norm")
    body["quantisation"] = {part: row[f"quantisation_{part}"] for part in parts}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:20]


def test_every_committed_study_is_looked_at():
    assert {path.stem for path in RECORDS.iterdir()} == set(COMMITTED)


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_record_keeps_its_keys(name):
    path = RECORDS / f"{name}.parquet"
    keys = sorted(one.settings.key for one in read_cells(path))
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]
    assert (len(keys), digest) == COMMITTED[name]


@pytest.mark.parametrize("name", OF_FORMAT_2)
def test_a_record_of_format_2_has_the_keys_that_its_program_gave(name):
    path = RECORDS / f"{name}.parquet"
    rows = pq.ParquetFile(path).read().to_pylist()
    assert {key_of_format_2(row) for row in rows} == {one.settings.key for one in read_cells(path)}


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_record_is_the_same_read_twice_and_in_the_format_of_now(name, tmp_path):
    path = RECORDS / f"{name}.parquet"
    found = read_cells(path)
    again = read_cells(write_cells(found, tmp_path / "again.parquet"))
    assert again == found
    for other in (read_cells(path), again):
        result = difference(found, other)
        assert result.equal
        assert result.common == sum(len(one.settings.budgets) for one in found) > 0
        assert result.settings == {}


@pytest.mark.parametrize("name", ["fgsm", "bim", "pgd"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_attacks_of_format_2_are_still_what_they_were(name, norm):
    attack = parse_attack(name, norm)
    for setting, value in cells._FORMAT_2_ATTACKS[name].items():
        assert getattr(attack, setting) == value


def test_an_attack_of_other_numbers_is_another_cell():
    keys = {
        dataclasses.replace(SETTINGS, attack=attack).key
        for attack in ("pgd", "pgd(steps=49)", "pgd(steps=49,random_start=false)", "bim")
    }
    assert len(keys) == 4


def test_a_file_of_format_2_with_numbers_that_no_attack_of_it_has_is_damaged(tmp_path):
    table = pq.ParquetFile(RECORDS / "cifar10_1000.parquet").read()
    place = table.column_names.index("steps")
    wrong = table.set_column(place, "steps", [[7] * len(table)])
    pq.write_table(wrong, tmp_path / "x.parquet")
    with pytest.raises(StudyError, match=r"x\.parquet is no file of records .*attack fgsm: expect"):
        read_cells(tmp_path / "x.parquet")


@pytest.fixture
def grown(monkeypatch):
    """The program of tomorrow: with one more setting."""
    later = dataclasses.make_dataclass(
        "CellSettings",
        [("noise", "float", dataclasses.field(default=0.0))],
        bases=(CellSettings,),
        frozen=True,
    )
    values = {one.name: getattr(SETTINGS, one.name) for one in dataclasses.fields(SETTINGS)}

    def switch():
        for module in (cells, store):
            monkeypatch.setattr(module, "CellSettings", later)
        return later(**values)

    return switch


def test_a_new_setting_at_its_default_recomputes_nothing_and_elsewhere_has_another_key(
    grown, tmp_path
):
    now = CellStore(tmp_path)
    now.put(cell())
    (path,) = now.records.iterdir()
    before, old_key = path.read_bytes(), SETTINGS.key
    settings = grown()
    assert settings.key == old_key
    assert now.missing(settings) == ()
    assert now.get(settings).correct == cell().correct
    now.put(now.get(settings))
    assert path.read_bytes() == before  # nor is it written
    noisy = dataclasses.replace(settings, noise=0.5)
    assert noisy.key != old_key
    assert now.missing(noisy) == noisy.budgets
    now.put(dataclasses.replace(cell("0000", "0000"), settings=noisy))
    assert now.get(noisy).settings.noise == 0.5
    assert now.get(noisy).correct != now.get(settings).correct
    assert len(now.cells()) == 2
    # Both in one file: a column, empty where it does not matter.
    exported = write_cells(now.cells(), tmp_path / "all.parquet")
    assert pq.ParquetFile(exported).read()["noise"].to_pylist().count(None) == 2
    assert read_cells(exported) == now.cells()


def test_every_committed_record_is_read_by_the_program_of_tomorrow(grown):
    grown()
    for name, (count, digest) in COMMITTED.items():
        keys = sorted(one.settings.key for one in read_cells(RECORDS / f"{name}.parquet"))
        assert hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16] == digest
        assert len(keys) == count


def test_a_setting_that_only_a_newer_program_knows_is_a_sentence_and_not_dropped(
    grown, tmp_path, monkeypatch
):
    with monkeypatch.context() as tomorrow:
        settings = grown()
        later = dataclasses.replace(cell(), settings=dataclasses.replace(settings, noise=0.5))
        same = dataclasses.replace(cell(seed=1), settings=dataclasses.replace(settings, seed=1))
        noisy = write_cells([same, later], tmp_path / "noisy.parquet")
        plain = write_cells([same], tmp_path / "plain.parquet")
        tomorrow.undo()
    monkeypatch.undo()
    sentence = r"noisy\.parquet has the setting noise, which this axhil does not know: upgrade"
    with pytest.raises(StudyError, match=sentence):
        read_cells(noisy)
    assert read_cells(plain) == [cell(seed=1)]  # what does not use it is read


def test_a_share_left_in_float_is_a_setting_of_its_own():
    assert dataclasses.replace(SETTINGS, float_share=0.25).key != SETTINGS.key
    assert "float_share" not in SETTINGS.written()


def test_a_plan_of_format_2_asks_for_the_same_cells(tmp_path):
    body = SETTINGS.written() | {"steps": 1, "rel_step": 1.0, "random_start": False}
    spec = {"name": "a", "networks": ["lenet5"]}
    parts = [{"network": "lenet5", "threat_model": "whitebox", "cells": [body]}]
    plan = {"format_version": 2, "study": spec, "parts": parts}
    (tmp_path / "study.json").write_text(json.dumps(plan))
    read = Plan.read(tmp_path)
    assert read.parts[0].cells == (SETTINGS,)
    read.write(tmp_path)
    again = json.loads((tmp_path / "study.json").read_text())
    assert again["format_version"] == FORMAT_VERSION
    assert "steps" not in again["parts"][0]["cells"][0]
    assert Plan.read(tmp_path) == read
    again["parts"][0]["cells"][0]["noise"] = 0.5
    (tmp_path / "study.json").write_text(json.dumps(again))
    with pytest.raises(StudyError, match=r"study\.json has the setting noise, which this axhil"):
        Plan.read(tmp_path)


def test_a_quantisation_grows_likewise(tmp_path):
    later = dataclasses.make_dataclass(
        "Settings", [("bits", "int", dataclasses.field(default=8))], bases=(Settings,), frozen=True
    )
    first = {"weights": "tensor", "activations": "percentile", "batch_norm": "keep"}
    assert quantisation_of(later()) == quantisation_of(Settings()) == first
    four = quantisation_of(later(bits=4))
    assert four == {**first, "bits": "4"}
    corrected = quantisation_of(Settings(bias_correction=True))
    assert corrected == {**first, "bias_correction": "True"}
    one = cell(quantisation=four)
    assert one.settings.key != cell(quantisation=quantisation_of(Settings())).settings.key
    assert read_cells(write_cells([cell(), one], tmp_path / "x.parquet")) == [cell(), one]
