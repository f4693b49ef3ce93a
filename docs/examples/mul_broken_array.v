// SPDX-License-Identifier: Apache-2.0
// Broken-array multiplier: an unsigned array without its first H rows and its lowest V columns.
//
//   p = sum over j >= H and i + j >= V of a_i b_j 2^(i+j)
//
// H. R. Mahdiani et al., "Bio-inspired imprecise computational blocks for efficient VLSI
// implementation of soft-computing applications", IEEE TCAS-I 57(4), 2010. p <= a * b, always.
//
//   H = 4, V = 9:   255 * 255 -> 59392 (exact 65025)      31 * 15 -> 0 (exact 465)
`default_nettype none

module mul_broken_array #(
  parameter integer WIDTH = 8,
  parameter integer H     = 4,  // 0 <= H <= WIDTH
  parameter integer V     = 9   // 0 <= V < 2*WIDTH
) (
  input  wire [  WIDTH-1:0] a_i,
  input  wire [  WIDTH-1:0] b_i,
  output reg  [2*WIDTH-1:0] p_o
);
  integer i, j;

  always @* begin
    p_o = {2*WIDTH{1'b0}};
    for (i = 0; i < WIDTH; i = i + 1)
      for (j = H; j < WIDTH; j = j + 1)
        if (i + j >= V && a_i[i] && b_i[j])
          p_o = p_o + ({{2*WIDTH-1{1'b0}}, 1'b1} << (i + j));
  end
endmodule

`default_nettype wire
