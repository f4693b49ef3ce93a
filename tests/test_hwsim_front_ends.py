# SPDX-License-Identifier: Apache-2.0
"""Designs in other languages than Icarus Verilog's: products equal to a formula, or one sentence.

SystemVerilog is read by Yosys' slang, VHDL by GHDL. The designs multiply 4 x 4 bits and are
simulated side by side, once; the oracles are Python's `int` and GHDL's own simulation.
"""

import re
import shutil
import subprocess

import numpy as np
import pytest

from axhil.hwsim import HwsimError, read_circuit
from axhil.hwsim.multipliers import Request, find
from axhil.hwsim.multipliers.comparing.opinion import second_opinions
from axhil.hwsim.multipliers.tabulating import vhdl
from axhil.hwsim.multipliers.tabulating.tabulation import (
    simulate_pairs,
    simulate_together,
    with_signs,
)
from axhil.hwsim.netlist.inspection import inspect
from axhil.hwsim.operands import Asked
from axhil.hwsim.tools.ghdl import INSTALL, synthesised
from axhil.hwsim.tools.yosys import Yosys, find_yosys
from axhil.hwsim.verilog.reading import systemverilog
from axhil.hwsim.verilog.reading.vhdl_gates import to_verilog

pytestmark = pytest.mark.sim
needs_ghdl = pytest.mark.skipif(
    shutil.which("ghdl") is None, reason=f"ghdl reads VHDL ({INSTALL}), and is not everywhere"
)

PACKAGE = """package kinds;
  parameter int unsigned BITS = 4;
  typedef logic [BITS-1:0] half_t;
  typedef struct packed { half_t a; half_t b; } pair_t;
  typedef enum logic [1:0] { SKIP, ADD, DOUBLE = 2'd2 } step_t;
  function automatic logic [7:0] times(input half_t a, input half_t b);
    logic [7:0] sum = '0;
    foreach (a[i]) if (a[i]) sum += 8'(b) << i;
    return sum;
  endfunction
endpackage
"""


def times(a, b):
    return a * b


def signed(a, b):
    return (a - 16 * (a > 7)) * (b - 16 * (b > 7))


# By kind: the files, the first of which is given, what else is given, and the product.
SYSTEMVERILOG = {
    "a package of functions, imported for all": (
        {"pk.sv": PACKAGE + "import kinds::*;\nmodule imported(input half_t a, b, "
         "output logic [7:0] p);\n  always_comb p = times(a, b);\nendmodule\n"},
        {}, times,
    ),
    "a package in a second file, and an enumeration": (
        {
            "pk.sv": PACKAGE,
            "enumerated.sv": "module enumerated import kinds::*; (input half_t a, b, "
            "output logic [7:0] p);\n  step_t step [4];\n  always_comb begin\n    p = '0;\n"
            "    foreach (step[i]) begin\n      step[i] = a[i] ? ADD : SKIP;\n"
            "      unique case (step[i]) inside\n        ADD: p += 8'(b) << i;\n"
            "        default: ;\n      endcase\n    end\n  end\nendmodule\n",
        },
        {}, times,
    ),
    "a struct as the port of both operands": (
        {"struct.sv": PACKAGE + "module packed_pair(input kinds::pair_t ab, output logic [7:0] p);"
         "\n  assign p = kinds::times(ab.a, ab.b);\nendmodule\n"},
        {"a": "ab[7:4]", "b": "ab[3:0]"}, times,
    ),
    "an interface with modports, inside": (
        {"bus.sv": "interface bus #(parameter int unsigned W = 4);\n  logic [W-1:0] a, b;\n"
         "  logic [2*W-1:0] p;\n  modport core(input a, b, output p);\nendinterface\n"
         "module core(bus.core io);\n  assign io.p = io.a * io.b;\nendmodule\n"
         "module over_bus #(parameter int unsigned W = 4)\n  (input logic [W-1:0] a, b, "
         "output logic [2*W-1:0] p);\n  bus #(W) io();\n  core inside_u(io);\n"
         "  assign io.a = a;\n  assign io.b = b;\n  assign p = io.p;\nendmodule\n"},
        {"parameters": {"W": 4}}, times,
    ),
    "an unpacked array as a parameter, given and default": (
        {"array.sv": "module shifts #(parameter int unsigned W = 9, parameter int BY [4] = "
         "'{0, 1, 2, 3}, parameter string HOW = \"none\")\n  (input logic [W-1:0] a, b, "
         "output logic [2*W-1:0] p);\n  logic [2*W-1:0] part [4];\n"
         "  for (genvar i = 0; i < 4; i++) begin : g\n    function automatic logic [2*W-1:0] "
         "f(input logic on);\n      return on && HOW == \"all\" ? {4'b0, b} << BY[i] : '0;\n"
         "    endfunction\n    assign part[i] = f(a[i]);\n  end\n"
         "  assign p = part.sum();\nendmodule\n".replace(
             "part.sum()", "part[0] + part[1] + part[2] + part[3]")},
        {"parameters": {"W": 4, "HOW": "all"}}, times,
    ),
    "signed by a type of a package": (
        {"signed.sv": "package s; typedef logic signed [3:0] s_t; endpackage\n"
         "module by_type(input s::s_t a, b, output logic [7:0] p);\n"
         "  function automatic s::s_t same(input s::s_t x); return x; endfunction\n"
         "  always_comb p = a inside {0} ? 8'sd0 : same(a) * same(b);\nendmodule\n"},
        {"asked": Asked()}, signed,
    ),
    "a memory from a file": (
        {"rom.sv": "module rom(input logic [3:0] a, b, output logic [7:0] p);\n"
         "  logic [7:0] words [256];\n  initial $readmemh(\"rom.hex\", words);\n"
         "  assign p = a inside {0} ? 8'd0 : words[{a, b}];\nendmodule\n",
         "rom.hex": "".join(f"{i // 16 * (i % 16):02x}\n" for i in range(256))},
        {}, times,
    ),
    "a table that is wrong in one place": (
        {"off.sv": "module off(input logic [3:0] a, b, output logic [7:0] p);\n"
         "  assign p = {a, b} inside {8'h79} ? 8'd62 : a * b;\nendmodule\n"},
        {}, lambda a, b: a * b - (a == 7 and b == 9),
    ),
}  # fmt: skip

