# SPDX-License-Identifier: Apache-2.0
"""Equality without a look at every pair: proofs by gates, models that keep running, families."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from axhil.cli.main import app
from axhil.hwsim import PAPER_MULTIPLIERS, HwsimError, Operand, golden
from axhil.hwsim.designs.sources import rtl_dir
from axhil.hwsim.models.cmodel import c_model_table
from axhil.hwsim.models.cmodel_running import c_model_running
from axhil.hwsim.models.pymodel import python_model_running
from axhil.hwsim.multipliers import legal_multipliers
from axhil.hwsim.mutation.prover import gates_together
from axhil.hwsim.mutation.tables import MODULES, block_of
from axhil.hwsim.netlist.equivalence import decide
from axhil.hwsim.operands import Asked, Operands

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.sim

# DRUM(6) of any width: by the place of the leading one, and by a loop over all places.
PLACES = """
module {name}(input [{w}-1:0] a, b, output [2*{w}-1:0] p);
  function [5:0] lead(input [{w}-1:0] x);
    integer i;
    begin lead = 0; for (i = 0; i < {w}; i = i + 1) if (x[i]) lead = i; end
  endfunction
  wire [5:0] ca = lead(a) < 6 ? 0 : lead(a) - 5, cb = lead(b) < 6 ? 0 : lead(b) - 5;
  wire [5:0] sa = (a >> ca) | (ca != 0), sb = (b >> cb) | (cb != 0);
  wire [11:0] q = sa * sb;
  wire [2*{w}-1:0] r = q << (ca + cb);
  assign p = r{more};
endmodule
"""
LOOPS = """
module loops(input [{w}-1:0] a, b, output [2*{w}-1:0] p);
  function [{w}-1:0] kept(input [{w}-1:0] x);
    integer i;
    begin
      kept = x;
      for (i = 6; i < {w}; i = i + 1) if (x[i]) kept = (x >> (i - 5)) | 1;
    end
  endfunction
  function [5:0] by(input [{w}-1:0] x);
    integer i;
    begin by = 0; for (i = 6; i < {w}; i = i + 1) if (x[i]) by = i - 5; end
  endfunction
  wire [5:0] sa = kept(a), sb = kept(b);
  wire [11:0] q = sa * sb;
  wire [2*{w}-1:0] r = q << by(a);
  assign p = r << by(b);
