# SPDX-License-Identifier: Apache-2.0
"""Multipliers by layer: one spelling, one digest, the shortest being a multiplier alone."""

import fnmatch
import hashlib
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axhil.hwsim import PAPER_MULTIPLIERS, HwsimError, Lut, Operands, golden
from axhil.hwsim.multipliers import Assignment, Tabulated, assignments, find
from axhil.hwsim.multipliers.assignment import located_words, split_words

GOLDEN = {str(one): golden(one) for one in PAPER_MULTIPLIERS}
LAYERS = ("conv1", "conv2", "layer1.0.conv1", "layer1.0.conv2", "fc")


def test_a_multiplier_alone_is_its_name_and_its_tables_digest():
    for name, lut in GOLDEN.items():
        alone = Assignment.parse(name)
        assert (alone.name, alone.digest) == (name, lut.sha256)
        assert alone.mapping() == lut
        assert alone.label == find(name).label
        assert [alone.at(layer) for layer in LAYERS] == [find(name)] * len(LAYERS)


def test_layers_have_the_first_that_matches():
    mixed = Assignment.parse("layer1.*=drum_4, *.conv2=exact,conv?=scaletrim(4, 8) ,fc=float")
    assert mixed.name == "layer1.*=drum(4),*.conv2=exact,conv?=scaletrim(4,8),fc=float"
    assert mixed.label == "layer1.*=DR4, *.conv2=ACC, conv?=sT(4,8), fc=float"
    names = [one if isinstance(one, str) else one.name for one in map(mixed.at, LAYERS)]
    assert names == ["scaletrim(4,8)", "scaletrim(4,8)", "drum(4)", "drum(4)", "float"]
    assert mixed.at("other") is None
    assert mixed.mapping() == {
        "layer1.*": GOLDEN["drum(4)"],
        "*.conv2": GOLDEN["exact"],
        "conv?": GOLDEN["scaletrim(4,8)"],
        "fc": "float",
    }
    tables = [one.table() for one in mixed.multipliers]
    assert tables == [GOLDEN[n] for n in ("drum(4)", "exact", "scaletrim(4,8)")]
    assert mixed.single is None


def test_a_digest_is_of_patterns_and_tables_and_not_of_names():
    body = [["conv*", GOLDEN["drum(4)"].sha256], ["fc", "float"]]
    expected = hashlib.sha256(json.dumps(body).encode()).hexdigest()
    assert Assignment.parse("conv*=drum(4),fc=float").digest == expected
    renamed = Tabulated("mine", "mine", GOLDEN["drum(4)"])
    assert Assignment.of({"conv*": renamed, "fc": "float"}).digest == expected
    others = ("fc=float,conv*=drum(4)", "conv*=drum(4)", "conv*=drum(3),fc=float", "drum(4)")
    assert expected not in {Assignment.parse(text).digest for text in others}


PATTERNS = st.from_regex(r"[a-z*?][a-z0-9.*?_]{0,5}(\[[a-z!0-9]{1,3}\])?", fullmatch=True)
PARTS = st.lists(
    st.tuples(PATTERNS, st.sampled_from([*GOLDEN, "float"])),
    min_size=1,
    max_size=5,
    unique_by=lambda part: part[0],
)


@given(PARTS)
def test_every_assignment_is_read_back_from_its_spelling(parts):
    mapping = dict(parts)
    built = Assignment.of(mapping)
    assert Assignment.parse(built.name) == built
    assert hash(Assignment.parse(built.name)) == hash(built)
    assert split_words(built.name) == [built.name]
    for layer in LAYERS:
        one = built.at(layer)
        names = [name for pattern, name in parts if fnmatch.fnmatchcase(layer, pattern)]
        found = one if one is None or isinstance(one, str) else one.name
        assert found == (names[0] if names else None)


@given(st.lists(st.sampled_from([*GOLDEN]), unique=True, min_size=1))
def test_every_list_of_names_is_read_back_as_those(names):
    assert [one.name for one in assignments([",".join(names)])] == names
    assert [one.name for one in assignments(names)] == names


def test_a_table_goes_in_from_python():
    lut = Lut(np.zeros((256, 256), int), *Operands.parse("s8"), {"top": "zero"})
    alone = Assignment.of(lut)
    assert (alone.name, alone.digest, alone.mapping()) == ("zero", lut.sha256, lut)
    assert Assignment.of({"fc": lut}).name == "fc=zero"
    assert pickle.loads(pickle.dumps(alone)) == alone
    assert list(Assignment.of({"fc": "exact"})) == [("fc", find("exact"))]
    assert len(Assignment.parse("a=exact,b=exact")) == 2


