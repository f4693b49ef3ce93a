// SPDX-License-Identifier: Apache-2.0
//
// Leading-one detector
//
//   pos_o = floor(log2(x_i))   for x_i >= 1
//   pos_o = 0                  for x_i = 0, which the caller tells apart by itself
//
// Worked rows (WIDTH = 8):  x_i = 0010_1100 -> pos_o = 5,  x_i = 0000_0001 -> pos_o = 0

`default_nettype none

module leading_one #(
  parameter integer WIDTH = 8  // 4..16
) (
  input  wire [WIDTH-1:0]         x_i,
  output wire [$clog2(WIDTH)-1:0] pos_o
);

  initial begin
    if (WIDTH < 4 || WIDTH > 16) begin
      $fatal(1, "leading_one: expected 4 <= WIDTH <= 16, got WIDTH=%0d", WIDTH);
    end
  end

  // The last assignment wins, so the loop ends with the highest 1.
  function [$clog2(WIDTH)-1:0] position;
    input [WIDTH-1:0] x;
    integer i;
    begin
      position = 1'b0;
      for (i = 1; i < WIDTH; i = i + 1) begin
        if (x[i]) position = i[$clog2(WIDTH)-1:0];
      end
    end
  endfunction

  assign pos_o = position(x_i);

endmodule

`default_nettype wire
