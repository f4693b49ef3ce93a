# SPDX-License-Identifier: Apache-2.0
"""Modules and ports as Icarus elaborates them, for Verilog that is beyond pyverilog's grammar.

Icarus writes scopes, ports and parameters into the program it compiles; the directions of ports
stand nowhere else, as the simulator's procedural interface does not tell them to cocotb. Names and
widths are checked again through cocotb when the design is simulated.
"""

import re
from collections.abc import Mapping

from ..errors import HwsimError
from ..tools.logs import first_error
from ..tools.scratch import scratch
from ..tools.simulators import run_icarus
from .parameters import Parameter
from .ports import Interface, Port
from .syntax import OPTIONS

_SCOPE = re.compile(
    r'^S_\w+ \.scope (?P<kind>[\w.]+), "(?P<name>[^"]*)" "(?P<module>[^"]*)"'
    r"(?P<rest>[^\n;]*);",
    re.MULTILINE,
)
_PORT = re.compile(r'\.port_info \d+ /(INPUT|OUTPUT|INOUT) (\d+) "([^"]+)"')
_SIGNED = re.compile(r'\.(?:net|var|array)\S*/s "([^"]+)"')
_PARAMETER = re.compile(r'\.param/(l|str) "([^"]+)" (\S+) [\d ]+, ([^;]+);')


def elaborate(
    text: str,
    *,
    top: str | None,
    parameters: Mapping[str, Parameter],
    name: str,
) -> dict[str, Interface]:
    """The interfaces of the modules that nobody instantiates.

    Args:
        text: preprocessed Verilog or SystemVerilog.
        top: the one module to elaborate; None for every one that nobody instantiates.
        parameters: values that replace the top's defaults.
        name: for messages.

    Raises:
        HwsimError: the Verilog does not compile, or the top has no such parameter.
    """
    command = ["iverilog", *OPTIONS]
    if top is not None:
        command += ["-s", top]
        command += [f"-P{top}.{key}={_override(value)}" for key, value in parameters.items()]
    with scratch("elaborate") as folder:
        source, program = folder / "design.v", folder / "design.vvp"
        source.write_text(text, encoding="utf-8")
        done = run_icarus([*command, "-o", program.name, source.name], name=name, folder=folder)
        if done.code:
            raise HwsimError(f"{name}: the Verilog does not compile: {first_error(done.stderr)}")
        found = _interfaces(program.read_text())
    if top is not None and top in found:
        for key in parameters:
            if key not in found[top].parameters:
                known = ", ".join(found[top].parameters) or "none"
                raise HwsimError(f"{top} ({name}): no parameter {key}; it has {known}")
    return found


def _override(value: Parameter) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _interfaces(program: str) -> dict[str, Interface]:
    scopes = list(_SCOPE.finditer(program))
    ends = [scope.start() for scope in scopes[1:]] + [len(program)]
    found = {}
    for scope, end in zip(scopes, ends, strict=True):
        # A scope inside another names its parent.
        if scope["kind"] != "module" or "S_" in scope["rest"]:
            continue
        body = program[scope.end() : end]
        signed = set(_SIGNED.findall(body))
        ports = tuple(
            Port(name, direction.lower(), int(width), name in signed)
            for direction, width, name in _PORT.findall(body)
        )
        found[scope["module"]] = Interface(ports, _parameters(body))
    return found


def _parameters(body: str) -> dict[str, Parameter]:
    values: dict[str, Parameter] = {}
    for kind, name, flags, text in _PARAMETER.findall(body):
        # The first flag says whether it is a localparam.
        if flags.startswith("1"):
            continue
        number = re.fullmatch(r"(\+)?C4<([01]+)>", text.strip())
        if kind == "str":
            values[name] = text.strip().strip('"')
        elif number is not None:
            bits = number[2]
            value = int(bits, 2)
            values[name] = value - (1 << len(bits)) if number[1] and bits[0] == "1" else value
    return values
