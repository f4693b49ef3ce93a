# SPDX-License-Identifier: Apache-2.0
"""The families: their formulas against what the papers publish, and a family that is new."""

import numpy as np
import pytest

from axhil.hwsim import Catalogued, HwsimError, MacArray, Operand, designs, standalone
from axhil.hwsim.designs import families
from axhil.hwsim.multipliers.tabulating.tabulation import simulate_together, tabulate
from axhil.hwsim.operands import Asked
from axhil.hwsim.verilog.circuit import read_circuit

U8, U16 = Operand(8, signed=False), Operand(16, signed=False)


def mred(spelling, a, b, operand):
    exact = a * b
    products = Catalogued.parse(spelling, operand=operand).reference(a, b)
    return 100 * (np.abs(products - exact) / exact).mean()


MRED_8_BIT = {
    "drum(3)": 12.10,
    "drum(4)": 5.89,
    "scaletrim(3,0)": 5.90,
    "scaletrim(3,4)": 3.73,
    "scaletrim(4,0)": 4.03,
    "scaletrim(4,4)": 2.69,
    "scaletrim(4,8)": 2.35,
}


@pytest.mark.parametrize("spelling", MRED_8_BIT)
def test_mred_of_8_bit_multipliers_is_the_published_one(spelling):
    x = np.arange(1, 256)
    found = mred(spelling, x[:, None], x[None, :], U8)
    # The figures hold before the constants are rounded to 8 fractional bits, which moves the
    # MRED by up to 0.012 points.
    assert found == pytest.approx(MRED_8_BIT[spelling], abs=0.015)


PUBLISHED_DRUM_16_BIT = {3: 11.90, 4: 5.89, 5: 2.94, 6: 1.47, 7: 0.73, 8: 0.37}


@pytest.mark.parametrize("k", PUBLISHED_DRUM_16_BIT)
def test_mred_of_16_bit_drum_is_the_published_one(k):
    rng = np.random.default_rng(16)
    a, b = rng.integers(1, 2**16, (2, 400_000))
    assert mred(f"drum({k})", a, b, U16) == pytest.approx(PUBLISHED_DRUM_16_BIT[k], rel=0.01)


@pytest.mark.parametrize("spelling", ["exact", "drum(8)"])
def test_exact_and_full_drum_are_integer_products(spelling):
    values = np.r_[0:128, -128:0]
    table = Catalogued.parse(spelling).reference_table()
    np.testing.assert_array_equal(table, np.multiply.outer(values, values))


@pytest.mark.parametrize("spelling", ["exact", "drum(3)", "scaletrim(3,8)"])
def test_signs_only_change_the_sign(spelling):
    x = np.arange(-7, 8)
    s4, u4 = (Catalogued.parse(spelling, operand=Operand(4, signed)) for signed in (True, False))
    signed = s4.reference(x[:, None], x[None, :])
    magnitude = u4.reference(abs(x)[:, None], abs(x)[None, :])
    np.testing.assert_array_equal(signed, np.sign(np.multiply.outer(x, x)) * magnitude)
    assert not signed[7].any()
    assert not signed[:, 7].any()


def test_the_one_product_that_does_not_fit_its_wires_wraps():
    assert Catalogued("drum", (2,), U8).reference(128, 128) == 192 * 192
    assert Catalogued("drum", (2,)).reference(-128, -128) == 192 * 192 - 2**16


TRUNCATED = """
from .family import Family

FAMILY = Family(
    name="truncated",
    parameters=("CUT",),
    legal="0 <= CUT < WIDTH",
    label="T{}",
    modules=("mul_truncated",),
    instances=lambda width: [(cut,) for cut in range(width)],
    formula=lambda a, b, p: (a >> p["CUT"] << p["CUT"]) * b,
    header={"WIDTH": 8, "CUT": 0},
)
"""
MUL_TRUNCATED = """
module mul_truncated #(parameter integer WIDTH = 8, parameter integer CUT = 0) (
  input  wire [WIDTH-1:0]   a_i,
  input  wire [WIDTH-1:0]   b_i,
  output wire [2*WIDTH-1:0] p_o
);
  wire [WIDTH-1:0] kept = a_i >> CUT << CUT;
  assign p_o = kept * b_i;
endmodule
"""


@pytest.fixture
def truncated(tmp_path, monkeypatch):
    """A family added by one file and its Verilog; the Verilog's folder."""
    folder = tmp_path / "designs"
    folder.mkdir()
    (folder / "truncated.py").write_text(TRUNCATED)
    rtl = tmp_path / "rtl"
    rtl.mkdir()
    (rtl / "mul_truncated.v").write_text(MUL_TRUNCATED)
    monkeypatch.setattr(designs, "__path__", [*designs.__path__, str(folder)])
    return rtl


@pytest.mark.sim
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_a_new_family_is_one_file_and_its_verilog(truncated, signed):
    operand = Operand(4, signed)
    mine = Catalogued.parse("truncated(3)", operand=operand, rtl=truncated)
    assert (mine.name, mine.slug, mine.label) == ("truncated(3)", "truncated_3", "T3")
    with pytest.raises(HwsimError, match=r"expected 0 <= CUT < WIDTH=4, got CUT=4"):
        Catalogued.parse("truncated_4", operand=operand)

    lut = mine.table()
    cut = np.sign(operand.values) * (abs(operand.values) >> 3 << 3)
    np.testing.assert_array_equal(lut.table, np.multiply.outer(cut, operand.values))
    np.testing.assert_array_equal(lut.table, mine.reference_table())
    assert lut.name == "truncated(3)"
    assert lut.manifest["parameters"] == {"WIDTH": 4, "CUT": 3}
    assert lut.manifest.get("wrapper") == ("sign-magnitude" if signed else None)

    path = truncated / "printed.v"
    path.write_text(standalone(mine))
    printed = read_circuit([path], asked=Asked(signed=signed))
    assert printed.top == ("mul_truncated_3_signed" if signed else "mul_truncated_3")
    assert tabulate(printed) == lut


@pytest.mark.sim
def test_a_new_family_stands_beside_the_others(truncated):
    s4 = Operand(4, signed=True)
    several = [Catalogued("truncated", (cut,), s4, truncated) for cut in (1, 3)]
    several.append(Catalogued("drum", (3,), s4))
    circuits = [m.circuit() for m in several]
    patterns = np.arange(16)
    a, b = np.repeat(patterns, 16), np.tile(patterns, 16)
    found = [p.values for p in simulate_together(circuits, a, b)]
    for multiplier, products in zip(several, found, strict=True):
        np.testing.assert_array_equal(products, multiplier.reference_table().ravel())


def test_a_new_family_has_no_mac_until_its_verilog_has_a_branch(truncated):
    with pytest.raises(HwsimError, match=r"multiplier that rtl/mac\.v has, got truncated\(3\)"):
        MacArray(Catalogued("truncated", (3,), rtl=truncated), 24)


def test_without_its_file_the_family_is_not_there():
    assert [*families()] == ["exact", "drum", "scaletrim"]
