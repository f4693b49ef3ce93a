# SPDX-License-Identifier: Apache-2.0
"""What a CI server gets: JUnit files, waveforms, and the verdicts of folders."""

import json
import re
import shutil
from pathlib import Path

import pytest
from gate_samples import MUL, WRONG, make_repository
from junitparser import Error, Failure, JUnitXml, Skipped
from vcdvcd import VCDVCD

from axhil.hwsim.designs.sources import rtl_dir
from axhil.report.junit import Case, junit_xml

ROOT = Path(__file__).resolve().parent.parent
KINDS = {Error: "error", Failure: "failure", Skipped: "skipped"}


def cases(path):
    """Name, outcome and message of each case, by an independent reader."""
    (suite,) = JUnitXml.fromfile(str(path))
    found = [(one.name, *outcome(one)) for one in suite]
    kinds = [kind for _, kind, _ in found]
    counts = (suite.tests, suite.failures, suite.errors, suite.skipped)
    assert counts == (len(found), *(kinds.count(one) for one in ("failure", "error", "skipped")))
    return found


def outcome(case):
    if not case.result:
        return "passed", case.system_out or ""
    (result,) = case.result
    return KINDS[type(result)], result.message


def value(wave, ending, time):
    """An unsigned number in a VCD, just before a time, by an independent reader."""
    (name,) = (one for one in wave.signals if re.search(ending, one))
    return int(wave[name][time - 1], 2)


@pytest.mark.sim
def test_one_changed_character_is_shown_where_it_is(axhil, tmp_path):
    make_repository(tmp_path)
    (tmp_path / "rtl" / "mul.v").write_text(WRONG)
    (tmp_path / "rtl" / "part.v").write_text("module part; endmodule\n")  # of some design
    files = ("--junit", "out/junit.xml", "--wave", "out/mismatch.vcd")
    code, out, err = axhil("compare", "tables", "rtl", "--unsigned", "--no-heatmap", *files)
    assert code == 1, err
    assert out.endswith("waveform: out/mismatch_mul.vcd, the first mismatch from 40 to 50 ns\n")
    ((name, kind, message),) = cases(tmp_path / "out" / "junit.xml")
    assert (name, kind) == ("mul", "failure")
    assert message == "mul and mul.v[unsigned] differ: 210 of 256 products differ"
    wave = VCDVCD(str(tmp_path / "out" / "mismatch_mul.vcd"))
    # Held from 40 to 50 ns, the fifth of nine pairs: 1 x 1, of which row 0 was shifted once.
    assert [value(wave, rf"y_mul_v_unsigned\.{one}\b", 50) for one in "ab"] == [1, 1]
    assert value(wave, r"\.product\[", 50) == 2
    assert value(wave, r"\.expected\[", 50) == 1
    assert value(wave, r"\.differs$", 50) == 1
    assert value(wave, r"\.differs$", 40) == 0
    assert wave.endtime == 90
    assert {one for one in wave.signals if ".dut.p[" in one}


@pytest.mark.sim
def test_what_cannot_be_compared_keeps_no_other_from_its_verdict(axhil, tmp_path):
    make_repository(tmp_path)
    for name in ("broken", "missing"):
        shutil.copy(tmp_path / "tables" / "mul.npz", tmp_path / "tables" / f"{name}.npz")
    (tmp_path / "rtl" / "broken.v").write_text(MUL.replace("assign p", "asign p"))
    code, out, _ = axhil("compare", "tables", "rtl", "--unsigned", "--junit", "j.xml", "--json")
    assert code == 2
    body = json.loads(out)
    assert body["equal"] is False
    assert {name: one["equal"] for name, one in body["multipliers"].items()} == {
        "broken": None, "missing": None, "mul": True,
    }  # fmt: skip
    found = cases(tmp_path / "j.xml")
    kinds = ["error", "error", "passed"]
    assert [one[:2] for one in found] == list(zip(body["multipliers"], kinds, strict=True))
    assert found[1][2] == ("expected a file at rtl/missing.v, but there is no such file")


@pytest.mark.sim
def test_a_mistake_in_the_input_is_an_error_of_the_file(axhil, tmp_path):
    code, _, err = axhil("compare", "no.v", "exact", "--junit", "out/j.xml")
    assert code == 2
    ((_, kind, message),) = cases(tmp_path / "out" / "j.xml")
    assert (kind, f"axhil: {message}\n") == ("error", err)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["exact", "drum(4)", "--wave", "x.vdc"], r"--wave: expected a file that ends in \.vcd"),
        (["x.csv", "x.csv", "--wave", "x.vcd"], "expected Verilog for a waveform, got x.csv"),
        (["empty", "empty"], "empty: expected tables or Verilog in the folder, found none"),
        (["empty", "exact"], "expected two folders or none, got empty and exact"),
        (["twice", "twice"], r"twice: expected one file of the name x, got x\.csv and x\.v"),
    ],
    ids=["a name", "no Verilog", "an empty folder", "one folder", "two of a name"],
)
def test_a_mistake_is_one_sentence(refused, tmp_path, words, sentence):
    for folder in ("empty", "twice"):
        (tmp_path / folder).mkdir()
    rows = "\n".join(",".join(str(a * b) for b in range(16)) for a in range(16))
    (tmp_path / "x.csv").write_text(rows + "\n")
    for name in ("x.csv", "x.v"):
        (tmp_path / "twice" / name).write_text(rows)
    assert re.match(sentence, refused("compare", *words, "--unsigned"))


