// SPDX-License-Identifier: Apache-2.0
//
// Multiplier with approximate 4:2 compressors in its low columns
//
//   p = sum of the partial products a[i] b[j] 2^(i+j) with i + j >= L
//     + what two stages of compressors make of the columns below:
//       carry = (x1 & x2) | (x3 & x4),  sum = (x1 ^ x2) | (x3 ^ x4)
//
// A compressor of four bits has no carry between columns. It is right for 12 of the 16 patterns:
// four ones count 2 and not 4, and two ones in different halves 1 and not 2 (four patterns of them,
// of which none is rarer than another). Two's complement operands after Baugh and Wooley.
// Error: never above 0; a zero operand gives 0. L = 0 is the exact multiplier.
//
// A. Momeni et al., "Design and Analysis of Approximate Compressors for Multiplication", IEEE
// Transactions on Computers 64(4), 2015, has compressors of this kind.
//
// Worked rows (L = 6):
//   3 x 5:     columns 0, 1, 2, 3 have a one each,              p =   15  (exact   15)

`default_nettype none

module mul_compressor #(
  parameter integer L = 6  // 0..7, columns by approximate compressors
) (
  input  wire signed [7:0]  a_i,  // activation
  input  wire signed [7:0]  b_i,  // weight
  output wire signed [15:0] p_o
);

  initial begin
    if (L < 0 || L > 7)
      $fatal(1, "mul_compressor: expected 0 <= L <= 7, got L=%0d", L);
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

  // What the compressors get, two of them a column, and one for their sums and carries.
  wire [15:0] low [0:7];
  generate
    for (j = 0; j < 8; j = j + 1) begin : gen_low
      assign low[j] = rows[j] & ~EXACT;
    end
  endgenerate

  wire [15:0] sum_0 = (low[0] ^ low[1]) | (low[2] ^ low[3]);
  wire [15:0] sum_1 = (low[4] ^ low[5]) | (low[6] ^ low[7]);
  wire [15:0] carry_0 = ((low[0] & low[1]) | (low[2] & low[3])) << 1;
  wire [15:0] carry_1 = ((low[4] & low[5]) | (low[6] & low[7])) << 1;
  wire [15:0] sum = (sum_0 ^ carry_0) | (sum_1 ^ carry_1);
  wire [15:0] carry = ((sum_0 & carry_0) | (sum_1 & carry_1)) << 1;

  assign p_o = upper + sum + carry;

endmodule

`default_nettype wire
