# SPDX-License-Identifier: Apache-2.0
"""What a design is made of, without simulating it: hierarchy, logic from bit to bit, flaws.

The logic is structural: an output bit that depends on no operand bit cannot change with it; one
that depends on it may still not.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import HwsimError
from ..verilog.constants import NotConstantError
from ..verilog.parameters import Parameter
from ..verilog.ports import Interface
from ..verilog.reading.reading import read_design
from ..verilog.reading.syntax import UnreadableVerilogError, parse_modules
from ..verilog.roles import Roles, recognise
from .bitgraph import BitGraph, bits_of, ranges
from .expressions import UnsupportedVerilogError
from .logic import Instance, build_logic


@dataclass(frozen=True)
class OutputBit:
    """The structural logic of one output bit.

    Attributes:
        name: of the bit.
        inputs: input bits that it depends on, runs joined.
        missing: operand bits that an exact product's bit of this weight depends on and this one
            does not; empty where the design is no multiplier.
        beyond: operand bits of a higher weight than the product's bit, which an exact product's
            does not depend on.
    """

    name: str
    inputs: tuple[str, ...]
    missing: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inspection:
    """What was seen.

    Attributes:
        top: top module.
        files: names of the files read.
        reader: `pyverilog`, or `Icarus Verilog` for files beyond its grammar; and what translated
            the files to Verilog.
        interface: ports and parameters of the top.
        roles: what its ports do; None where it is no multiplier.
        no_roles: why not.
        hierarchy: the top with its instances inside; None where pyverilog cannot read the files.
        operators: how often each operator stands in each module's text.
        no_logic: why there is nothing below; None where there is.
        outputs: every output bit.
        loops: sets of bits that depend on themselves through logic alone.
        latches: bits that keep their value on some path.
        registers: how many bits are registers.
        undriven: bits that something reads and nothing drives.
        unused: bits that nothing reads.
        conflicts: bits with more than one driver.
    """

    top: str
    files: tuple[str, ...]
    reader: str
    interface: Interface
    roles: Roles | None
    no_roles: str | None
    hierarchy: Instance | None = None
    operators: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    no_logic: str | None = None
    outputs: tuple[OutputBit, ...] = ()
    loops: tuple[tuple[str, ...], ...] = ()
    latches: tuple[str, ...] = ()
    registers: int = 0
    undriven: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, keys as the attributes."""
        found = {
            name: value
            for name, value in vars(self).items()
            if name not in {"interface", "roles", "hierarchy", "outputs"}
        }
        return {
            **found,
            "operators": {name: dict(counts) for name, counts in self.operators.items()},
            "ports": [asdict(port) for port in self.interface.ports],
            "parameters": dict(self.interface.parameters),
            "roles": None if self.roles is None else _roles(self.roles),
            "hierarchy": None if self.hierarchy is None else _tree(self.hierarchy),
            "outputs": [asdict(bit) for bit in self.outputs],
        }


def inspect(
    sources: Sequence[Path],
    *,
    top: str | None = None,
    parameters: Mapping[str, Parameter] | None = None,
    includes: Sequence[Path] = (),
    defines: Mapping[str, Parameter] | None = None,
) -> Inspection:
    """Looks into a design.

    Args:
        sources: Verilog files in compilation order.
        top: top module; None for the one that nobody instantiates.
        parameters: in place of the top's defaults.
        includes: folders of included files.
        defines: macros by name.

    Raises:
        HwsimError: a file that does not exist or compile, no top or two.
    """
    design = read_design(
        sources,
        top=top,
        parameters=parameters,
        includes=includes,
        defines=defines,
        recognise=recognise,
    )
    top, interface = design.top, design.interface
    roles, no_roles = _recognised(interface, design.name)
    files = tuple(path.name for path in design.files)
    through = f", through {design.front_end}" if design.front_end else ""
    seen = Inspection(top, files, f"Icarus Verilog{through}", interface, roles, no_roles)
    try:
        modules = parse_modules(design.text, where=design.name)
    except UnreadableVerilogError as error:
        return replace(seen, no_logic=str(error))
    used = _used(modules, top)
    operators = {name: _operators(modules[name]) for name in modules if name in used}
    seen = replace(seen, reader=f"pyverilog{through}", operators=operators)
    try:
        graph, instance = build_logic(modules, top, dict(parameters or {}), where=design.name)
    except (UnsupportedVerilogError, NotConstantError) as error:
        return replace(seen, no_logic=f"beyond this analysis: {error}")
    return replace(seen, hierarchy=instance, **_logic(graph, instance, roles))


