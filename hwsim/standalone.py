# SPDX-License-Identifier: Apache-2.0
"""A multiplier as one Verilog file: no parameters, no other file."""

import re
from collections.abc import Sequence

from .designs import FIRST, PRODUCT, SECOND
from .files import read_text
from .multipliers import Catalogued


def standalone(multiplier: Catalogued) -> str:
    """One Verilog file with a module that has everything in place.

    The modules inside carry the top's name as a prefix, so two such files can be compiled together.

    Args:
        multiplier: which; a signed one stands inside a sign-magnitude wrapper.

    Returns:
        Verilog-2005 text; the top is `mul_<slug>`, with `_signed` when signed.

    Raises:
        HwsimError: a Verilog file is missing.
    """
    circuit, width = multiplier.circuit(), multiplier.operand.bits
    top = f"mul_{multiplier.slug}" + ("_signed" if circuit.product.signed else "")
    kind = "signed" if circuit.product.signed else "unsigned"
    texts = [read_text(path) for path in circuit.sources]
    texts += [circuit.wrapper] if circuit.wrapper else []
    names = [name for text in texts for name in re.findall(r"(?m)^\s*module\s+(\w+)", text)]
    instance = circuit.instance("u_mul", {port: port for port in (FIRST, SECOND, PRODUCT)})
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
        _prefixed(instance, names, top),
        "endmodule",
        "",
        "`default_nettype wire",
        "",
    ]
    return "\n".join([*head, *(_prefixed(text, names, top) for text in texts)])


def _prefixed(text: str, names: Sequence[str], prefix: str) -> str:
    """`text` with `prefix` before the modules it declares or instantiates, comments untouched."""
    any_of = "|".join(map(re.escape, names))
    text = re.sub(rf"(?m)^(\s*module\s+)({any_of})\b", rf"\1{prefix}_\2", text)
    return re.sub(rf"(?m)^(\s*)({any_of})(\s+#\(|\s+u_\w+\s*\()", rf"\1{prefix}_\2\3", text)
