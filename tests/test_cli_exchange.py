# SPDX-License-Identifier: Apache-2.0
"""`axhil compare` and `axhil convert` as a user meets them: verdicts, files, refusals."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from axhil.hwsim import Catalogued, Lut, Operands, golden
from axhil.hwsim.designs.sources import rtl_dir
from axhil.hwsim.formats import read_table, write_table
from axhil.report.figures.errors import difference_figure

ROOT = Path(__file__).resolve().parent.parent
DRUM, EXACT = (golden(Catalogued.parse(name)) for name in ("drum(4)", "exact"))


def with_wrong_quadrant(lut):
    values = lut.table.copy()
    values[128:, 128:] = -values[128:, 128:] - 1
    return Lut(values, *Operands.parse("s8"))


def test_equal_tables_exit_with_0_and_leave_no_file(axhil, tmp_path):
    write_table(DRUM, tmp_path / "drum.h")
    code, out, _ = axhil("compare", "drum.h", "drum(4)")
    assert code == 0
    assert "drum.h and drum(4) are equal in all 65,536 products" in out
    assert not (tmp_path / "out").exists()


def test_a_wrong_quadrant_exits_with_1_and_is_named_and_drawn(axhil, tmp_path):
    write_table(with_wrong_quadrant(DRUM), tmp_path / "drum.h")
    code, out, _ = axhil("compare", "drum(4)", "drum.h")
    assert code == 1
    assert "only the negative x negative quadrant differs: 16,384 of its 16,384 products" in out
    assert "heat map: out/compare_drum_4_drum_h.png" in out
    with Image.open(tmp_path / "out/compare_drum_4_drum_h.png") as image:
        assert image.format == "PNG"


def test_swapped_operands_exit_with_1_and_their_own_sentence(axhil, tmp_path):
    lopsided = DRUM.table.copy()
    lopsided[3, 5] = 1
    write_table(Lut(lopsided, *Operands.parse("s8")), tmp_path / "x.csv")
    assert axhil("convert", "x.csv", "y.csv", "--swap")[0] == 0
    code, out, _ = axhil("compare", "x.csv", "y.csv", "--no-heatmap")
    assert code == 1
    assert "equal only after swapping the operands" in out
    assert not (tmp_path / "out").exists()


def test_json_tells_what_the_text_tells(axhil, tmp_path):
    write_table(with_wrong_quadrant(DRUM), tmp_path / "drum.npy")
    code, out, _ = axhil(
        "compare", "drum(4)", "drum.npy", "--json", "--heatmap", tmp_path / "new" / "map.png"
    )
    body = json.loads(out)
    assert code == 1
    assert (body["equal"], body["swapped"], body["count"]) == (False, False, 16384)
    assert body["quadrants"][-1] == {"name": "negative x negative", "count": 16384, "total": 16384}
    assert body["first"][0] == {
        "a": -128,
        "b": -128,
        "x": int(DRUM.table[128, 128]),
        "y": -int(DRUM.table[128, 128]) - 1,
    }
    assert body["heatmap"] == str(tmp_path / "new" / "map.png")
    assert Path(body["heatmap"]).is_file()


def test_the_heat_map_shows_the_cell_that_differs_and_no_other():
    values = EXACT.table.copy()
    values[-3 % 256, 5] += 7
    other = Lut(values, *Operands.parse("s8"))
    figure = difference_figure(EXACT, other, names=("x", "y"), title="t")
    (image,) = figure.axes[0].get_images()
    shown = image.get_array()
    assert np.argwhere(~np.ma.getmaskarray(shown)).tolist() == [[125, 133]]  # -3 and 5 from -128
    assert shown[125, 133] == 7
    left, right, bottom, top = image.get_extent()
    assert (left, right, bottom, top) == (-128.5, 127.5, 127.5, -128.5)


def test_a_large_heat_map_keeps_single_cells():
    side = 2**11
    x = Lut(np.zeros((side, side), np.int32), *Operands.parse("u11"))
    values = x.table.copy()
    values[2047, 3] = -9
    figure = difference_figure(x, Lut(values, *Operands.parse("u11")), names=("x", "y"), title="t")
    shown = figure.axes[0].get_images()[0].get_array()
    assert shown.shape == (1024, 1024)
    assert shown[1023, 1] == -9


def test_printed_figures_are_compared(axhil, tmp_path):
    (tmp_path / "m.v").write_text("// MAE = 240.69\n// EP% = 94.70 %\n")
    code, out, _ = axhil("compare", "figures:m.v", "drum(4)")
    assert code == 0
    assert "EP% = 94.6976, printed 94.70: agrees" in out
    code, out, _ = axhil("compare", "exact", "figures:m.v")
    assert code == 1
    assert "2 of 2 differ, MAE, EP%" in out
    code, out, _ = axhil("compare", "exact", "figures:m.v", "--json")
    assert [figure["agrees"] for figure in json.loads(out)["figures"]] == [False, False]


def test_operands_have_8_bits_where_only_their_sign_is_given(axhil, tmp_path):
    (tmp_path / "m.py").write_text("def f(a, b):\n    return a * b\n")
    code, out, _ = axhil("compare", "m.py:f", "m.py:f", "--unsigned")
    assert code == 0
    assert "unsigned 8-bit operands" in out


@pytest.mark.parametrize("form", ["adapt", "transaxx", "approxtorch", "npy", "hex", "csv"])
def test_a_table_goes_out_and_comes_back_unchanged(axhil, tmp_path, form):
    code, out, _ = axhil("convert", "drum(4)", "there", "--to", form)
    assert code == 0
    assert "order: " in out
    assert "roles: " in out
    assert axhil("convert", "there", "back.npz", "--from", form, "--signed")[0] == 0
    back = Lut.load(tmp_path / "back.npz")
    assert back == DRUM
    assert back.manifest["imported"]["format"] == form


def test_a_c_model_becomes_a_table(axhil, tmp_path):
    if not shutil.which("cc"):
        message = "cc not found on PATH (Debian: apt-get install gcc)"
        if os.environ.get("CI"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    (tmp_path / "m.c").write_text("unsigned mul(unsigned a, unsigned b) { return a * b; }\n")
    assert axhil("convert", "m.c", "m.bin", "--unsigned")[0] == 0
    values = np.arange(256)
    table = read_table(tmp_path / "m.bin").table
    assert np.array_equal(table, np.multiply.outer(values, values))


MISTAKES = {
    "no such thing": (["compare", "nothing", "exact"], "no such file, and no multiplier"),
    "no such table": (["compare", "nothing.npz", "exact"], "no such file"),
    "no such model": (["compare", "nothing.c", "exact"], "no such file"),
    "no such header": (["convert", "nothing.h", "x.npz"], "no such file"),
    "illegal multiplier": (["compare", "drum(9)", "exact"], r"2 <= K <= WIDTH=8"),
    "binary cut": (["compare", "cut.bin", "exact"], "expected 131,072 bytes"),
    "other operands": (["compare", "u.npz", "s.npz"], "no products correspond"),
    "not told": (["compare", "plain.csv", "plain.csv"], "add --signed or --unsigned"),
    "two figures": (["compare", "figures:f.v", "figures:f.v"], "expected at least one table"),
    "no figures": (["compare", "figures:cut.bin", "exact"], "found none"),
    "unknown file": (["compare", "readme.md", "exact"], "expected a file that ends in one of"),
    "heat map and none": (
        ["compare", "exact", "exact", "--no-heatmap", "--heatmap", "x.png"],
        "got both",
    ),
    "heat map of another kind": (
        ["compare", "exact", "exact", "--heatmap", "x.pdf"],
        r"ends in \.png",
    ),
    "two formats": (["convert", "s.npz", "x.txt"], "--to appmult or --to approxtorch"),
    "no format": (["convert", "s.npz", "x"], "say --to with one of"),
    "unknown format": (["convert", "s.npz", "x", "--to", "excel"], "unknown format 'excel'"),
    "signed for tfapprox": (["convert", "s.npz", "x.bin"], "unsigned 8-bit tables only"),
    "figures to convert": (["convert", "figures:f.v", "x.npz"], "expected a table to convert"),
    "no such folder": (["convert", "s.npz", "no/x.npy"], "No such file"),
    "contradiction": (["convert", "u.npz", "x.npy", "--signed"], "--signed was given"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_and_writes_nothing(refused, tmp_path, mistake):
    arguments, match = MISTAKES[mistake]
    (tmp_path / "cut.bin").write_bytes(b"\0" * 131071)
    (tmp_path / "plain.csv").write_text("0,0\n0,1\n")
    (tmp_path / "f.v").write_text("// MAE = 1\n")
    (tmp_path / "readme.md").write_text("hello\n")
    zeros = np.zeros((4, 4), np.int32)
    Lut(zeros, *Operands.parse("u2")).save(tmp_path / "u.npz")
    Lut(zeros, *Operands.parse("s2")).save(tmp_path / "s.npz")
    assert re.search(match, refused(*arguments))


@pytest.mark.sim
def test_an_edited_file_of_ours_is_compared_with_the_multiplier_it_was(axhil, tmp_path):
    source = (rtl_dir() / "mul_drum.v").read_text()
    (tmp_path / "mul_drum.v").write_text(source)
    design = ["--param", "K=4"]
    for word, kind in {"--unsigned": "unsigned", "--wrap-signed": "signed"}.items():
        code, out, _ = axhil("compare", "mul_drum.v", "drum(4)", word, *design)
        assert code == 0
        assert f"and drum(4) are equal in all 65,536 products of {kind} 8-bit operands" in out

    forced = "if ((x >> K) != 1'b0) kept[0] = 1'b1;"
    assert forced in source
    (tmp_path / "mul_drum.v").write_text(source.replace(forced, ""))
    code, out, _ = axhil("compare", "drum(4)", "mul_drum.v", "--unsigned", *design)
    assert code == 1
    # 16 has 5 bits: the one cut off counted as half, and is gone now.
    edited = "mul_drum.v[K=4,unsigned]"
    assert f"drum(4) and {edited} differ" in out
    assert f"first: 1 x 16 = 18 in drum(4), 16 in {edited}" in out


@pytest.mark.sim
def test_options_hold_for_every_verilog_file_and_brackets_win(axhil, tmp_path):
    # Every word changes the products of the side it is for.
    (tmp_path / "mul.v").write_text(
        '`include "cut.vh"\n'
        "module spare (input [3:0] a, b, output [7:0] p); assign p = 0; endmodule\n"
        "module mul #(parameter K = 0)\n"
        "  (input [3:0] l, r, input up, output [7:0] one, two);\n"
        "  wire [3:0] cut; cell_cut #(.K(K)) u_cut (.u(r), .v(cut));\n"
        "  assign one = 0, two = up ? l * cut + `EXTRA : 0;\nendmodule\n"
    )
    for name in "xy":
        (tmp_path / f"cell_{name}.v").write_text(
            "module cell_cut #(parameter K = 0) (input [3:0] u, output [3:0] v);\n"
            f"  assign v = (u >> K << K){' ^ 4' if name == 'y' else ''};\nendmodule\n"
        )
        (tmp_path / f"inc_{name}").mkdir()
        (tmp_path / f"inc_{name}" / "cut.vh").write_text(f"`define EXTRA {3 * (name == 'y')}\n")
    x = "mul.v[include=inc_x,with=cell_x.v,K=1]"
    y = "mul.v[include=inc_y,with=cell_y.v,K=2,weight=l]"
    both = {"--top": "mul", "--a": "l", "--b": "r", "--p": "two", "--tie": "up=1"}

    def products(side):
        left, right = np.meshgrid(range(16), range(16), indexing="ij")
        if side == "x":
            return left * (right >> 1 << 1)
        return (left * ((right >> 2 << 2) ^ 4) + 3).T  # the row is the activation, here r

    def compared(x, y, **changes):
        options = [part for pair in {**both, **changes}.items() for part in pair]
        _, out, _ = axhil("compare", x, y, "--unsigned", "--json", *options)
        return json.loads(out)

    body = compared(x, y)
    assert body["count"] == int((products("x") != products("y")).sum())
    worst = np.abs(products("x") - products("y"))
    assert abs(body["worst"]["x"] - body["worst"]["y"]) == worst.max()
    spelled = "mul.v[top=mul,a=l,b=r,p=two,{}K={},unsigned,tie.up=1,with=cell_{}.v,include=inc_{}]"
    assert body["x"] == spelled.format("", 1, "x", "x")
    assert body["y"] == spelled.format("weight=l,", 2, "y", "y")
    x, y = x.replace(",K=1", ",tie.up=1"), y.replace("]", ",tie.up=1]")
    assert compared(x, y, **{"--param": "K=1", "--tie": "up=0"})["count"] == body["count"]


@pytest.mark.sim
def test_two_tops_of_one_file_are_compared(axhil, tmp_path):
    module = "module {} (input signed [3:0] a, b, output signed [7:0] p); assign p = {}; endmodule"
    sums = {"kept": "a * b", "fixed": "a * b + (a == 3 ? 8'sd1 : 8'sd0)"}
    (tmp_path / "mul.sv").write_text("\n".join(module.format(*one) for one in sums.items()))
    code, out, _ = axhil("compare", "mul.sv[top=kept]", "mul.sv[top=fixed]")
    assert code == 1
    assert "mul.sv[top=kept] and mul.sv[top=fixed] differ: 16 of 256 products differ" in out
    assert (tmp_path / "out" / "compare_mul_sv_top_kept_mul_sv_top_fixed.png").is_file()


@pytest.mark.sim
def test_verilog_becomes_a_table_with_the_words_that_axhil_lut_takes(axhil, tmp_path):
    (tmp_path / "mul.v").write_text(
        "module mul #(parameter K = 0) (input [3:0] l, r, output [7:0] o, spare);\n"
        "  assign o = l * (r >> K << K), spare = 0;\nendmodule\n"
    )
    words = ["--a", "r", "--b", "l", "--p", "o", "--param", "K=2", "--unsigned"]
    assert axhil("convert", "mul.v", "there.npz", *words)[0] == 0
    assert axhil("lut", "mul.v", *words)[0] == 0
    there, lut = (Lut.load(tmp_path / name) for name in ("there.npz", "out/luts/mul_K_2.npz"))
    assert there == lut
    assert there.manifest == lut.manifest
    left, right = np.meshgrid(range(16), range(16), indexing="ij")
    np.testing.assert_array_equal(there.table, (left >> 2 << 2) * right)
    code, out, _ = axhil("compare", "mul.v", "there.npz", *words)
    assert code == 0
    assert "mul.v[a=r,b=l,p=o,K=2,unsigned] and there are equal" in out


FOR_VERILOG = {
    "no Verilog": (["compare", "exact", "s.npz", "--top", "mul"], "--top", "exact and s.npz"),
    "a flag": (["compare", "exact", "exact", "--wrap-signed"], "--wrap-signed", "exact and exact"),
    "a table to convert": (["convert", "s.npz", "x.csv", "--with", "a.v"], "--with", "s.npz"),
    "printed figures": (
        ["compare", "figures:mul.v", "exact", "--a", "l"], "--a", "figures:mul.v and exact"),
    "two words": (["metrics", "exact,drum(3)", "--tie", "a=1"], "--tie", r"exact and drum\(3\)"),
    "no words": (["metrics", "-I", "inc"], "--include", "none"),
    "layers": (["plan", "-m", "conv*=exact,fc*=s.npz", "--p", "o"], "--p", "exact and s.npz"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "option", "got"), FOR_VERILOG.values(), ids=FOR_VERILOG)
def test_an_option_about_verilog_needs_verilog(refused, tmp_path, arguments, option, got):
    (tmp_path / "mul.v").write_text("module mul; endmodule\n")
    Lut(np.zeros((4, 4), np.int32), *Operands.parse("s2")).save(tmp_path / "s.npz")
    assert re.fullmatch(rf"{option}: for a Verilog file, got {got}", refused(*arguments))


AMBIGUOUS = {
    "two parameters": (
        ["mul.v", "mul.v", "--param", "K=3", "--param", "K=4"],
        "--param: expected one value, got K=3 and K=4; for one each put them into brackets:"
        " 'mul.v[K=4]'",
    ),
    "a wrapper and a word": (
        ["mul.v", "exact", "--wrap-signed", "--unsigned"],
        "--wrap-signed: expected no --unsigned with it, since it makes a signed table of an"
        " unsigned core",
    ),
    "no value": (["mul.v", "exact", "--param", "K"], "--param: expected NAME=VALUE, got K"),
    "another width": (
        ["mul.v", "exact", "--width", "8"],
        r"mul (mul.v): expected operands of 8 bits, got a of 4",
    ),
    "no such parameter": (
        ["mul.v", "exact", "--param", "K=4"], "mul (mul.v): no parameter K; it has none"),
}  # fmt: skip


@pytest.mark.sim
@pytest.mark.parametrize(("arguments", "sentence"), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_words_about_verilog_that_do_not_fit_are_one_sentence(
    refused, tmp_path, arguments, sentence
):
    header = "input signed [3:0] a, b, output signed [7:0] p"
    (tmp_path / "mul.v").write_text(f"module mul ({header}); assign p = a * b; endmodule\n")
    assert refused("compare", *arguments) == sentence


@pytest.mark.sim
def test_what_was_concluded_about_verilog_is_told(axhil, tmp_path):
    header = "input [3:0] a, b, output [7:0] p"
    (tmp_path / "m.v").write_text(f"module mul4u ({header}); assign p = a * b; endmodule\n")
    code, _, err = axhil("compare", "m.v", "exact")
    assert code == 0
    assert "m.v: the operands are taken as unsigned from the name mul4u" in err


@pytest.mark.sim
def test_verilog_that_never_settles_is_given_up_in_the_time_that_was_said(refused, tmp_path):
    (tmp_path / "mul.v").write_text(
        "module mul(input [3:0] a, b, output [7:0] p); wire y;\n"
        "assign y = (a == 3) ? ~y : 1'b0; assign p = {8{y}}; endmodule\n"
    )
    said = refused("compare", "mul.v", "exact", "--unsigned", "--time-limit", "1")
    assert "no sign of life for 1 s" in said
