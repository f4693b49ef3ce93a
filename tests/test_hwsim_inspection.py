# SPDX-License-Identifier: Apache-2.0
"""The structural view of a design, against circuits whose logic is known by construction."""

import json
from itertools import product

import pytest
from netlist_samples import numbered_netlist

from axhil.hwsim import HwsimError
from axhil.hwsim.designs.sources import rtl_dir
from axhil.hwsim.netlist.bitgraph import ranges
from axhil.hwsim.netlist.inspection import inspect

pytestmark = pytest.mark.sim  # the preprocessor is Icarus'


def look(folder, text, **options):
    path = folder / "m.v"
    path.write_text(text)
    return inspect([path], **options)


def logic(report):
    """Output bit to the input bits it depends on, each by itself."""
    found = {}
    for bit in report.outputs:
        names = set()
        for name in bit.inputs:
            net, _, rest = name.partition("[")
            if not rest:
                names.add(name)
                continue
            high, _, low = rest.rstrip("]").partition(":")
            names |= {f"{net}[{i}]" for i in range(int(low or high), int(high) + 1)}
        found[bit.name] = names
    return found


A, B = ({f"{net}[{i}]" for i in range(4)} for net in "ab")


def first(names):
    """All of these in bit 0, nothing above."""
    return lambda i: names if i == 0 else set()


EXPRESSIONS = {
    "and": ("a & b", lambda i: {f"a[{i}]", f"b[{i}]"} if i < 4 else set()),
    "plus": ("a + b", lambda i: {f"{x}[{k}]" for x in "ab" for k in range(min(i, 3) + 1)}),
    "left by a constant": ("a << 2", lambda i: {f"a[{i - 2}]"} if 2 <= i < 6 else set()),
    "right by a constant": ("a >> 1", lambda i: {f"a[{i + 1}]"} if i < 3 else set()),
    "concatenation": ("{a, b}", lambda i: {f"b[{i}]" if i < 4 else f"a[{i - 4}]"}),
    "repetition": ("{2{a}}", lambda i: {f"a[{i % 4}]"}),
    "comparison": ("a < b", first(A | B)),
    "reduction": ("^a", first(A)),
    "choice": ("a[0] ? b : 4'd1", lambda i: {"a[0]", f"b[{i}]"} if i < 4 else {"a[0]"}),
    "constant choice": ("(2 > 1) ? a : b", lambda i: {f"a[{i}]"} if i < 4 else set()),
    "sign": ("$signed(a)", lambda i: {f"a[{min(i, 3)}]"}),
    "indexed part": ("b[1 +: 2]", lambda i: {f"b[{i + 1}]"} if i < 2 else set()),
    "downward part": ("b[3 -: 2]", lambda i: {f"b[{i + 2}]"} if i < 2 else set()),
    "index": ("a[b[1:0]]", first(A | {"b[0]", "b[1]"})),
    "negation": ("-a", lambda i: {f"a[{k}]" for k in range(min(i, 3) + 1)}),
    "function": ("f(a, b)", lambda i: {f"a[{3 - i}]", "b[0]"} if i < 4 else set()),
}  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_the_bits_of_an_expression(tmp_path, expression, expected):
    text = f"""module m(input [3:0] a, input [3:0] b, output [7:0] p);
      function [3:0] f; input [3:0] x; input [3:0] y; integer i;
        begin f = 0; for (i = 0; i < 4; i = i + 1) if (y[0]) f[3 - i] = x[i]; end
      endfunction
      assign p = {expression};
    endmodule"""
    report = look(tmp_path, text)
    assert report.no_logic is None
    assert logic(report) == {f"p[{i}]": expected(i) for i in range(8)}


def test_an_exact_netlist_has_all_the_logic_it_should(tmp_path):
    report = look(tmp_path, numbered_netlist("m", width=4))
    assert logic(report) == {
        f"O[{k}]": {f"{x}[{i}]" for x, i in product("AB", range(min(k, 3) + 1))} for k in range(8)
    }
    assert all(bit.missing == bit.beyond == () for bit in report.outputs)
    assert report.operators["PDKGENFAX1"] == {"&": 3, "^": 2, "|": 2}
    assert report.operators["m"] == {"&": 16}
    assert "PDKGENNAND2X1" not in report.operators
    assert (report.loops, report.latches, report.undriven, report.conflicts) == ((), (), (), ())


def test_a_product_bit_that_misses_an_operand_bit_is_told(tmp_path):
    text = "module m(input [3:0] a, b, output [7:0] p); assign p = a[3:1] * b << 1; endmodule"
    found = {bit.name: bit.missing for bit in look(tmp_path, text).outputs}
    assert found["p[0]"] == ("a[0]", "b[0]")
    assert found["p[1]"] == ("a[0]", "b[1]")
    assert found["p[3]"] == ("a[0]", "b[3]")
    assert found["p[7]"] == ("a[0]",)
    assert look(tmp_path, text).unused == ("a[0]",)


