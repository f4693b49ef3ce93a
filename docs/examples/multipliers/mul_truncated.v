// SPDX-License-Identifier: Apache-2.0
//
// Truncated multiplier with variable correction: low columns left out, the highest of them moved up
//
//   p = sum of the partial products a[i] b[j] 2^(i+j) with i + j >= K
//     + sum of the a[i] b[j] 2^K with i + j = K - 1 and j > 0
//
// Two's complement operands after Baugh and Wooley. On random bits the K - 1 partial products that
// are moved from column K - 1 to column K bring (K - 1) 2^K / 4, and what is left out has
// ((K - 1) 2^K + 1) / 4. Error: of both signs, its mean -1/4; a zero operand gives 0. K = 0 is the
// exact multiplier.
//
// E. J. King and E. E. Swartzlander, "Data-Dependent Truncation Scheme for Parallel Multipliers",
// Asilomar Conference on Signals, Systems and Computers, 1997.
//
// Worked rows (K = 5):
//   3 x 5:     ones in columns 0 to 3 alone,                    p =    0  (exact   15)
//   7 x 7:     one in column 4,                                 p =   32  (exact   49)

`default_nettype none

module mul_truncated #(
  parameter integer K = 5  // 0..7, columns left out
) (
  input  wire signed [7:0]  a_i,  // activation
  input  wire signed [7:0]  b_i,  // weight
  output wire signed [15:0] p_o
);

  initial begin
    if (K < 0 || K > 7)
      $fatal(1, "mul_truncated: expected 0 <= K <= 7, got K=%0d", K);
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
  localparam [15:0] EXACT = 16'hffff << K;
  wire [15:0] upper = ((rows[0] & EXACT) + (rows[1] & EXACT) + (rows[2] & EXACT) + (rows[3] & EXACT))
                    + ((rows[4] & EXACT) + (rows[5] & EXACT) + (rows[6] & EXACT) + (rows[7] & EXACT))
                    + CONSTANT;

  // Column K - 1 of the rows above the lowest, a column higher.
  localparam [15:0] MOVED = K == 0 ? 16'd0 : 16'd1 << (K == 0 ? 0 : K - 1);
  wire [15:0] correction = (((rows[1] & MOVED) + (rows[2] & MOVED) + (rows[3] & MOVED))
                         + ((rows[4] & MOVED) + (rows[5] & MOVED) + (rows[6] & MOVED))) << 1;

  assign p_o = upper + correction;

endmodule

`default_nettype wire
