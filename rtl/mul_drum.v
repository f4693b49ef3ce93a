// SPDX-License-Identifier: Apache-2.0
//
// DRUM(K): dynamic range unbiased multiplier
//
//   t      = floor(log2 x)
//   seg(x) = x                                            if t < K
//          = (floor(x / 2^(t-K+1)) | 1) * 2^(t-K+1)       otherwise
//   p      = seg(a) * seg(b)
//
// The forced 1 stands for the mean of the bits that were cut off.
//
// Error: both signs, nearly balanced. K = WIDTH is the exact multiplier.
//
// S. Hashemi, R. I. Bahar, S. Reda, "DRUM: A Dynamic Range Unbiased Multiplier for Approximate
// Applications", ICCAD 2015.
//
// Worked rows (WIDTH = 8, K = 4):
//   100 x 57:  1100100 -> 1101 << 3 = 104,  111001 -> 1111 << 2 = 60,  p = 6240  (exact 5700)
//     9 x  5:  both below 2^K, kept as they are,                       p =   45  (exact   45)

`default_nettype none

module mul_drum #(
  parameter integer WIDTH = 8,  // 4..16
  parameter integer K     = 4   // 2..WIDTH, bits kept of each operand
) (
  input  wire [WIDTH-1:0]   a_i,
  input  wire [WIDTH-1:0]   b_i,
  output wire [2*WIDTH-1:0] p_o
);

  localparam integer POS = $clog2(WIDTH);

  initial begin
    if (WIDTH < 4 || WIDTH > 16) begin
      $fatal(1, "mul_drum: expected 4 <= WIDTH <= 16, got WIDTH=%0d", WIDTH);
    end
    if (K < 2 || K > WIDTH) begin
      $fatal(1, "mul_drum: expected 2 <= K <= WIDTH=%0d, got K=%0d", WIDTH, K);
    end
  end

  wire [POS-1:0] t_a;
  wire [POS-1:0] t_b;

  leading_one #(.WIDTH(WIDTH)) u_leading_one_a (.x_i(a_i), .pos_o(t_a));
  leading_one #(.WIDTH(WIDTH)) u_leading_one_b (.x_i(b_i), .pos_o(t_b));

  // Low bits cut off; none when the operand fits K bits.
  wire [POS-1:0] cut_a = (t_a < K) ? 1'b0 : t_a - K + 1;
  wire [POS-1:0] cut_b = (t_b < K) ? 1'b0 : t_b - K + 1;

  function [K-1:0] segment;
    input [WIDTH-1:0] x;
    input [POS-1:0]   cut;
    begin
      segment = x >> cut;
      if (cut != 1'b0) segment[0] = 1'b1;
    end
  endfunction

  wire [K-1:0]   seg_a   = segment(a_i, cut_a);
  wire [K-1:0]   seg_b   = segment(b_i, cut_b);
  wire [2*K-1:0] seg_p   = seg_a * seg_b;
  wire [POS:0]   shift_p = cut_a + cut_b;

  assign p_o = seg_p << shift_p;

endmodule

`default_nettype wire
