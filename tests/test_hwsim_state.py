# SPDX-License-Identifier: Apache-2.0
"""What hides in a circuit: state, time, open inputs. Many small designs in one simulation each."""

import numpy as np
import pytest

from axhil.hwsim import Circuit, HwsimError, Operand, tabulate
from axhil.hwsim.multipliers.tabulating.findings import in_table
from axhil.hwsim.multipliers.tabulating.tabulation import simulate_together
from axhil.hwsim.multipliers.tabulating.visiting import Share, visit
from axhil.hwsim.multipliers.tabulating.visits import LANES, sweep_order, visits
from axhil.hwsim.operands import Asked, Operands
from axhil.hwsim.simulation.stream import compiled_stream
from axhil.hwsim.simulation.stream_harness import Rig
from axhil.hwsim.tools.simulators import SIMULATORS
from axhil.hwsim.verilog.circuit import read_circuit

U4 = Operand(4, signed=False)
A, B = sweep_order(Operands.parse("u4xu4"))
PORTS = "(input [3:0] a_i, b_i, output [7:0] p_o);"
REG_PORTS = "(input [3:0] a_i, b_i, output reg [7:0] p_o);"

# name: (Verilog after the module's name, what it may keep as the message says it)
LATCHES = {
    "one_pair": (
        f"{REG_PORTS} always @* if (!(a_i == 4'hA && b_i == 4'h5)) p_o = a_i * b_i;",
        "p_o in m_one_pair keeps its value",
    ),
    "one_row": (
        f"{REG_PORTS} always @* if (a_i != 0) p_o = a_i * b_i;",
        "p_o in m_one_row keeps its value",
    ),
    "case_arm": (
        f"{REG_PORTS} always @* case (a_i[1:0]) 2: if (b_i != 15) p_o = a_i * b_i;\n"
        "default: p_o = a_i * b_i; endcase",
        "p_o in m_case_arm keeps its value",
    ),
    "case_without_an_arm": (
        f"{REG_PORTS} always @* case (a_i[1:0]) 0, 1, 3: p_o = a_i * b_i; endcase",
        "p_o in m_case_without_an_arm keeps its value",
    ),
    "one_bit_of_it": (
        f"{REG_PORTS} always @* begin p_o[7:1] = 7'd0; if (a_i != 7 || b_i != 9) "
        "p_o[0] = a_i[0] & b_i[0]; end",
        "p_o in m_one_bit_of_it keeps its value",
    ),
    "inside": (
        f"{PORTS} reg [5:0] low; always @* if (b_i != 4'd6 || a_i != 4'd13) "
        "low = a_i * b_i[1:0];\n assign p_o = low + ((a_i * b_i[3:2]) << 2);",
        "low in m_inside keeps its value",
    ),
    "earlier_read": (
        f"{REG_PORTS} reg [7:0] old; always @* begin p_o = old; old = a_i * b_i; end",
        "reads old without running when it changes",
    ),
    "list_lacks_a_bit": (
        f"{REG_PORTS} always @(a_i or b_i[3:1]) p_o = a_i * b_i;",
        "reads b_i without running when it changes",
    ),
    "list_lacks_a_wire": (
        f"{REG_PORTS} wire [7:0] m = a_i * b_i; always @(a_i) p_o = m;",
        "reads m without running when it changes",
    ),
    "function_reads_on": (
        f"{PORTS} function [7:0] f(input [3:0] x); f = x * b_i; endfunction assign p_o = f(a_i);",
        "reads b_i, which is none of its arguments",
    ),
    "function_remembers": (
        f"{PORTS} function [7:0] f(input [3:0] x, y); reg [7:0] s;\n"
        "begin if (x != 3) s = x * y; f = s; end endfunction assign p_o = f(a_i, b_i);",
        "reads s, which is none of its arguments",
    ),
    "edge_of_an_operand": (
        f"{PORTS} reg seen; initial seen = 0; always @(posedge a_i[3]) if (b_i == 15) seen = 1;\n"
        "assign p_o = a_i * b_i + seen;",
        "waits for an edge",
    ),
    "first_operands": (
        f"{PORTS} reg [3:0] k; initial begin k = 0; @(a_i or b_i) k = b_i; end\n"
        "assign p_o = a_i * b_i ^ {k, 4'd0};",
        "it waits in the middle",
    ),
    "wire_in_a_loop": (
        f"{PORTS} wire [7:0] q; assign q = (a_i == 9 && b_i == 3) ? q : a_i * b_i;\n"
        "assign p_o = q;",
        "q depends on itself, in a loop",
    ),
    "two_nands": (
        f"{PORTS} wire q, n; nand (q, ~(a_i[0] & b_i[0]), n); nand (n, ~(a_i[1] & b_i[1]), q);\n"
        "assign p_o = {7'd0, q};",
        "depends on itself, in a loop",
    ),
    "primitive": (
        f"{PORTS} wire q; held u(q, b_i[1], a_i[0]); assign p_o = a_i * b_i + q; endmodule\n"
        "primitive held(q, en, d); output q; reg q; input en, d; table\n"
        "1 0 : ? : 0; 1 1 : ? : 1; 0 ? : ? : -; endtable endprimitive\n"
        "module unused;",
        "a primitive of m_primitive has a state",
    ),
    "the_last_of_two_blocks": (
        f"{REG_PORTS} always @(a_i) p_o = a_i; always @(b_i) p_o = b_i;",
        "p_o is written by two blocks",
    ),
    "loop_that_leaves_a_bit": (
        f"{REG_PORTS} integer k; wire [7:0] m = a_i * b_i; always @* begin\n"
        "for (k = 1; k < 8; k = k + 1) p_o[k] = m[k]; if (a_i != 6) p_o[0] = m[0]; end",
        "p_o in m_loop_that_leaves_a_bit keeps its value",
    ),
    "word_of_a_memory": (
        f"{REG_PORTS} integer k; reg [7:0] m [0:3]; always @* begin p_o = 0;\n"
        "for (k = 0; k < 4; k = k + 1) if (a_i != 5) m[k] = b_i[k] ? a_i << k : 0;\n"
        "for (k = 0; k < 4; k = k + 1) p_o = p_o + m[k]; end",
        "m in m_word_of_a_memory keeps its value",
    ),
    "time": (
        f"{REG_PORTS} always @(a_i or b_i) p_o = a_i * b_i + (($time / 8192) & 1);",
        "it calls $time",
    ),
    "a_block_wakes_another": (
        f"{PORTS} reg [7:0] m, n; always @(a_i) m = a_i; always @(b_i) n = m * b_i;\n"
        "assign p_o = n;",
        "reads m without running when it changes",
    ),
}