@pytest.mark.sim
def test_two_designs_stand_side_by_side_whatever_their_modules_are_called(axhil, tmp_path):
    core = "module core(input [3:0] a, b, output [7:0] p); assign {} p = {}; endmodule\n"
    (tmp_path / "before.v").write_text(
        core.format("#7", "a * b")
        + "module mul(input [3:0] a, b, output [7:0] p); core c(a, b, p); endmodule\n"
    )
    # Another core of the same name, behind two registers, in another unit of time.
    (tmp_path / "after.v").write_text(
        "`timescale 1ns/1ps\n"
        + core.format("#2.5", "a * b + (a == 9 && b == 3)")
        + "module mul(input clk, rst_n, input [3:0] a, b, output reg [7:0] p); wire [7:0] q;\n"
        "reg [7:0] r; core c(a, b, q);\n"
        "always @(posedge clk) if (!rst_n) {r, p} <= 0; else {r, p} <= {q, r}; endmodule\n"
    )
    words = ("compare", "before.v", "after.v", "--unsigned", "--no-heatmap", "--wave")
    code, out, err = axhil(*words, "one.vcd")
    assert code == 1, err
    end = int(re.search(r"to ([\d,]+) ns", out)[1].replace(",", ""))
    wave = VCDVCD(str(tmp_path / "one.vcd"))
    assert wave.timescale["unit"] == "ps"
    at = end * 1000
    assert value(wave, r"^x_before_v_unsigned\.product\[", at) == 27
    assert value(wave, r"^y_after_v_unsigned\.product\[", at) == 28
    assert value(wave, r"^x_before_v_unsigned\.dut\.c\.p\[", at) == 27
    assert value(wave, r"^y_after_v_unsigned\.dut\.r\[", at) == 28
    axhil(*words, "two.vcd")
    assert (tmp_path / "one.vcd").read_bytes() == (tmp_path / "two.vcd").read_bytes()


@pytest.mark.sim
def test_a_difference_of_operands_too_wide_for_a_table_is_simulated_too(axhil, tmp_path):
    wide = "module mul(input [19:0] a, b, output [39:0] p); assign p = a * b{}; endmodule\n"
    (tmp_path / "x.v").write_text(wide.format(""))
    (tmp_path / "y.v").write_text(wide.format(" + (a == 20'hfffff)"))
    code, out, err = axhil("compare", "x.v", "y.v", "--unsigned", "--wave", "w.vcd")
    assert code == 1, err
    a, b, x, y = map(int, re.search(r"(\d+) x (\d+) = (\d+) in .*?, (\d+) in", out).groups())
    end = int(re.search(r"to (\d+) ns", out)[1])
    wave = VCDVCD(str(tmp_path / "w.vcd"))
    assert [value(wave, rf"^x_\w+\.{one}\[", end) for one in ("a", "b")] == [a, b]
    assert value(wave, r"^x_\w+\.product\[", end) == x == a * b
    assert value(wave, r"^y_\w+\.product\[", end) == y == x + 1


@pytest.mark.sim
def test_verify_has_two_claims_for_each_multiplier_and_a_waveform(axhil, tmp_path):
    shutil.copytree(rtl_dir(), tmp_path / "rtl")
    path = tmp_path / "rtl" / "mul_exact.v"
    product = "$signed(a_i) * $signed(b_i)"
    path.write_text(path.read_text().replace(product, f"{product} + 1"))
    code, out, err = axhil(
        *("verify", "exact", "--rtl", "rtl", "--junit", "j.xml", "--wave", "w.vcd", "--json")
    )
    assert code == 1, err
    (report,) = json.loads(out)["multipliers"]
    assert report["wave"] == "w.vcd"
    golden, gates = cases(tmp_path / "j.xml")
    assert golden[:2] == ("exact: golden table", "failure")
    assert "65,536 of 65,536 entries differ" in golden[2]
    assert gates[:2] == ("exact: gates", "passed")
    first = report["first"][0]
    wave = VCDVCD(str(tmp_path / "w.vcd"))
    assert value(wave, r"\.product\[", 10) == first["actual"] == first["a"] * first["b"] + 1
    assert value(wave, r"\.expected\[", 10) == first["expected"]


@pytest.mark.sim
def test_mutate_has_a_case_for_each_mutant(axhil, tmp_path):
    code, out, _ = axhil(
        "mutate", rtl_dir() / "mul_exact.v", "--count", "6", "--widest", "6",
        "--junit", "j.xml", "--json",
    )  # fmt: skip
    (design,) = json.loads(out)["designs"]
    kinds = {"killed": "passed", "equivalent": "skipped", "survived": "failure"}
    found = cases(tmp_path / "j.xml")
    assert len(found) == 6
    for (name, kind, message), mutant in zip(found, design["mutants"], strict=True):
        place = f"mul_exact:{mutant['line']}:{mutant['column']} #{mutant['number']} "
        assert name == f"{place}{mutant['change']}"
        assert kind == kinds[mutant["outcome"]]
        assert f"{mutant['before']} -> {mutant['after']}" in message
    assert code == int(any(kind == "failure" for _, kind, _ in found))


def test_nothing_that_a_user_names_breaks_the_file(tmp_path):
    evil = "]]><x a='\"'>&amp;\x00\x1b[31m\ud800\ufffe\u202e\n\tend"
    for kind in ("passed", "skipped", "failure", "error"):
        data = junit_xml("axhil.compare", [Case(evil, kind, evil, evil)], seconds=1e-9)
        (tmp_path / "j.xml").write_bytes(data)
        ((name, found, message),) = cases(tmp_path / "j.xml")
        assert found == kind
        shown = "]]><x a='\"'>&amp;\\x00\\x1b[31m\\ud800\\ufffe\\u202e\n\\tend"
        assert name == shown
        assert message == (f"{shown}\n{shown}" if kind == "passed" else shown)
