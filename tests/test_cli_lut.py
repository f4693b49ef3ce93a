# SPDX-License-Identifier: Apache-2.0
"""`axhil lut` and `axhil inspect`: what they print and write, and how they refuse."""

import json
import re
import shutil

import numpy as np
import pytest
from netlist_samples import numbered_netlist

from axhil.hwsim import HwsimError, Lut
from axhil.hwsim.designs.sources import rtl_dir
from axhil.hwsim.tools.simulators import SIMULATORS

pytestmark = pytest.mark.sim


def plain(body, *, header="input [3:0] a, b, output [7:0] p", name="mul"):
    return f"module {name}({header});\n{body}\nendmodule\n"


REFUSED = {
    "no such file": ({}, [], r"expected a file at mul\.v, but there is no such file"),
    "a folder": ({"mul.v/x": ""}, [], r"expected a file at mul\.v, but it is a folder"),
    "two tops": (
        {"mul.v": plain("") + plain("", name="mul2")},
        [],
        r"mul\.v: expected one top module, got mul and mul2, which .*; choose one with --top.*",
    ),
    "no such top": ({"mul.v": plain("")}, ["--top", "x"], r"mul\.v: expected a module x, got mul"),
    "three operands": (
        {"mul.v": plain("", header="input [3:0] a, b, c, output [7:0] p")},
        ["--unsigned"],
        r"mul \(mul\.v\): expected two operands, got a\[4\], b\[4\], c\[4\]; .*",
    ),
    "narrow output": (
        {"mul.v": plain("", header="input [3:0] a, b, output [6:0] p")},
        ["--unsigned"],
        r"mul \(mul\.v\): expected a product of 8 bits, got p of 7: .*",
    ),
    "X on the output": (
        {"mul.v": plain("assign p = (a == 9 && b == 14) ? 8'bx : a * b;")},
        ["--signed"],
        r"mul \(mul\.v\): expected 0 and 1 only on p, got XXXXXXXX for a=-7, b=-2",
    ),
    "never settles": (
        {"mul.v": plain("wire y; assign y = (a == 15) ? ~y : 1'b0; assign p = {8{y}};")},
        ["--unsigned", "--time-limit", "1"],
        r"mul \(mul\.v\): no sign of life for 1 s, after [\d,]+ products: a combinational loop .*",
    ),
    "$finish": (
        {"mul.v": plain("assign p = a * b;\ninitial #5000 $finish;")},
        ["--unsigned"],
        r"mul \(mul\.v\): expected the design to wait .* mul\.v:3 calls \$finish, which ends .*",
    ),
    "$system": (
        {"mul.v": plain('assign p = a * b; initial $system("touch made");')},
        ["--unsigned"],
        r"mul\.v: \$system is refused before anything runs: .*",
    ),
    "$system behind a macro": (
        {"mul.v": "`define T $system\n" + plain('assign p = 0; initial `T("touch made");')},
        ["--unsigned"],
        r"mul\.v: \$system is refused before anything runs: .*",
    ),
    "$readmemh of nothing": (
        {"mul.v": plain('reg [7:0] m [0:3]; initial $readmemh("m.hex", m); assign p = m[a];')},
        ["--unsigned"],
        r"mul\.v: \$readmemh needs m\.hex, found no such file in .*",
    ),
    "an error in it": (
        {"mul.v": plain("assign p == a;")},
        ["--unsigned"],
        r"mul\.v: the Verilog does not compile: mul\.v:2: syntax error at `assign p == a;`; .*",
    ),
    "no macro": (
        {"mul.v": plain("assign p = a `OP b;")},
        ["--unsigned"],
        r"mul\.v:2: the macro OP is used and nothing defines it; give it with -D OP=VALUE, or .*",
    ),
    "no part": (
        {"mul.v": plain("part u(a, b, p);"), "list.f": "+define+X"},
        ["--unsigned", "-f", "list.f"],
        r"mul\.v: expected a module part, .* give the file, such as a cell library, with --with .*",
    ),
    "half a product": (
        {"mul.v": plain("", header="input [3:0] a, b, output [2:0] p")},
        ["--unsigned", "--product-shift", "4"],
        r"mul \(mul\.v\): expected a product of 8 bits, got p of 3 behind a shift of 4: .*",
    ),
    "nothing says signed": (
        {"mul.v": plain("assign p = a * b;")},
        [],
        r"mul \(mul\.v\): the Verilog does not declare its operands signed, .*"
        r"\(https://github\.com/.*/docs/messages\.md#unknown-operands\)",
    ),
    "no such parameter": (
        {"mul.v": plain("")},
        ["--param", "K=3"],
        r"mul \(mul\.v\): no parameter K; it has none",
    ),
    "a parameter alone": ({"mul.v": ""}, ["--param", "K"], r"--param: expected NAME=VALUE, got K"),
    "a tie of a word": ({"mul.v": ""}, ["--tie", "k=x"], r"--tie: expected PORT=NUMBER, got k=x"),
    "wrapped twice": ({"mul.v": ""}, ["--wrap-signed", "--signed"], r"--wrap-signed: .*"),
    "another width": (
        {"mul.v": plain("")},
        ["--unsigned", "--width", "8"],
        r"mul \(mul\.v\): expected operands of 8 bits, got a of 4",
    ),
    "two of one name": (
        {"mul.v": plain(""), "old/mul.v": plain("")},
        ["old/mul.v", "mul.v"],
        r"expected one multiplier for mul\.npz, got 2: run one by one",
    ),
    "a golden table of it": (
        {"mul.v": plain("")},
        ["--check-golden", "--unsigned"],
        r"--check-golden: for multipliers of the catalogue, got mul\.v\[unsigned\]",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "options", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_one_sentence_and_exit_code_2(axhil, tmp_path, files, options, sentence):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    code, out, err = axhil("lut", "mul.v", *options)
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"axhil: {sentence}\n", err), err
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*files}
    assert not (tmp_path / "out").exists()