HEAD = "library ieee;\nuse ieee.std_logic_1164.all;\nuse ieee.numeric_std.all;\n"


def entity(name, body, *, ports="a, b : in unsigned(3 downto 0); p : out unsigned(7 downto 0)",
           generic="", inside=""):  # fmt: skip
    return (
        f"{HEAD}entity {name} is\n{generic}  port ({ports});\nend entity;\n"
        f"architecture rtl of {name} is\n{inside}begin\n{body}\nend architecture;\n"
    )


VHDL = {
    "combinational": ({"plain.vhd": entity("plain", "  p <= a * b;")}, {}, times),
    "signed, in small and large letters": (
        {"signed.vhdl": entity("Two_S", "  P_o <= std_logic_vector(A * B);",
                               ports="A, B : in Signed(3 downto 0); "
                               "P_o : out std_logic_vector(7 downto 0)").replace("in", "IN")},
        {"top": "two_s"}, signed,
    ),
    "vectors that do not say their sign": (
        {"vector.vhd": entity("vector", "  p <= std_logic_vector(signed(a) * signed(b));",
                              ports="a, b : in std_logic_vector(3 downto 0); "
                              "p : out std_logic_vector(7 downto 0)")},
        {"asked": Asked(signed=True)}, signed,
    ),
    "generics, a component and names of Verilog": (
        {"wide.vhd": entity(
            "leaf", "  reg <= resize(input * b, 2 * W) when ON_OFF else (others => '0');",
            ports="input, b : in unsigned(W - 1 downto 0); reg : out unsigned(2 * W - 1 downto 0)",
            generic="  generic (W : positive := 8; ON_OFF : boolean := false);\n",
        ) + entity(
            "wide", "  assign: entity work.leaf generic map (W, ON_OFF) port map (a, b, wire);\n"
            "  p <= wire;", ports="a, b : in unsigned(W - 1 downto 0); "
            "p : out unsigned(2 * W - 1 downto 0)",
            generic="  generic (W : positive := 9; ON_OFF : boolean := true);\n",
            inside="  signal wire : unsigned(2 * W - 1 downto 0);\n")},
        {"parameters": {"W": 4}}, times,
    ),
    "a package behind what uses it, and a case with others": (
        {
            "uses.vhd": entity(
                "uses", "  process (all) begin\n    case a is\n      when x\"0\" => p <= "
                "(others => '0');\n      when x\"1\" => p <= resize(b, 8);\n"
                "      when others => p <= times(a, b);\n    end case;\n  end process;",
                ports="a, b : in half_t; p : out unsigned(7 downto 0)",
            ).replace("numeric_std.all;", "numeric_std.all;\nuse work.pk.all;"),
            "pk.vhd": f"{HEAD}package pk is\n  subtype half_t is unsigned(3 downto 0);\n"
            "  function times(a, b : half_t) return unsigned;\nend package;\n"
            "package body pk is\n  function times(a, b : half_t) return unsigned is\n"
            "    variable s : unsigned(7 downto 0) := (others => '0');\n  begin\n"
            "    for i in a'range loop\n      if a(i) = '1' then s := s + "
            "shift_left(resize(b, 8), i); end if;\n    end loop;\n    return s;\n  end;\n"
            "end package body;\n",
        },
        {}, times,
    ),
    "packages of Synopsys, Latin-1 in comments": (
        {"old.vhd": ("-- gr\xf6\xdfe\nlibrary ieee;\nuse ieee.std_logic_1164.all;\n"
         "use ieee.std_logic_unsigned.all;\n"
         "entity old is port (a, b : in std_logic_vector(3 downto 0); "
         "p : out std_logic_vector(7 downto 0)); end;\n"
         "architecture rtl of old is begin p <= a * b; end;\n").encode("latin-1")},
        {"asked": Asked(signed=False)}, times,
    ),
    "a bench in the same file": (
        {"both.vhd": entity("design", "  p <= a * b;") + "entity tb is end;\n"
         "architecture t of tb is begin end;\n"},
        {}, times,
    ),
}  # fmt: skip