REFUSED = {
    "a word without a pattern": ("exact,conv*=drum(4)", "expected PATTERN=MULTIPLIER in every"),
    "no multiplier": ("conv*=", "no such file, and no multiplier"),
    "unknown": ("conv*=wallace", "wallace: no such file"),
    "twice": ("fc=exact,fc=drum(4)", "expected each pattern once, got fc twice"),
    "no pattern": ("=exact", "expected a layer's name or a pattern"),
    "a blank": ("co nv=exact", "expected a layer's name or a pattern .* got 'co nv'"),
    "float alone": ("float", "expected a layer's name or a pattern"),
    "nothing": (" , ", "expected at least one multiplier"),
}


@pytest.mark.parametrize(("text", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_one_sentence(text, sentence):
    with pytest.raises(HwsimError, match=sentence) as refusal:
        Assignment.parse(text)
    assert "\n" not in str(refusal.value)


def test_a_pattern_that_matches_no_layer_is_refused_with_the_layers():
    mixed = Assignment.parse("conv*=exact,f1=drum(4)")
    with pytest.raises(HwsimError, match=r"the pattern 'f1' matches no layer; .* conv1, conv2"):
        mixed.check(LAYERS)
    Assignment.parse("conv*=exact,fc=drum(4)").check(LAYERS)
    Assignment.parse("exact").check(LAYERS)


def test_several_are_told_apart(tmp_path):
    for name in ("DR3.npz", "exact.npz"):
        GOLDEN["drum(4)"].save(tmp_path / name)
    found = assignments(["exact,drum(3)", str(tmp_path / "DR3.npz"), "conv*=exact,fc=drum(3)"])
    assert [one.name for one in found] == ["exact", "drum(3)", "DR3", "conv*=exact,fc=drum(3)"]
    # Tables and figures tell multipliers apart by their labels.
    assert [one.label for one in found] == ["ACC", "drum(3)", "DR3", "conv*=ACC, fc=DR3"]
    for texts in (["exact,exact"], ["drum(3)", "drum_3"], ["exact", str(tmp_path / "exact.npz")]):
        with pytest.raises(HwsimError, match="is named twice"):
            assignments(texts)
    for texts in ([], [""], [",", " "]):
        with pytest.raises(HwsimError, match="expected at least one multiplier"):
            assignments(texts)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("exact,scaletrim(4, 8)", ["exact", "scaletrim(4, 8)"]),
        ("mul.v[K=3,signed],exact", ["mul.v[K=3,signed]", "exact"]),
        ("out/K=3/mul.npz,exact", ["out/K=3/mul.npz", "exact"]),
        ("fc[12]=mul.v[K=3]", ["fc[12]=mul.v[K=3]"]),
        ("a=exact, b=drum(3)", ["a=exact,b=drum(3)"]),
        ('mul.v[N="]",K=1]', ['mul.v[N="]",K=1]']),
    ],
)
def test_a_text_with_patterns_is_one_assignment_and_others_are_lists(text, words):
    assert split_words(text) == words


def test_files_of_an_assignment_lie_where_its_study_file_does(tmp_path):
    text = located_words("a=mul.v[with=c.v],b=t.npz,c=drum_4,d=float", tmp_path)
    assert text == f"a={tmp_path}/mul.v[with={tmp_path}/c.v],b={tmp_path}/t.npz,c=drum_4,d=float"


def test_an_assignment_file_stands_wherever_its_assignment_does(tmp_path, monkeypatch):
    Tabulated("t", "t", GOLDEN["drum(3)"]).table().save(tmp_path / "t.npz")
    (tmp_path / "best.toml").write_text(
        '[layers]\n"conv*" = "drum(4)"\nfc1 = "t.npz"\n"*" = "float"\n'
    )
    file = str(tmp_path / "best.toml")
    spelt = f"conv*=drum(4),fc1={tmp_path}/t.npz,*=float"
    assert split_words(file) == [spelt]
    assert located_words("best.toml", tmp_path) == spelt
    found = Assignment.parse(file)
    assert found == Assignment.parse(spelt)
    assert found.digest == Assignment.parse(spelt).digest
    monkeypatch.chdir(tmp_path)
    assert [one.name for one in assignments(["exact", "best.toml"])] == ["exact", found.name]
    with pytest.raises(HwsimError, match="expected a multiplier, got an assignment by layer"):
        find(file).table()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("layers = 3", "expected a table .layers. of multipliers alone, got 3"),
        ("[layers]", "of multipliers alone, got {}"),
        ("top = 'x'\n[layers]\na = 'exact'", "alone, got the key top"),
        ("[layers]\na = 3", "layers.a: expected a multiplier, got 3"),
        ("[layers]\na = 'nothing'", "nothing: no such file, and no multiplier"),
        ("[layers]\n'a b' = 'exact'", "expected a layer's name or a pattern"),
        ("[layers", "is no TOML file"),
    ],
)
def test_an_assignment_file_that_is_none_is_refused_in_a_sentence(text, sentence, tmp_path):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(HwsimError, match=sentence):
        Assignment.parse(str(tmp_path / "a.toml"))
