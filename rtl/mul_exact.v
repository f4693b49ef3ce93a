// SPDX-License-Identifier: Apache-2.0
//
// Exact multiplier
//
//   p = a * b
//
// SIGNED = 1: two's complement, as it stands. What adds the partial products is left to synthesis.
//
// Error: none. The yardstick of the others.
//
// Worked rows (WIDTH = 8):  100 x 57 -> 5700,  with SIGNED = 1  -100 x 57 -> -5700

`default_nettype none

module mul_exact #(
  parameter integer WIDTH  = 8,  // 4..16
  parameter integer SIGNED = 0   // 1: two's complement operands and product
) (
  input  wire [WIDTH-1:0]   a_i,
  input  wire [WIDTH-1:0]   b_i,
  output wire [2*WIDTH-1:0] p_o
);

  initial begin
    if (WIDTH < 4 || WIDTH > 16) begin
      $fatal(1, "mul_exact: expected 4 <= WIDTH <= 16, got WIDTH=%0d", WIDTH);
    end
    if (SIGNED != 0 && SIGNED != 1) begin
      $fatal(1, "mul_exact: expected SIGNED = 0 or 1, got SIGNED=%0d", SIGNED);
    end
  end

  generate
    if (SIGNED) begin : g_signed
      assign p_o = $signed(a_i) * $signed(b_i);
    end else begin : g_unsigned
      assign p_o = a_i * b_i;
    end
  endgenerate

endmodule

`default_nettype wire