def written(folder, files):
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return [folder / name for name in files if not name.endswith(".hex")]


def products(circuits):
    """The words of every circuit for all pairs, from one simulation."""
    a, b = (x.ravel() for x in np.mgrid[:16, :16])
    return simulate_together(circuits, a, b)


def check(cases, tmp_path, asked):
    circuits = [
        read_circuit(written(tmp_path / str(i), files), **{"asked": asked, **options})
        for i, (files, options, _) in enumerate(cases.values())
    ]
    for (kind, (_, _, product)), found in zip(cases.items(), products(circuits), strict=True):
        expected = [product(a, b) for a in range(16) for b in range(16)]
        assert found.values.tolist() == expected, kind
    return dict(zip(cases, circuits, strict=True))


def test_systemverilog_beyond_icarus_computes_what_its_formula_says(tmp_path):
    circuits = check(SYSTEMVERILOG, tmp_path, Asked(signed=False))
    for kind, circuit in circuits.items():
        assert circuit.front_end == f"Yosys {find_yosys().version()} with slang", kind
        (note,) = (note for note in circuit.notes if note.startswith("read by"))
        assert re.search(r"Icarus Verilog cannot read it \(\w+\.sv:\d+: ", note), kind
    array = circuits["an unpacked array as a parameter, given and default"]
    assert array.interface.parameters == {"W": 4, "BY": "'{0,1,2,3}", "HOW": "all"}
    second = circuits["a package in a second file, and an enumeration"]
    assert set(second.hashes()) == {"pk.sv", "enumerated.sv"}
    assert circuits["signed by a type of a package"].signed_from == "declared"


@needs_ghdl
def test_vhdl_computes_what_its_formula_says(tmp_path):
    circuits = check(VHDL, tmp_path, Asked())
    for kind, circuit in circuits.items():
        assert re.fullmatch(r"GHDL \d\S*", circuit.front_end), kind
    wide = circuits["generics, a component and names of Verilog"]
    assert wide.interface.parameters == {"W": 4, "on_off": "true"}
    assert set(circuits["a package behind what uses it, and a case with others"].hashes()) == {
        "pk.vhd", "uses.vhd",
    }  # fmt: skip
    assert circuits["combinational"].signed_from == "declared"
    assert (
        "passed over as a test bench, without ports: tb"
        in circuits["a bench in the same file"].notes
    )


PIPELINE = entity(
    "piped", "  process (clk) begin\n    if rising_edge(clk) then\n      r(0) <= a * b;\n"
    "      for i in 1 to DEPTH - 1 loop r(i) <= r(i - 1); end loop;\n    end if;\n"
    "  end process;\n  p <= std_logic_vector(r(DEPTH - 1));",
    ports="clk : in std_logic; a, b : in signed(3 downto 0); p : out std_logic_vector(7 downto 0)",
    generic="  generic (DEPTH : positive := 1);\n",
    inside="  type stages is array (0 to DEPTH - 1) of signed(7 downto 0);\n"
    "  signal r : stages := (others => x\"2a\");\n",
)  # fmt: skip


@needs_ghdl
def test_a_table_of_vhdl_says_who_read_it_and_what_its_gates_are_of(tmp_path):
    (path,) = written(tmp_path / "d", {"piped.vhd": PIPELINE})
    multiplier = find(f"{path}[DEPTH=3]", Request(cache=False))
    table = multiplier.table(jobs=1)
    assert table.table.tolist() == [[signed(a, b) for b in range(16)] for a in range(16)]
    assert table.manifest["latency"] == 3
    assert table.manifest["parameters"] == {"DEPTH": 3}
    assert re.match(r"GHDL \d", table.manifest["simulator"]["front_end"])
    assert [*table.manifest["sources"]] == ["piped.vhd"]
    with second_opinions([multiplier], jobs=1) as opinion:
        found = opinion(multiplier, table)
    assert found.equal
    assert found.reader.endswith(", of the same translation")
    assert re.fullmatch(r"Yosys \S+, through GHDL \d\S*", inspect([path]).reader)


# --- what GHDL makes of VHDL ----------------------------------------------------------------------

