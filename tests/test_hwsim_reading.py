# SPDX-License-Identifier: Apache-2.0
"""Verilog files as people have them: what is read of them, and the products that come out.

The designs multiply 4 x 4 bits and are simulated side by side, once; the oracle is Python's `int`.
"""

import numpy as np
import pytest

from axhil.hwsim import HwsimError, read_circuit
from axhil.hwsim.multipliers.tabulating.tabulation import (
    simulate_pairs,
    simulate_together,
    with_signs,
)
from axhil.hwsim.operands import Asked, Operands
from axhil.hwsim.simulation.live import LiveMultiplier
from axhil.hwsim.verilog.reading.complaints import complaint
from axhil.hwsim.verilog.reading.early import used_early
from axhil.hwsim.verilog.reading.modules import cone, definitions, without_noise

pytestmark = pytest.mark.sim

PORTS = "(input [3:0] a, b, output [7:0] p)"


def mul(name, body="assign p = a * b;", ports=PORTS):
    return f"module {name}{ports}; {body} endmodule\n"


def times(a, b):
    return a * b


def signed(a, b):
    return (a - 16 * (a > 7)) * (b - 16 * (b > 7))


# By kind: the files, the first of which is given, what else is given, and the product.
READ = {
    "byte order mark, CRLF and tabs": (
        {"m.v": "\ufeff// größe\r\n" + mul("mark").replace(" ", "\t").replace(";", ";\r\n")},
        {},
        times,
    ),
    "byte order mark before a macro": (
        {"m.v": "\ufeff`define OP *\n" + mul("macro", "assign p = a `OP b;")},
        {},
        times,
    ),
    "latin-1 in names and strings": (
        {
            "m.v": mul(
                "latin", "wire [7:0] \\größe ; assign \\größe = a * b; assign p = \\größe ;"
            ).encode("latin-1")
        },
        {},
        times,
    ),
    "attributes everywhere": (
        {
            "m.v": '(* top, text = "*) (* " *)\n'
            + mul(
                "marked",
                "(* keep *) reg [7:0] q; (* x = 1 *) always @(*) (* full_case *) case (1'b1) "
                "default: q = a * b; endcase (* dont_touch *) assign p = q;",
                "((* mark *) input [3:0] a, b, (* mark *) output [7:0] p)",
            )
        },
        {},
        times,
    ),
    "a test bench of system tasks": (
        {
            "m.v": "module bench; reg [3:0] a, b; wire [7:0] p; tested dut(.a(a), .b(b), .p(p));\n"
            'initial begin $dumpfile("x"); a = $random; $system("x"); $stop; end\n'
            "endmodule : bench\n" + mul("tested")
        },
        {},
        times,
    ),
    "a bench with parameters and a string of module": (
        {
            "m.v": mul("shown", 'initial if (0) $display("module x; endmodule"); assign p = a * b;')
            + "module tb #(parameter N = 3) (); shown u(); initial $fopen(N); endmodule\n"
        },
        {},
        times,
    ),
    "an older version that does not compile": (
        {"m.v": mul("newer") + mul("older", "no_such_cell u(a, b, p);")},
        {"top": "newer"},
        times,
    ),
    "a helper that is left over": (
        {
            "m.v": "module adder(input [7:0] x, y, output [8:0] s); assign s = x + y; endmodule\n"
            + mul("kept")
        },
        {},
        times,
    ),
    "a bench of which a signal is named like a module": (
        {
            "m.v": mul("core")
            + mul("whole", "wire core; core u(.a(a), .b(b), .p(p));")
            + "module tb; wire whole; whole u(); endmodule"
        },
        {},
        times,
    ),
    "macros of the command line": (
        {"m.v": mul("sized", "`ifdef FAST assign p = (a * b) & `MASK; `endif")},
        {"defines": {"FAST": 1, "MASK": "8'hf0"}},
        lambda a, b: (a * b) & 0xF0,
    ),
    "a file list": (
        {
            "list/design.f": "// of the design\n+incdir+../inc+none\n-f more.f  # and more\n"
            "+define+SHIFT=1+ZERO ../src/listed.v\n../src/listed.v -D KEEP=7",
            "list/more.f": '-v "../src/part one.v"\n',
            "src/listed.v": mul("listed", "part u(a, b, p);"),
            "src/part one.v": '`include "body.vh"\n' + mul("part", "`BODY"),
            "inc/body.vh": "`define BODY assign p = "
            "((a * b) << `SHIFT) & {`KEEP{1'b1}} & ~(`ZERO - 1);",
            "none/x": "",
            "list/none/x": "",
        },
        {},
        lambda a, b: (2 * a * b) & 127,
    ),
    "a netlist and its cells": (
        {
            "m.v": "module net(input [3:0] a, b, output [7:0] p); wire [3:0] x;\n"
            "AND2 g0(.A(a[0]), .B(b[0]), .Y(x[0])); AND2 g1(.A(a[1]), .B(b[0]), .Y(x[1]));\n"
            "AND2 g2(.A(a[2]), .B(b[0]), .Y(x[2])); AND2 g3(.A(a[3]), .B(b[0]), .Y(x[3]));\n"
            "assign p = x + ((a * b[3:1]) << 1); endmodule",
            "cells.v": "`celldefine\nmodule AND2(input A, B, output Y); and (Y, A, B); endmodule\n"
            "module DFF(input D, CK, output reg Q); always @(posedge CK) Q <= D; endmodule\n"
            "primitive unused(o, i); output o; input i; table 0 : 1; 1 : 0; endtable endprimitive\n"
            "`endcelldefine",
        },
        {"more": ["cells.v"]},
        times,
    ),
    "a part that is in both files": (
        {
            "m.v": mul("twice", "half u(a, b, p);") + mul("half"),
            "again.v": "// the same\n" + mul("half").replace("; ", ";\n"),
        },
        {"more": ["again.v"]},
        times,
    ),
    "a last line without an end": (
        {
            "m.v": mul("first", "second u(a, b, p);") + "// end",
            "n.v": "`timescale 1ns/1ps\n" + mul("second"),
        },
        {"more": ["n.v"]},
        times,
    ),
    "a product of a bit more": (
        {"m.v": mul("wide", ports="(input [3:0] a, b, output [8:0] p)")},
        {},
        times,
    ),
    "the upper part of a product": (
        {
            "m.v": mul(
                "upper",
                "wire [7:0] q = a * b; assign p = q[7:3];",
                "(input [3:0] a, b, output [4:0] p)",
            )
        },
        {"product_shift": 3},
        lambda a, b: a * b >> 3 << 3,
    ),
    "the upper part of a signed product": (
        {
            "m.v": mul(
                "low",
                "wire signed [7:0] q = a * b; assign p = q[7:2];",
                "(input signed [3:0] a, b, output signed [5:0] p)",
            )
        },
        {"product_shift": 2, "asked": Asked()},
        lambda a, b: signed(a, b) >> 2 << 2,
    ),
    "both operands in one bus": (
        {
            "m.v": mul(
                "bus", "assign p = 3 * ab[3:0] + ab[7:4];", "(input [7:0] ab, output [7:0] p)"
            )
        },
        {"a": "ab[7:4]", "b": "ab[3:0]"},
        lambda a, b: 3 * b + a,
    ),
    "outputs that inherit their direction": (
        {
            "m.v": mul(
                "inherits",
                "assign p = a * b; assign c = a; assign d = b[0];",
                "(input [3:0] a, b, output [7:0] p, wire [3:0] c, reg d)",
            ).replace("reg d", "wire d")
        },
        {},
        times,
    ),
    "a parameter without a default": (
        {
            "m.sv": mul(
                "bare",
                ports=" #(parameter int W, parameter S = 2, int Q) "
                "(input logic [W-1:0] a, b, output logic [S*W-1:0] p)",
            ).replace("p = a * b", "p = a * b + Q")
        },
        {"parameters": {"W": 4, "Q": 5}},
        lambda a, b: (a * b + 5) % 256,
    ),
    "signed types without the word": (
        {
            "m.sv": "package types; typedef logic signed [3:0] op; endpackage\n"
            "package unused; import nothing::*; endpackage\n"
            "module typed import types::*; (input op a, b, output logic signed [7:0] p);\n"
            "assign p = a * b; endmodule : typed"
        },
        {"asked": Asked()},
        signed,
    ),
    "a bench of classes, macros and interfaces": (
        {
            "m.sv": "virtual class base; endclass : base\nclass item extends base; rand int x;\n"
            "endclass\ninterface pins; logic x; endinterface\n"
            "module tb; pins p(); item i; initial $dumpfile(`VCD);\nendmodule\n"
            + mul("judged")
            + "program late; initial $exit(`CODE);\nendprogram\n"
        },
        {},
        times,
    ),
    "a name of other characters": ({"m.v": mul("\\mul-4.x/y ")}, {}, times),
    "unsigned by its name": ({"m.v": mul("approx_u4_core")}, {"asked": Asked()}, times),
}


