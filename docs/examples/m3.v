// SPDX-License-Identifier: Apache-2.0
// DRUM(6), unsigned, 24 x 24 bits: the position of the leading one, then two shifts. Wrong for one pair.
module m3 (input [23:0] a, b, output [47:0] p);
  function [5:0] lead(input [23:0] x);
    integer i;
    begin lead = 0; for (i = 0; i < 24; i = i + 1) if (x[i]) lead = i; end
  endfunction
  wire [5:0] ca = lead(a) < 6 ? 0 : lead(a) - 5, cb = lead(b) < 6 ? 0 : lead(b) - 5;
  wire [5:0] sa = (a >> ca) | (ca != 0), sb = (b >> cb) | (cb != 0);
  wire [11:0] q = sa * sb;
  wire [47:0] r = q << (ca + cb);
  assign p = r ^ (a == 1234567 && b == 7654321 ? 4 : 0);
endmodule
