# SPDX-License-Identifier: Apache-2.0
"""Verilog around multipliers: streams of operand pairs in, a stream of outputs of each out.

One pair a cycle in each lane. Operands change while the clock is low, the output is read before the
clock's edge; a design without a clock has settled by then. Files carry the streams, as crossing
from Python to the simulator costs more than a product.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..verilog.circuit import Circuit

TOP = "axhil_stream"
OPERANDS, PRODUCTS, UNKNOWN, MOVED = "operands.bin", "products.bin", "unknown.txt", "moved.txt"

SETTLE = 1000
"""Nanoseconds of half a cycle of a design without delays."""

RESET_CYCLES = 8
_PATTERNS = ("0", "'h6666_6666", "'h5555_5555", "'haaaa_aaaa")
MOST_UNKNOWN = 4096
"""How many products of one output with X or Z bits are written down; the rest is counted."""


def operand_bytes(bits: tuple[int, int]) -> int:
    """Bytes of either operand in the file, big-endian as `$fread` wants them."""
    return 2 if max(bits) <= 16 else 4


def product_words(width: int) -> int:
    """32-bit words of one output in the file, little-endian as `%u` writes them."""
    return 1 if width <= 32 else 2


@dataclass(frozen=True)
class Rig:
    """How circuits stand in a harness.

    Attributes:
        lanes: instances of each circuit, every one with operands of its own.
        settle: nanoseconds of half a cycle; longer costs nothing.
        watched: outputs must not move in the second half of that time.
    """

    lanes: int = 1
    settle: int = SETTLE
    watched: bool = False


def instance(lane: int, circuit: int) -> str:
    """Name of an instance of one of the circuits."""
    return f"u_{lane}_{circuit}"


def connections(circuit: Circuit, a: str, b: str, p: str) -> dict[str, str]:
    """Expressions by port: two operands, the product, and `clk` and `rst` where there are any."""
    roles = circuit.roles
    nets = {roles.activation: a, roles.weight: b, roles.product: p}
    nets |= {} if roles.clock is None else {roles.clock: "clk"}
    reset = roles.reset
    return nets | ({} if reset is None else {reset.name: "rst" if reset.active else "~rst"})


def stream_harness(circuits: Sequence[Circuit], rig: Rig) -> str:
    """A module that sends `count` pairs through each lane whenever `go` changes.

    `done` follows `go` at the end. The outputs of a cycle stand one behind the other in the stream,
    lane by lane. One with X or Z bits stands in a text file, as `<output> <cycle> <bits>`, and as 0
    in the stream; the first one that moved when it should stand, in another, as `<output> <cycle>
    <bits before> <bits after>`.

    Args:
        circuits: of equal operands, all with a clock or none.
        rig: how they stand.

    Returns:
        Verilog-2005.
    """
    roles = circuits[0].roles
    clocked = roles.clock is not None
    a_bits, b_bits = roles.bits
    side = 8 * operand_bytes(roles.bits)
    declared, taken, words, unknowns, moved, low = "", "", [], "", "", 0
    for lane in range(rig.lanes):
        place = 2 * side * (rig.lanes - 1 - lane)  # the first lane's pair comes first
        declared += f"  reg [{a_bits - 1}:0] a_{lane};\n  reg [{b_bits - 1}:0] b_{lane};\n"
        taken += f"      a_{lane} = pair[{place + side} +: {a_bits}];\n"
        taken += f"      b_{lane} = pair[{place} +: {b_bits}];\n"
        for i, circuit in enumerate(circuits):
            output = lane * len(circuits) + i
            p, size = f"p_{output}", 32 * product_words(bits := circuit.roles.product_bits)
            nets = connections(circuit, f"a_{lane}", f"b_{lane}", p)
            declared += f"  wire [{bits - 1}:0] {p};\n{circuit.instance(instance(lane, i), nets)}"
            words.append(f"{{{size - bits}{{1'b0}}}}, {p}" if size > bits else p)
            unknowns += (
                f"        if (^{p} === 1'bx) begin\n"
                f"          words[{low} +: {size}] = 0;\n"
                f"          if (unknowns[{output}] < {MOST_UNKNOWN})\n"
                f'            $fdisplay(unknown, "{output} %0d %b", cycle, {p});\n'
                f"          unknowns[{output}] = unknowns[{output}] + 1;\n"
                "        end\n"
            )
            moved += (
                f"        if (moves == 0 && words[{low} +: {bits}] !== {p}) begin\n"
                f'          $fdisplay(moved, "{output} %0d %b %b", cycle,'
                f" words[{low} +: {bits}], {p});\n"
                "          moves = 1;\n"
                "        end\n"
            )
            low += size
    read = f"      words = {{{', '.join(reversed(words))}}};\n"
    half = rig.settle // 2
    watch = f"{read}      #{rig.settle - half};\n      if (moves == 0) begin\n{moved}      end\n"
    # What a design takes from before the first pair is not the same in two lanes.
    start = " ".join(
        f"a_{lane} = {_PATTERNS[lane % 4]}; b_{lane} = {_PATTERNS[lane % 4]};"
        for lane in range(rig.lanes)
    )
    wait = f"#{rig.settle}"
    return (
        "`timescale 1ns/1ns\n"
        "`default_nettype none\n"
        f"module {TOP};\n"
        f"  reg [{2 * side * rig.lanes - 1}:0] pair;\n"
        f"  reg [{low - 1}:0] words;\n"
        "  reg clk, rst, go, done;\n"
        "  integer count, i, cycle, operands, products, unknown, moved, moves, got;\n"
        f"  integer unknowns [0:{len(words) - 1}];\n"
        f"{declared}"
        "  initial begin\n"
        f"    clk = 1'b0; rst = 1'b0; done = 1'b0; cycle = 0; moves = 0;\n"
        f"    for (i = 0; i < {len(words)}; i = i + 1) unknowns[i] = 0;\n"
        f"    {start}\n"
        f'    operands = $fopen("{OPERANDS}", "rb");\n'
        f'    products = $fopen("{PRODUCTS}", "wb");\n'
        f'    unknown = $fopen("{UNKNOWN}", "w");\n'
        f'    moved = $fopen("{MOVED}", "w");\n'
        "  end\n"
        "  always @(go) begin\n"
        "    if (cycle == 0) begin\n"
        f"      {wait}; rst = 1'b1;\n"
        f"      repeat ({RESET_CYCLES}) begin {wait}; clk = 1'b1; {wait}; clk = 1'b0; end\n"
        f"      rst = 1'b0;\n"
        "    end\n"
        "    for (i = 0; i < count; i = i + 1) begin\n"
        "      got = $fread(pair, operands);\n"
        f"{taken}" + (f"      #{half};\n{watch}" if rig.watched else f"      {wait};\n") + f"{read}"
        "      if (^words === 1'bx) begin\n"
        f"{unknowns}"
        "      end\n"
        '      $fwrite(products, "%u", words);\n'
        + (f"      clk = 1'b1; {wait}; clk = 1'b0;\n" if clocked else "")
        + "      cycle = cycle + 1;\n"
        "    end\n"
        "    $fflush(products);\n"
        "    $fflush(unknown);\n"
        "    $fflush(moved);\n"
        "    done = go;\n"
        "  end\n"
        "endmodule\n"
        "`default_nettype wire\n"
    )
