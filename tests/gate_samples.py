# SPDX-License-Identifier: Apache-2.0
"""A repository of a user with a gate: a multiplier, its table, and a change of one character."""

from axhil.hwsim import Lut, Operands
from axhil.hwsim.formats import write_table

MUL = """\
module mul(input [3:0] a, b, output [7:0] p);
  wire [7:0] rows [0:3];
  genvar i;
  generate for (i = 0; i < 4; i = i + 1) begin : row
    assign rows[i] = b[i] ? a << i : 8'd0;
  end endgenerate
  assign p = rows[0] + rows[1] + rows[2] + rows[3];
endmodule
"""
WRONG = MUL.replace("a << i", "a << 1")  # a 1 for an i


def make_repository(folder):
    """Folders `rtl` and `tables` with a multiplier of unsigned 4-bit operands."""
    for name in ("rtl", "tables"):
        (folder / name).mkdir(parents=True)
    (folder / "rtl" / "mul.v").write_text(MUL)
    products = [[a * b for b in range(16)] for a in range(16)]
    write_table(Lut(products, *Operands.parse("u4")), folder / "tables" / "mul.npz")