EVERY = (
    entity("cell", "  output <= shift_left(x, K) xor x\"5a\";",
           generic="generic (K : integer := 1);\n",
           ports="x : in unsigned(7 downto 0); output : out unsigned(7 downto 0)")
    + HEAD
    + r"""
entity every is
  port (clk, rst : in std_logic; a, b : in signed(3 downto 0);
        q : out std_logic_vector(255 downto 0));
end;
architecture rtl of every is
  type vector is array (natural range <>) of std_logic_vector(7 downto 0);
  type rom_t is array (0 to 15) of unsigned(7 downto 0);
  type ram_t is array (0 to 15) of std_logic_vector(7 downto 0);
  constant rom : rom_t := (0 => x"11", 3 => x"44", 9 => x"fe", others => x"99");
  signal o : vector(0 to 31);
  signal sa, sb : signed(7 downto 0);
  signal ua, ub, wire : unsigned(7 downto 0);
  signal c : unsigned(3 downto 0) := "0000";
  signal ram, ram2 : ram_t := (3 => x"33", others => x"0f");
  signal r1, r2, r3 : unsigned(7 downto 0);
  signal r5 : unsigned(7 downto 0) := x"a5";
begin
  c <= "1010";
  sa <= resize(a, 8);
  sb <= resize(b, 8);
  ua <= unsigned(sa);
  ub <= resize(unsigned(b), 8);
  o(0) <= std_logic_vector(a * b);
  o(1) <= std_logic_vector(shift_right(sa, to_integer(unsigned(b))));
  o(2) <= std_logic_vector(shift_right(ua, to_integer(unsigned(b))));
  o(3) <= std_logic_vector(sa - sb);
  o(4) <= std_logic_vector(abs sa);
  o(5) <= std_logic_vector(resize(a rem 3, 8));
  o(6) <= std_logic_vector(resize(a mod 3, 8));
  o(7) <= std_logic_vector(resize(a mod (-3), 8));
  o(8) <= std_logic_vector(resize(a / 3, 8));
  o(9) <= std_logic_vector(ua / 3);
  o(10) <= std_logic_vector(ua mod 5);
  o(11) <= std_logic_vector(resize(unsigned(a) * c, 8));
  o(12) <= std_logic_vector(rom(to_integer(unsigned(a))));
  o(13) <= x"01" when a < b else x"02" when a <= 3 else x"03" when b > a else x"04";
  o(14) <= x"01" when ua < ub else x"02" when ua >= 200 else x"04";
  o(15) <= std_logic_vector(rotate_left(ua, 3) xor
           rotate_right(ub, to_integer(unsigned(a(2 downto 0)))));
  o(16) <= std_logic_vector(-sa);
  with std_logic_vector(b) select o(17) <= x"0" & std_logic_vector(a) when "0001",
    std_logic_vector(a) & x"0" when "0010", x"AA" when "1111", x"77" when others;
  o(18) <= std_logic_vector(minimum(sa, sb));
  o(19) <= std_logic_vector(maximum(ua, ub));
  o(20) <= (0 => and std_logic_vector(a), 1 => or std_logic_vector(b),
            2 => xor std_logic_vector(a), 3 => a(to_integer(unsigned(b(1 downto 0)))),
            others => '0');
  process (all)
    variable t : std_logic_vector(7 downto 0);
    variable i : integer range 0 to 3;
  begin
    t := x"3c";
    t(to_integer(unsigned(a(2 downto 0)))) := b(0);
    i := to_integer(unsigned(b(2 downto 1)));
    if b(1) = '1' then t(2 * i + 1 downto 2 * i) := std_logic_vector(a(1 downto 0)); end if;
    o(21) <= t;
  end process;
  process (all) begin
    case std_logic_vector(a(1 downto 0)) is
      when "00" => o(22) <= x"10";
      when "01" => o(22) <= std_logic_vector(ub);
      when "10" => o(22) <= x"33";
      when others => o(22) <= std_logic_vector(ua);
    end case;
  end process;
  process (clk) begin
    if rising_edge(clk) then
      r1 <= ua + ub;
      if b(0) = '1' then r5 <= r5 + ua; end if;
      ram(to_integer(unsigned(a))) <= std_logic_vector(ub);
      if b(3) = '0' then ram2(to_integer(unsigned(b))) <= std_logic_vector(ua); end if;
      o(27) <= ram2(to_integer(unsigned(a)));
      if rst = '1' then r3 <= x"07"; else r3 <= r3 + 1; end if;
    end if;
  end process;
  process (clk, rst) begin
    if rst = '1' then r2 <= x"5c"; elsif falling_edge(clk) then r2 <= r2 xor ua; end if;
  end process;
  o(23) <= std_logic_vector(r1);
  o(24) <= std_logic_vector(r5);
  o(25) <= ram(to_integer(unsigned(b)));
  o(26) <= std_logic_vector(r2);
  o(28) <= std_logic_vector(r3);
  u : entity work.cell generic map (K => 2) port map (ua, wire);
  v : entity work.cell port map (x => wire, std_logic_vector(output) => o(29));
  o(30) <= std_logic_vector((ua nand ub) xor (ua nor ub)) xor std_logic_vector(ua xnor ub);
  o(31) <= x"01" when a = b else x"02" when ua /= ub and sa >= -2 and sb > -5 else x"00";
  g : for i in 0 to 31 generate q(8 * i + 7 downto 8 * i) <= o(i); end generate;
end;
"""
)  # fmt: skip
VHDL_BENCH = (
    HEAD
    + """use std.textio.all;
entity bench is end;
architecture t of bench is
  signal clk, rst : std_logic := '0';
  signal a, b : signed(3 downto 0) := "0000";
  signal q : std_logic_vector(255 downto 0);
begin
  u : entity work.every port map (clk, rst, a, b, q);
  process
    variable l : line;
  begin
    for i in 0 to 15 loop
      for j in 0 to 15 loop
        clk <= '0';
        wait for 1 ns;
        a <= to_signed(i - 8, 4);
        b <= to_signed((j * 7) mod 16 - 8, 4);
        rst <= '1' when i = 0 and j = 3 else '0';
        wait for 1 ns;
        clk <= '1';
        wait for 1 ns;
        write(l, to_hstring(q));
        writeline(output, l);
      end loop;
    end loop;
    wait;
  end process;
end;
"""
)
VERILOG_BENCH = """module bench;
  reg clk = 0, rst = 0;
  reg [3:0] a = 0, b = 0;
  wire [255:0] q;
  integer i, j;
  every u (.clk(clk), .rst(rst), .a(a), .b(b), .q(q));
  initial
    for (i = 0; i < 16; i = i + 1)
      for (j = 0; j < 16; j = j + 1) begin
        clk = 0;
        #1 a = i - 8; b = (j * 7) % 16 - 8; rst = i == 0 && j == 3;
        #1 clk = 1;
        #1 $display("%h", q);
      end
endmodule
"""


