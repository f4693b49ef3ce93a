# SPDX-License-Identifier: Apache-2.0
"""The gate of the hardware has teeth: no small change of the Verilog gets past it."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from pyverilog.vparser.parser import VerilogParser
from typer.testing import CliRunner

from axhil.cli.main import app
from axhil.hwsim import Catalogued, HwsimError, Operand
from axhil.hwsim.designs.sources import rtl_dir, sha256
from axhil.hwsim.multipliers.tabulating.tabulation import simulate_together
from axhil.hwsim.mutation import MODULES, Change, Killer, Outcome, draw, mutants, mutate
from axhil.hwsim.mutation.gate import gate
from axhil.hwsim.mutation.prover import Finding, Prover
from axhil.hwsim.mutation.runner import Runner
from axhil.hwsim.netlist.equivalence import Proof
from axhil.hwsim.tools.scratch import scratch

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs" / "records" / "mutation.json"

SAMPLE = """
module sample #(parameter integer W = 4) (input wire [W-1:0] a, b, output wire [W-1:0] p);
  // a + b in a comment is not a site
  initial if (W < 2) $fatal(1, "sample: W + 1 = %0d", W + 1);
  wire signed [W-1:0] s = a;
  wire top = a[W-1];
  assign p = (a == b) ? s <<< 2 : a[1 +: 2] + ~b[3:2];
