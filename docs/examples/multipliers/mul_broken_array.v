// SPDX-License-Identifier: Apache-2.0
//
// Broken-array multiplier: without the cells of its low columns
//
//   p = sum of the partial products a[i] b[j] 2^(i+j) with i + j >= VBL, two's complement operands
//       after Baugh and Wooley (1973), whose partial products have no signs of their own
//
// Error: never above 0, down to -sum of (k+1) 2^k over the columns k < VBL. VBL, the vertical break
// level, 0 is the exact multiplier.
//
// H. R. Mahdiani et al., "Bio-Inspired Imprecise Computational Blocks for Efficient VLSI
// Implementation of Soft-Computing Applications", IEEE TCAS-I 57(4), 2010.
//
// Worked rows (VBL = 4):
//   3 x 5:     01 + 01 << 2, all of it in columns 0 to 3,      p =    0  (exact   15)
//   100 x 50:  1100100 << 1, << 4, << 5,                       p = 4992  (exact 5000)

`default_nettype none

module mul_broken_array #(
  parameter integer VBL = 4  // 0..7, columns without cells
) (
  input  wire signed [7:0]  a_i,  // activation
  input  wire signed [7:0]  b_i,  // weight
  output wire signed [15:0] p_o
);

  initial begin
    if (VBL < 0 || VBL > 7)
      $fatal(1, "mul_broken_array: expected 0 <= VBL <= 7, got VBL=%0d", VBL);
  end

  // Partial products: row j holds those of b[j], column i + j that of a[i]; where one of the two bits
  // is a sign its inverse, and CONSTANT makes up for the inversions.
  localparam [15:0] CONSTANT = 16'h8100;  // -2^15 + 2^8
  wire [15:0] rows [0:7];
  genvar i, j;
  generate
    for (j = 0; j < 8; j = j + 1) begin : gen_row
      for (i = 0; i < 16; i = i + 1) begin : gen_column
        if (i < j || i > j + 7) assign rows[j][i] = 1'b0;
        else if ((i - j == 7) != (j == 7)) assign rows[j][i] = ~(a_i[i-j] & b_i[j]);
        else assign rows[j][i] = a_i[i-j] & b_i[j];
      end
    end
  endgenerate

  // The columns that are summed exactly.
  localparam [15:0] EXACT = 16'hffff << VBL;
  wire [15:0] upper = ((rows[0] & EXACT) + (rows[1] & EXACT) + (rows[2] & EXACT) + (rows[3] & EXACT))
                    + ((rows[4] & EXACT) + (rows[5] & EXACT) + (rows[6] & EXACT) + (rows[7] & EXACT))
                    + CONSTANT;

  assign p_o = upper;

endmodule

`default_nettype wire