# Functions of their operands, in ways that a hasty reader takes for latches.
HONEST = {
    "assigned": f"{PORTS} assign p_o = a_i * b_i;",
    "block": f"{REG_PORTS} always @* begin p_o = 0; if (a_i != 0) p_o = a_i * b_i; end",
    "loop": (
        f"{REG_PORTS} integer k; always @(a_i or b_i) begin p_o = 0;\n"
        "for (k = 0; k < 4; k = k + 1) if (b_i[k]) p_o = p_o + (a_i << k); end"
    ),
    "all_arms": (
        f"{REG_PORTS} always @* case (a_i[1:0]) 0: p_o = a_i * b_i; 1: p_o = a_i * b_i;\n"
        "2: p_o = a_i * b_i; 3: p_o = a_i * b_i; endcase"
    ),
    "named_block_and_task": (
        f"{REG_PORTS} task add(inout [7:0] s, input [7:0] x); s = s + x; endtask\n"
        "always @(a_i, b_i) begin : work integer k; p_o = 0;\n"
        "for (k = 0; k < 4; k = k + 1) if (b_i[k]) add(p_o, {4'd0, a_i} << k); end"
    ),
    "function": (
        f"{PORTS} function [7:0] f(input [3:0] x, y); integer k; begin f = 0;\n"
        "for (k = 0; k < 4; k = k + 1) if (y[k]) f = f + (x << k); end endfunction\n"
        "assign p_o = f(a_i, b_i);"
    ),
    "halves": (
        f"{REG_PORTS} wire [7:0] m = a_i * b_i;\n"
        "always @* begin p_o[3:0] = m[3:0]; p_o[7:4] = m[7:4]; end"
    ),
    "ripple": (
        f"{PORTS} wire [7:0] x = a_i * {{b_i[3:1], 1'b0}}, y = b_i[0] ? a_i : 0; wire [8:0] c;\n"
        "assign c[0] = 0; genvar i; generate for (i = 0; i < 8; i = i + 1) begin : s\n"
        "assign c[i+1] = (x[i] & y[i]) | (c[i] & (x[i] ^ y[i]));\n"
        "assign p_o[i] = x[i] ^ y[i] ^ c[i]; end endgenerate"
    ),
    "rom": (
        f"{PORTS} reg [7:0] rom [0:255]; integer k;\n"
        "initial for (k = 0; k < 256; k = k + 1) rom[k] = (k >> 4) * (k & 15);\n"
        "assign p_o = rom[{a_i, b_i}];"
    ),
    "initial_value": f"{REG_PORTS} initial p_o = 9; always @(a_i or b_i) p_o = a_i * b_i;",
    "primitive_and": (
        f"{PORTS} wire [3:0] g; genvar i; generate for (i = 0; i < 4; i = i + 1) begin : r\n"
        "both u(g[i], a_i[i], b_i[0]); end endgenerate\n"
        "assign p_o = g + (a_i * b_i[3:1] << 1); endmodule\n"
        "primitive both(o, x, y); output o; input x, y; table 0 ? : 0; ? 0 : 0; 1 1 : 1; endtable\n"
        "endprimitive module spare;"
    ),
    "memory_in_a_loop": (
        f"{REG_PORTS} integer k; reg [7:0] m [0:3]; always @* begin p_o = 0;\n"
        "for (k = 0; k < 4; k = k + 1) m[k] = b_i[k] ? a_i << k : 0;\n"
        "for (k = 3; k >= 0; k = k - 1) p_o = p_o + m[k]; end"
    ),
    "bits_in_loops": (
        f"{REG_PORTS} integer k; wire [7:0] m = a_i * b_i; always @* begin\n"
        "for (k = 0; k <= 3; k = k + 1) p_o[2*k] = m[2*k];\n"
        "for (k = 0; k != 4; k = k + 1) p_o[2*k+1] = m[2*k+1]; end"
    ),
    "prints": f"{PORTS} assign p_o = a_i * b_i; always @(p_o) if (p_o > 300) $display(a_i);",
}

