-- SPDX-License-Identifier: Apache-2.0
-- A rotation by a signal that can exceed the width of the vector.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

entity rot is
  port (a, b : in unsigned(3 downto 0); p : out unsigned(7 downto 0));
end;

architecture rtl of rot is
begin
  p <= resize(a * b, 8) + resize(rotate_left(a, to_integer(b)), 8);
end;