def outputs(folder, *commands):
    for command in commands:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return [
        [line[k : k + 2] for k in range(0, 64, 2)][::-1]
        for line in done.stdout.upper().splitlines()
    ]


@needs_ghdl
def test_every_gate_of_ghdl_does_in_verilog_what_ghdl_simulates(tmp_path):
    written(tmp_path / "d", {"every.vhd": EVERY, "b.vhd": VHDL_BENCH, "b.v": VERILOG_BENCH})
    folder = tmp_path / "d"
    expected = outputs(
        folder,
        ["ghdl", "-a", "--std=08", "every.vhd", "b.vhd"],
        ["ghdl", "-r", "--std=08", "bench", "--ieee-asserts=disable"],
    )
    netlist = synthesised(["every.vhd"], "every", {}, folder=folder, name="every.vhd")
    text, top = to_verilog(netlist, "Every", where="every.vhd")
    assert top == "every"
    (folder / "every.v").write_text(text)
    actual = outputs(
        folder,
        ["iverilog", "-g2012", "-Wall", "-o", "b.vvp", "-s", "bench", "every.v", "b.v"],
        ["vvp", "b.vvp"],
    )
    assert len(actual) == len(expected) == 256
    differ = {k for x, y in zip(expected, actual, strict=True) for k in range(32) if x[k] != y[k]}
    assert differ == set()
    assert all("X" not in word for words in expected[4:] for word in words)


class Calls:
    """What a function answered."""

    def __init__(self, function):
        self.function, self.answers = function, []

    def __call__(self, *arguments, **options):
        self.answers.append(self.function(*arguments, **options))
        return self.answers[-1]


# --- what GHDL's synthesis gets wrong -------------------------------------------------------------


def held(sources, tmp_path, given=None, wrap=False):
    """Products of VHDL, held to GHDL's simulation, and what is to be said of that."""
    circuit = read_circuit(written(tmp_path / "d", sources), parameters=given)
    circuit = with_signs(circuit) if wrap else circuit
    a, b = (bits.ravel() for bits in np.indices((16, 16)))
    found = simulate_pairs(circuit, a, b, jobs=1)
    return circuit, found, [line for line in found.warnings if "GHDL" in line]


@needs_ghdl
def test_a_rotation_that_ghdl_synthesises_wrongly_is_refused_with_its_operands(tmp_path):
    rotated = "  p <= resize(a * b, 8) + resize(rotate_left(a, to_integer(b)), 8);"
    ports = "a, b : in unsigned(3 downto 0); p : out unsigned(7 downto 0)"
    with pytest.raises(HwsimError) as refused:
        held({"m.vhd": entity("m", rotated, ports=ports)}, tmp_path)
    # 1 x 5 is 5, and 1 rotated by 5 mod 4 is 2.
    assert re.fullmatch(
        r"m \(m\.vhd\): expected GHDL \S+ to synthesise what it simulates, but \d+ of 256 products "
        r"differ, the first 1 x 5: 7 as it simulates the VHDL, 5 as it synthesises it; write .*",
        str(refused.value),
    )