# May keep something as far as the reader sees, and do not.
SHOWN = {
    "if_and_if_not": (
        f"{REG_PORTS} always @* begin if (a_i[0]) p_o = a_i * b_i;\n"
        "if (!a_i[0]) p_o = a_i * b_i; end"
    ),
    "all_arms_with_stars": (
        f"{REG_PORTS} always @* casez (a_i[1:0]) 2'b1?: p_o = a_i * b_i;\n"
        "2'b0?: p_o = a_i * b_i; endcase"
    ),
    "carries_in_a_vector": (
        f"{PORTS} wire [7:0] x = a_i * {{b_i[3:1], 1'b0}}, y = b_i[0] ? a_i : 0;\n"
        "wire [7:0] c; assign c = {(x[6:0] & y[6:0]) | (c[6:0] & (x[6:0] ^ y[6:0])), 1'b0};\n"
        "assign p_o = x ^ y ^ c;"
    ),
}


def circuits(folder, designs):
    found = []
    for name, text in designs.items():
        path = folder / f"{name}.v"
        path.write_text(f"module m_{name} {text}\nendmodule\n")
        found.append(Circuit.of(name, f"m_{name}", [path], U4))
    return found


def visited(folder, designs, rig):
    """By name what is compiled of each design, and its products or why there are none."""
    every = circuits(folder, designs)
    with compiled_stream(every, rig, simulator=SIMULATORS["icarus"]) as stream:
        outcomes = visit(stream, A, B, limit=60)
        return {
            circuit.name: (compiled, outcome)
            for circuit, compiled, outcome in zip(every, stream.compiled, outcomes, strict=True)
        }


