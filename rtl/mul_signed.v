// SPDX-License-Identifier: Apache-2.0
//
// A signed multiplier by its name
//
//   p = core(a, b) with SIGNED = 1
//
// Worked rows (WIDTH = 8, CORE = "drum", K = 4):  -100 x 57 -> -6240,  -128 x -128 -> 20736

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

  generate
    if (CORE == "exact") begin : g_exact
      mul_exact #(
        .WIDTH (WIDTH),
        .SIGNED(1)
      ) u_core (
        .a_i(a_i),
        .b_i(b_i),
        .p_o(p_o)
      );
    end else if (CORE == "drum") begin : g_drum
      mul_drum #(
        .WIDTH (WIDTH),
        .K     (K),
        .SIGNED(1)
      ) u_core (
        .a_i(a_i),
        .b_i(b_i),
        .p_o(p_o)
      );
    end else if (CORE == "scaletrim") begin : g_scaletrim
      mul_scaletrim #(
        .WIDTH (WIDTH),
        .H     (H),
        .M     (M),
        .DEE   (DEE),
        .COMP  (COMP),
        .SIGNED(1)
      ) u_core (
        .a_i(a_i),
        .b_i(b_i),
        .p_o(p_o)
      );
    end else begin : g_unknown
      initial begin
        $fatal(1, "mul_signed: expected CORE = exact, drum or scaletrim, got CORE=%0s", CORE);
      end
    end
  endgenerate

endmodule

`default_nettype wire
