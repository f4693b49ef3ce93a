# SPDX-License-Identifier: Apache-2.0
"""What is simulated: a top module, its parameters and its sources."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .catalog import Multiplier
from .sources import sha256, source

FIRST, SECOND, PRODUCT = "a_i", "b_i", "p_o"
"""Ports of every multiplier: first operand, second operand, product."""

ROLES = {FIRST: "activation", SECOND: "weight"}
"""What the operands carry in a network: rows and columns of the table."""

SIGNED_TOP = "mul_signed"

Parameter = int | str


@dataclass(frozen=True)
class Design:
    """One multiplier as the simulator sees it.

    Attributes:
        name: for messages and manifests, such as `drum(4)`.
        top: top module.
        parameters: under their RTL names.
        sources: Verilog files, all of them.
        width: operand bits.
        signed: operands and product are two's complement.
    """

    name: str
    top: str
    parameters: Mapping[str, Parameter]
    sources: tuple[Path, ...]
    width: int
    signed: bool

    @classmethod
    def of(
        cls, multiplier: Multiplier, *, width: int, signed: bool, rtl: Path | None = None
    ) -> "Design":
        """The design of a multiplier of the catalogue.

        Args:
            multiplier: which.
            width: operand bits, 4..16.
            signed: inside the sign-magnitude wrapper.
            rtl: another Verilog folder than the project's own.

        Raises:
            HwsimError: illegal for this width, or a source is missing.
        """
        parameters: dict[str, Parameter] = dict(multiplier.parameters(width))
        modules = multiplier.modules
        if signed:
            parameters = {"CORE": multiplier.family, **parameters}
            modules = (SIGNED_TOP, *modules)
        return cls(
            name=str(multiplier),
            top=modules[0],
            parameters=parameters,
            sources=tuple(source(module, rtl=rtl) for module in modules),
            width=width,
            signed=signed,
        )

    def source_hashes(self) -> dict[str, str]:
        """SHA-256 of every source, by file name."""
        return {path.name: sha256(path) for path in self.sources}

    def manifest_parameters(self) -> dict[str, Parameter]:
        """The parameters as JSON holds them: what exceeds 32 bits is Verilog text."""
        return {
            name: value if isinstance(value, str) or _fits(value) else literal(value)
            for name, value in self.parameters.items()
        }


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


def _fits(value: int) -> bool:
    return -(2**31) <= value < 2**31