endmodule
"""
ARRAY = "module array(input [23:0] a, b, output [47:0] p); assign p = a * b; endmodule\n"
SHIFTS = """
module shifts(input [23:0] a, b, output reg [47:0] p);
  integer i;
  always @* begin
    p = 0;
    for (i = 23; i >= 0; i = i - 1) p = (p << 1) + (a[i] ? {24'b0, b} : 48'b0);
  end
endmodule
"""
# The operands of the 16-bit one are the C model's type.
DRUM_C = """
#include <stdint.h>
static uint32_t kept(uint32_t x, int *cut) {
  int t = x ? 31 - __builtin_clz(x) : 0;
  *cut = t < 6 ? 0 : t - 5;
  return *cut ? (x >> *cut) | 1 : x;
}
uint32_t drum(uint16_t a, uint16_t b) {
  int i, j;
  uint32_t p = kept(a, &i) * kept(b, &j);
  return (p << (i + j))%s;
}
"""
DRUM_PY = """
import numpy as np
def arrays(a, b):
    def kept(x):
        x = np.asarray(x, np.int64)
        cut = np.maximum(np.frexp(x.astype(float))[1] - 6, 0)
        return np.where(cut > 0, (x >> cut) | 1, x) << cut
    return kept(a) * kept(b)
def scalar(a, b):
    return int(arrays(a, b)) if a or b else 0
def wrong(a, b):
    return arrays(a, b) + (np.asarray(a) == 4097) * (np.asarray(b) == 5)
"""


def compared(tmp_path, x, y, *options):
    arguments = ["compare", str(tmp_path / x), str(tmp_path / y), "--unsigned", "--json", *options]
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, json.loads(done.stdout)


def test_two_forms_of_one_24_bit_multiplier_are_proved_equal(tmp_path):
    (tmp_path / "places.v").write_text(PLACES.format(name="places", w=24, more=""))
    (tmp_path / "loops.v").write_text(LOOPS.format(w=24))
    code, body = compared(tmp_path, "places.v", "loops.v")
    assert (code, body["equal"], body["proof"]) == (0, True, "sat")
    assert "in all 281,474,976,710,656 products" in body["sentence"]


def test_the_only_pair_that_differs_of_2_to_the_48_is_found_and_simulated(tmp_path):
    (tmp_path / "places.v").write_text(PLACES.format(name="places", w=24, more=""))
    odd = " ^ (a == 1234567 && b == 7654321 ? 4 : 0)"
    (tmp_path / "odd.v").write_text(PLACES.format(name="odd", w=24, more=odd))
    code, body = compared(tmp_path, "places.v", "odd.v")
    assert (code, body["equal"], body["proof"], body["simulated"]) == (1, False, "sat", True)
    found = body["difference"]
    assert (found["a"], found["b"]) == (1234567, 7654321)
    assert found["x"] ^ found["y"] == 4


def test_what_cannot_be_proved_in_time_is_unknown_and_has_an_exit_code_of_its_own(tmp_path):
    (tmp_path / "array.v").write_text(ARRAY)
    (tmp_path / "shifts.v").write_text(SHIFTS)
    code, body = compared(tmp_path, "array.v", "shifts.v", "--limit", "0.5")
    assert (code, body["equal"], body["proof"]) == (3, None, "unknown")
    assert "no proof within 0.5 s, no difference in" in body["sentence"]


def test_a_common_difference_of_wide_multipliers_needs_no_proof(tmp_path):
    (tmp_path / "array.v").write_text(ARRAY)
    (tmp_path / "loops.v").write_text(LOOPS.format(w=24))
    code, body = compared(tmp_path, "array.v", "loops.v")
    assert (code, body["proof"], body["simulated"]) == (1, "sampled", True)
    found = body["difference"]
    assert found["x"] == found["a"] * found["b"] != found["y"]


MODELS = [
    ("drum.c", 0, "exhaustive"),
    ("wrong.c", 1, "exhaustive"),
    ("drum.py:arrays", 0, "exhaustive"),
    ("drum.py:wrong", 1, "exhaustive"),
    ("drum.py:scalar", 3, "sampled"),
]


@pytest.mark.parametrize(("model", "code", "proof"), MODELS, ids=[one[0] for one in MODELS])
def test_a_model_is_compared_in_all_products_of_operands_beyond_a_table(
    tmp_path, model, code, proof
):
    # 13 bits are too wide for a table, but 13 x 3 bits have few products.
    wide = PLACES.format(name="mul", w=16, more="").replace("input [16-1:0] a, b", "{ports}")
    wide = wide.replace("{ports}", "input [12:0] a, input [2:0] b").replace(
        "[2*16-1:0] p", "[15:0] p"
    )
    (tmp_path / "mul.v").write_text(wide)
    (tmp_path / "drum.c").write_text(DRUM_C % "")
    (tmp_path / "wrong.c").write_text(
        (DRUM_C % " + (a == 4097 && b == 5)").replace("drum(", "wrong(")
    )
    (tmp_path / "drum.py").write_text(DRUM_PY)
    got, body = compared(tmp_path, "mul.v", model)
    assert (got, body["proof"]) == (code, proof), body["sentence"]
    if code == 1:
        assert (body["count"], body["first"][0]["a"], body["first"][0]["b"]) == (1, 4097, 5)


SIGNED_C = {
    "signed types": "int f(signed char a, signed char b) { return a * b; }",
    "patterns": "unsigned short f(unsigned char a, unsigned char b) "
    "{ return (signed char)a * (signed char)b; }",
}


@pytest.mark.parametrize("source", SIGNED_C.values(), ids=SIGNED_C)
def test_a_running_c_model_has_the_products_of_its_table(tmp_path, source):
    path = tmp_path / "f.c"
    path.write_text(source)
    operands = Operands.both(8, signed=True)
    lut, _ = c_model_table(path, asked=Asked(operands=operands))
    with c_model_running(path, operands) as model:
        rows = np.concatenate([model.rows(first, 64) for first in (0, 64, 128, 192)])
        a, b = np.array([0, 255, 128, 128]), np.array([7, 255, 128, 1])
        picked = model.products(a, b)
    assert (rows.astype(np.int32) == lut.table).all()
    assert (picked.astype(np.uint32).astype(np.int32) == lut.table[a, b]).all()


FAILING = [
    ("int f(int a, int b) { if (a == 70) *(volatile int *)0 = 1; return a * b; }", "crashed"),
    ("int f(int a, int b) { while (a == 70) ; return a * b; }", r"took more than 2 s"),
    ("long f(int a, int b) { return a == 70 ? 1L << 40 : a; }", "returned what is no product"),
]


@pytest.mark.parametrize(("source", "sentence"), FAILING)
def test_a_running_model_that_fails_is_named_with_its_operands(tmp_path, source, sentence):
    path = tmp_path / "f.c"
    path.write_text(source)
    operands = Operands.both(8, signed=False)
    with (
        pytest.raises(HwsimError, match=rf"f\.c: f {sentence}.*, the first operand being 64 or"),
        c_model_running(path, operands, time_limit=2) as model,
    ):
        model.rows(64, 64)


def test_a_python_model_that_raises_says_what(tmp_path):
    path = tmp_path / "m.py"
    path.write_text("def f(a, b):\n    return abs(int(a) // (int(b) - 3))\n")
    operands = Operands.both(4, signed=False)
    with (
        pytest.raises(HwsimError, match=r"m\.py:f: 0 x 3 raises ZeroDivisionError"),
        python_model_running(f"{path}:f", operands) as (model, by_rows),
    ):
        assert not by_rows
        model.rows(0, 1)


def script():
    spec = importlib.util.spec_from_file_location("second", ROOT / "scripts/second_opinion.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_gates_of_the_families_have_the_products_of_their_formulas():
    second = script()
    every = second.families()
    assert len(every) == 320
    # All of 4 bits, and every 16th of the others: a script does the rest.
    some = [one for one in every if one.operand.bits == 4]
    some += [one for one in every if one.operand.bits > 4][::16]
    for one, made in second.gate_tables(some):
        assert second.wrong(one, made, one.reference_table()) == 0, one
    changed = golden(PAPER_MULTIPLIERS[1]).table.copy()
    changed[3, 5] += 1
    for one, made in second.gate_tables(PAPER_MULTIPLIERS):
        assert second.wrong(one, made, golden(one).table) == 0, one
        if one == PAPER_MULTIPLIERS[1]:
            assert second.wrong(one, made, changed) == 1


def test_a_proof_and_a_look_at_every_pair_agree_on_all_4_bit_multipliers():
    multipliers = legal_multipliers(Operand(4, signed=False))
    machine = gates_together(
        [rtl_dir() / f"{module}.v" for module in MODULES], [block_of(one) for one in multipliers]
    )
    tables = [one.reference_table() for one in multipliers]
    for number, table in enumerate(tables):
        verdict = decide(machine.cone(0), machine.cone(number))
        assert verdict.equal == (table == tables[0]).all()
        if not verdict.equal:
            a, b = (int("".join(map(str, half[::-1])), 2) for half in np.split(verdict.inputs, 2))
            assert table[a, b] != tables[0][a, b]