def _recognised(interface: Interface, where: str) -> tuple[Roles | None, str | None]:
    try:
        return recognise(interface, where=where), None
    except HwsimError as error:
        return None, str(error)


def _logic(graph: BitGraph, instance: Instance, roles: Roles | None) -> dict[str, Any]:
    inputs = _mask(bit for way, bits in instance.ports.values() if way == "input" for bit in bits)
    outputs = [bit for way, bits in instance.ports.values() if way == "output" for bit in bits]
    reach = graph.reach(inputs)
    used, driven, outer = graph.used(), graph.driven(), _mask(outputs)
    everything = range(1, len(graph.names))
    real = [bit for bit in everything if not graph.internal >> bit & 1]

    def shown(bits: Any) -> tuple[str, ...]:
        return tuple(ranges(graph.names[bit] for bit in bits))

    product = [] if roles is None else instance.ports[roles.product][1]
    operands = (
        []
        if roles is None
        else [instance.ports[name][1] for name in (roles.activation, roles.weight)]
    )
    found = []
    for bit in outputs:
        seen = reach.get(bit, 0)
        needed = beyond = 0
        if bit in product:
            weight = product.index(bit)
            for operand in operands:
                needed |= _mask(operand[: weight + 1]) & ~seen
                beyond |= _mask(operand[weight + 1 :]) & seen
        names = [shown(bits_of(mask)) for mask in (seen, needed, beyond)]
        found.append(OutputBit(graph.names[bit], *names))
    loops = [shown(loop) for loop in graph.loops()]
    return {
        "outputs": tuple(found),
        "loops": tuple(loops),
        "latches": shown(sorted(graph.latched)),
        "registers": len(graph.registered),
        "undriven": shown(
            bit for bit in real if not (driven | inputs) >> bit & 1 and (used | outer) >> bit & 1
        ),
        "unused": shown(bit for bit in real if not (used | outer) >> bit & 1),
        "conflicts": shown(sorted(graph.conflicts)),
    }


def _mask(bits: Any) -> int:
    return sum(1 << bit for bit in bits)


def _used(modules: Mapping[str, Any], top: str) -> set[str]:
    """The top and every module below it."""
    found: set[str] = set()
    waiting = [top]
    while waiting:
        name = waiting.pop()
        if name in found or name not in modules:
            continue
        found.add(name)
        nodes = [modules[name]]
        while nodes:
            node = nodes.pop()
            nodes.extend(node.children())
            if type(node).__name__ == "InstanceList":
                waiting.append(node.module)
    return found


_SYMBOLS = {
    "Plus": "+", "Minus": "-", "Times": "*", "Divide": "/", "Mod": "%", "Power": "**",
    "And": "&", "Or": "|", "Xor": "^", "Xnor": "~^", "Unot": "~", "Uminus": "- (unary)",
    "Uplus": "+ (unary)", "Ulnot": "!", "Land": "&&", "Lor": "||",
    "Uand": "& (reduction)", "Unand": "~& (reduction)", "Uor": "| (reduction)",
    "Unor": "~| (reduction)", "Uxor": "^ (reduction)", "Uxnor": "~^ (reduction)",
    "Sll": "<<", "Srl": ">>", "Sla": "<<<", "Sra": ">>>",
    "LessThan": "<", "GreaterThan": ">", "LessEq": "<=", "GreaterEq": ">=",
    "Eq": "==", "NotEq": "!=", "Eql": "===", "NotEql": "!==",
    "Cond": "?:", "Concat": "{}", "Repeat": "{n{}}",
}  # fmt: skip


def _operators(module: Any) -> dict[str, int]:
    """How often each operator computes something; ranges of declarations do not count."""
    counts: Counter[str] = Counter()
    nodes = [module]
    while nodes:
        node = nodes.pop()
        kind = type(node).__name__
        if kind in {"Width", "Length", "Parameter", "Localparam"}:
            continue
        if kind in _SYMBOLS:
            counts[_SYMBOLS[kind]] += 1
        children = list(node.children())
        if kind in {"Partselect", "Pointer"}:
            children = [node.var]
        nodes.extend(children)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _roles(roles: Roles) -> dict[str, Any]:
    found = asdict(roles)
    return {**found, "notes": list(roles.notes)}


def _tree(instance: Instance) -> dict[str, Any]:
    return {
        "name": instance.name,
        "module": instance.module,
        "parameters": instance.parameters,
        "children": [_tree(child) for child in instance.children],
    }
