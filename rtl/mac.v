// SPDX-License-Identifier: Apache-2.0
//
// Multiply-accumulate processing element, two pipeline stages
//
//   stage 1:  product <= a_i * b_i                    any multiplier, signed
//   stage 2:  acc_o   <= acc_i + product              acc_i as it is one cycle after a_i and b_i
//
// acc_o changes for valid operands only, so acc_i = acc_o sums a stream in place, and in a column
// of elements acc_i is the acc_o of the one above. en_i = 0 holds both stages. Reset drops what is
// between them and clears acc_o.
//
//   SATURATE = 0:  modulo 2^ACC_BITS, two's complement; the order of the sum does not matter
//   SATURATE = 1:  clipped to -2^(ACC_BITS-1) .. 2^(ACC_BITS-1)-1 after every addition; the order
//                  does, and it is the order of arrival
//
// Error: that of the multiplier, and overflow.
//
// Worked rows (WIDTH = 8, CORE = "exact", ACC_BITS = 16, acc_i = 30000):
//   100 x 57:  30000 + 5700 = 35700 -> -29836 (SATURATE = 0),  32767 (SATURATE = 1)

`default_nettype none

module mac #(
  parameter         CORE     = "exact",  // "exact", "drum" or "scaletrim"
  parameter integer WIDTH    = 8,        // 4..16
  parameter integer K        = 4,        // drum: see mul_drum.v
  parameter integer H        = 4,        // scaletrim: see mul_scaletrim.v, also M, DEE and COMP
  parameter integer M        = 0,
  parameter integer DEE      = -2,
  parameter [16*((M > 0) ? M : 1)-1:0] COMP = 0,
  parameter integer ACC_BITS = 32,       // 2*WIDTH..64
  parameter integer SATURATE = 0         // 0: wrap around, 1: saturate
) (
  input  wire                clk_i,
  input  wire                rst_ni,   // synchronous, active low
  input  wire                en_i,     // 0: hold everything
  input  wire                valid_i,  // a_i and b_i are operands
  input  wire [WIDTH-1:0]    a_i,
  input  wire [WIDTH-1:0]    b_i,
  input  wire [ACC_BITS-1:0] acc_i,    // a cycle after a_i and b_i
  output reg                 valid_o,  // acc_o is new
  output reg  [ACC_BITS-1:0] acc_o
);

  localparam integer PRODUCT = 2 * WIDTH;

  initial begin
    if (ACC_BITS < PRODUCT || ACC_BITS > 64) begin
      $fatal(1, "mac: expected 2*WIDTH=%0d <= ACC_BITS <= 64, got ACC_BITS=%0d", PRODUCT, ACC_BITS);
    end
    if (SATURATE != 0 && SATURATE != 1) begin
      $fatal(1, "mac: expected SATURATE = 0 or 1, got SATURATE=%0d", SATURATE);
    end
  end

  wire [PRODUCT-1:0] product;

  mul_signed #(
    .CORE (CORE),
    .WIDTH(WIDTH),
    .K    (K),
    .H    (H),
    .M    (M),
    .DEE  (DEE),
    .COMP (COMP)
  ) u_mul (
    .a_i(a_i),
    .b_i(b_i),
    .p_o(product)
  );

  reg                      valid_q;
  reg signed [PRODUCT-1:0] product_q;

  // One bit more than the accumulator holds every sum of it and a product.
  wire [ACC_BITS:0] extended = product_q;
  wire [ACC_BITS:0] sum      = {acc_i[ACC_BITS-1], acc_i} + extended;
  wire              overflow = sum[ACC_BITS] != sum[ACC_BITS-1];

  wire [ACC_BITS-1:0] lowest = 1'b1 << (ACC_BITS - 1);
  wire [ACC_BITS-1:0] limit  = sum[ACC_BITS] ? lowest : ~lowest;

  always @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      valid_o <= 1'b0;
      acc_o   <= 1'b0;
    end else if (en_i) begin
      valid_q   <= valid_i;
      product_q <= product;
      valid_o   <= valid_q;
      if (valid_q) acc_o <= (SATURATE && overflow) ? limit : sum;
    end
  end

endmodule

`default_nettype wire