@pytest.fixture(scope="module")
def latches(tmp_path_factory):
    designs = {name: text for name, (text, _) in LATCHES.items()}
    return visited(tmp_path_factory.mktemp("latches"), designs, Rig(lanes=LANES))


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return visited(tmp_path_factory.mktemp("honest"), HONEST, Rig())


@pytest.mark.sim
@pytest.mark.parametrize("name", LATCHES)
def test_what_keeps_earlier_operands_is_refused_with_the_pair_and_the_reason(latches, name):
    compiled, outcome = latches[name]
    assert LATCHES[name][1] in (compiled.keeps or "nothing")
    assert isinstance(outcome, HwsimError)
    assert "a_i=" in str(outcome)
    assert compiled.keeps in str(outcome)


@pytest.mark.sim
@pytest.mark.parametrize("name", HONEST)
def test_a_function_of_its_operands_is_known_as_one(honest, name):
    compiled, outcome = honest[name]
    assert compiled.keeps is None
    assert isinstance(outcome, Share)
    np.testing.assert_array_equal(outcome.words, A * B)


@pytest.mark.sim
def test_what_may_keep_something_and_does_not_has_its_table(tmp_path):
    for name, (compiled, outcome) in visited(tmp_path, SHOWN, Rig(lanes=LANES)).items():
        assert compiled.keeps, name
        assert isinstance(outcome, Share), (name, outcome)
        np.testing.assert_array_equal(outcome.words, A * B)


@pytest.mark.sim
def test_each_pair_is_visited_behind_six_others_or_more():
    orders = visits(A, B, lanes=LANES, bits=4)
    key = A << 4 | B
    before = {
        (int(key[row[i]]), int(key[row[i - 1]])) for row in orders for i in range(1, len(row))
    }
    behind = [{last for pair, last in before if pair == one} for one in range(256)]
    assert min(map(len, behind)) >= 6
    # Every single bit of the operands differs between two of them, zeros and ones are among them.
    assert all({0, 255} - {one} <= last for one, last in enumerate(behind))
    assert all(len({last >> bit & 1 for last in some}) == 2 for some in behind for bit in range(8))


SLOW = {
    "inertial": f"{PORTS} assign #1500 p_o = a_i * b_i;",
    "transport": f"{REG_PORTS} always @(a_i or b_i) p_o <= #1500 a_i * b_i;",
    "microseconds": (
        f"{PORTS} wire [7:0] q; assign #5 q = a_i * b_i; assign #7 p_o = q;",
        "`timescale 1us/1us",
    ),
    "picoseconds": (
        f"{PORTS} wire [7:0] q; assign #0.25 q = a_i * b_i; assign #7 p_o = q;",
        "`timescale 1ns/1ps",
    ),
    "long_carries": (
        f"{PORTS} wire [7:0] x = a_i * {{b_i[3:1], 1'b0}}, y = b_i[0] ? a_i : 0; wire [8:0] c;\n"
        "assign c[0] = 0; genvar i; generate for (i = 0; i < 8; i = i + 1) begin : s\n"
        "assign #900 c[i+1] = (x[i] & y[i]) | (c[i] & (x[i] ^ y[i]));\n"
        "assign p_o[i] = x[i] ^ y[i] ^ c[i]; end endgenerate"
    ),
    "gates": (
        f"{PORTS} wire [3:0] g; and #(1200, 700) u[3:0](g, a_i, {{4{{b_i[0]}}}});\n"
        "assign p_o = g + (a_i * b_i[3:1] << 1);"
    ),
    "computed": f"{REG_PORTS} always @(a_i or b_i) begin #(100 * b_i); p_o = a_i * b_i; end",
    "in_a_task": (
        f"{REG_PORTS} task late; begin #2500; p_o = a_i * b_i; end endtask\n"
        "always @(a_i or b_i) late;"
    ),
    "in_a_loop": (
        f"{REG_PORTS} integer k; reg [7:0] s; always @(a_i or b_i) begin s = 0;\n"
        "for (k = 0; k < 4; k = k + 1) begin #9000; if (b_i[k]) s = s + (a_i << k); end\n"
        "p_o = s; end"
    ),
}


