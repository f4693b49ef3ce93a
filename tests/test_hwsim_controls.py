# SPDX-License-Identifier: Apache-2.0
"""Enables and resets: no level is guessed where it decides what the products are."""

import pytest

from axhil.hwsim import HwsimError
from axhil.hwsim.multipliers import Request, find
from axhil.hwsim.operands import Asked

pytestmark = pytest.mark.sim

UNSIGNED = Request(Asked(signed=False), cache=False)
PIPE = """
module m(input clk, input {names}, input [2:0] a, b, output reg [5:0] p);
  reg [5:0] q;
  always @(posedge clk) {body}
endmodule
"""
COMB = "module m(input {names}, input [2:0] a, b, output [5:0] p); {body} endmodule\n"
EXACT = [[a * b for b in range(8)] for a in range(8)]


def multiplier(folder, text, names, body, facts=""):
    path = folder / "m.v"
    path.write_text(text.format(names=names, body=body))
    return find(f"{path}{facts}", UNSIGNED)


# By kind: the Verilog, and the level of each control in the order of the ports.
TRIED = {
    "an active-low reset without a word": (
        PIPE, "rst", "if (!rst) {q, p} <= 0; else begin q <= a * b; p <= q; end", {"rst": 1},
    ),
    "an active-high reset with the word for low": (
        PIPE, "reset_n", "if (reset_n) {q, p} <= 0; else begin q <= a * b; p <= q; end",
        {"reset_n": 0},
    ),
    "an active-low enable without a word": (
        PIPE, "en", "if (!en) begin q <= a * b; p <= q; end", {"en": 0},
    ),
    "both the other way round": (
        PIPE, "ce, arst", "if (!arst) p <= 0; else if (!ce) p <= a * b;", {"arst": 1, "ce": 0},
    ),
    "as their names say": (
        PIPE, "rst, valid", "if (rst) p <= 0; else p <= valid ? a * b : 0;", {"rst": 0, "valid": 1},
    ),
    "an operand gate without a clock": (
        COMB, "en", "assign p = en ? 0 : a * b;", {"en": 0},
    ),
    "a valid bit that is only passed on": (COMB, "valid", "assign p = a * b;", {"valid": 1}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "names", "body", "levels"), TRIED.values(), ids=TRIED)
def test_a_level_without_products_is_not_taken(tmp_path, text, names, body, levels):
    found = multiplier(tmp_path, text, names, body)
    assert found.table().table.tolist() == EXACT
    for name, level in levels.items():
        same = "either way" if body == "assign p = a * b;" else "otherwise"
        (note,) = [one for one in found.notes if f" {name}, a" in one]
        assert f"by its name, is held at {level}: " in note
        assert note.endswith(same)


ASKED = {
    "an approximation that is switched on": (
        COMB, "en_approx", "assign p = en_approx ? {a, 3'd0} : a * b;", (1, 0),
        "p is 8 with en_approx=1 and 4 with en_approx=0 for a=1, b=4",
    ),
    "one pair of all": (
        COMB, "ready", "assign p = a * b + (a == 5 && b == 6 && !ready);", (1, 0),
        "p is 30 with ready=1 and 31 with ready=0 for a=5, b=6",
    ),
    "a mode behind a clock": (
        PIPE, "rst, start", "if (rst) p <= 0; else p <= start ? a * b : a + b;", (1, 0),
        "p is 0 with start=1 and 1 with start=0 for a=0, b=1",
    ),
    "a reset that is none": (
        COMB, "clr", "assign p = clr ? a | b : a * b;", (0, 1),
        "p is 0 with clr=0 and 1 with clr=1 for a=0, b=1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ASKED)
def test_a_level_that_changes_the_products_is_asked_for(tmp_path, kind):
    text, names, body, (level, other), where = ASKED[kind]
    name = names.rpartition(" ")[2]
    with pytest.raises(HwsimError) as refusal:
        multiplier(tmp_path, text, names, body).table()
    assert str(refusal.value) == (
        f"m (m.v): expected --tie for {name}, which changes the products: {where}; say "
        f"--tie {name}={level} or --tie {name}={other}, or [tie.{name}={level}] behind the file"
    )


@pytest.mark.parametrize(("fact", "is_exact"), [("tie.ready=1", True), ("tie.ready=0", False)])
def test_a_level_that_is_given_is_taken(tmp_path, fact, is_exact):
    text, names, body, _, _ = ASKED["one pair of all"]
    found = multiplier(tmp_path, text, names, body, f"[{fact}]")
    assert (found.table().table.tolist() == EXACT) == is_exact


NONE = {
    "a pulse for each pair": (
        PIPE,
        "rst, start",
        "if (rst) {p, q} <= 0; else begin q <= start; if (start && !q[0]) p <= a * b; end",
        "a multiplier that has to be started for each pair takes a module around it that does so",
    ),
    "nothing at any level": (
        COMB,
        "en, go",
        "assign p = en & go & (a == 0) & (b == 0);",
        "expected a product that depends on the operands, but p stays the same whatever en and go "
        "are held at",
    ),
    "too many": (
        COMB,
        "en, valid, ready, go, ce",
        "assign p = a * b;",
        "at most 4 inputs that are resets or enables by their names, got en, valid, ready, go, ce; "
        "hold some with --tie",
    ),
}


@pytest.mark.parametrize(("text", "names", "body", "sentence"), NONE.values(), ids=NONE)
def test_what_has_no_products_at_any_level_is_one_sentence(tmp_path, text, names, body, sentence):
    with pytest.raises(HwsimError, match=sentence):
        multiplier(tmp_path, text, names, body).table()


def test_a_table_from_the_cache_says_what_its_simulation_found(tmp_path, monkeypatch):
    monkeypatch.setenv("AXHIL_CACHE", str(tmp_path / "cache"))
    text, names, body, _ = TRIED["an active-low reset without a word"]
    multiplier(tmp_path, text, names, body)
    first, second = (find(str(tmp_path / "m.v"), Request(Asked(signed=False))) for _ in range(2))
    assert first.table() == second.table()
    (note,) = [one for one in second.notes if "rst, a reset" in one]
    assert note in first.notes
    assert any("taken from the cache" in one for one in second.notes)
