// SPDX-License-Identifier: Apache-2.0
//
// Perforated multiplier: without the rows of the activation's low bits
//
//   p = 2^ROWS floor(a / 2^ROWS) b
//
// Error: -(a mod 2^ROWS) b, of both signs where weights are. ROWS = 0 is the exact multiplier.
//
// G. Zervakis et al., "Design-Efficient Approximate Multiplication Circuits Through Partial Product
// Perforation", IEEE TVLSI 24(10), 2016.
//
// Worked rows (ROWS = 1):
//   9 x -5:    8 x -5,                                          p =  -40  (exact  -45)

`default_nettype none

module mul_perforated #(
  parameter integer ROWS = 1  // 0..6, bits of the activation left out
) (
  input  wire signed [7:0]  a_i,  // activation
  input  wire signed [7:0]  b_i,  // weight
  output wire signed [15:0] p_o
);

  initial begin
    if (ROWS < 0 || ROWS > 6)
      $fatal(1, "mul_perforated: expected 0 <= ROWS <= 6, got ROWS=%0d", ROWS);
  end

  wire signed [7-ROWS:0] upper = a_i[7:ROWS];
  wire signed [15-ROWS:0] product = upper * b_i;

  assign p_o = product * (16'sd1 <<< ROWS);

endmodule

`default_nettype wire
