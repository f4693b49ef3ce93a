// SPDX-License-Identifier: Apache-2.0
//
// Exact multiplier
//
//   p = a * b
//
// Error: none. The yardstick of the others.
//
// Worked row (WIDTH = 8):  100 x 57 -> 5700

`default_nettype none

module mul_exact #(
  parameter integer WIDTH = 8  // 4..16
) (
  input  wire [WIDTH-1:0]   a_i,
  input  wire [WIDTH-1:0]   b_i,
  output wire [2*WIDTH-1:0] p_o
);

  initial begin
    if (WIDTH < 4 || WIDTH > 16) begin
      $fatal(1, "mul_exact: expected 4 <= WIDTH <= 16, got WIDTH=%0d", WIDTH);
    end
  end

  assign p_o = a_i * b_i;

endmodule

`default_nettype wire
