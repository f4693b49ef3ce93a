# SPDX-License-Identifier: Apache-2.0
"""The facts about Verilog: one value, its spelling in brackets, its TOML file."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axhil.hwsim import HwsimError
from axhil.hwsim.multipliers import VerilogSource
from axhil.hwsim.multipliers.source import read_toml, split_items

FULL = VerilogSource(
    Path("rtl/mul.v"),
    more=(Path("rtl/cells.v"), Path("b.v")),
    top="mul8",
    a="x",
    b="y",
    p="z",
    weight="x",
    parameters={"K": 3, "MODE": "fast", "wrap": -1},
    sign="signed",
    ties={"en": 1},
    includes=(Path("inc"),),
    defines={"FAST": 1, "OP": "x+y"},
    product_shift=8,
)
SPELT = (
    "rtl/mul.v[top=mul8,a=x,b=y,p=z,weight=x,K=3,MODE=fast,parameter.wrap=-1,signed,tie.en=1,"
    "product_shift=8,with=rtl/cells.v,with=b.v,include=inc,define.FAST=1,define.OP=x+y]"
)


def test_every_fact_has_its_place_in_the_spelling():
    assert str(FULL) == SPELT
    assert VerilogSource.parse(SPELT) == FULL
    assert FULL.name == (
        "mul.v[top=mul8,a=x,b=y,p=z,weight=x,K=3,MODE=fast,parameter.wrap=-1,signed,tie.en=1,"
        "product_shift=8,with=cells.v,with=b.v,include=inc,define.FAST=1,define.OP=x+y]"
    )


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("mul.v", "mul.v"),
        (" mul.v[] ", "mul.v"),
        ("mul.v[ K = 0x10 , top = m ]", "mul.v[top=m,K=16]"),
        ("mul.v[signed,B=1,A=2]", "mul.v[A=2,B=1,signed]"),
        ('mul.v[N="12"]', 'mul.v[N="12"]'),
        ('mul.v[N="twelve"]', "mul.v[N=twelve]"),
        ('mul.v[N="a,b]"]', 'mul.v[N="a,b]"]'),
        ("mul.v[parameter.K=1]", "mul.v[K=1]"),
        ("mul.v[parameter.top=1,top=m]", "mul.v[top=m,parameter.top=1]"),
        ("mul.v[define.A=4'hf,define.B=(x)]", 'mul.v[define.A="4\'hf",define.B="(x)"]'),
        ("mul.v[parameter.product_shift=1]", "mul.v[parameter.product_shift=1]"),
        ("mul.v[b=ab[7:0], a=ab[15:8]]", "mul.v[a=ab[15:8],b=ab[7:0]]"),
        (
            "design.f[define.B=0x10,define.A=x,product_shift=0]",
            "design.f[product_shift=0,define.A=x,define.B=16]",
        ),
    ],
)
def test_equal_facts_have_one_spelling(text, canonical):
    assert str(VerilogSource.parse(text)) == canonical


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_$]{0,4}", fullmatch=True)
PATHS = st.from_regex(r"([a-z0-9_]{1,4}/){0,2}[a-z][a-z0-9_ ]{0,3}\.v", fullmatch=True).map(Path)
WORDS = st.text(st.characters(codec="ascii", exclude_characters='"'), min_size=1, max_size=5)


@given(
    st.builds(
        VerilogSource,
        file=PATHS,
        more=st.lists(PATHS, max_size=2).map(tuple),
        **{name: st.none() | NAMES for name in ("top", "a", "b", "p", "weight")},
        parameters=st.dictionaries(NAMES, st.integers() | WORDS.map(str.strip), max_size=3),
        sign=st.sampled_from([None, "signed", "unsigned", "wrap"]),
        ties=st.dictionaries(NAMES, st.integers(0, 99), max_size=2),
        includes=st.lists(PATHS, max_size=2, unique=True).map(tuple),
        defines=st.dictionaries(NAMES, st.integers() | WORDS.map(str.strip), max_size=2),
        product_shift=st.none() | st.integers(0, 64),
    )
)
def test_every_value_is_read_back_from_its_spelling(source):
    assert VerilogSource.parse(str(source)) == source


REFUSED = {
    "no end": ("mul.v[K=3", "expected ] at the end"),
    "near miss": ("mul.v[singed]", "did you mean signed"),
    "alone": ("mul.v[K]", "expected signed, unsigned, wrap or NAME=VALUE in the brackets, got K"),
    "no value": ("mul.v[K=]", "expected NAME=VALUE, got K="),
    "twice": ("mul.v[top=a,top=b]", "expected one top, got two"),
    "parameter twice": ("mul.v[K=1,parameter.K=2]", r"expected one parameter\.K, got two"),
    "two signs": ("mul.v[signed,wrap]", "expected one of signed, unsigned, wrap, got two"),
    "a sign with a value": ("mul.v[signed=1]", "expected signed alone, got signed=1"),
    "shift of a word": ("mul.v[product_shift=low]", "expected product_shift of a number, got low"),
    "macro of no name": ("mul.v[define.2=1]", "expected NAME=TEXT, got 2=1"),
    "macro twice": ("mul.v[define.A=1,define.A=2]", r"expected one define\.A, got two"),
    "tie of a word": ("mul.v[tie.en=on]", "expected PORT=NUMBER"),
    "no name": ("mul.v[3=K]", "expected NAME=VALUE, got 3=K"),
}


@pytest.mark.parametrize(("text", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_in_the_brackets_is_one_sentence(text, sentence):
    with pytest.raises(HwsimError, match=sentence) as refusal:
        VerilogSource.parse(text)
    assert "\n" not in str(refusal.value)


def test_facts_win_over_others_and_files_add_up():
    own = VerilogSource(
        Path("mul.v"),
        parameters={"K": 3},
        sign="wrap",
        more=(Path("a.v"),),
        defines={"D": 1},
        product_shift=0,
    )
    others = VerilogSource(
        top="m",
        parameters={"K": 4, "L": 5},
        sign="signed",
        more=(Path("b.v"), Path("a.v")),
        defines={"D": 2, "E": 3},
        product_shift=8,
    )
    assert str(own.over(others)) == (
        "mul.v[top=m,K=3,L=5,wrap,product_shift=0,with=a.v,with=b.v,define.D=1,define.E=3]"
    )


TOML = """
verilog = "mul.v"
top = "mul8"
a = "x"
b = "y"
p = "z"
weight = "x"
signed = true
with = ["cells.v", "../b.v"]
include = "inc"
product_shift = 8
[defines]
FAST = 1
OP = "x+y"
[parameters]
K = 3
MODE = "fast"
wrap = -1
[ties]
en = 1
"""


def test_a_toml_file_says_the_same_with_paths_of_its_own(tmp_path):
    (tmp_path / "mul.toml").write_text(TOML)
    source = read_toml(tmp_path / "mul.toml")
    assert source.name == FULL.name
    assert source.more == (tmp_path / "cells.v", tmp_path / ".." / "b.v")
    assert source.includes == (tmp_path / "inc",)
    (tmp_path / "list.toml").write_text('verilog = ["mul.v", "cells.v"]\nwrap = true\n')
    assert read_toml(tmp_path / "list.toml").name == "mul.v[wrap,with=cells.v]"


WRONG = {
    "near miss": ('tpo = "m"', "unknown key tpo: did you mean top[?] expected verilog, top, a,"),
    "number for a text": ("top = 3", "top: expected a text, got 3"),
    "number for a truth": ("signed = 1", "signed: expected true or false, got 1"),
    "truth for a number": ("[ties]\nen = true", r"ties\.en: expected a number, got True"),
    "list of numbers": ("with = [1]", r"with: expected a path or a list of paths, got \[1\]"),
    "text for a table": ('parameters = "K"', "parameters: expected a table, got 'K'"),
    "both signs": ("signed = true\nwrap = true", "expected signed or wrap"),
    "no TOML": ("top m", "is no TOML file"),
}


@pytest.mark.parametrize(("text", "sentence"), WRONG.values(), ids=WRONG)
def test_a_mistake_in_the_toml_is_one_sentence_with_its_path(tmp_path, text, sentence):
    path = tmp_path / "mul.toml"
    path.write_text(text)
    with pytest.raises(HwsimError, match=sentence) as refusal:
        read_toml(path)
    assert re.match(re.escape(str(path)), str(refusal.value))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("exact,drum(3)", ["exact", "drum(3)"]),
        (" scaletrim(4, 8) , drum(3) ,", ["scaletrim(4, 8)", "drum(3)"]),
        ("mul.v[K=3,signed],a.npz", ["mul.v[K=3,signed]", "a.npz"]),
        ('mul.v[N="]"],exact', ['mul.v[N="]"]', "exact"]),
        (",,", []),
        ("", []),
    ],
)
def test_a_list_splits_at_commas_outside_brackets(text, items):
    assert split_items(text) == items