@pytest.mark.sim
def test_what_is_slow_gets_the_time_it_needs(tmp_path):
    every = []
    for name, design in SLOW.items():
        text, scale = design if isinstance(design, tuple) else (design, "`timescale 1ns/1ns")
        (circuit,) = circuits(tmp_path, {name: text})
        circuit.sources[0].write_text(f"{scale}\n{circuit.sources[0].read_text()}")
        every.append(circuit)
    for products in simulate_together(every, A, B):
        np.testing.assert_array_equal(products.values, A * B)


@pytest.mark.sim
@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            "reg r; initial r = 0; always #7 r = ~r; assign p_o = a_i * b_i ^ {7'd0, r};",
            r"expected p_o to stand still \d.* ns after its operands, but it goes on from [01]{8} "
            "to [01]{8}: an oscillator",
        ),
        (
            "assign #800000000 p_o = a_i * b_i;",
            r"expected delays of at most 0\.5 s, all together, got 0\.8 s",
        ),
    ],
    ids=["oscillator", "beyond the longest time"],
)
def test_what_never_stands_still_is_refused(tmp_path, body, sentence):
    (circuit,) = circuits(tmp_path, {"restless": f"{PORTS} {body}"})
    with pytest.raises(HwsimError, match=f"^restless: {sentence}"):
        tabulate(circuit)


