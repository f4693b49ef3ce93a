# SPDX-License-Identifier: Apache-2.0
"""What two folders of results have in common: counted by hand."""

from study_samples import cell

from axhil.study.storage.difference import difference

DRUM = {"label": "DR3", "multiplier": "drum(3)", "lut_sha256": "3" * 64}


def test_the_same_results_are_equal_whatever_they_took_and_were_computed_with():
    found = difference(
        [cell("0111", "0010", seconds=1.0, batch=16)],
        [cell("0111", "0010", seconds=9.0, batch=128)],
    )
    assert found.equal
    assert (found.common, found.flags) == (2, 8)
    assert found.settings == {"batch": ("16", "128")}
    assert found.sentences()[0] == "2 evaluations in both, 0 of them differ: 0 of 8 flags"


def test_flags_are_counted_and_named():
    first = [cell("0111", "0010"), cell("0110", "0000", **DRUM)]
    second = [cell("0111", "1010"), cell("0110", "1111", **DRUM)]
    found = difference(first, second)
    assert not found.equal
    assert [one.flags for one in found.changed] == [1, 4]
    assert found.sentences()[0] == "4 evaluations in both, 2 of them differ: 5 of 16 flags"
    assert found.changed[1].sentence() == (
        "lenet5 drum(3) fgsm linf eps 0.5 whitebox: 4 flags, 0 of 4 correct, then 4 of 4"
    )


def test_what_only_one_of_them_has_is_not_equal():
    first, second = [cell("0111", "0010")], [cell("0111", budgets=(0.0,)), cell(**DRUM)]
    found = difference(first, second)
    assert not found.equal
    assert not found.changed
    assert (len(found.only_first), len(found.only_second)) == (1, 2)
    assert "1 evaluations in the first alone, 2 in the second alone" in found.sentences()


def test_another_number_of_images_is_told_apart():
    found = difference([cell("0111", "0010")], [cell("01110", "00101")])
    assert [one.flags for one in found.changed] == [5, 5]


def test_a_changed_table_is_named_with_its_multiplier():
    found = difference([cell(**DRUM)], [cell(**{**DRUM, "lut_sha256": "4" * 64})])
    assert found.equal
    assert found.settings == {"table of drum(3)": ("3" * 64, "4" * 64)}
