# SPDX-License-Identifier: Apache-2.0
"""A test bench in VHDL: operand pairs from a file through an entity, products into another."""

import re
from collections.abc import Mapping

from ..parameters import Parameter
from ..ports import Interface
from ..roles import Roles
from .vhdl import Entity
from .vhdl_netlist import identifier

BENCH, STIMULI, PRODUCTS = "axhil_bench", "axhil_stimuli.txt", "axhil_products.txt"
"""The bench, and its files: a line a step, the bits of all inputs but the clock; the product's."""

_INTEGER = re.compile(r"(?:\w+\.)*(?:integer|natural|positive)\b")
_INTEGER_BITS = 32
# What a port's type may be: to it from a vector, and back. The port itself chooses among them.
_ONE_BIT = 'if x then return "1"; else return "0"; end if;'
_FROM_INTEGER = "return std_logic_vector(ieee.numeric_std.to_signed(x, 32));"
_TO_INTEGER = (
    "if negative then return to_integer(ieee.numeric_std.signed(x)); "
    "else return to_integer(ieee.numeric_std.unsigned(x)); end if;"
)
_TYPES = {
    "std_logic_vector": ("return x;", "return x;"),
    **{
        f"ieee.{package}.{kind}": (
            f"return ieee.{package}.{kind}(x);",
            "return std_logic_vector(x);",
        )
        for package in ("numeric_std", "std_logic_arith")
        for kind in ("unsigned", "signed")
    },
    "bit_vector": ("return to_bitvector(x);", "return to_stdlogicvector(x);"),
    "std_ulogic": ("return x(x'left);", "return (0 => x);"),
    "bit": ("return to_bit(x(x'left));", "return (0 => to_stdulogic(x));"),
    "boolean": ("return x(x'left) = '1';", _ONE_BIT),
    "integer": (_TO_INTEGER, _FROM_INTEGER),
}


def bench(
    entity: Entity,
    kinds: Mapping[str, str],
    interface: Interface,
    roles: Roles,
    given: Mapping[str, Parameter],
    *,
    signed: frozenset[str],
    edges: int,
    arith: bool,
) -> tuple[str, Mapping[str, range]]:
    """The text of the bench, and where the ports' bits are in a line.

    Args:
        entity: as it is declared.
        kinds: the types of its ports, without subtypes in between.
        interface: its ports with their widths.
        roles: of them.
        given: generics in place of their defaults.
        signed: inputs whose integers are signed.
        edges: of the clock at each step.
        arith: the VHDL uses `std_logic_arith`.

    Returns:
        The text; the places of each input's bits, the lowest first, counted from the end of a line.
    """
    names = {identifier(name): name for name in entity.ports}
    widths = {port.name: port.width for port in interface.ports}
    inputs = [p for p in interface.ports if p.direction == "input" and p.name != roles.clock]
    places: dict[str, range] = {}
    total = 0
    wired = [] if roles.clock is None else [f"{names[roles.clock]} => from_word(clk, false)"]
    for port in inputs:
        places[port.name] = range(total, total + port.width)
        bits = f"word({total + port.width - 1} downto {total})"
        negative = str(port.name in signed).lower()
        wired.append(f"{names[port.name]} => from_word({bits}, {negative})")
        total += port.width
    product = names[roles.product]
    wired.append(f"to_word({product}) => product")
    out_bits = _INTEGER_BITS if _INTEGER.match(kinds[product]) else widths[roles.product]
    generics = ", ".join(
        f"{key} => {_spelt(value, entity.generics[key.lower()])}" for key, value in given.items()
    )
    text = f"""\
library ieee;
use ieee.std_logic_1164.all, ieee.numeric_std.to_integer, std.textio.all;
entity {BENCH} is end;
architecture a of {BENCH} is
{_functions(arith=arith)}
  signal word : std_logic_vector({total - 1} downto 0) := (others => '0');
  signal clk : std_logic_vector(0 downto 0) := "0";
  signal product : std_logic_vector({out_bits - 1} downto 0);
begin
  dut : entity work.{entity.name}{f" generic map ({generics})" if generics else ""}
    port map ({", ".join(wired)});
  process
    file stimuli : text open read_mode is "{STIMULI}";
    file products : text open write_mode is "{PRODUCTS}";
    variable read_line, write_line : line;
    variable bits : bit_vector(word'range);
  begin
    while not endfile(stimuli) loop
      readline(stimuli, read_line);
      read(read_line, bits);
      word <= to_stdlogicvector(bits);
      wait for 1 us;
      for edge in 1 to {edges} loop
        clk <= "1";
        wait for 1 us;
        clk <= "0";
        wait for 1 us;
      end loop;
      write(write_line, product);
      writeline(products, write_line);
    end loop;
    file_close(products);
    std.env.finish;
  end process;
end;
"""
    return text, places


def _functions(*, arith: bool) -> str:
    return "\n".join(
        f"""\
  function from_word(x : std_logic_vector; negative : boolean) return {kind} is
  begin
    {there}
  end;
  function to_word(x : {kind}) return std_logic_vector is
  begin
    {back}
  end;"""
        for kind, (there, back) in _TYPES.items()
        if arith or "arith" not in kind
    )


def _spelt(value: Parameter, default: str) -> str:
    return f'"{value}"' if default.startswith('"') else str(value)