TYPED = {
    "signed": "signed(3 downto 0); p : out signed(7 downto 0)",
    "unsigned": "unsigned(3 downto 0); p : out unsigned(7 downto 0)",
    "integers": "natural range 0 to 15; p : out natural range 0 to 255",
}


@needs_ghdl
@pytest.mark.parametrize("kind", TYPED)
def test_vhdl_of_every_type_is_held_to_the_simulation_of_ghdl(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(vhdl, "simulated", (calls := Calls(vhdl.simulated)))
    text = entity("m", "  p <= a * b;", ports=f"a, b : in {TYPED[kind]}")
    circuit, found, warnings = held({"m.vhd": text}, tmp_path)
    assert not warnings
    assert calls.answers == [""]
    # The check sees a wrong product among the right ones.
    wrong = found.values.copy()
    wrong[123] += 1
    a, b = (bits.ravel() for bits in np.indices((16, 16)))
    with pytest.raises(HwsimError, match=r"but 1 of 256 products differ"):
        vhdl.hold_to_vhdl(circuit, a, b, wrong, 0)


@needs_ghdl
@pytest.mark.parametrize("wrap", [False, True])
def test_clocked_vhdl_is_held_behind_its_latency_reset_and_generics(wrap, tmp_path):
    kind = "unsigned" if wrap else "signed"
    body = (
        "  process (clk) begin\n    if rising_edge(clk) then\n"
        "      if rst = '1' then q <= (others => '0'); r <= (others => '0');\n"
        "      elsif en = '1' then q <= a * b + CUT; r <= q; end if;\n    end if;\n"
        "  end process;\n  p <= std_logic_vector(r);"
    )
    ports = (
        f"clk, rst, en : in std_logic; a, b : in {kind}(3 downto 0); "
        "p : out std_logic_vector(7 downto 0)"
    )
    text = entity(
        "m", body, ports=ports, generic="  generic (CUT : natural := 1);\n",
        inside=f"  signal q, r : {kind}(7 downto 0);\n",
    )  # fmt: skip
    _, found, warnings = held({"m.vhd": text}, tmp_path, given={"CUT": 2}, wrap=wrap)
    assert not warnings
    assert found.latency == 2
    assert found.values[16 * 3 + 5] == 17


@needs_ghdl
def test_vhdl_that_ghdl_does_not_simulate_is_a_warning(tmp_path):
    # Beyond its range an integer stops a simulation, while synthesis goes on.
    text = entity(
        "m", "  p <= a * b;\n  r <= to_integer(a) + to_integer(b);",
        ports="a, b : in unsigned(3 downto 0); p : out unsigned(7 downto 0)",
        inside="  signal r : integer range 0 to 20;\n",
    )  # fmt: skip
    _, found, (warning,) = held({"m.vhd": text}, tmp_path)
    assert warning.startswith("unchecked-vhdl: not held to GHDL's own simulation of the VHDL: ")
    assert "bound check failure" in warning
    assert found.values[255] == 225


# --- what is refused ------------------------------------------------------------------------------


def mul(name, body, ports="(input logic [3:0] a, b, output logic [7:0] p)", parameters=""):
    return f"module {name} {parameters}{ports};\n{body}\nendmodule\n"


BEYOND = "assign p = a inside {0} ? 8'd0 : a * b;"
REFUSED = {
    "a mistake in the second file": (
        {
            "one.sv": PACKAGE,
            "two.sv": mul("two", "import kinds::*;\nstep_t q;\nassign p = nobody;"),
        },
        {},
        r"^one\.sv, two\.sv: the SystemVerilog does not compile: two\.sv:4: use of undeclared "
        r"identifier 'nobody'; mend it there$",
    ),
    "a mistake that Icarus finds": (
        {"m.sv": mul("m", "wire x\nassign p = a * b;")},
        {},
        r"^m\.sv: the Verilog does not compile: m\.sv:3: syntax error .* behind `wire x`$",
    ),
    "a parameter that the design refuses where it is elaborated": (
        {"m.sv": mul("m", f'if (W > 4) $error("W is %0d, at most 4", W);\n{BEYOND}',
                     parameters="#(parameter int unsigned W = 4)")},
        {"parameters": {"W": 5}},
        r"m\.sv:2: \$error encountered: W is 5, at most 4; mend it there$",
    ),
    "a parameter that the design refuses where it starts": (
        {"m.sv": mul("m", f'initial if (W > 4) $fatal(1, "W is too large");\n{BEYOND}',
                     parameters="#(parameter int unsigned W = 4)")},
        {"parameters": {"W": 5}},
        r"^m\.sv: the Verilog stops at m\.sv:2: initial if .*W is too large",
    ),
    "no such parameter": (
        {"m.sv": mul("m", BEYOND, parameters="#(parameter W = 4, localparam L = 1)")},
        {"parameters": {"L": 5}},
        r"^m \(m\.sv\): no parameter L; it has W$",
    ),
    "a text that Yosys' commands would take apart": (
        {"m.sv": mul("m", BEYOND, parameters='#(parameter string S = "x")')},
        {"parameters": {"S": "x; !touch here"}},
        r"^m\.sv: expected a word as the value of S, for Yosys reads it, got x; !touch here$",
    ),
    "a name that Yosys' commands would take apart": (
        {"m.sv": mul("\\m;!touch${IFS}here ", BEYOND)},
        {},
        r"^m\.sv: expected a module whose name has letters, digits and _, got m;!touch",
    ),
    "an interface as a port of the top": (
        {"m.sv": "interface bus; logic [3:0] a, b; logic [7:0] p; endinterface\n"
         "module m(bus io); assign io.p = io.a * io.b; endmodule"},
        {"top": "m"},
        r"m\.sv:2: .*interface port 'io'; write a module around it whose ports are vectors$",
    ),
    "a loop without a sane end": (
        {"m.sv": mul("m", "logic [pk::N-1:0] x;\nfor (genvar i = 0; i < pk::N; i++) begin\n"
                     "  assign x[i] = a[i % 4];\nend\n" + BEYOND)
         + "package pk; localparam int N = 2000000; endpackage\n"},
        {},
        r"m\.sv:3: generate loop hit maximum step limit",
    ),
    "a program to run": (
        {"m.sv": mul("m", f'initial $system("touch here");\n{BEYOND}')},
        {},
        r"^m\.sv: \$system is refused before anything runs",
    ),
    "an included file of somebody else": (
        {"m.sv": mul("m", f'`include "/etc/passwd"\n{BEYOND}')},
        {},
        r"^m\.sv: .*/etc/passwd",
    ),
    "a memory of somebody else": (
        {"m.sv": mul("m", 'logic [7:0] w [2];\ninitial $readmemh("/etc/passwd", w);\n' + BEYOND)},
        {},
        r"^m\.sv: expected \$readmemh of a file beside the Verilog or below it, got /etc/passwd$",
    ),
    "a function in C": (
        {"m.sv": mul("m", f'import "DPI-C" function int system(input string s);\n{BEYOND}')},
        {},
        r"^m\.sv: functions of another language \(DPI\) are refused",
    ),
}  # fmt: skip
REFUSED_VHDL = {
    "a mistake in the second file": (
        {"one.vhd": entity("one", "  p <= a * b;"), "two.vhd": entity("two", "  p <= a ** b;")},
        {"top": "two"},
        r"^one\.vhd, two\.vhd: the VHDL does not compile: two\.vhd:\d+: .*; mend it there$",
    ),
    "a latch": (
        {"m.vhd": entity("m", "  process (all) begin\n    if a(0) = '1' then p <= a * b; end if;\n"
                         "  end process;")},
        {},
        r"^m\.vhd: expected a product of the operands alone, but p is a latch, m\.vhd:9: give it",
    ),
    "an entity that no file has": (
        {"m.vhd": entity("m", "  u: leaf port map (a, b, p);", inside="component leaf is "
                         "port (a, b : in unsigned(3 downto 0); p : out unsigned(7 downto 0)); "
                         "end component;")},
        {},
        r"^m\.vhd: expected an entity leaf, which it uses and no file has; .*--with FILE",
    ),
    "a file that it reads": (
        {"m.vhd": entity("m", "  p <= a * b;", inside="file f : text open read_mode is "
                         '"/etc/passwd";\n').replace(HEAD, f"{HEAD}use std.textio.all;\n")},
        {},
        r"^m\.vhd: `file f :` is refused: a multiplier may compute",
    ),
    "a function in C": (
        {"m.vhd": entity("m", "  p <= a * b;", inside="attribute foreign : string;\n")},
        {},
        r"^m\.vhd: `attribute foreign` is refused",
    ),
    "two languages": (
        {"m.vhd": entity("m", "  p <= a * b;"), "n.v": "module n; endmodule\n"},
        {},
        r"^m\.vhd, n\.v: expected VHDL or Verilog, got both; give a design in one of them$",
    ),
    "two multipliers": (
        {"m.vhd": entity("one", "  p <= a * b;") + entity("two", "  p <= a + b;")
         .replace("p <= a + b", "p <= resize(a, 8) + b")},
        {},
        r"^m\.vhd: expected one top module, got one and two, .* choose one with --top",
    ),
    "no such top": ({"m.vhd": entity("m", "  p <= a * b;")}, {"top": "Other"}, "got m$"),
    "no such generic": (
        {"m.vhd": PIPELINE}, {"parameters": {"K": 5}},
        r"^piped \(m\.vhd\): no generic K; it has depth$",
    ),
    "a generic of another kind": (
        {"m.vhd": PIPELINE}, {"parameters": {"DEPTH": "many"}},
        r"^m\.vhd: ghdl fails in itself on this VHDL: do the generics have values of their types",
    ),
    "signs that the VHDL declares otherwise": (
        {"m.vhd": entity("m", "  p <= a * b;")}, {"asked": Asked(signed=True)},
        r"^m \(m\.vhd\): a is declared unsigned, got --signed$",
    ),
    "a port of both directions": (
        {"m.vhd": entity("m", "  p <= a * b;", ports="a, b : in unsigned(3 downto 0); "
                         "p : inout unsigned(7 downto 0)")},
        {},
        r"^m \(m\.vhd\): expected inputs and outputs, got inout p",
    ),
}  # fmt: skip


def refusal(tmp_path, files, options):
    before = {path.name for path in tmp_path.iterdir()}
    sources = written(tmp_path / "d", files)
    with pytest.raises(HwsimError) as caught:
        read_circuit(sources, **{"asked": Asked(), **options})
    assert {path.name for path in tmp_path.iterdir()} == {*before, "d"}
    assert {path.name for path in (tmp_path / "d").iterdir()} == set(files)
    return str(caught.value)


@pytest.mark.parametrize(("files", "options", "sentence"), REFUSED.values(), ids=REFUSED)
def test_systemverilog_that_nobody_reads_is_one_sentence_with_its_place(
    files, options, sentence, tmp_path
):
    said = refusal(tmp_path, files, options)
    assert re.search(sentence, said), said
    assert "\n" not in said


@needs_ghdl
@pytest.mark.parametrize(("files", "options", "sentence"), REFUSED_VHDL.values(), ids=REFUSED_VHDL)
def test_vhdl_that_is_no_multiplier_is_one_sentence_with_its_place(
    files, options, sentence, tmp_path
):
    said = refusal(tmp_path, files, options)
    assert re.search(sentence, said), said
    assert "\n" not in said


KEPT = {
    "a latch": (
        "m.sv",
        mul("m", "logic [7:0] q;\nassign p = q;\nalways @* if (!(a inside {5})) q = a * b;"),
        r"m \(m\.sv\): expected one product for each operand pair, got .*: it depends on earlier",
    ),
    "an unknown bit": (
        "m.vhd",
        entity("m", "  p <= (7 => 'X', others => '0') when a = 3 else a * b;"),
        r"m \(m\.vhd\): expected 0 and 1 only on p, got X0000000 for a=3, b=0",
    ),
    "a signal that nothing drives": (
        "m.vhd",
        entity("m", "  p <= (a * b) xor s;", inside="  signal s : unsigned(7 downto 0);\n"),
        r"m \(m\.vhd\): expected 0 and 1 only on p, got XXXXXXXX",
    ),
}


@needs_ghdl
@pytest.mark.parametrize(("name", "text", "sentence"), KEPT.values(), ids=KEPT)
def test_what_is_no_function_of_the_operands_is_found_behind_a_translation(
    name, text, sentence, tmp_path
):
    (path,) = written(tmp_path / "d", {name: text})
    asked = Asked(signed=None if name.endswith("vhd") else False)
    with pytest.raises(HwsimError, match=sentence):
        find(str(path), Request(asked, cache=False)).table(jobs=1)


# --- what is not installed ------------------------------------------------------------------------


def test_without_yosys_the_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(systemverilog, "find_yosys", lambda: None)
    said = refusal(tmp_path, {"m.sv": mul("m", BEYOND)}, {})
    assert re.search(
        r"m\.sv:2: .*`inside` is SystemVerilog beyond Icarus Verilog; install Yosys with slang, "
        r"which reads it \(pip install 'axhil\[hardware\]'\), or convert",
        said,
    )


def test_a_yosys_without_slang_reads_with_its_own_front_end(tmp_path, monkeypatch):
    found = find_yosys()
    old = Yosys(found.title, found.command, recent=False)
    monkeypatch.setattr(systemverilog, "find_yosys", lambda: old)
    text = """module leaf #(parameter W = 8)
  (input logic signed [W-1:0] a, b, output logic [2*W-1:0] p);
  assign p = a * b;
endmodule
module m #(parameter int unsigned W = 8)
  (input logic signed [W-1:0] a, b, output logic [2*W-1:0] p);
  leaf #(.W(W)) u (.*);
endmodule
"""
    sources = written(tmp_path / "d", {"m.sv": text})
    circuit = read_circuit(sources, parameters={"W": 4})
    assert circuit.front_end == f"Yosys {found.version()}"
    (words,) = products([circuit])
    assert words.values.tolist() == [signed(a, b) for a in range(16) for b in range(16)]


def test_without_ghdl_the_sentence_says_what_to_install(tmp_path, monkeypatch):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("iverilog", "vvp"):
        (programs / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(programs))
    said = refusal(tmp_path, {"m.vhd": entity("m", "  p <= a * b;")}, {})
    assert said == "m.vhd: expected ghdl on PATH, which reads VHDL (Debian: apt-get install ghdl)"
