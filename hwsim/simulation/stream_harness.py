# SPDX-License-Identifier: Apache-2.0
"""Verilog around multipliers: a stream of operand pairs in, a stream of outputs of each out.

One pair a cycle. Operands change while the clock is low, the output is read before the clock's
edge; a design without a clock has settled by then. Files carry the streams, as crossing from Python
to the simulator costs more than a product.
"""

from collections.abc import Sequence

from ..verilog.circuit import Circuit

TOP = "axhil_stream"
OPERANDS, PRODUCTS, UNKNOWN = "operands.bin", "products.bin", "unknown.txt"

SETTLE = 1000
"""Nanoseconds of half a cycle: designs with delays settle too, and longer costs nothing."""

RESET_CYCLES = 8
MOST_UNKNOWN = 4096
"""How many outputs with X or Z bits are written down before the rest is only counted."""


def operand_bytes(bits: tuple[int, int]) -> int:
    """Bytes of either operand in the file, big-endian as `$fread` wants them."""
    return 2 if max(bits) <= 16 else 4


def product_words(width: int) -> int:
    """32-bit words of one output in the file, little-endian as `%u` writes them."""
    return 1 if width <= 32 else 2


def stream_harness(circuits: Sequence[Circuit]) -> str:
    """A module that sends `count` pairs through circuits whenever `go` changes.

    `done` follows `go` at the end. The outputs of a cycle stand one behind the other in the stream.
    One with X or Z bits stands in a text file, as `<circuit> <cycle> <bits>`, and as 0 in the
    stream.

    Args:
        circuits: of equal operands; several must all be combinational.

    Returns:
        Verilog-2005.
    """
    roles = circuits[0].roles
    clock, reset = roles.clock, roles.reset
    a_bits, b_bits = roles.bits
    lane = 8 * operand_bytes(roles.bits)
    instances, words, unknowns, low = "", [], "", 0
    for i, circuit in enumerate(circuits):
        nets = {circuit.roles.activation: "a", circuit.roles.weight: "b"}
        nets[circuit.roles.product] = f"p_{i}"
        if clock is not None:
            nets[clock] = "clk"
        if reset is not None:
            nets[reset.name] = "rst"
        bits = circuit.roles.product_bits
        size = 32 * product_words(bits)
        instances += f"  wire [{bits - 1}:0] p_{i};\n{circuit.instance(f'u_{i}', nets)}"
        words.append(f"{{{size - bits}{{1'b0}}}}, p_{i}" if size > bits else f"p_{i}")
        unknowns += (
            f"        if (^p_{i} === 1'bx) begin\n"
            f"          words[{low} +: {size}] = 0;\n"
            f"          if (unknowns < {MOST_UNKNOWN})\n"
            f'            $fdisplay(unknown, "{i} %0d %b", cycle, p_{i});\n'
            "          unknowns = unknowns + 1;\n"
            "        end\n"
        )
        low += size
    active, idle = ("1'b1", "1'b0") if reset is None or reset.active else ("1'b0", "1'b1")
    return (
        "`timescale 1ns/1ns\n"
        "`default_nettype none\n"
        f"module {TOP};\n"
        f"  reg [{2 * lane - 1}:0] pair;\n"
        f"  reg [{a_bits - 1}:0] a;\n"
        f"  reg [{b_bits - 1}:0] b;\n"
        f"  reg [{low - 1}:0] words;\n"
        "  reg clk, rst, go, done;\n"
        "  integer count, i, cycle, operands, products, unknown, unknowns, got;\n"
        f"{instances}"
        "  initial begin\n"
        f"    clk = 1'b0; rst = {idle}; done = 1'b0; a = 0; b = 0; cycle = 0; unknowns = 0;\n"
        f'    operands = $fopen("{OPERANDS}", "rb");\n'
        f'    products = $fopen("{PRODUCTS}", "wb");\n'
        f'    unknown = $fopen("{UNKNOWN}", "w");\n'
        "  end\n"
        "  always @(go) begin\n"
        "    if (cycle == 0) begin\n"
        f"      #{SETTLE}; rst = {active};\n"
        f"      repeat ({RESET_CYCLES}) begin #{SETTLE}; clk = 1'b1; #{SETTLE}; clk = 1'b0; end\n"
        f"      rst = {idle};\n"
        "    end\n"
        "    for (i = 0; i < count; i = i + 1) begin\n"
        "      got = $fread(pair, operands);\n"
        f"      a = pair[{lane} +: {a_bits}];\n"
        f"      b = pair[0 +: {b_bits}];\n"
        f"      #{SETTLE};\n"
        f"      words = {{{', '.join(reversed(words))}}};\n"
        "      if (^words === 1'bx) begin\n"
        f"{unknowns}"
        "      end\n"
        '      $fwrite(products, "%u", words);\n'
        + (f"      clk = 1'b1; #{SETTLE}; clk = 1'b0;\n" if clock is not None else "")
        + "      cycle = cycle + 1;\n"
        "    end\n"
        "    $fflush(products);\n"
        "    $fflush(unknown);\n"
        "    done = go;\n"
        "  end\n"
        "endmodule\n"
        "`default_nettype wire\n"
    )
