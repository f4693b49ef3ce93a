# SPDX-License-Identifier: Apache-2.0
"""A module's ports, widths and parameters as pyverilog reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import HwsimError
from .constants import evaluate
from .parameters import Parameter


@dataclass(frozen=True)
class Port:
    """One port.

    Attributes:
        name: as in the Verilog.
        direction: `input`, `output` or `inout`.
        width: bits, with the design's parameters in place.
        signed: declared `signed`.
    """

    name: str
    direction: str
    width: int
    signed: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.direction} {self.name} of {self.width} bits"


@dataclass(frozen=True)
class Interface:
    """What a module shows to the outside.

    Attributes:
        ports: in the order of the header.
        parameters: every parameter with its value, given or default.
    """

    ports: tuple[Port, ...]
    parameters: Mapping[str, Parameter]


def module_interface(module: Any, parameters: Mapping[str, Parameter], *, where: str) -> Interface:
    """The interface of a module's syntax tree.

    Args:
        module: pyverilog's tree.
        parameters: values that replace defaults.
        where: file, for messages.

    Raises:
        HwsimError: no such parameter, or a width that is beyond constant arithmetic.
    """
    declared = _declarations(module)

    values: dict[str, Parameter] = {}
    public: list[str] = []
    for kind, item in declared:
        if kind in ("Parameter", "Localparam"):
            given = kind == "Parameter" and item.name in parameters
            values[item.name] = (
                parameters[item.name] if given else evaluate(item.value.var, values, where)
            )
            if kind == "Parameter":
                public.append(item.name)
    for name in parameters:
        if name not in public:
            known = ", ".join(public) or "none"
            raise HwsimError(f"{module.name} ({where}): no parameter {name}; it has {known}")

    # Outside the header a port may be declared twice: `input [7:0] a; wire signed [7:0] a;`.
    signed = {item.name for kind, item in declared if kind in _DIRECTIONS + _NETS and item.signed}
    ports = []
    for kind, item in declared:
        if kind in _DIRECTIONS:
            width = 1
            if item.width is not None:
                msb = evaluate(item.width.msb, values, where)
                lsb = evaluate(item.width.lsb, values, where)
                width = abs(int(msb) - int(lsb)) + 1
            ports.append(Port(item.name, kind.lower(), width, item.name in signed))
    return Interface(tuple(ports), {name: values[name] for name in public})


_DIRECTIONS = ("Input", "Output", "Inout")
_NETS = ("Wire", "Reg")


def _declarations(module: Any) -> list[tuple[str, Any]]:
    """Every port and parameter declaration of the header and the body, with its kind."""
    found: list[tuple[str, Any]] = []
    headers = [*module.paramlist.params, *module.portlist.ports, *module.items]
    for header in headers:
        match type(header).__name__:
            case "Decl":
                items = header.list
            case "Ioport":
                items = [header.first]
            case _:
                continue
        found.extend((type(item).__name__, item) for item in items)
    return found