FLAWS = """module m(input clk, input [3:0] a, b, output reg [7:0] p, output q);
  wire [3:0] w; wire u; wire spare; reg [3:0] latch; reg [7:0] full; reg [1:0] kept;
  always @* if (a[0]) latch = b;
  always @* begin kept = 0; if (a[1]) kept = b[1:0]; end
  always @* case (a[1:0]) 2'd0: full = 1; 2'd1: full = 2; 2'd2: full = b; 2'd3: full = 0; endcase
  assign w[0] = ~w[1]; assign w[1] = w[0] & a[1];
  always @(posedge clk) p <= {latch, w} + full + kept;
  assign q = u; assign q = a[0];
endmodule"""


def test_flaws_are_found_and_nothing_else(tmp_path):
    report = look(tmp_path, FLAWS)
    assert report.loops == (("w[1:0]",),)
    assert report.latches == ("latch[3:0]",)
    assert report.undriven == ("u", "w[3:2]")
    assert report.unused == ("spare", "a[3:2]")
    assert report.conflicts == ("q",)
    assert report.registers == 8


def test_a_loop_through_two_instances_is_found(tmp_path):
    text = """module inv(input x, output y); assign y = ~x; endmodule
    module m(input [1:0] a, b, output [3:0] p); wire r, s;
      inv u1(r, s); inv u2(.x(s), .y(r)); assign p = {a, r, s}; endmodule"""
    report = look(tmp_path, text)
    assert [set(loop) for loop in report.loops] == [{"r", "s", "u1.x", "u1.y", "u2.x", "u2.y"}]
    assert [child.name for child in report.hierarchy.children] == ["u1", "u2"]


@pytest.mark.parametrize("parameters", [{}, {"K": 8}, {"K": 2, "WIDTH": 4}])
def test_the_projects_own_design_is_followed_through_functions_and_loops(parameters):
    report = inspect([rtl_dir() / "mul_drum.v"], parameters=parameters)
    assert report.no_logic is None
    assert report.interface.parameters["K"] == parameters.get("K", 4)
    # A leading one anywhere moves every bit.
    width = parameters.get("WIDTH", 8)
    everything = {f"{x}_i[{i}]" for x in "ab" for i in range(width)}
    assert set(map(frozenset, logic(report).values())) == {frozenset(everything)}
    assert (report.loops, report.latches, report.undriven, report.conflicts) == ((), (), (), ())


def test_every_generate_branch_follows_the_parameters():
    sources = sorted(rtl_dir().glob("*.v"))
    for core in ("exact", "drum", "scaletrim"):
        report = inspect(sources, top="mul_signed", parameters={"CORE": core})
        assert [child.module for child in report.hierarchy.children] == [f"mul_{core}"]
        assert report.no_logic is None


def test_what_pyverilog_cannot_read_still_has_ports(tmp_path):
    text = (
        "module m #(parameter int W = 4) (input logic [W-1:0] a, b, output logic [7:0] p);endmodule"
    )
    report = look(tmp_path, text)
    assert report.reader == "Icarus Verilog"
    assert [port.width for port in report.interface.ports] == [4, 4, 8]
    assert "pyverilog, which reads Verilog-2001, cannot read m (m.v)" in report.no_logic


def test_what_the_analysis_does_not_follow_is_said(tmp_path):
    text = """module m(input [3:0] a, b, output reg [7:0] p); integer i;
      always @* begin p = 0; for (i = 0; i < a; i = i + 1) p = p + b; end endmodule"""
    assert "a loop whose end is no constant" in look(tmp_path, text).no_logic


def test_no_multiplier_is_inspected_too(tmp_path):
    report = look(tmp_path, "module m(input x, output y); assign y = x; endmodule")
    assert report.roles is None
    assert "expected two operands" in report.no_roles
    assert logic(report) == {"y": {"x"}}


def test_the_report_is_json(tmp_path):
    found = json.loads(json.dumps(look(tmp_path, FLAWS).as_dict()))
    assert found["loops"] == [["w[1:0]"]]
    assert found["ports"][1] == {"name": "a", "direction": "input", "width": 4, "signed": False}
    assert found["hierarchy"] == {"name": "m", "module": "m", "parameters": {}, "children": []}


def test_two_tops_are_refused(tmp_path):
    with pytest.raises(HwsimError, match="expected one top module, got m and n"):
        look(tmp_path, "module m(input x); endmodule module n(input x); endmodule")


def test_runs_of_bits_are_joined():
    assert ranges(["x[0]", "y", "x[1]", "x[3]", "z[4]"]) == ["y", "x[1:0]", "x[3]", "z[4]"]
