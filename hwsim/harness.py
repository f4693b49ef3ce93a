# SPDX-License-Identifier: Apache-2.0
"""Verilog made around designs: the harness that is simulated, and stand-alone modules."""

import re
from collections.abc import Sequence
from textwrap import dedent

from .catalog import Multiplier
from .design import FIRST, PRODUCT, SECOND, Design, literal

TOP = "axhil_harness"
OPERAND_BITS, PRODUCT_BITS = 16, 32
"""Bits of one lane in the packed operands and in the packed products."""


def harness(designs: Sequence[Design], *, lanes: int) -> str:
    """A module with `lanes` copies of every design side by side.

    Lane i takes its operands from bits 16*i upwards of `a` and `b`; design d leaves its product
    in bits 32*i upwards of `p_<d>`, zero-extended. Many lanes and many designs in one simulation
    share its start-up and its time steps.
    """
    width = designs[0].width
    outputs = "".join(
        f",\n  output wire [{PRODUCT_BITS * lanes - 1}:0] p_{d}" for d in range(len(designs))
    )
    instances = "\n".join(_instance(design, d) for d, design in enumerate(designs))
    return (
        "`default_nettype none\n"
        f"module {TOP} (\n"
        f"  input wire [{OPERAND_BITS * lanes - 1}:0] a,\n"
        f"  input wire [{OPERAND_BITS * lanes - 1}:0] b{outputs}\n"
        ");\n"
        "  genvar i;\n"
        f"  generate for (i = 0; i < {lanes}; i = i + 1) begin : g_lane\n"
        f"    wire [{width - 1}:0] a_lane = a[{OPERAND_BITS}*i +: {width}];\n"
        f"    wire [{width - 1}:0] b_lane = b[{OPERAND_BITS}*i +: {width}];\n"
        f"{instances}\n"
        "  end endgenerate\n"
        "endmodule\n"
        "`default_nettype wire\n"
    )


def _instance(design: Design, index: int) -> str:
    bits = 2 * design.width
    lane = f"p_{index}[{PRODUCT_BITS}*i +: {PRODUCT_BITS}]"
    product = f"p_lane_{index}"
    return (
        f"    wire [{bits - 1}:0] {product};\n"
        f"    {design.top} #({_parameters(design)}) u_{index} "
        f"(.{FIRST}(a_lane), .{SECOND}(b_lane), .{PRODUCT}({product}));\n"
        f"    assign {lane} = {product};"
    )


def _parameters(design: Design) -> str:
    return ", ".join(f".{name}({literal(value)})" for name, value in design.parameters.items())


def standalone(multiplier: Multiplier, width: int, *, signed: bool = False) -> str:
    """One Verilog file with a module that has everything in place: no parameters, no other file.

    The modules inside carry the top's name as a prefix, so two such files can be compiled together.

    Args:
        multiplier: which.
        width: operand bits, 4..16.
        signed: inside the sign-magnitude wrapper; the unsigned core otherwise.

    Returns:
        Verilog-2005 text; the top is `mul_<slug>`, with `_signed` when signed.

    Raises:
        HwsimError: the multiplier is illegal for this width.
    """
    design = Design.of(multiplier, width=width, signed=signed)
    top = f"mul_{multiplier.slug}" + ("_signed" if signed else "")
    kind = "signed" if signed else "unsigned"
    names = [path.stem for path in design.sources]
    head = dedent(f"""\
        // SPDX-License-Identifier: Apache-2.0
        //
        // {multiplier}, {kind}, {width} x {width} bits, printed by axhil: every constant is in
        // place, and no other file is needed.

        `default_nettype none

        module {top} (
          input  wire [{width - 1}:0] {FIRST},
          input  wire [{width - 1}:0] {SECOND},
          output wire [{2 * width - 1}:0] {PRODUCT}
        );

          {top}_{design.top} #({_parameters(design)}) u_mul (
            .{FIRST}({FIRST}),
            .{SECOND}({SECOND}),
            .{PRODUCT}({PRODUCT})
          );

        endmodule

        `default_nettype wire
        """)
    parts = (_prefixed(path.read_text(), names, top) for path in design.sources)
    return "\n".join([head, *parts])


def _prefixed(text: str, names: Sequence[str], prefix: str) -> str:
    """`text` with `prefix` before the modules it declares or instantiates, comments untouched."""
    any_of = "|".join(map(re.escape, names))
    text = re.sub(rf"(?m)^(\s*module\s+)({any_of})\b", rf"\1{prefix}_\2", text)
    return re.sub(rf"(?m)^(\s*)({any_of})(\s+#\()", rf"\1{prefix}_\2\3", text)
