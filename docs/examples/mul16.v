// SPDX-License-Identifier: Apache-2.0
//
// drum(6), unsigned, 16 x 16 bits, printed by axhil: every constant is in
// place, and no other file is needed.

`default_nettype none

module mul_drum_6 (
  input  wire [15:0] a_i,
  input  wire [15:0] b_i,
  output wire [31:0] p_o
);

  mul_drum_6_mul_drum #(
    .WIDTH(16),
    .K(6)
  ) u_mul (
    .a_i(a_i),
    .b_i(b_i),
    .p_o(p_o)
  );

endmodule

`default_nettype wire

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
// SIGNED = 1: p = sign(a) * sign(b) * seg(|a|) * seg(|b|), two's complement. The magnitude of the
// most negative operand, 2^(WIDTH-1), fits WIDTH unsigned bits. A positive product of 2^(2*WIDTH-1)
// or more wraps around; only K = 2 has one, for -2^(WIDTH-1) squared.
//
// The product of the segments, 2*K bits, takes its sign before it is shifted.
//
// Error: both signs, nearly balanced. K = WIDTH is the exact multiplier.
//
// S. Hashemi, R. I. Bahar, S. Reda, "DRUM: A Dynamic Range Unbiased Multiplier for Approximate
// Applications", ICCAD 2015.
//
// Worked rows (WIDTH = 8, K = 4):
//   100 x 57:  1100100 -> 1101 << 3 = 104,  111001 -> 1111 << 2 = 60,  p = 6240  (exact 5700)
//     9 x  5:  both below 2^K, kept as they are,                       p =   45  (exact   45)
//  -100 x 57, SIGNED = 1:                                              p = -6240  (exact -5700)

`default_nettype none

module mul_drum_6_mul_drum #(
  parameter integer WIDTH  = 8,  // 4..16
  parameter integer K      = 4,  // 2..WIDTH, bits kept of each operand
  parameter integer SIGNED = 0   // 1: two's complement operands and product
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
    if (SIGNED != 0 && SIGNED != 1) begin
      $fatal(1, "mul_drum: expected SIGNED = 0 or 1, got SIGNED=%0d", SIGNED);
    end
  end

  wire             sign_a = SIGNED && a_i[WIDTH-1];
  wire             sign_b = SIGNED && b_i[WIDTH-1];
  wire [WIDTH-1:0] mag_a  = sign_a ? -a_i : a_i;
  wire [WIDTH-1:0] mag_b  = sign_b ? -b_i : b_i;

  // How many low bits are cut off, none when x fits K bits, and the K bits above them. The last
  // assignment wins, so the loop ends with the leading one.
  function [POS+K-1:0] segment;
    input [WIDTH-1:0] x;
    integer           i;
    reg   [POS-1:0]   cut;
    reg   [K-1:0]     kept;
    begin
      cut  = 1'b0;
      kept = x;
      for (i = 1; i <= WIDTH - K; i = i + 1) begin
        if (x[i+K-1]) begin
          cut  = i;
          kept = x >> i;
        end
      end
      if ((x >> K) != 1'b0) kept[0] = 1'b1;
      segment = {cut, kept};
    end
  endfunction

  wire [POS-1:0] cut_a;
  wire [POS-1:0] cut_b;
  wire [K-1:0]   seg_a;
  wire [K-1:0]   seg_b;

  assign {cut_a, seg_a} = segment(mag_a);
  assign {cut_b, seg_b} = segment(mag_b);

  wire        [2*K-1:0] seg_p    = seg_a * seg_b;
  wire signed [2*K:0]   signed_p = (sign_a ^ sign_b) ? -{1'b0, seg_p} : {1'b0, seg_p};
  wire        [POS:0]   shift_p  = cut_a + cut_b;

  assign p_o = signed_p <<< shift_p;

endmodule

`default_nettype wire
