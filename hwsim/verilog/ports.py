# SPDX-License-Identifier: Apache-2.0
"""A design's ports, widths and parameters as pyverilog reads them, checked before simulating."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..designs.design import FIRST, PRODUCT, SECOND, Design, Parameter
from ..errors import HwsimError
from .constants import evaluate
from .syntax import parse_modules


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


def check_ports(design: Design) -> Interface:
    """Refuses a design whose top is not the multiplier it is said to be.

    Returns:
        The interface of the top.

    Raises:
        HwsimError: no such module, an unknown parameter, a missing or extra port, a wrong
            direction or width.
    """
    interface = read_interface(design)
    where = f"{design.top} ({_top_source(design)[0]})"
    expected = {
        FIRST: Port(FIRST, "input", design.width),
        SECOND: Port(SECOND, "input", design.width),
        PRODUCT: Port(PRODUCT, "output", 2 * design.width),
    }
    found = {port.name: port for port in interface.ports}
    for name, port in expected.items():
        if found.get(name) != port:
            got = found.get(name) or "ports " + ", ".join(found)
            raise HwsimError(f"{where}: expected {port}, got {got}")
    extra = [name for name in found if name not in expected]
    if extra:
        raise HwsimError(f"{where}: expected only {', '.join(expected)}, also got {extra[0]}")
    return interface


def read_interface(design: Design) -> Interface:
    """Reads the top's interface, with the design's parameters in place.

    Raises:
        HwsimError: pyverilog cannot read the file, the top is not in it, or it has no such
            parameter.
    """
    path, text = _top_source(design)
    modules = parse_modules(text, where=path)
    if design.top not in modules:
        raise HwsimError(f"expected a module {design.top}, pyverilog found none in {path}")
    return module_interface(modules[design.top], design.parameters, where=path)


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


def _top_source(design: Design) -> tuple[str, str]:
    """Path and text of the source that declares the top."""
    for path in design.sources:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise HwsimError(f"cannot read {path}: {error}") from error
        if re.search(rf"^\s*module\s+{re.escape(design.top)}\b", text, re.MULTILINE):
            return str(path), text
    names = ", ".join(str(path) for path in design.sources)
    raise HwsimError(f"expected a module {design.top}, found none in {names}")


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
