# SPDX-License-Identifier: Apache-2.0
"""Modules, ports and parameters as Icarus Verilog elaborates them.

Icarus writes scopes, ports and parameters into the program it compiles; the directions of ports
stand nowhere else, as the simulator's procedural interface does not tell them to cocotb. Names and
widths are checked again through cocotb when the design is simulated.
"""

import re
from collections.abc import Mapping, Sequence

from ...errors import HwsimError
from ...tools.scratch import scratch
from ...tools.simulators import run_icarus
from ..parameters import Parameter
from ..ports import Instance, Interface, Port
from .complaints import refusal
from .syntax import OPTIONS

_SCOPE = re.compile(
    r'^(?P<id>S_\w+) \.scope (?P<kind>[\w.]+), "(?P<name>[^"]*)" "(?P<module>[^"]*)"'
    r"[^\n;]*?(?P<parent>S_\w+)?;",
    re.MULTILINE,
)
_PORT = re.compile(r'\.port_info \d+ /(INPUT|OUTPUT|INOUT) (\d+) "([^"]+)"')
# /s is signed; /2s is a two-state one, such as byte and int.
_SIGNED = re.compile(r'\.(?:net|var|array)\S*/2?s \*?"([^"]+)"')
_PARAMETER = re.compile(r'\.param/(l|str) "([^"]+)" (\S+) [\d ]+, ([^;]+);')


def elaborate(
    text: str,
    tops: Sequence[str],
    *,
    parameters: Mapping[str, Parameter] | None = None,
    name: str,
) -> dict[str, Interface]:
    """The interfaces of modules.

    Args:
        text: preprocessed Verilog or SystemVerilog.
        tops: the modules.
        parameters: values that replace their defaults.
        name: for messages.

    Raises:
        UncompiledError: the Verilog does not compile.
        HwsimError: a module is missing, or a top has no such parameter.
    """
    parameters = dict(parameters or {})
    with scratch("elaborate") as folder:
        source = folder / "design.v"
        source.write_text(text, encoding="utf-8", errors="surrogateescape")
        command = ["iverilog", *OPTIONS, "-o", "design.vvp"]
        for top in tops:
            command += ["-s", top]
            command += [f"-P{top}.{key}={_override(value)}" for key, value in parameters.items()]
        done = run_icarus([*command, source.name], name=name, folder=folder)
        if done.code:
            raise refusal(done.stderr, text, name=name)
        found = _interfaces((folder / "design.vvp").read_text(errors="surrogateescape"))
    for top in tops:
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
    # By a scope: the instances in the module that it is in, and what stands before their names.
    places: dict[str | None, tuple[list[Instance], str]] = {None: ([], "")}
    for scope, end in zip(scopes, ends, strict=True):
        siblings, before = places[scope["parent"]]
        if scope["kind"] != "module":
            places[scope["id"]] = siblings, f"{before}{scope['name']}."
            continue
        body = program[scope.end() : end]
        children: list[Instance] = []
        parameters = _parameters(body)
        siblings.append(Instance(before + scope["name"], scope["module"], parameters, children))
        places[scope["id"]] = children, ""
        if scope["parent"] is None:
            signed = set(_SIGNED.findall(body))
            ports = tuple(
                Port(name, direction.lower(), int(width), name in signed)
                for direction, width, name in _PORT.findall(body)
            )
            found[scope["module"]] = Interface(ports, parameters, children)
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
