# SPDX-License-Identifier: Apache-2.0
"""Cells on disk: a key for every setting, whole files only, sentences for damaged ones."""

import dataclasses
import json
import os
from pathlib import Path

import pytest
from study_samples import SETTINGS, cell

from hwsim import HwsimError
from study.cells import FORMAT_VERSION, Cell, CellSettings, CellStore
from study.errors import StudyError

CHANGED = {
    str: lambda value: value + "'",
    int: lambda value: value + 1,
    float: lambda value: value + 0.5,
    bool: lambda value: not value,
    tuple: lambda value: (*value, 2.0),
    dict: lambda value: {**value, "weights": "channel"},
}


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(CellSettings)])
def test_a_change_of_any_setting_is_another_cell(name, tmp_path):
    value = getattr(SETTINGS, name)
    changed = dataclasses.replace(SETTINGS, **{name: CHANGED[type(value)](value)})
    assert changed.key != SETTINGS.key
    store = CellStore(tmp_path)
    store.put(cell())
    assert store.get(SETTINGS) is not None
    assert store.get(changed) is None


def test_equal_settings_have_one_key_whatever_the_order_of_their_mapping():
    turned = dict(reversed(list(SETTINGS.quantisation.items())))
    assert dataclasses.replace(SETTINGS, quantisation=turned).key == SETTINGS.key


def test_a_cell_comes_back_as_it_was_put(tmp_path):
    store, original = CellStore(tmp_path / "deep" / "cells"), cell(warnings=("a", "b é"))
    store.put(original)
    found = store.get(original.settings)
    assert found == original
    assert found.settings.key == original.settings.key
    (path,) = (tmp_path / "deep" / "cells").iterdir()
    assert path.name == f"{original.settings.key}.json"


def test_an_empty_or_missing_folder_has_no_cells(tmp_path):
    assert CellStore(tmp_path).get(SETTINGS) is None
    assert CellStore(tmp_path / "missing").get(SETTINGS) is None
    assert not (tmp_path / "missing").exists()


def test_a_cell_can_be_put_again(tmp_path):
    store = CellStore(tmp_path)
    store.put(cell("0111", "0010"))
    store.put(cell("0111", "0011"))
    assert store.get(SETTINGS).correct == ("0111", "0011")
    assert len(list(tmp_path.iterdir())) == 1


def _without(key):
    def change(text):
        body = json.loads(text)
        del body[key]
        return json.dumps(body)

    return change


def _with(**changes):
    return lambda text: json.dumps({**json.loads(text), **changes})


DAMAGE = {
    "empty": lambda _: "",
    "cut in half": lambda text: text[: len(text) // 2],
    "a list": lambda _: "[]",
    "null": lambda _: "null",
    "a number": lambda _: "3",
    "no version": _without("format_version"),
    "no settings": _without("settings"),
    "no flags": _without("correct"),
    "version of another type": _with(format_version="1"),
    "another experiment's settings": _with(settings={"network": "lenet5"}),
    "settings of another type": _with(settings=3),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_file_is_a_sentence_with_its_path_and_the_way_out(damage, tmp_path):
    store = CellStore(tmp_path)
    store.put(cell())
    (path,) = tmp_path.iterdir()
    path.write_text(damage(path.read_text()))
    with pytest.raises(StudyError, match=r"is no finished cell of axhil .*remove it") as caught:
        store.get(SETTINGS)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_other_bytes_is_a_sentence_too(tmp_path):
    (tmp_path / f"{SETTINGS.key}.json").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(StudyError, match="is no finished cell of axhil"):
        CellStore(tmp_path).get(SETTINGS)


def test_a_newer_format_is_not_damage():
    text = _with(format_version=FORMAT_VERSION + 1)(cell().to_json())
    with pytest.raises(StudyError, match="has format version 2, this axhil reads 1: upgrade axhil"):
        Cell.from_json(text, source="x.json")


@pytest.mark.parametrize("moment", ["fsync", "rename"])
@pytest.mark.parametrize("before", [None, cell("0000", "0000")], ids=["new", "replacing"])
def test_putting_is_all_or_nothing(moment, before, tmp_path, monkeypatch):
    store = CellStore(tmp_path)
    if before is not None:
        store.put(before)
    names = sorted(path.name for path in tmp_path.iterdir())

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
    with pytest.raises(HwsimError, match=r"cannot write .*\.json: No space left on device"):
        store.put(cell())
    assert store.get(SETTINGS) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == names


@pytest.mark.parametrize("change", ["budget", "image"])
def test_a_cell_with_flags_missing_is_refused(change):
    whole = cell("0010", "0111", budgets=(0.0, 0.5))
    body = json.loads(whole.to_json())
    if change == "budget":
        body["correct"].pop()
    else:
        body["correct"][1] = body["correct"][1][:-1]
    with pytest.raises(StudyError, match="flags are not one for each image and budget"):
        Cell.from_json(json.dumps(body), source="x")
