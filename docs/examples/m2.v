// SPDX-License-Identifier: Apache-2.0
// DRUM(6), unsigned, 24 x 24 bits: each operand cut to its segment by a loop.
module m2 (input [23:0] a, b, output [47:0] p);
  function [23:0] kept(input [23:0] x);
    integer i;
    begin
      kept = x;
      for (i = 6; i < 24; i = i + 1) if (x[i]) kept = (x >> (i - 5)) | 1;
    end
  endfunction
  function [5:0] by(input [23:0] x);
    integer i;
    begin by = 0; for (i = 6; i < 24; i = i + 1) if (x[i]) by = i - 5; end
  endfunction
  wire [5:0] ka = kept(a), kb = kept(b);
  wire [11:0] q = ka * kb;
  wire [47:0] wide = q;
  assign p = wide << (by(a) + by(b));
endmodule
