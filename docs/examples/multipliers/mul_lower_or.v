// SPDX-License-Identifier: Apache-2.0
//
// Lower-part-OR multiplier: low columns by an OR each, without carries
//
//   p = sum of the partial products a[i] b[j] 2^(i+j) with i + j >= L
//     + sum of 2^k (OR of the partial products with i + j = k) over the columns k < L
//
// Two's complement operands after Baugh and Wooley. Error: never above 0, and 0 where no low column
// has two ones; a zero operand gives 0. L = 0 and L = 1 are the exact multiplier.
//
// The lower-part-OR adder of H. R. Mahdiani et al., IEEE TCAS-I 57(4), 2010, in the columns of an
// array.
//
// Worked rows (L = 5):
//   3 x 5:     columns 0, 1, 2, 3 have a one each,              p =   15  (exact   15)
//   7 x 7:     1, 2, 3, 2, 1 ones in columns 0 to 4,            p =   31  (exact   49)

`default_nettype none

module mul_lower_or #(
  parameter integer L = 5  // 0..7, columns by an OR
) (
  input  wire signed [7:0]  a_i,  // activation
  input  wire signed [7:0]  b_i,  // weight
  output wire signed [15:0] p_o
);

  initial begin
    if (L < 0 || L > 7)
      $fatal(1, "mul_lower_or: expected 0 <= L <= 7, got L=%0d", L);
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
  localparam [15:0] EXACT = 16'hffff << L;
  wire [15:0] upper = ((rows[0] & EXACT) + (rows[1] & EXACT) + (rows[2] & EXACT) + (rows[3] & EXACT))
                    + ((rows[4] & EXACT) + (rows[5] & EXACT) + (rows[6] & EXACT) + (rows[7] & EXACT))
                    + CONSTANT;

  wire [15:0] lower = (rows[0] | rows[1] | rows[2] | rows[3] | rows[4] | rows[5] | rows[6] | rows[7])
                    & ~EXACT;

  assign p_o = upper + lower;

endmodule

`default_nettype wire