# name: (Verilog, product of A and B with what is open read as it is, the warning's beginning)
OPEN = {
    "port_inside": (
        f"{PORTS} m_core u_core(.a(a_i), .b(b_i), .mode(), .p(p_o)); endmodule\n"
        "module m_core(input [3:0] a, b, input mode, output reg [7:0] p);\n"
        "always @* if (mode) p = a * b; else p = a + b;",
        A + B,
        "undriven: nothing drives u_core.mode: ",
    ),
    "spelling": (
        f"{REG_PORTS} wire sel; wire se1 = a_i[3]; always @* if (sel) p_o = a_i * b_i; "
        "else p_o = a_i;",
        A,
        "undriven: nothing drives sel: ",
    ),
    "bit_of_a_wire": (
        f"{PORTS} wire [3:0] y; assign y[2:0] = a_i[2:0];\nassign p_o = y[3] === 1'bz ? b_i : a_i;",
        B,
        "undriven: nothing drives y[3]: ",
    ),
    "open_where_it_does_not_matter": (
        f"{PORTS} wire lost; wire also = lost & a_i[0]; assign p_o = a_i * b_i;",
        A * B,
        "",
    ),
    "implicit_wire": (
        f"{PORTS} and (w, a_i[0], b_i[0]); assign p_o = {{7'd0, w}};",
        A & B & 1,
        "compiler: the compiler warns: implicit_wire.v:1: implicit definition of wire 'w'",
    ),
}
HIDDEN_X = {
    "behind_a_case": f"{REG_PORTS} reg mode; always @* case (mode) 1'b1: p_o = a_i * b_i;\n"
    "default: p_o = a_i; endcase",
    "behind_casex": f"{REG_PORTS} reg mode; always @* casex ({{mode, a_i[0]}}) 2'b1x: p_o = a_i;\n"
    "default: p_o = a_i * b_i; endcase",
    "behind_three_equals": f"{PORTS} reg mode; assign p_o = (mode === 1'b1) ? a_i : a_i * b_i;",
    "in_a_memory": f"{PORTS} reg [3:0] mode [0:1]; assign p_o = mode[0] === 4'd3 ? a_i : b_i;",
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    designs = {name: text for name, (text, _, _) in OPEN.items()} | HIDDEN_X
    return visited(tmp_path_factory.mktemp("open"), designs, Rig())


@pytest.mark.sim
@pytest.mark.parametrize("name", OPEN)
def test_what_is_open_inside_is_a_warning(opened, name):
    _, expected, warning = OPEN[name]
    compiled, share = opened[name]
    assert isinstance(share, Share), share
    np.testing.assert_array_equal(share.words, expected)
    own = [line for line in share.warnings if not line.startswith("compiler: ") or warning in line]
    assert any(line.startswith(warning) for line in own) if warning else not compiled.undriven


@pytest.mark.sim
@pytest.mark.parametrize("name", HIDDEN_X)
def test_a_register_that_nothing_writes_is_refused_though_the_product_hides_it(opened, name):
    compiled, error = opened[name]
    assert compiled.unwritten == ("mode",)
    assert isinstance(error, HwsimError)
    assert str(error).startswith(f"{name}: nothing writes mode, which stays X")


@pytest.mark.sim
def test_an_x_that_shows_has_its_pair_and_its_cause(tmp_path):
    designs = {
        "ternary": f"{PORTS} reg mode; assign p_o = mode ? a_i * b_i : {{a_i[3:1], 1'b0}} * b_i;",
        "one_pair": f"{PORTS} assign p_o = (a_i == 9 && b_i == 14) ? 8'bx : a_i * b_i;",
        "never_runs": (
            f"{REG_PORTS} wire [7:0] e = a_i * b_i;\n"
            "always @* p_o[7:4] = e[7:4]; always @* p_o[3:0] = 4'd0;"
        ),
    }
    found = {name: str(error) for name, (_, error) in visited(tmp_path, designs, Rig()).items()}
    assert "for a_i=1, b_i=8: nothing writes mode" in found["ternary"]
    assert "got XXXXXXXX for a_i=9, b_i=14" in found["one_pair"]
    assert "XXXX for a_i=0, b_i=0: " in found["never_runs"]
    assert "never_runs.v:2: @* found no sensitivities" in found["never_runs"]


def findings(table, code, bits):
    operands = Operands.parse(code)
    return [str(one) for one in in_table(table.astype(np.int32), operands, product="p", bits=bits)]


def test_a_table_of_one_product_or_without_upper_bits_is_said_loudly():
    a, b = np.meshgrid(np.arange(16), np.arange(16), indexing="ij")
    exact = a * b
    assert findings(exact, "u4xu4", 8) == findings(exact & 0xFC, "u4xu4", 9) == []
    assert findings(0 * exact, "u4xu4", 8) == [
        "constant-product: p is 0 for all operands: is this a multiplier?"
    ]
    assert findings(exact & 0x0F, "u4xu4", 8)[0].startswith("constant-bit: p[7:4] never changes: ")
    assert findings(exact & 0x7F, "u4xu4", 8)[0].startswith("constant-bit: p[7] never changes: ")


def test_a_quadrant_of_wrong_signs_is_said_loudly():
    values = Operand(4, signed=True).values
    a, b = np.meshgrid(values, values, indexing="ij")
    exact = a * b
    assert findings(exact, "s4xs4", 8) == []
    assert findings(np.abs(exact), "s4xs4", 8)[0].startswith(
        "wrong-sign: the sign of negative x positive and positive x negative products is wrong: "
    )
    ones_complement = np.where(exact < 0, exact - 1, exact)
    assert findings(ones_complement, "s4xs4", 8) == []
    whole = np.where((a < 0) & (b < 0), -exact, exact)
    assert findings(whole, "s4xs4", 8)[-1].startswith(
        "wrong-sign: the sign of negative x negative products"
    )


CLOCKED = "(input clk, input rst, input [3:0] a, b, output reg [7:0] p);"


@pytest.mark.sim
@pytest.mark.parametrize(
    ("ports", "body", "sentence"),
    [
        (
            CLOCKED.replace("rst", "start"),
            "reg [3:0] m, n; reg [7:0] x, s; always @(posedge clk) if (start) begin m <= b; "
            "x <= a; s <= 0; n <= 4; p <= 0; end else if (n != 0) begin n <= n - 1; p <= s; end",
            "expected a product that follows its operands, got 0 for 16 pairs",
        ),
        (
            CLOCKED,
            "always @(posedge clk) if (a != 5 || b != 10) p <= a * b;",
            "for a=5, b=10: it depends on earlier operands: p in m keeps its value",
        ),
        (
            CLOCKED,
            "reg [3:0] x, y, late; always @(posedge clk) begin x <= a; y <= b; late <= x; "
            "p <= (x == 9 && y == 6 ? late : x) * y; end",
            "for a=9, b=6: it depends on earlier operands",
        ),
        (
            CLOCKED,
            "reg seen = 0; always @(posedge a[3]) if (b == 15) seen = 1;\n"
            "always @(posedge clk) p <= a * b + seen;",
            "products of streamed pairs never match those of held ones",
        ),
        (
            CLOCKED,
            "reg [7:0] s [0:69]; integer i; always @(posedge clk) begin s[0] <= a * b;\n"
            "for (i = 1; i < 70; i = i + 1) s[i] <= s[i-1]; p <= s[69]; end",
            "stands still 64 cycles after its operands, which is the longest latency",
        ),
    ],
    ids=[
        "waits for a start",
        "skips a pair",
        "takes an earlier operand",
        "has another edge",
        "longer than measured",
    ],
)
def test_a_clocked_circuit_that_is_no_pipeline_is_refused(tmp_path, ports, body, sentence):
    path = tmp_path / "m.v"
    path.write_text(f"module m{ports} {body} endmodule\n")
    with pytest.raises(HwsimError, match=sentence):
        tabulate(read_circuit([path], asked=Asked(signed=False)))


@pytest.mark.sim
def test_two_state_ports_without_an_event_at_the_first_pair_have_their_table(tmp_path):
    path = tmp_path / "two.sv"
    path.write_text(
        "module two(input bit [3:0] a_i, b_i, output reg [7:0] p_o = 8'd9);\n"
        "always @(a_i, b_i) p_o = a_i * b_i + 8'd1;\nendmodule\n"
    )
    lut = tabulate(Circuit.of("two", "two", [path], U4))
    a, b = np.meshgrid(np.arange(16), np.arange(16), indexing="ij")
    np.testing.assert_array_equal(lut.table, a * b + 1)


@pytest.mark.sim
def test_a_design_that_writes_outside_of_itself_never_runs(tmp_path):
    text = f"{PORTS} assign p_o = a_i * b_i; initial axhil_stream.i = 0;"
    (circuit,) = circuits(tmp_path, {"reaches": text})
    with pytest.raises(HwsimError, match=r"^reaches: it writes axhil_stream\.i, outside of itself"):
        tabulate(circuit)


@pytest.mark.sim
def test_warnings_stand_in_the_manifest(tmp_path):
    (circuit,) = circuits(tmp_path, {"cut": f"{PORTS} assign p_o = (a_i * b_i) & 8'h0f;"})
    (warning,) = tabulate(circuit).manifest["warnings"]
    assert warning.startswith("constant-bit: p_o[7:4] never changes")


def test_a_name_that_is_used_before_it_is_declared_is_noted(tmp_path):
    path = tmp_path / "late.v"
    path.write_text(
        "module late(a, b, p, q); input [3:0] a, b; output [7:0] p; output q; reg q;\n"
        "assign p = w; wire [7:0] w; assign w = a * b; always @* q = k; reg k; initial k = 0;\n"
        "wire [3:0] ok = a; wire both = ok[0] & b[0]; endmodule\n"
    )
    notes = read_circuit([path], asked=Asked(signed=False)).notes
    assert [note.split()[0] for note in notes if "before it is declared" in note] == ["w", "k"]
