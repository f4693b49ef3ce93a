// SPDX-License-Identifier: Apache-2.0
//
// Weight-stationary array of multiply-accumulate elements
//
//   acc_o[c] = acc_i[c] + sum over r = 0 .. ROWS-1, in this order, of a_i[r] * weight[r][c]
//
// Every element holds one weight. A vector of activations enters with valid_i and ready_o, one a
// cycle; row r sees it r cycles later, when the partial sums of row r-1 come down the columns. Sums
// leave ROWS+1 cycles after their vector, in order, with valid_o and ready_i. A longer sum is cut
// into tiles: acc_i takes the sums of the tile before, or zeros. Rows and columns to spare get
// weight 0, whose product is 0 in every design.
//
//        a_i[0] ->  [0][0] [0][1] ..     <- acc_i[c]
//        a_i[1] ->  [1][0] [1][1] ..        sums go down
//                      acc_o[c]
//
// Weights are written a row at a time, w_i to row w_row_i, with w_valid_i and w_ready_o: only while
// no vector is on its way, and no vector enters meanwhile. A w_row_i that is no row writes nothing.
// Reset drops what is on its way and clears the weights and acc_o.
//
// Vectors are packed, element 0 lowest. Overflow: see mac.v. Saturation acts after every row, so
// tiles in the order of k saturate as one long sum does.
//
// Worked row (CORE = "exact", ROWS = COLS = 2, weights 1 2 / 3 4):  a_i = 10 20, acc_i = 0 100
//   -> acc_o = 10*1 + 20*3 = 70,  100 + 10*2 + 20*4 = 200

`default_nettype none

module mac_array #(
  parameter         CORE     = "exact",  // "exact", "drum" or "scaletrim"
  parameter integer WIDTH    = 8,        // 4..16
  parameter integer K        = 4,        // drum: see mul_drum.v
  parameter integer H        = 4,        // scaletrim: see mul_scaletrim.v, also M, DEE and COMP
  parameter integer M        = 0,
  parameter integer DEE      = -2,
  parameter [16*((M > 0) ? M : 1)-1:0] COMP = 0,
  parameter integer ACC_BITS = 32,       // 2*WIDTH..64
  parameter integer SATURATE = 0,        // 0: wrap around, 1: saturate
  parameter integer ROWS     = 4,        // 1..64, activations of a vector
  parameter integer COLS     = 4         // 1..64, sums of a vector
) (
  input  wire                       clk_i,
  input  wire                       rst_ni,     // synchronous, active low
  input  wire                       w_valid_i,
  output wire                       w_ready_o,
  input  wire [((ROWS > 1) ? $clog2(ROWS) : 1)-1:0] w_row_i,
  input  wire [COLS*WIDTH-1:0]      w_i,
  input  wire                       valid_i,
  output wire                       ready_o,
  input  wire [ROWS*WIDTH-1:0]      a_i,
  input  wire [COLS*ACC_BITS-1:0]   acc_i,
  output wire                       valid_o,
  input  wire                       ready_i,
  output wire [COLS*ACC_BITS-1:0]   acc_o
);

  initial begin
    if (ROWS < 1 || ROWS > 64) begin
      $fatal(1, "mac_array: expected 1 <= ROWS <= 64, got ROWS=%0d", ROWS);
    end
    if (COLS < 1 || COLS > 64) begin
      $fatal(1, "mac_array: expected 1 <= COLS <= 64, got COLS=%0d", COLS);
    end
  end

  // valid_q[i]: the vector that entered i+1 cycles ago. The last one's sums stand on acc_o.
  reg [ROWS:0] valid_q;

  assign valid_o = valid_q[ROWS];

  // Everything moves, or nothing does.
  wire en     = ready_i || !valid_o;
  wire enters = valid_i && ready_o;

  assign w_ready_o = valid_q == 1'b0;
  assign ready_o   = en && !(w_valid_i && w_ready_o);

  always @(posedge clk_i) begin
    if (!rst_ni) valid_q <= 1'b0;
    else if (en) valid_q <= {valid_q, enters};
  end

  // Row 0 adds a cycle after its operands come.
  reg [COLS*ACC_BITS-1:0] acc_q;

  always @(posedge clk_i) begin
    if (en) acc_q <= acc_i;
  end

  // Into row r from above, row 0 lowest; the highest leaves. A ROWS below 1 must still elaborate,
  // for the sentence about it.
  wire [(((ROWS > 1) ? ROWS : 1)+1)*COLS*ACC_BITS-1:0] sums;

  assign sums[COLS*ACC_BITS-1:0] = acc_q;
  assign acc_o = sums >> (ROWS * COLS * ACC_BITS);

  genvar r, c;

  generate
    for (r = 0; r < ROWS; r = r + 1) begin : g_row
      wire [WIDTH-1:0] a;
      wire             valid;

      if (r == 0) begin : g_first
        assign a     = a_i[0 +: WIDTH];
        assign valid = enters;
      end else begin : g_skewed
        // The row's activation, r cycles late.
        reg [r*WIDTH-1:0] delay_q;

        always @(posedge clk_i) begin
          if (en) delay_q <= {delay_q, a_i[r*WIDTH +: WIDTH]};
        end

        assign a     = delay_q[(r-1)*WIDTH +: WIDTH];
        assign valid = valid_q[r-1];
      end

      for (c = 0; c < COLS; c = c + 1) begin : g_col
        reg  [WIDTH-1:0] weight_q;
        wire             valid_unused;

        always @(posedge clk_i) begin
          if (!rst_ni) weight_q <= 1'b0;
          else if (w_valid_i && w_ready_o && w_row_i == r) weight_q <= w_i[c*WIDTH +: WIDTH];
        end

        mac #(
          .CORE    (CORE),
          .WIDTH   (WIDTH),
          .K       (K),
          .H       (H),
          .M       (M),
          .DEE     (DEE),
          .COMP    (COMP),
          .ACC_BITS(ACC_BITS),
          .SATURATE(SATURATE)
        ) u_mac (
          .clk_i  (clk_i),
          .rst_ni (rst_ni),
          .en_i   (en),
          .valid_i(valid),
          .a_i    (a),
          .b_i    (weight_q),
          .acc_i  (sums[(r*COLS+c)*ACC_BITS +: ACC_BITS]),
          .valid_o(valid_unused),
          .acc_o  (sums[((r+1)*COLS+c)*ACC_BITS +: ACC_BITS])
        );
      end
    end
  endgenerate

endmodule

`default_nettype wire
