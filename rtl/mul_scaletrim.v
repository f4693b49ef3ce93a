// SPDX-License-Identifier: Apache-2.0
//
// scaleTRIM(H, M): truncation, linearisation and compensation
//
//   x = 2^n (1 + X),  n = floor(log2 x)
//   x_h = the H bits below the leading one, zeros where x has fewer
//   s = (a_h + b_h) / 2^H
//   p = floor((1 + s + s * 2^DEE + C[segment]) * 2^(n_a + n_b)),  0 if an operand is 0
//
// (1 + X)(1 + Y) = 1 + (X + Y + XY), and X + Y + XY is taken as s (1 + 2^DEE) plus one of M
// constants chosen by the top log2(M) of the H+1 bits of s; M = 0 adds none. DEE and COMP come
// from the design-time fit in hwsim/scaletrim.py; they keep 0 <= 1 + s (1 + 2^DEE) + C < 4.
//
// SIGNED = 1: p = sign(a) * sign(b) * that of |a| and |b|, two's complement. The magnitude of the
// most negative operand, 2^(WIDTH-1), fits WIDTH unsigned bits.
//
// Error: both signs; without compensation more often negative for H <= 4.
//
// E. Farahmand et al., "scaleTRIM: Scalable TRuncation-Based Integer Approximate
// Multiplier with Linearization and Compensation", 2023.
//
// Worked rows (WIDTH = 8, H = 4, DEE = -2):
//   100 x 57, M = 0:  n = 6 and 5, a_h = 1001, b_h = 1100, s = 21/16,
//                     floor((1 + 21/16 + 21/64) * 2^11) = 5408               (exact 5700)
//   100 x 57, M = 8:  segment 5 = top 3 bits of 10101, C = 40/256, 5408 + 320 = 5728  (exact 5700)

`default_nettype none

module mul_scaletrim #(
  parameter integer WIDTH = 8,   // 4..16
  parameter integer H     = 4,   // 1..WIDTH-1, bits kept below the leading one
  parameter integer M     = 0,   // 0 or a power of two, 2..2^(H+1): compensation constants
  parameter integer DEE   = -2,  // slope of the line is 1 + 2^DEE
  // M constants of 16 bits, two's complement with 8 fractional bits, segment 0 lowest.
  parameter [16*((M > 0) ? M : 1)-1:0] COMP = 0,
  parameter integer SIGNED = 0   // 1: two's complement operands and product
) (
  input  wire [WIDTH-1:0]   a_i,
  input  wire [WIDTH-1:0]   b_i,
  output wire [2*WIDTH-1:0] p_o
);

  localparam integer POS       = $clog2(WIDTH);
  localparam integer TOP       = (1 << POS) - 1;  // where a leading one moves to
  localparam integer COMP_BITS = 16;
  localparam integer COMP_FRAC = 8;
  // Fractional bits that hold s, s * 2^DEE and C exactly.
  localparam integer S_FRAC    = (DEE < 0) ? H - DEE : H;
  localparam integer FRAC      = (S_FRAC > COMP_FRAC) ? S_FRAC : COMP_FRAC;
  localparam integer VALUE     = FRAC + 2;

  initial begin
    if (WIDTH < 4 || WIDTH > 16) begin
      $fatal(1, "mul_scaletrim: expected 4 <= WIDTH <= 16, got WIDTH=%0d", WIDTH);
    end
    if (H < 1 || H >= WIDTH) begin
      $fatal(1, "mul_scaletrim: expected 1 <= H < WIDTH=%0d, got H=%0d", WIDTH, H);
    end
    if (M != 0 && (M < 2 || M > (1 << (H + 1)) || (M & (M - 1)) != 0)) begin
      $fatal(1, "mul_scaletrim: expected M = 0 or a power of two, 2 <= M <= 2^(H+1)=%0d, got M=%0d",
             1 << (H + 1), M);
    end
    if (DEE < -16 || DEE > 1) begin
      $fatal(1, "mul_scaletrim: expected -16 <= DEE <= 1, got DEE=%0d", DEE);
    end
    if (SIGNED != 0 && SIGNED != 1) begin
      $fatal(1, "mul_scaletrim: expected SIGNED = 0 or 1, got SIGNED=%0d", SIGNED);
    end
  end

  wire             sign_a = SIGNED && a_i[WIDTH-1];
  wire             sign_b = SIGNED && b_i[WIDTH-1];
  wire [WIDTH-1:0] mag_a  = sign_a ? -a_i : a_i;
  wire [WIDTH-1:0] mag_b  = sign_b ? -b_i : b_i;

  wire [POS-1:0] n_a;
  wire [POS-1:0] n_b;

  leading_one #(.WIDTH(WIDTH)) u_leading_one_a (.x_i(mag_a), .pos_o(n_a));
  leading_one #(.WIDTH(WIDTH)) u_leading_one_b (.x_i(mag_b), .pos_o(n_b));

  // The leading one moves to the top, by TOP - n = ~n; the H bits below it then stand at a fixed
  // place, and the leading one itself falls off the H-bit result. The largest steps come first,
  // which takes less energy than a shift by ~n.
  function [H-1:0] fraction;
    input [WIDTH-1:0] x;
    input [POS-1:0]   n;
    integer           i;
    reg   [TOP:0]     moved;
    begin
      moved = x;
      for (i = POS - 1; i >= 0; i = i - 1) begin
        if (!n[i]) moved = moved << (1 << i);
      end
      fraction = moved >> (TOP - H);
    end
  endfunction

  wire [H-1:0] a_h = fraction(mag_a, n_a);
  wire [H-1:0] b_h = fraction(mag_b, n_b);
  wire [H:0]   s   = a_h + b_h;

  wire [VALUE-1:0] comp;

  generate
    if (M > 0) begin : g_comp
      wire        [H:0]           segment  = s >> (H + 1 - $clog2(M));
      wire signed [COMP_BITS-1:0] constant = COMP[COMP_BITS*segment +: COMP_BITS];
      wire signed [VALUE-1:0]     extended = constant;
      assign comp = extended <<< (FRAC - COMP_FRAC);
    end else begin : g_no_comp
      assign comp = 1'b0;
    end
  endgenerate

  // All terms on FRAC fractional bits, modulo 4; the sum lies in [0, 4).
  wire [VALUE-1:0] one   = 1'b1 << FRAC;
  wire [VALUE-1:0] line  = (s << (FRAC - H)) + (s << (FRAC - H + DEE));
  wire [VALUE-1:0] value = one + line + comp;

  wire [POS:0]            shift  = n_a + n_b;
  wire [FRAC+2*WIDTH-1:0] scaled = value << shift;
  wire [2*WIDTH-1:0]      mag_p  = (a_i == 1'b0 || b_i == 1'b0) ? 1'b0 : scaled[FRAC +: 2*WIDTH];

  assign p_o = (sign_a ^ sign_b) ? -mag_p : mag_p;

endmodule

`default_nettype wire
