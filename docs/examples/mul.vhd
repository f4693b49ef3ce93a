-- SPDX-License-Identifier: Apache-2.0
-- The lowest CUT bits of the product are 0.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

entity mul is
  generic (CUT : natural := 2);
  port (a, b : in signed(7 downto 0); p : out signed(15 downto 0));
end;

architecture rtl of mul is
begin
  p <= shift_left(shift_right(a * b, CUT), CUT);
end;
