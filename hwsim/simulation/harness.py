# SPDX-License-Identifier: Apache-2.0
"""Verilog made around designs: the harness that is simulated, and stand-alone modules."""

import re
from collections.abc import Sequence

from ..designs.catalog import Multiplier
from ..designs.design import FIRST, PRODUCT, SECOND, Design, literal

TOP = "axhil_harness"
OPERAND_BITS, PRODUCT_BITS = 16, 32
"""Bits of one lane in the packed operands and in the packed products."""


def harness(designs: Sequence[Design], *, pairs: int) -> str:
    """A module that puts `pairs` operand pairs through every design, one after the other.

    A change of `go` starts a batch: pair i is in bits 16*i upwards of `a` and `b`, every pair takes
    1 ns, and then the product of design d is in bits 32*i upwards of `p_<d>`, zero-extended.
    Crossing from Python to the simulator costs more than a product, so it happens once a batch.
    """
    width = designs[0].width
    outputs = "".join(f"  reg [{PRODUCT_BITS * pairs - 1}:0] p_{d};\n" for d in range(len(designs)))
    instances = "".join(_instance(design, d) for d, design in enumerate(designs))
    records = "".join(
        f"      p_{d}[{PRODUCT_BITS}*i +: {PRODUCT_BITS}] = product_{d};\n"
        for d in range(len(designs))
    )
    return (
        "`default_nettype none\n"
        f"module {TOP};\n"
        f"  reg [{OPERAND_BITS * pairs - 1}:0] a, b;\n"
        "  reg go;\n"
        f"{outputs}"
        f"  reg [{width - 1}:0] {FIRST}, {SECOND};\n"
        "  integer i;\n"
        f"{instances}"
        "  always @(go) begin\n"
        f"    for (i = 0; i < {pairs}; i = i + 1) begin\n"
        f"      {FIRST} = a[{OPERAND_BITS}*i +: {width}];\n"
        f"      {SECOND} = b[{OPERAND_BITS}*i +: {width}];\n"
        "      #1;\n"
        f"{records}"
        "    end\n"
        "  end\n"
        "endmodule\n"
        "`default_nettype wire\n"
    )


def _instance(design: Design, index: int) -> str:
    return (
        f"  wire [{2 * design.width - 1}:0] product_{index};\n"
        f"  {design.top} #({', '.join(_parameters(design))}) u_{index} "
        f"(.{FIRST}({FIRST}), .{SECOND}({SECOND}), .{PRODUCT}(product_{index}));\n"
    )


def _parameters(design: Design) -> list[str]:
    return [f".{name}({literal(value)})" for name, value in design.parameters.items()]


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
    head = [
        "// SPDX-License-Identifier: Apache-2.0",
        "//",
        f"// {multiplier}, {kind}, {width} x {width} bits, printed by axhil: every constant is in",
        "// place, and no other file is needed.",
        "",
        "`default_nettype none",
        "",
        f"module {top} (",
        f"  input  wire [{width - 1}:0] {FIRST},",
        f"  input  wire [{width - 1}:0] {SECOND},",
        f"  output wire [{2 * width - 1}:0] {PRODUCT}",
        ");",
        "",
        f"  {top}_{design.top} #(",
        ",\n".join(f"    {parameter}" for parameter in _parameters(design)),
        "  ) u_mul (",
        f"    .{FIRST}({FIRST}),",
        f"    .{SECOND}({SECOND}),",
        f"    .{PRODUCT}({PRODUCT})",
        "  );",
        "",
        "endmodule",
        "",
        "`default_nettype wire",
        "",
    ]
    names = [path.stem for path in design.sources]
    parts = (_prefixed(path.read_text(), names, top) for path in design.sources)
    return "\n".join([*head, *parts])


def _prefixed(text: str, names: Sequence[str], prefix: str) -> str:
    """`text` with `prefix` before the modules it declares or instantiates, comments untouched."""
    any_of = "|".join(map(re.escape, names))
    text = re.sub(rf"(?m)^(\s*module\s+)({any_of})\b", rf"\1{prefix}_\2", text)
    return re.sub(rf"(?m)^(\s*)({any_of})(\s+#\()", rf"\1{prefix}_\2\3", text)
