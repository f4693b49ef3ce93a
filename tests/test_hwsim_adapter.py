# SPDX-License-Identifier: Apache-2.0
"""Somebody's Verilog under the project's ports, simulated live and under a network."""

import numpy as np
import pytest
from axhil.hwsim.adapter import adapted
from netlist_samples import numbered_netlist

from axhil.hwsim import HwsimError
from axhil.hwsim.simulation.live import LiveMultiplier
from axhil.hwsim.verilog.circuit import read_circuit

pytestmark = pytest.mark.sim


def circuit(tmp_path, text, **options):
    source = tmp_path / "theirs.v"
    source.write_text(text)
    return read_circuit([source], **options)


def products(tmp_path, mine):
    """Products of some operands, the corners among them: (a, b, p)."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(-127, 128, (2, 500))
    a[:4], b[:4] = [127, -127, 0, -128], [-127, -127, -5, -128]
    folder = tmp_path / "generated"
    folder.mkdir()
    with LiveMultiplier(adapted(mine, folder), processes=1) as live:
        return a, b, live(a, b)


def test_operands_go_to_their_ports_with_parameters_enables_and_spare_outputs(tmp_path):
    mine = circuit(
        tmp_path,
        "module mul #(parameter CUT = 0) (input signed [7:0] B, input signed [7:0] A, input en,\n"
        " output signed [15:0] O, output spare);\n"
        " assign O = en ? (A >>> CUT) * B : 16'sd0; assign spare = 1'b0; endmodule\n",
        p="O",
        parameters={"CUT": 3},
    )
    a, b, p = products(tmp_path, mine)
    first, second = (a, b) if mine.roles.activation == "A" else (b, a)
    np.testing.assert_array_equal(p, (first >> 3) * second)


def test_an_unsigned_core_gets_signs_and_systemverilog_is_welcome(tmp_path):
    mine = circuit(
        tmp_path,
        "module theirs (input logic [7:0] a, input logic [7:0] b, output logic [15:0] y);\n"
        " assign y = (a & 8'hfe) * b; endmodule\n",
        signed=False,
    )
    a, b, p = products(tmp_path, mine)
    np.testing.assert_array_equal(p, np.sign(a) * np.sign(b) * ((abs(a) & 0xFE) * abs(b)))


def test_included_files_and_memories_come_along(tmp_path):
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "size.vh").write_text("`define W 8\n")
    (tmp_path / "cut.hex").write_text("\n".join(f"{x & 0xF8:02x}" for x in range(256)))
    mine = circuit(
        tmp_path,
        '`include "size.vh"\n'
        "module m (input [`W-1:0] a, b, output [2*`W-1:0] y); reg [7:0] cut [0:255];\n"
        ' initial $readmemh("cut.hex", cut);\n assign y = cut[a] * b; endmodule\n',
        signed=False,
        includes=[tmp_path / "inc"],
    )
    a, b, p = products(tmp_path, mine)
    np.testing.assert_array_equal(p, np.sign(a) * np.sign(b) * ((abs(a) & 0xF8) * abs(b)))


def test_a_published_netlist_runs_with_its_vector_taken_apart(tmp_path):
    mine = circuit(tmp_path, numbered_netlist("theirs", signed=True), signed=True)
    assert mine.scalarized == ("theirs.N",)
    a, b, p = products(tmp_path, mine)
    np.testing.assert_array_equal(p, a * b)
    assert "N_0" in (tmp_path / "generated" / "core.v").read_text()


REFUSED = {
    "clocked": (
        "module m (input clk, input [7:0] a, b, output reg [15:0] y);\n"
        " always @(posedge clk) y <= a * b; endmodule\n",
        "expected a combinational multiplier to put under a network, got one with the clock clk",
    ),
    "wide": (
        "module m (input [7:0] a, b, output [19:0] y); assign y = a * b; endmodule\n",
        "expected a product of 16 bits to put under a network, got 20",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_stand_under_a_network_is_refused(tmp_path, case):
    text, sentence = REFUSED[case]
    with pytest.raises(HwsimError, match=sentence):
        adapted(circuit(tmp_path, text, signed=False), tmp_path)