def test_a_refusal_removes_the_folders_that_it_made_and_no_other(axhil, tmp_path):
    (tmp_path / "mul.v").write_text(plain("assign p = 8'bx;"))
    (tmp_path / "mine").mkdir()
    assert axhil("lut", "mul.v", "--unsigned", "--out", "mine/x/y")[0] == 2
    assert axhil("lut", "mul.v", "--unsigned", "--out", "mine")[0] == 2
    assert [*(tmp_path / "mine").iterdir()] == []
    (tmp_path / "mine" / "kept").write_text("")
    assert axhil("lut", "mul.v", "--unsigned", "--out", "mine")[0] == 2
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["kept"]


NEEDED = r"\(Debian 12 has 5\.006; newer ones: https://verilator\.org/guide/latest/install\.html\)"
OTHERS = {
    "unknown": ("vcs", None, r"expected SIM to be icarus or verilator, got vcs"),
    "not installed": ("verilator", None, rf"verilator not found on PATH {NEEDED}"),
    "too old": (
        "verilator",
        "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)",
        r"expected Verilator 5\.036 or newer, which cocotb needs, found 5\.006 at "
        rf"\S+/verilator {NEEDED}",
    ),
    "much too old": (
        "Verilator",
        "Verilator 4.228 2022-10-01 rev v4.228",
        rf"expected Verilator 5\.036 or newer, .* found 4\.228 at \S+/verilator {NEEDED}",
    ),
    "silent": ("verilator", "", r"expected `verilator --version` to print a version, got ?"),
}