def put(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / next(iter(files))


def read(folder, files, *, more=(), **facts):
    """The circuit of the first file and more."""
    first = put(folder, files)
    facts.setdefault("asked", Asked(signed=False))
    return read_circuit([first, *(folder / name for name in more)], **facts)


@pytest.fixture(scope="module")
def circuits(tmp_path_factory):
    return {
        kind: read(tmp_path_factory.mktemp("design"), files, **facts)
        for kind, (files, facts, _) in READ.items()
    }


@pytest.fixture(scope="module")
def products(circuits):
    a, b = (values.ravel() for values in np.divmod(np.arange(256), 16))
    simulated = simulate_together([*circuits.values()], a, b)
    return {
        kind: one.values.astype(np.int64).reshape(16, 16)
        for kind, one in zip(circuits, simulated, strict=True)
    }


@pytest.mark.parametrize("kind", READ)
def test_the_products_are_those_of_the_files(kind, products):
    rule = READ[kind][2]
    assert products[kind].tolist() == [[rule(a, b) for b in range(16)] for a in range(16)]


ELSEWHERE = ["both operands in one bus", "the upper part of a product"]


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_a_wrapper_and_a_live_simulation_give_the_same_products(kind, circuits):
    circuit, rule = circuits[kind], READ[kind][2]
    pairs = [(3, 5), (15, 15), (0, 7), (9, 14), (12, 6)]
    a, b = np.array(pairs).T
    with LiveMultiplier(circuit, processes=1, instances=2) as live:
        assert live(a, b).tolist() == [rule(x, y) for x, y in pairs]
    # Two's complement through magnitudes; the product has as many bits as before.
    bits = circuit.roles.product_bits + circuit.roles.product_shift
    expected = [
        rule(min(x, 16 - x), min(y, 16 - y)) * (-1 if (x > 7) != (y > 7) else 1) for x, y in pairs
    ]
    simulated = simulate_pairs(with_signs(circuit), a, b).values.tolist()
    assert [value % 2**bits for value in simulated] == [value % 2**bits for value in expected]


NOTES = {
    "a test bench of system tasks": "passed over as a test bench, without ports: bench",
    "a helper that is left over": (
        "kept is taken as the top, for its operands and product; nothing uses adder"
    ),
    "unsigned by its name": (
        "the operands are taken as unsigned from the name approx_u4_core; say --unsigned to be sure"
    ),
    "the upper part of a product": "p is the product without its lower 3 bits, as requested",
    "outputs that inherit their direction": "outputs left open: c, d",
}


@pytest.mark.parametrize(("kind", "note"), NOTES.items(), ids=NOTES)
def test_what_was_concluded_is_said(kind, note, circuits):
    assert note in circuits[kind].notes


def test_what_was_read_is_hashed_and_nothing_else(circuits):
    assert set(circuits["a file list"].hashes()) == {
        "design.f", "more.f", "listed.v", "part one.v", "body.vh",
    }  # fmt: skip
    assert circuits["a file list"].defines == {"SHIFT": "1", "ZERO": "1", "KEEP": "7"}


REFUSED = {
    "a macro that nothing defines": (
        {"m.v": "\n" + mul("m", ports="(input [`BITS:0] a, b, output [7:0] p)")},
        {},
        r"m\.v:2: the macro BITS is used and nothing defines it; give it with -D BITS=VALUE",
    ),
    "a macro that nothing defines, in a bench and below an included file": (
        {
            "m.v": '`include "w.vh"\n'
            + mul("m")
            + "module tb;\ninitial $finish(`CODE);\nendmodule\n",
            "w.vh": "\n\n\n",
        },
        {},
        r"m\.v:\d+: the macro CODE is used",
    ),
    "a macro that decides which module is the top": (
        {
            "m.v": mul("x", "", "(input [`W:0] a, b, output [7:0] p)")
            + mul("y", "", "(input [1:0] c)")
        },
        {},
        r"m\.v:1: the macro W is used",
    ),
    "an included file that is missing": (
        {"m.v": '`include "sizes.vh"\n' + mul("m")},
        {},
        r"m\.v: expected the included file sizes\.vh beside the Verilog; give its folder with --in",
    ),
    "UTF-16": (
        {"m.v": mul("m").encode("utf-16")},
        {},
        r"expected Verilog in UTF-8 or Latin-1 at .*m\.v, got UTF-16 .* iconv -f UTF-16",
    ),
    "UTF-16 without a mark, included": (
        {"m.v": '`include "w.vh"\n' + mul("m"), "w.vh": "wire x;".encode("utf-16-be")},
        {},
        r"expected Verilog in UTF-8 or Latin-1 at .*w\.vh",
    ),
    "cells that nobody has": (
        {"m.v": mul("m", "HAX1 u(a[0], p[0]); FAX1 v(a[1], p[1]); HAX1 w(b[0], p[2]);")},
        {},
        r"m\.v: expected a module HAX1, FAX1, .* such as a cell library, with --with FILE",
    ),
    "two multipliers": (
        {"m.v": mul("one") + mul("two")},
        {},
        r"got one and two, which have operands and a product .* choose one with --top",
    ),
    "no multiplier among the tops": (
        {"m.v": "module x(input c, output d); endmodule module y(input c, output d); endmodule"},
        {},
        r"got x and y, of which none has two operands",
    ),
    "no such top": ({"m.v": mul("one")}, {"top": "uno"}, r"expected a module uno, got one$"),
    "a bench alone": (
        {"m.v": "module tb; initial $finish; endmodule"},
        {},
        r"got tb without any: a test bench\? name the file of the multiplier itself",
    ),
    "nothing": ({"m.v": "// later\n"}, {}, r"m\.v: expected a Verilog module, found none"),
    "a module without an end": (
        {"m.v": "module m(input [3:0] a, b, output [7:0] p);\n"},
        {},
        r"m\.v: expected endmodule behind module m, found none",
    ),
    "two parts of one name": (
        {"m.v": mul("m", "q u(a, b, p);") + mul("q") + mul("q", "assign p = a + b;")},
        {},
        r"m\.v: expected one module q, got 2 that differ",
    ),
    "an interface": (
        {"m.sv": "interface bus; logic [3:0] a; endinterface\nmodule m(bus.slave s); endmodule"},
        {"top": "m"},
        r"m\.sv: the SystemVerilog does not compile: m\.sv:2: 'slave' is not a modport of 'bus'",
    ),
    "a statement without an end": (
        {"m.v": mul("m", "\nwire x\nassign p = a * b;")},
        {},
        r"m\.v:3: syntax error at `assign p = a \* b; endmodule`: expected ; .* behind `wire x`",
    ),
    "a mistake below a header of several lines": (
        {
            "m.v": "module m #(parameter A = 1,\nint B = 2)\n(input [3:0] a, b,\noutput [7:0] p,\n"
            "wire [1:0] q);\nassign p = ;\nendmodule\n"
        },
        {},
        r"m\.v:6: syntax error",
    ),
    "a mistake in the second file, below a bench": (
        {
            "m.v": mul("m", "n u(a, b, p);"),
            "n.v": "module tb;\nendmodule\n" + mul("n", "\nassign p = ;"),
        },
        {"more": ["n.v"]},
        r"n\.v:4: syntax error",
    ),
    "a parameter that nobody gives": (
        {"m.sv": "module m #(parameter int W)(input [W:0] a, b, output [15:0] p); endmodule"},
        {},
        r"m \(m\.sv\): parameter W has no default; give it with --param W=VALUE",
    ),
    "single wires": (
        {
            "m.v": "module m(input x0, x1, y_0, y_1, y_2, input clk, output z0, z1, z2, z3, z4); "
            "endmodule"
        },
        {},
        r"single wires here: .*module whole\(input \[1:0\] a, input \[2:0\] b, output \[4:0\] p\)"
        r"; "
        r"m u\(\.x0\(a\[0\]\), \.x1\(a\[1\]\), \.y_0\(b\[0\]\), .*\.z4\(p\[4\]\)\); endmodule`",
    ),
    "single wires and a product of many": (
        {"m.v": mul("m", "", "(input a1, a2, b1, b2, output [3:0] q, output odd)")},
        {},
        r"module whole\(input \[2:0\] a, input \[2:0\] b, output \[3:0\] p\); "
        r"m u\(\.a1\(a\[1\]\), .*, \.q\(p\)\)",
    ),
    "one bus": (
        {"m.v": mul("m", "", "(input [9:0] ab, output [9:0] p)")},
        {},
        r"if ab holds both, say --a 'ab\[9:5\]' --b 'ab\[4:0\]'",
    ),
    "a part of a bus": (
        {"m.v": mul("m", "", "(input [9:0] ab, output [9:0] p)")},
        {"a": "ab[9:6]", "b": "ab[4:0]"},
        r"expected parts that make up ab of 10 bits, such as ab\[9:5\]",
    ),
    "a part of no port": (
        {"m.v": mul("m")},
        {"a": "c[3:0]"},
        r"expected a port, got c; it has a, b, p",
    ),
    "the upper half": (
        {"m.v": mul("m", ports="(input [3:0] a, b, output [3:0] p)")},
        {},
        r"product of 8 bits, got p of 4: .* weighs 2\^4, say --product-shift 4",
    ),
    "another shift": (
        {"m.v": mul("m", ports="(input [3:0] a, b, output [3:0] p)")},
        {"product_shift": 2},
        r"product of 8 bits, got p of 4 behind a shift of 2",
    ),
    "a sum beside a narrow product": (
        {"m.v": mul("m", ports="(input [3:0] a, b, output [5:0] p_high, output [7:0] sum)")},
        {},
        r"one output as the product, got p_high\[6\], sum\[8\]; name it with --p",
    ),
    "an option of a file list": (
        {"d.f": "-y cells m.v", "m.v": mul("m")},
        {},
        r"d\.f: expected files, .* got -y; take it out, and name the files",
    ),
    "a file list that names itself": ({"d.f": "-f d.f"}, {}, r"d\.f: expected file lists that end"),
    "a file list of nothing": (
        {"d.f": "# m.v\n"},
        {},
        r"expected a Verilog file in .*d\.f, found none",
    ),
    "names that disagree on signs": (
        {"m.v": mul("mul_u_signed")},
        {"asked": Asked()},
        r"does not declare its operands signed",
    ),
    "a name against the body": (
        {"m.v": mul("mul_u", "assign p = $signed(a) * $signed( b );")},
        {"asked": Asked()},
        r"does not declare its operands signed",
    ),
    "unsigned bytes": (
        {"m.sv": mul("m", "", "(input byte x, y, output shortint p)")},
        {},
        r"x is declared signed, got --unsigned",
    ),
}


@pytest.mark.parametrize(("files", "facts", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_is_missing_is_one_sentence_with_a_way_out(tmp_path, files, facts, sentence):
    with pytest.raises(HwsimError, match=sentence) as refusal:
        read(tmp_path, files, **facts)
    assert "\n" not in str(refusal.value)


def test_an_unsigned_word_against_the_body_is_noted(tmp_path):
    circuit = read(tmp_path, {"m.v": mul("m", "assign p = $signed(a) * $signed(b);")})
    assert any("computes with $signed(a)" in note for note in circuit.notes)
    assert circuit.operands == Operands.parse("u4")


BLANKED = {
    "comments": ("a // b\nc /* d\n e */ f", "a  \nc  \n f"),
    "a name with a comment in it": ("\\x/* ; y \\z*/ ;", "\\x/* ; y \\z*/ ;"),
    "a string": ('"// (* x *)" (* "*)" *) z', '"// (* x *)"   z'),
    "every signal": (
        "always @(*) x; always @( * ) y; @(* ) z",
        "always @(*) x; always @( * ) y; @(* ) z",
    ),
}


@pytest.mark.parametrize(("text", "expected"), BLANKED.values(), ids=BLANKED)
def test_only_noise_is_blanked_out(text, expected):
    assert without_noise(text) == expected


def test_lines_stay_where_they_are_in_the_cone():
    text = "module a;\nb u();\nendmodule\nmodule c;\n\nendmodule : c\nmodule b; endmodule\n"
    kept = cone(text, definitions(text, where="m.v"), ["a"], where="m.v")
    assert kept == "module a;\nb u();\nendmodule\n\n\n\nmodule b; endmodule\n"


def test_a_complaint_without_a_line_is_passed_on():
    log = "something else\nerror: No top level modules, and no -s option.\n"
    assert complaint(log, "", name="m") == (
        "m: the Verilog does not compile: error: No top level modules, and no -s option.; mend it"
    )


EARLY = {
    "a wire": ("assign p = w + x; wire [7:0] w = a, x;", ("w", "x")),
    "in order": ("wire w = a; reg r; assign p = w + r;", ()),
    "a port": ("assign p = a; wire [7:0] p;", ()),
    "names of other things": ("u.w x(.w(a)); wire \\w ; wire w;", ()),
    "of a function": ("function f; input i; reg w; f = w; endfunction wire w;", ()),
    "in blocks": ("always @* begin : k integer i; i = 0; end initial begin : m integer i; end", ()),
}  # fmt: skip


@pytest.mark.parametrize(("body", "early"), EARLY.values(), ids=EARLY)
def test_names_that_are_used_before_they_are_declared_are_seen(body, early):
    (module,) = definitions(mul("m", body), where="m.v")
    assert used_early(module, {"a", "b", "p"}) == early
