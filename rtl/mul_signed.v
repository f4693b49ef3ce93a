// SPDX-License-Identifier: Apache-2.0
//
// Sign-magnitude wrapper: a signed multiplier from any unsigned core
//
//   p = sign(a) * sign(b) * core(|a|, |b|)
//
// Two's complement in and out. The magnitude of the most negative operand, 2^(WIDTH-1), fits the
// core's WIDTH unsigned bits. Negation is two's complement, so 0 x -5 = 0.
//
// Error: that of the core, odd in each operand. A positive product of 2^(2*WIDTH-1) or more wraps
// around; of all designs only DRUM(2) has one, for -2^(WIDTH-1) squared.
//
// Worked rows (WIDTH = 8, CORE = "drum", K = 4):  -100 x 57 -> -6240,  -128 x -128 -> 20736
//
// To wrap another core, give it the ports a_i, b_i, p_o and add a branch below.

`default_nettype none

module mul_signed #(
  parameter         CORE  = "exact",  // "exact", "drum" or "scaletrim"
  parameter integer WIDTH = 8,        // 4..16
  parameter integer K     = 4,        // drum: see mul_drum.v
  parameter integer H     = 4,        // scaletrim: see mul_scaletrim.v, also for M, DEE and COMP
  parameter integer M     = 0,
  parameter integer DEE   = -2,
  parameter [16*((M > 0) ? M : 1)-1:0] COMP = 0
) (
  input  wire [WIDTH-1:0]   a_i,
  input  wire [WIDTH-1:0]   b_i,
  output wire [2*WIDTH-1:0] p_o
);

  initial begin
    if (WIDTH < 4 || WIDTH > 16) begin
      $fatal(1, "mul_signed: expected 4 <= WIDTH <= 16, got WIDTH=%0d", WIDTH);
    end
  end

  wire sign_a = a_i[WIDTH-1];
  wire sign_b = b_i[WIDTH-1];

  wire [WIDTH-1:0]   mag_a = sign_a ? -a_i : a_i;
  wire [WIDTH-1:0]   mag_b = sign_b ? -b_i : b_i;
  wire [2*WIDTH-1:0] mag_p;

  generate
    if (CORE == "exact") begin : g_exact
      mul_exact #(
        .WIDTH(WIDTH)
      ) u_core (
        .a_i(mag_a),
        .b_i(mag_b),
        .p_o(mag_p)
      );
    end else if (CORE == "drum") begin : g_drum
      mul_drum #(
        .WIDTH(WIDTH),
        .K    (K)
      ) u_core (
        .a_i(mag_a),
        .b_i(mag_b),
        .p_o(mag_p)
      );
    end else if (CORE == "scaletrim") begin : g_scaletrim
      mul_scaletrim #(
        .WIDTH(WIDTH),
        .H    (H),
        .M    (M),
        .DEE  (DEE),
        .COMP (COMP)
      ) u_core (
        .a_i(mag_a),
        .b_i(mag_b),
        .p_o(mag_p)
      );
    end else begin : g_unknown
      initial begin
        $fatal(1, "mul_signed: expected CORE = exact, drum or scaletrim, got CORE=%0s", CORE);
      end
    end
  endgenerate

  assign p_o = (sign_a ^ sign_b) ? -mag_p : mag_p;

endmodule

`default_nettype wire