def programs(folder, **said):
    """A folder for PATH with Icarus alone, and stand-ins that print what they are told."""
    folder.mkdir()
    for name in ("iverilog", "vvp", "sh"):
        (folder / name).symlink_to(shutil.which(name))
    for name, text in said.items():
        (folder / name).write_text(f"#!/bin/sh\necho '{text}'\n" if text else "#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return str(folder)


@pytest.mark.parametrize("design", [("mul.v", "--unsigned"), ("drum(3)",)], ids=["file", "ours"])
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_simulator_that_cannot_be_used_is_one_sentence(
    axhil, tmp_path, monkeypatch, design, other
):
    simulator, version, sentence = other
    (tmp_path / "mul.v").write_text(plain("assign p = a * b;"))
    there = {} if version is None else {"verilator": version}
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", **there))
    monkeypatch.setenv("SIM", simulator)
    code, out, err = axhil("lut", *design)
    assert (code, out) == (2, "")
    (line,) = [one for one in err.splitlines() if not one.startswith("simulating")]
    assert re.fullmatch(rf"axhil: {sentence}", line), line


def test_a_simulator_that_does_not_know_its_number_may_try(tmp_path, monkeypatch):
    said = " rev vUNKNOWN-built20260516"
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", verilator=said))
    assert SIMULATORS["verilator"].version() == said.strip()
    new = programs(tmp_path / "new", verilator="Verilator 5.036 2025-04-27 rev v5.036")
    monkeypatch.setenv("PATH", new)
    assert SIMULATORS["verilator"].version() == "5.036 2025-04-27 rev v5.036"


def test_another_simulator_makes_the_same_tables(axhil, tmp_path, monkeypatch):
    try:
        SIMULATORS["verilator"].require()
    except HwsimError as error:
        pytest.skip(f"Verilator is optional: {error}")
    header = "input signed [2:0] a, b, output signed [5:0] p"
    (tmp_path / "mul.v").write_text(plain("assign p = a * b;", header=header))
    monkeypatch.setenv("SIM", "verilator")
    assert axhil("lut", "mul.v", "--out", "theirs")[0] == 0
    assert axhil("lut", "drum(3)", "--width", "4", "--out", "theirs")[0] == 0
    monkeypatch.delenv("SIM")
    assert axhil("lut", "mul.v", "--out", "icarus")[0] == 0
    assert axhil("lut", "drum(3)", "--width", "4", "--out", "icarus")[0] == 0
    for name in ("mul.npz", "drum_3.npz"):
        theirs, icarus = Lut.load(tmp_path / "theirs" / name), Lut.load(tmp_path / "icarus" / name)
        assert theirs == icarus
        assert theirs.manifest["simulator"]["name"] == "Verilator"


def test_without_icarus_the_sentence_says_how_to_get_it(axhil, tmp_path, monkeypatch):
    (tmp_path / "mul.v").write_text(plain("assign p = a * b;"))
    monkeypatch.setenv("PATH", str(tmp_path))
    code, out, err = axhil("lut", "mul.v", "--unsigned")
    assert (code, out) == (2, "")
    assert err == "axhil: iverilog not found on PATH (Debian: apt-get install iverilog)\n"


def test_a_published_netlist_becomes_a_table_that_says_where_it_comes_from(axhil, tmp_path):
    (tmp_path / "mul8s_0X.v").write_text(numbered_netlist("mul8s_0X", signed=True))
    code, out, err = axhil("lut", "mul8s_0X.v", "--out", "tables")
    assert code == 0
    assert "8 x 8 bits, signed (from its name), A = activation (row), B = weight" in out
    assert "65,536 products" in out
    assert "MAE 0  WCE 0  EP 0 %" in out
    assert "taken as signed from the name mul8s_0X" in err
    lut = Lut.load("tables/mul8s_0X.npz")
    values = np.array([*range(128), *range(-128, 0)])
    np.testing.assert_array_equal(lut.table, np.multiply.outer(values, values))
    assert lut.manifest["signed_from"] == "name"
    assert str(tmp_path) not in json.dumps(dict(lut.manifest))


def test_the_projects_own_core_in_the_generated_wrapper_is_its_own_wrapper(axhil, tmp_path):
    code, out, _ = axhil(
        "lut", rtl_dir() / "mul_drum.v",
        "--param", "K=3", "--param", "WIDTH=5", "--wrap-signed", "--out", ".",
    )  # fmt: skip
    assert code == 0
    assert "signed (sign-magnitude wrapper)" in out
    code, _, _ = axhil("lut", "drum(3)", "--width", "5", "--out", "ours")
    assert code == 0
    np.testing.assert_array_equal(
        Lut.load("mul_drum_K_3_WIDTH_5.npz").table, Lut.load("ours/drum_3.npz").table
    )


def test_operands_that_differ_are_one_word(axhil, tmp_path):
    header = "input [3:0] a, input [2:0] b, output [6:0] p"
    body = "assign p = $signed({1'b0, a}) * $signed(b);"
    (tmp_path / "mul.v").write_text(plain(body, header=header))
    code, out, _ = axhil("lut", "mul.v", "--operands", "u4xs3", "--json", "--out", "o")
    assert code == 0
    (found,) = json.loads(out)["multipliers"]
    assert (found["multiplier"], found["operands"]) == ("mul.v[operands=u4xs3]", "u4xs3")
    weights = np.array([0, 1, 2, 3, -4, -3, -2, -1])
    expected = np.multiply.outer(np.arange(16), weights)
    np.testing.assert_array_equal(Lut.load(found["file"]).table, expected)
    code, _, err = axhil("lut", "mul.v", "--operands", "u4xs3", "--wrap-signed")
    assert (code, err.split(",")[0]) == (2, "axhil: --wrap-signed: expected no --operands with it")


def test_what_is_too_wide_is_a_sample_and_no_table(axhil, tmp_path):
    header = "input [15:0] a, b, output [31:0] p"
    (tmp_path / "mul.v").write_text(plain("assign p = a * b;", header=header))
    code, out, _ = axhil("lut", "mul.v", "--unsigned", "--sample", "4096", "--out", "o")
    assert code == 0
    assert re.search(r"SAMPLE of 4,\d\d\d of 4,294,967,296 operand pairs and .* no complete", out)
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["mul.sample.json"]
    found = json.loads((tmp_path / "o/mul.sample.json").read_text())
    assert found["kind"] == "sample"
    assert found["mae"] == {"value": 0.0, "margin": 0.0}
    assert found["manifest"]["signed_from"] == "option"


def test_inspect_tells_a_person_and_a_program_the_same(axhil, tmp_path):
    body = "wire u; assign p = {a[2:0] * b, u};"
    (tmp_path / "mul.v").write_text(plain(body))
    code, out, err = axhil("inspect", "mul.v")
    assert (code, err) == (0, "")
    assert "undriven: u" in out
    assert "unused: a[3]" in out
    code, text, _ = axhil("inspect", "mul.v", "--json")
    found = json.loads(text)
    assert (code, found["undriven"], found["unused"]) == (0, ["u"], ["a[3]"])


def test_inspect_of_nothing_is_one_sentence(axhil):
    code, out, err = axhil("inspect", "gone.v")
    assert (code, out) == (2, "")
    assert err == "axhil: expected a file at gone.v, but there is no such file\n"


def test_a_file_list_macros_and_the_upper_part_of_a_product(axhil, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "mul.v").write_text(
        plain("wire [5:0] q; part u(a, b, q); assign p = q[5:2] & `MASK;").replace(
            "input [3:0] a, b, output [7:0] p", "input [2:0] a, b, output [3:0] p"
        )
    )
    (tmp_path / "src" / "part.v").write_text(
        plain("assign p = a `OP b;", name="part", header="input [2:0] a, b, output [5:0] p")
    )
    (tmp_path / "src" / "design.f").write_text("part.v +define+OP=+ mul.v\n")
    code, _, err = axhil(
        "lut", "src/mul.v", "-f", "src/design.f", "-D", "OP=*", "--define", "MASK=4'he",
        "--product-shift", "2", "--unsigned", "--out", ".",
    )  # fmt: skip
    assert code == 0, err
    lut = Lut.load("mul.npz")
    assert lut.table.tolist() == [[a * b >> 3 << 3 for b in range(8)] for a in range(8)]
    assert lut.manifest["defines"] == {"MASK": "4'he", "OP": "*"}
    assert lut.manifest["product_shift"] == 2
    assert set(lut.manifest["sources"]) == {"mul.v", "part.v", "design.f"}
