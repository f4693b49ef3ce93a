# SPDX-License-Identifier: Apache-2.0
"""Values of Verilog parameters, as Verilog and JSON spell them."""

from collections.abc import Mapping

Parameter = int | str


def literal(value: Parameter) -> str:
    """A parameter's value in Verilog; beyond 32 bits a concatenation of 16-bit words.

    Icarus' scanner refuses a single long literal, and a packed table reads better in words.
    """
    if isinstance(value, str):
        return f'"{value}"'
    if _fits(value):
        return str(value)
    words = (value.bit_length() + 15) // 16
    hexadecimal = value.to_bytes(2 * words).hex(" ", 2)
    return "{" + ", ".join(f"16'h{word}" for word in hexadecimal.split()) + "}"


def jsonable(parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """The parameters as JSON holds them: what exceeds 32 bits is Verilog text."""
    return {
        name: value if isinstance(value, str) or _fits(value) else literal(value)
        for name, value in parameters.items()
    }


def _fits(value: int) -> bool:
    return -(2**31) <= value < 2**31