endmodule
"""


def changes(text):
    return {(m.before, m.after) for m in mutants(text, where="sample.v")}


EXPECTED = [
    ("a == b", "a != b"),
    ("a == b", "!(a == b)"),
    ("a == b", "1'b0"),
    ("a == b", "1'b1"),
    ("(a == b) ? s <<< 2 : a[1 +: 2] + ~b[3:2]", "(a == b) ? (a[1 +: 2] + ~b[3:2]) : (s <<< 2)"),
    ("s <<< 2", "s >>> 2"),
    ("s <<< 2", "s"),
    ("a[1 +: 2] + ~b[3:2]", "a[1 +: 2] - (~b[3:2])"),
    ("a[1 +: 2] + ~b[3:2]", "a[1 +: 2]"),
    ("~b[3:2]", "-b[3:2]"),
    ("~b[3:2]", "b[3:2]"),
    ("3", "2"),
    ("3", "4"),
    ("3", "0"),
    ("3", "-1"),
    ("a", "b"),
    ("a", "s"),
    ("a", "a & ~(1 << 0)"),
    ("a", "a | (1 << 2)"),
    ("W-1", "W + 1"),
    ("W-1", "(W-1) - 1"),
    ("W < 2", "W <= 2"),
    ('$fatal(1, "sample: W + 1 = %0d", W + 1);', ";"),
    ("signed", ""),
]


@pytest.mark.parametrize(("before", "after"), EXPECTED, ids=[f"{b} to {a}" for b, a in EXPECTED])
def test_an_expression_becomes(before, after):
    found = changes(SAMPLE)
    # A declaration's own span may or may not hold the value.
    assert any(b.startswith(before) and a.startswith(after) for b, a in found), sorted(found)


def test_neither_comments_nor_the_words_of_a_refusal_are_changed():
    found = [m for m in mutants(SAMPLE, where="sample.v") if "W + 1" in m.before]
    assert [m.after for m in found] == [";"]


def test_a_mutant_is_one_change_where_it_says_and_no_two_are_the_same():
    found = mutants(SAMPLE, where="sample.v")
    lines = SAMPLE.splitlines()
    for m in found:
        assert re.sub(r"\s+", " ", SAMPLE[m.start : m.end]).strip() == m.before
        assert lines[m.line - 1][m.column - 1 :].startswith(m.before[:3])
        assert m.apply(SAMPLE) == SAMPLE[: m.start] + m.replacement + SAMPLE[m.end :]
    assert len({m.apply(SAMPLE) for m in found}) == len(found)
    assert [m.number for m in found] == [*range(1, len(found) + 1)]
    assert {m.change for m in found} == {*Change}


@pytest.fixture(scope="module")
def parser(tmp_path_factory):
    return VerilogParser(outputdir=str(tmp_path_factory.mktemp("parser")), debug=False)


@pytest.mark.parametrize("module", MODULES)
def test_every_design_has_forty_mutants_of_every_kind_and_all_are_verilog(module, parser):
    path = rtl_dir() / f"{module}.v"
    found = draw(path)
    assert len(found) >= 40
    kinds = {Change.operator, Change.constant, Change.condition, Change.bit}
    if module == "mul_signed":  # it chooses a core, and computes nothing itself
        kinds -= {Change.operator, Change.bit}
    assert kinds <= {m.change for m in found}
    text = path.read_text()
    for m in draw(path, count=15, seed=3):
        tree = parser.parse(f"{m.apply(text)}\n")
        names = [getattr(one, "name", None) for one in tree.description.definitions]
        assert module in names


def test_a_draw_depends_on_the_seed_alone():
    path = rtl_dir() / "mul_drum.v"
    assert draw(path, count=20, seed=1) == draw(path, count=20, seed=1)
    assert draw(path, count=20, seed=1) != draw(path, count=20, seed=2)
    assert [m.number for m in draw(path, only=[7, 3])] == [3, 7]


def test_every_file_of_the_hardware_has_a_gate():
    assert sorted(MODULES) == sorted(path.stem for path in rtl_dir().glob("*.v"))


REFUSED = [
    ("none.v", {}, r"expected a Verilog file at .*none\.v, but there is none"),
    ("mul_exact.v", {"count": 0}, "expected a count of at least 1, got 0"),
    ("mul_exact.v", {"only": [1, 5000]}, r"expected numbers of mutants from 1 to \d+, got 5000"),
    ("mul_exact.v", {"only": [1], "count": 2}, "got both a count and numbers"),
    ("mul_exact.v", {"jobs": 0}, "expected at least 1 job, got 0"),
    ("mul_exact.v", {"widest": 17}, "expected a widest complete sweep of 6 to 16 bits, got 17"),
    ("mac.v", {"widest": 8}, r"expected no widest complete sweep for mac\.v, which is clocked"),
]


@pytest.mark.sim
@pytest.mark.parametrize(("name", "options", "sentence"), REFUSED)
def test_what_cannot_be_mutated_is_refused(name, options, sentence):
    with pytest.raises(HwsimError, match=sentence):
        mutate(rtl_dir() / name, **options)


@pytest.mark.sim
def test_a_design_without_a_gate_is_refused(tmp_path):
    other = tmp_path / "other.v"
    other.write_text(SAMPLE)
    with pytest.raises(HwsimError, match=r"expected a design that has a gate, .*got other\.v"):
        mutate(other)


def recorded(module):
    (found,) = [d for d in json.loads(RECORD.read_text())["designs"] if d["module"] == module]
    return found


@pytest.mark.parametrize("module", MODULES)
def test_the_committed_record_is_of_these_files_and_has_no_survivor(module):
    record = recorded(module)
    assert record["sha256"] == sha256(rtl_dir() / f"{module}.v"), (
        f"{module}.v changed: make the record again, its command is in {RECORD.name}"
    )
    assert record["command"].startswith("axhil mutate ")
    assert f"rtl/{module}.v" in record["command"].split()
    found = draw(rtl_dir() / f"{module}.v")
    assert record["available"] == len(found)
    # All of them, or of the largest module a random sample.
    assert record["judged"] == len(record["mutants"]) >= min(len(found), 300)
    of = {m.number: m for m in found}
    for m in record["mutants"]:
        assert (m["before"], m["after"]) == (of[m["number"]].before, of[m["number"]].after)
    assert record["survived"] == 0
    assert record["killed"] >= 40
    assert {m["outcome"] for m in record["mutants"]} <= {"killed", "equivalent"}


def test_the_readme_shows_the_record():
    text = (ROOT / "rtl" / "README.md").read_text()
    for module in MODULES:
        record = recorded(module)
        numbers = [record[key] for key in ("judged", "killed", "equivalent", "survived")]
        row = " | ".join([f"`{module}`", *map(str, numbers)])
        assert f"| {row} |" in text


# Endless mutants take seconds each, and those called equivalent run the whole proof.
SLOW = {"timeout"}


@pytest.mark.sim
@pytest.mark.parametrize("module", MODULES)
def test_a_part_of_the_record_is_found_again(module):
    record = {m["number"]: m for m in recorded(module)["mutants"]}
    killed = [n for n, m in record.items() if m["outcome"] == "killed" and m["by"] not in SLOW]
    numbers = killed[3 :: max(len(killed) // 12, 1)]
    equivalent = [n for n, m in record.items() if m["outcome"] == "equivalent"]
    if module in {"mul_exact", "leading_one"}:  # quick to prove
        numbers += equivalent[:1]
    report = mutate(rtl_dir() / f"{module}.v", only=numbers)
    assert len(report.verdicts) == len(numbers) >= 12
    assert report.survivors == []
    for verdict in report.verdicts:
        # The compiler's words are the compiler's, and change with its version.
        found, expected = verdict.as_dict(), record[verdict.mutant.number]
        assert (found | {"detail": ""}) == (expected | {"detail": ""})


@pytest.mark.sim
def test_a_kill_counts_the_entries_that_the_exhaustive_sweep_finds(tmp_path):
    # The mutants' harness is not the sweep of `axhil verify`: both must see the same table.
    path = rtl_dir() / "mul_drum.v"
    (mutant,) = [m for m in draw(path) if m.after == "seg_a | seg_b"]
    (verdict,) = mutate(path, only=[mutant.number]).verdicts
    assert (verdict.kill.by, verdict.kill.check) == (Killer.table, "4-bit signed table")

    shutil.copytree(rtl_dir(), tmp_path / "rtl")
    changed = tmp_path / "rtl" / "mul_drum.v"
    changed.write_text(mutant.apply(path.read_text()))
    wrong = 0
    side = np.arange(16)
    a, b = np.repeat(side, 16), np.tile(side, 16)
    s4 = Operand(4, signed=True)
    multipliers = [Catalogued("drum", (k,), s4, rtl=changed.parent) for k in (2, 3, 4)]
    circuits = [m.circuit() for m in multipliers]
    for m, products in zip(multipliers, simulate_together(circuits, a, b), strict=True):
        wrong += int((products.values != m.reference_table().ravel()).sum())
    assert 0 < verdict.kill.wrong == wrong


HOLES = [
    # (module, what the gate is reduced to, before, after, what the proof sees)
    ("mul_drum", "drum(4)", "1'b1", "1'd0", Killer.table),  # at K = WIDTH nothing is ever forced
    ("mul_scaletrim", "scaletrim(3,0)", "M > 0", "1'b0", Killer.table),  # no constant without M
    # What wraps around has no limit, and a single row no skew.
    (
        "mac",
        "no parameter",
        "sum[ACC_BITS] ? lowest : ~lowest",
        "(sum[ACC_BITS]) ? (~lowest) : (lowest)",
        Killer.trace,
    ),
    ("mac_array", "WIDTH=4, ACC_BITS=8, ROWS=1, COLS=1", "r-1", "(r-1) - 1", Killer.trace),
]


@pytest.mark.sim
@pytest.mark.parametrize("hole", HOLES, ids=[f"{hole[0]}: {hole[1]}" for hole in HOLES])
def test_a_gate_with_a_hole_has_a_survivor(tmp_path, hole):
    module, kept, before, after, seen = hole
    path = rtl_dir() / f"{module}.v"
    whole = gate(module, rtl=rtl_dir())
    first = whole.checks[0]
    instances = tuple(one for one in first.instances if one.name == kept)
    narrow = dataclasses.replace(
        whole, checks=(dataclasses.replace(first, instances=instances),), refusals=()
    )
    (mutant,) = [m for m in draw(path) if (m.before, m.after) == (before, after)][-1:]
    changed = tmp_path / path.name
    changed.write_text(mutant.apply(path.read_text()))
    runner = Runner(narrow, path, tmp_path)
    runner.control()
    assert runner.judge(changed) is None
    assert runner.prove(changed).by == seen


@pytest.mark.sim
@pytest.mark.parametrize(
    ("module", "before", "after", "proof"),
    [
        ("mul_drum", "POS-1", "POS", "identical"),  # a wire wider than what is read of it
        ("mac", "valid_q", "valid_q & ~(1 << 1)", "identical"),  # registers, for all time
        ("mul_drum", "sign_a ^ sign_b", "sign_a + sign_b", "exhaustive"),
    ],
)
def test_gates_prove_that_a_mutant_is_the_same_design(module, before, after, proof):
    path = rtl_dir() / f"{module}.v"
    mutant = [m for m in draw(path) if (m.before, m.after) == (before, after)][-1]
    small = [b for b in gate(module, rtl=rtl_dir()).blocks if sum(b.inputs.values()) <= 12]
    whole = dataclasses.replace(gate(module, rtl=rtl_dir()), blocks=tuple(small[:6]))
    if module == "mac":
        whole = gate(module, rtl=rtl_dir())
        whole = dataclasses.replace(whole, blocks=whole.blocks[4:6])
    found = proved(whole, path, mutant.apply(path.read_text()))
    assert (found.proof, found.difference) == (proof, "")


def proved(whole, path, text):
    prover = Prover(whole, path)
    with scratch("test") as folder:
        changed = folder / "changed.v"
        changed.write_text(text)
        differing = prover.differing(changed)
        if differing == ():
            return Finding(Proof.identical)
        return differing and prover.judge(changed, differing)


def test_gates_show_where_a_mutant_is_another_design():
    path = rtl_dir() / "mul_drum.v"
    whole = gate("mul_drum", rtl=rtl_dir())
    small = tuple(b for b in whole.blocks if sum(b.inputs.values()) == 8)
    text = path.read_text().replace("seg_a * seg_b", "seg_a * seg_b + (a_i == 9 && b_i == 3)")
    found = proved(dataclasses.replace(whole, blocks=small), path, text)
    assert found.proof == "exhaustive"
    assert re.search(r"gates of drum\(\d\) at a_i=9, b_i=3$", found.difference)


def test_gates_of_a_clocked_mutant_differ_within_cycles():
    path = rtl_dir() / "mac.v"
    whole = gate("mac", rtl=rtl_dir())
    text = path.read_text().replace("acc_i} + ext", "acc_i} - ext")
    found = proved(dataclasses.replace(whole, blocks=whole.blocks[4:5]), path, text)
    assert (found.proof, found.difference) == ("bounded", "an output differs within 8 cycles")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Another port, of which a compiler complains; X, which gates are free to choose.
        ("input  wire [WIDTH-1:0]   a_i", "input  wire [WIDTH:0]   a_i"),
        ("[POS:0]   shift_p  = cut_a + cut_b", "[POS:0]   shift_p  = 'bx"),
        ("K < 2 ||", "K < 3 ||"),  # a legal parameter is refused
    ],
)
def test_gates_do_not_judge_what_a_simulator_sees_otherwise(old, new):
    path = rtl_dir() / "mul_drum.v"
    whole = gate("mul_drum", rtl=rtl_dir())
    small = tuple(b for b in whole.blocks if sum(b.inputs.values()) == 8)
    assert path.read_text().count(old) == 1
    assert (
        proved(dataclasses.replace(whole, blocks=small), path, path.read_text().replace(old, new))
        is None
    )


FAILS = "the design as it is fails its own gate"


@pytest.mark.sim
@pytest.mark.parametrize(
    ("module", "old", "new", "sentence"),
    [
        ("mul_exact", "a_i * b_i", "a_i + b_i", f"{FAILS}: 4-bit unsigned table"),
        ("mul_exact", "WIDTH < 4", "WIDTH < 3", "expected a refusal of WIDTH=3, got: it is acc"),
        ("mac", "acc_i} + ext", "acc_i} - ext", f"{FAILS}: elements: .* cycle .*: acc_o is"),
        ("mac_array", "ready_i ||", "ready_i &&", f"{FAILS}: small arrays: .*cycle .*ready_o is"),
        ("mac_array", "ROWS > 64", "ROWS > 65", "expected a refusal of ROWS=65, COLS=1, got: it"),
    ],
)
def test_a_design_that_is_wrong_from_the_start_is_not_scored(tmp_path, module, old, new, sentence):
    for path in rtl_dir().glob("*.v"):
        shutil.copy(path, tmp_path)
    wrong = tmp_path / f"{module}.v"
    assert wrong.read_text().count(old) == 1
    wrong.write_text(wrong.read_text().replace(old, new))
    with pytest.raises(HwsimError, match=sentence):
        mutate(wrong, count=1)


def test_a_missing_helper_is_named(tmp_path):
    shutil.copy(rtl_dir() / "mul_drum.v", tmp_path)
    with pytest.raises(HwsimError, match=r"expected mul_exact\.v beside mul_drum\.v"):
        mutate(tmp_path / "mul_drum.v")


@pytest.mark.sim
def test_an_array_needs_its_element(tmp_path):
    for path in rtl_dir().glob("*.v"):
        shutil.copy(path, tmp_path)
    (tmp_path / "mac.v").unlink()
    with pytest.raises(HwsimError, match=r"expected mac\.v beside mac_array\.v"):
        mutate(tmp_path / "mac_array.v")


@pytest.mark.sim
def test_the_command_prints_json_and_writes_it(tmp_path):
    out = tmp_path / "deep" / "report.json"
    arguments = ["mutate", str(rtl_dir() / "mul_exact.v"), "--count", "6", "--json"]
    done = CliRunner().invoke(app, [*arguments, "--out-file", str(out)])
    assert done.exit_code == 0
    body = json.loads(done.stdout)
    assert body == json.loads(out.read_text())
    (design,) = body["designs"]
    assert design["command"] == "axhil mutate rtl/mul_exact.v --count 6 --seed 0"
    assert len(design["mutants"]) == 6


def test_a_refusal_leaves_no_folder_for_the_report(tmp_path):
    arguments = [
        "mutate",
        str(tmp_path / "none.v"),
        "--out-file",
        str(tmp_path / "deep" / "x.json"),
    ]
    assert isinstance(CliRunner().invoke(app, arguments).exception, HwsimError)
    assert not [*tmp_path.iterdir()]


@pytest.mark.sim
@pytest.mark.parametrize(("outcome", "code"), [("killed", 0), ("survived", 1)])
def test_the_exit_code_says_whether_one_survived(monkeypatch, outcome, code):
    def judged(path, **options):
        report = mutate(path, only=[45], jobs=options["jobs"])
        (verdict,) = report.verdicts
        changed = dataclasses.replace(verdict, outcome=Outcome(outcome))
        return dataclasses.replace(report, verdicts=(changed,))

    monkeypatch.setattr("axhil.cli.gates.judge_mutants", judged)
    done = CliRunner().invoke(app, ["mutate", str(rtl_dir() / "mul_exact.v"), "--all"])
    assert done.exit_code == code
    assert outcome in done.stdout.lower()
