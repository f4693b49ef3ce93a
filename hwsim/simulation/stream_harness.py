# SPDX-License-Identifier: Apache-2.0
"""Verilog around somebody's multiplier: a stream of operand pairs in, a stream of outputs out.

One pair a cycle. Operands change while the clock is low, the output is read before the clock's
edge; a design without a clock has settled by then. Files carry the streams, as crossing from Python
to the simulator costs more than a product.
"""

from collections.abc import Mapping

from ..designs.design import Parameter, literal
from ..verilog.roles import Roles

TOP = "axhil_stream"
OPERANDS, PRODUCTS, UNKNOWN = "operands.bin", "products.bin", "unknown.txt"

SETTLE = 1000
"""Nanoseconds of half a cycle: designs with delays settle too, and longer costs nothing."""

RESET_CYCLES = 8
MOST_UNKNOWN = 4096
"""How many outputs with X or Z bits are written down before the rest is only counted."""


def operand_bytes(width: int) -> int:
    """Bytes of one operand in the file, big-endian as `$fread` wants them."""
    return 2 if width <= 16 else 4


def product_words(width: int) -> int:
    """32-bit words of one output in the file, little-endian as `%u` writes them."""
    return 1 if width <= 32 else 2


def stream_harness(top: str, parameters: Mapping[str, Parameter], roles: Roles) -> str:
    """A module that sends `count` pairs through a design whenever `go` changes.

    `done` follows `go` at the end. Outputs with X or Z bits stand in a text
    file, as `<cycle> <bits>`, and as 0 in the stream.

    Args:
        top: the design's module.
        parameters: values that replace its defaults.
        roles: of its ports.

    Returns:
        Verilog-2005.
    """
    lane = 8 * operand_bytes(roles.width)
    word = 32 * product_words(roles.product_width)
    reset = roles.reset
    controls = {roles.activation: "a", roles.weight: "b", roles.product: "p"}
    if roles.clock is not None:
        controls[roles.clock] = "clk"
    if reset is not None:
        controls[reset.name] = "rst"
    controls |= {enable.name: f"1'b{enable.active}" for enable in roles.enables}
    controls |= {name: str(value) for name, value in roles.ties.items()}
    controls |= dict.fromkeys(roles.unread, "")
    given = ", ".join(f".{_name(name)}({literal(value)})" for name, value in parameters.items())
    wired = ",\n    ".join(f".{_name(name)}({net})" for name, net in controls.items())
    active, idle = ("1'b1", "1'b0") if reset is None or reset.active else ("1'b0", "1'b1")
    return (
        "`timescale 1ns/1ns\n"
        "`default_nettype none\n"
        f"module {TOP};\n"
        f"  reg [{2 * lane - 1}:0] pair;\n"
        f"  reg [{roles.width - 1}:0] a, b;\n"
        f"  wire [{roles.product_width - 1}:0] p;\n"
        f"  reg [{word - 1}:0] word;\n"
        "  reg clk, rst, go, done;\n"
        "  integer count, i, cycle, operands, products, unknown, unknowns, got;\n"
        f"  {_name(top)} #({given}) u_dut (\n    {wired}\n  );\n"
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
        f"      a = pair[{lane} +: {roles.width}];\n"
        f"      b = pair[0 +: {roles.width}];\n"
        f"      #{SETTLE};\n"
        "      word = p;\n"
        "      if (^p === 1'bx) begin\n"
        "        word = 0;\n"
        f'        if (unknowns < {MOST_UNKNOWN}) $fdisplay(unknown, "%0d %b", cycle, p);\n'
        "        unknowns = unknowns + 1;\n"
        "      end\n"
        '      $fwrite(products, "%u", word);\n'
        + (f"      clk = 1'b1; #{SETTLE}; clk = 1'b0;\n" if roles.clock is not None else "")
        + "      cycle = cycle + 1;\n"
        "    end\n"
        "    $fflush(products);\n"
        "    $fflush(unknown);\n"
        "    done = go;\n"
        "  end\n"
        "endmodule\n"
        "`default_nettype wire\n"
    )


def _name(name: str) -> str:
    """An escaped identifier ends with a space."""
    return f"{name} " if name.startswith("\\") else name
