# SPDX-License-Identifier: Apache-2.0
"""From what is typed to tables: lists with commas inside, names, files, folders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axhil.hwsim import PAPER_MULTIPLIERS, Catalogued, HwsimError, Lut, golden
from axhil.study.errors import StudyError
from axhil.study.multipliers import resolve, split_names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("exact", ["exact"]),
        ("exact,drum(3)", ["exact", "drum(3)"]),
        ("scaletrim(4,8),exact", ["scaletrim(4,8)", "exact"]),
        (" scaletrim(4, 8) , drum(3) ,", ["scaletrim(4, 8)", "drum(3)"]),
        ("out/a.npz,exact", ["out/a.npz", "exact"]),
        (",,", []),
        ("", []),
    ],
)
def test_a_list_splits_at_commas_outside_parentheses(text, names):
    assert split_names(text) == names


@given(st.lists(st.sampled_from([str(m) for m in PAPER_MULTIPLIERS]), max_size=9))
def test_every_list_of_names_splits_back_into_them(names):
    assert split_names(",".join(names)) == names


def test_without_names_there_are_the_papers_seven_from_the_golden_tables():
    found = resolve(None)
    assert [one.name for one in found] == [str(m) for m in PAPER_MULTIPLIERS]
    assert [one.label for one in found] == [
        "ACC", "DR3", "DR4", "sT(3,0)", "sT(4,0)", "sT(4,4)", "sT(4,8)",
    ]  # fmt: skip
    assert [one.lut.sha256 for one in found] == [golden(m).sha256 for m in PAPER_MULTIPLIERS]


def test_every_spelling_gets_the_same_name():
    for text in ("scaletrim(4,8)", "scaletrim(4, 8)", "scaletrim_4_8"):
        (one,) = resolve([text])
        assert (one.name, one.label) == ("scaletrim(4,8)", "sT(4,8)")


def test_lists_and_repeated_options_add_up_in_order():
    found = resolve(["exact,drum(3)", "scaletrim(4,8)"])
    assert [one.name for one in found] == ["exact", "drum(3)", "scaletrim(4,8)"]


@pytest.fixture
def minus_one():
    """A table that no multiplier of the catalogue has."""
    return Lut(np.full((256, 256), -1, np.int32), width=8, signed=True)


def test_a_table_file_goes_under_its_stem(tmp_path, minus_one):
    minus_one.save(tmp_path / "mine.npz")
    (one,) = resolve([str(tmp_path / "mine.npz")])
    assert (one.name, one.label) == ("mine", "mine")
    assert one.lut == minus_one


def test_a_folder_replaces_the_golden_tables(tmp_path, minus_one):
    minus_one.save(tmp_path / "drum_3.npz")
    (one,) = resolve(["drum(3)"], folder=tmp_path)
    assert (one.name, one.label) == ("drum(3)", "DR3")
    assert one.lut == minus_one != golden(Catalogued.parse("drum(3)"))


def test_a_folder_without_the_table_is_a_sentence_with_its_path(tmp_path):
    with pytest.raises(HwsimError, match=r"cannot read LUT .*drum_3\.npz: No such file"):
        resolve(["drum(3)"], folder=tmp_path)


@pytest.mark.parametrize(
    "text", ["exact,exact", "drum(3),drum_3", "scaletrim(4,8),scaletrim(4, 8)"]
)
def test_a_multiplier_named_twice_is_refused(text):
    with pytest.raises(StudyError, match="is named twice"):
        resolve([text])


def test_two_multipliers_with_one_label_are_refused(tmp_path, minus_one):
    # Tables and figures tell multipliers apart by their labels.
    minus_one.save(tmp_path / "DR3.npz")
    with pytest.raises(StudyError, match=r"drum\(3\) and DR3 share the label DR3: rename the file"):
        resolve(["drum(3)", str(tmp_path / "DR3.npz")])


def test_a_file_that_takes_the_name_of_the_catalogue_is_refused_beside_it(tmp_path, minus_one):
    minus_one.save(tmp_path / "exact.npz")
    with pytest.raises(StudyError, match="the multiplier exact is named twice"):
        resolve(["exact", str(tmp_path / "exact.npz")])


@pytest.mark.parametrize("texts", [[], [""], [",", " "]])
def test_an_empty_list_is_refused(texts):
    with pytest.raises(StudyError, match="expected at least one multiplier"):
        resolve(texts)


def test_what_8_bits_do_not_allow_is_refused_with_the_legal_range():
    with pytest.raises(HwsimError, match=r"drum\(9\): expected 2 <= K <= WIDTH=8, got K=9"):
        resolve(["drum(9)"])


def test_an_unknown_multiplier_is_refused_with_the_known_ones():
    with pytest.raises(HwsimError, match=r"wallace.*exact; drum\(K\).*scaletrim\(H,M\)"):
        resolve(["wallace"])
