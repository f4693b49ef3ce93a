# SPDX-License-Identifier: Apache-2.0
"""How multipliers are written, and what is legal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axhil.hwsim import PAPER_MULTIPLIERS, Catalogued, HwsimError, Operand, legal_multipliers


@st.composite
def multipliers(draw):
    operand = Operand(draw(st.integers(4, 16)), draw(st.booleans()))
    return draw(st.sampled_from(legal_multipliers(operand)))


@given(multipliers(), st.sampled_from(["", " ", "  "]))
def test_every_spelling_reads_back(multiplier, space):
    def read(text):
        return Catalogued.parse(text, operand=multiplier.operand)

    assert read(multiplier.name) == read(multiplier.slug) == multiplier
    loose = multiplier.name.replace("(", f"({space}").replace(",", f"{space},{space}")
    assert read(f"{space}{loose}{space}") == multiplier


@given(multipliers(), multipliers())
def test_different_multipliers_are_written_differently(one, other):
    if (one.family, one.args) != (other.family, other.args):
        assert len({one.name, other.name}) == len({one.slug, other.slug}) == 2
        assert one.label != other.label


@given(st.text(max_size=20))
def test_any_text_reads_or_is_refused_with_the_alternatives(text):
    try:
        multiplier = Catalogued.parse(text)
    except HwsimError as error:
        assert "expected" in str(error)
    else:
        assert Catalogued.parse(multiplier.name) == multiplier


def test_the_papers_seven_and_their_three_names():
    assert [(str(m), m.slug, m.label) for m in PAPER_MULTIPLIERS] == [
        ("exact", "exact", "ACC"),
        ("drum(3)", "drum_3", "DR3"),
        ("drum(4)", "drum_4", "DR4"),
        ("scaletrim(3,0)", "scaletrim_3_0", "sT(3,0)"),
        ("scaletrim(4,0)", "scaletrim_4_0", "sT(4,0)"),
        ("scaletrim(4,4)", "scaletrim_4_4", "sT(4,4)"),
        ("scaletrim(4,8)", "scaletrim_4_8", "sT(4,8)"),
    ]


REFUSED = [
    ("", r"cannot read multiplier ''"),
    ("drum(4", r"cannot read multiplier 'drum\(4'"),
    ("drum(-1)", r"cannot read"),
    ("drum(four)", r"cannot read"),
    ("drum(1234567890123)", r"cannot read"),
    (
        "booth(4)",
        r"unknown multiplier family 'booth': expected exact; drum\(K\).*; scaletrim\(H,M\)",
    ),
    ("drum", r"drum: expected K, got 0 argument"),
    ("drum(3,4)", r"drum\(3,4\): expected K, got 2 argument"),
    ("exact(1)", r"exact\(1\): expected no arguments"),
    ("drum(1)", r"drum\(1\): expected 2 <= K <= WIDTH=8, got K=1"),
    ("drum(9)", r"drum\(9\): expected 2 <= K <= WIDTH=8, got K=9"),
    ("scaletrim(4)", r"scaletrim\(4\): expected H, M, got 1 argument"),
    ("scaletrim(0,0)", r"expected 1 <= H < WIDTH=8 .* got H=0, M=0"),
    ("scaletrim(8,0)", r"got H=8, M=0"),
    ("scaletrim(4,1)", r"M = 0 or a power of two, 2 <= M <= 2\^\(H\+1\), got H=4, M=1"),
    ("scaletrim(4,6)", r"got H=4, M=6"),
    ("scaletrim(4,64)", r"got H=4, M=64"),
]


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_a_wrong_multiplier_is_refused_with_what_is_allowed(text, sentence):
    with pytest.raises(HwsimError, match=sentence):
        Catalogued.parse(text)


def test_an_operand_refuses_what_it_cannot_hold():
    assert Catalogued.parse("drum(9)", operand=Operand(9, signed=True)).operand.bits == 9
    with pytest.raises(HwsimError, match=r"expected 1 <= H < WIDTH=4 .* got H=4, M=0"):
        Catalogued("scaletrim", (4, 0), Operand(4, signed=False))
    for bits in (3, 17):
        with pytest.raises(HwsimError, match=f"expected 4 <= WIDTH <= 16, got WIDTH={bits}"):
            Catalogued("exact", operand=Operand(bits, signed=True))


@pytest.mark.parametrize("width", range(4, 17))
def test_the_legal_multipliers_are_the_ranges_of_the_definition(width):
    expected = {("exact", ())} | {("drum", (k,)) for k in range(2, width + 1)}
    for h in range(1, width):
        expected |= {("scaletrim", (h, m)) for m in (0, *(2**i for i in range(1, h + 2)))}
    legal = legal_multipliers(Operand(width, signed=False))
    assert {(m.family, m.args) for m in legal} == expected
    assert len(legal) == len(expected)


def test_a_circuit_has_the_verilog_names():
    unsigned = Catalogued("drum", (5,), Operand(8, signed=False)).circuit()
    assert (unsigned.top, unsigned.parameters) == ("mul_drum", {"WIDTH": 8, "K": 5})
    signed = Catalogued("scaletrim", (3, 0)).circuit()
    expected = {"CORE": "scaletrim", "WIDTH": 8, "H": 3, "M": 0, "DEE": -2, "COMP": 0}
    assert (signed.top, signed.parameters) == ("mul_signed", expected)


def test_a_missing_file_of_the_catalogue_is_named(tmp_path):
    with pytest.raises(HwsimError, match=r"expected the Verilog of mul_signed at .*mul_signed\.v"):
        Catalogued("drum", (3,), rtl=tmp_path).circuit()
