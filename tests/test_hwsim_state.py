# SPDX-License-Identifier: Apache-2.0
"""What hides in a circuit: state, time, open inputs. Many small designs in one simulation each."""

import numpy as np
import pytest

from axhil.hwsim import Circuit, HwsimError, Operand, tabulate
from axhil.hwsim.multipliers.findings import in_table
from axhil.hwsim.multipliers.visiting import Share, visit
from axhil.hwsim.multipliers.visits import LANES, sweep_order, visits
from axhil.hwsim.operands import Operands
from axhil.hwsim.simulation.stream import UnsettledError, compiled_stream
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
