// SPDX-License-Identifier: Apache-2.0
// Two's complement array multiplier without its lowest T columns.
//
//   p = sum over i + j >= T of s(i,j) a_i b_j 2^(i+j),   s = -1 where one of i, j is the sign, else 1
//
// The error is the sum of the dropped partial products, whose mean is not 0: for T < WIDTH all of
// them count positive, and p <= a * b. T = 0 is the exact product.
//
//   T = 8:   127 * 127 -> 14592 (exact 16129)      -1 * 1 -> 0 (exact -1)
`default_nettype none

module mul_truncated #(
  parameter integer WIDTH = 8,
  parameter integer T     = 8   // 0 <= T < 2*WIDTH
) (
  input  wire signed [  WIDTH-1:0] a_i,
  input  wire signed [  WIDTH-1:0] b_i,
  output reg  signed [2*WIDTH-1:0] p_o
);
  integer i, j;

  always @* begin
    p_o = {2*WIDTH{1'b0}};
    for (i = 0; i < WIDTH; i = i + 1)
      for (j = 0; j < WIDTH; j = j + 1)
        if (i + j >= T && a_i[i] && b_i[j]) begin
          if ((i == WIDTH-1) != (j == WIDTH-1)) p_o = p_o - ({{2*WIDTH-1{1'b0}}, 1'b1} << (i + j));
          else                                  p_o = p_o + ({{2*WIDTH-1{1'b0}}, 1'b1} << (i + j));
        end
  end
endmodule

`default_nettype wire
