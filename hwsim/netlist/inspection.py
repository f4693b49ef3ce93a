# SPDX-License-Identifier: Apache-2.0
"""What a design is made of, without simulating it: hierarchy, logic from bit to bit, flaws.

Icarus Verilog says which instances there are, Yosys what is in them. The logic is structural: an
output bit that depends on no operand bit cannot change with it; one that depends on it may still
not.
"""

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import HwsimError
from ..tools.scratch import scratch
from ..tools.yosys import YosysError
from ..verilog.circuit import identifier
from ..verilog.parameters import Parameter, literal
from ..verilog.ports import Instance, Interface
from ..verilog.reading.filelist import LIST_SUFFIXES
from ..verilog.reading.reading import Reading, read_design
from ..verilog.roles import Roles, recognise
from .cones import Cones, mere_loops
from .module import Bit, Module, ranges
from .operators import operators, widths
from .synthesis import INSTANCE, LOWERING, TOP, flat, read_json, run_around, safe

_TREE, _WORDS, _GATES = "tree.json", "words.json", "gates.json"
_COMMANDS = (
    "proc -noopt",  # which takes a loop of inverters for nothing
    f"write_json {_TREE}",
    "setattr -unset src t:*",  # or older versions add where a net's instance is to where the net is
    "flatten",
    "tribuf",  # Z is a constant otherwise
    # A net that is assigned to another is not one with it: each has a driver, and a name.
    "insbuf",
    f"write_json {_WORDS}",
    # What no output depends on may be a flaw.
    "setattr -set keep 1 w:* w:$* %d",
    *LOWERING,
    f"write_json {_GATES}",
)
_MOST_LEVELS = 200


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
        reader: what read the logic, e.g. `Yosys 0.70`; `Icarus Verilog` where nothing did; and what
            translated the files to Verilog.
        interface: ports and parameters of the top.
        roles: what its ports do; None where it is no multiplier.
        no_roles: why not.
        hierarchy: the top with its instances inside.
        no_logic: why there is nothing below; None where there is.
        operators: how many of each operator each module has; a choice is `?:` however it is
            written, and a module with several sets of parameters is there once for each.
        gates: how many gates of each kind the outputs depend on, before any optimisation.
        depth: gates on the longest path between inputs, registers and outputs; None with a loop.
        outputs: every output bit.
        loops: sets of bits that depend on themselves through logic alone.
        latches: bits that keep their value on some path.
        registers: how many bits are registers.
        undriven: bits that something reads and nothing drives.
        unused: bits that nothing reads.
        conflicts: bits with more than one driver.
        widths: ports that are connected to more or fewer bits than they have, each a clause.
        places: file and line where the nets of these flaws are declared, by their names; none where
            files are included, behind which lines have other numbers.
    """

    top: str
    files: tuple[str, ...]
    reader: str
    interface: Interface
    roles: Roles | None
    no_roles: str | None
    hierarchy: Instance
    no_logic: str | None = None
    operators: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    gates: Mapping[str, int] = field(default_factory=dict)
    depth: int | None = None
    outputs: tuple[OutputBit, ...] = ()
    loops: tuple[tuple[str, ...], ...] = ()
    latches: tuple[str, ...] = ()
    registers: int = 0
    undriven: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    widths: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, keys as the attributes; ports and parameters in place of the interface."""
        return {
            **{name: value for name, value in vars(self).items() if name != "interface"},
            "ports": [asdict(port) for port in self.interface.ports],
            "parameters": dict(self.interface.parameters),
            "roles": None if self.roles is None else asdict(self.roles),
            "hierarchy": _tree(self.hierarchy),
            "outputs": [asdict(bit) for bit in self.outputs],
        }

    def place(self, bits: str) -> str | None:
        """Where a net is declared.

        Args:
            bits: as a flaw names them, `w[3:2]`.
        """
        return self.places.get(bits) or self.places.get(_net(bits))


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
        HwsimError: a file that does not exist or compile, no top or two, too many levels of
            instances.
    """
    design = read_design(
        sources,
        top=top,
        parameters=parameters,
        includes=includes,
        defines=defines,
        recognise=recognise,
    )
    interface = design.interface
    hierarchy = Instance(design.top, design.top, interface.parameters, interface.instances)
    _require_levels(hierarchy, design.name)
    roles, no_roles = _recognised(interface, design.name)
    through = f", through {design.front_end}" if design.front_end else ""
    seen = Inspection(
        top=design.top,
        files=tuple(path.name for path in design.files),
        reader=f"Icarus Verilog{through}",
        interface=interface,
        roles=roles,
        no_roles=no_roles,
        hierarchy=hierarchy,
    )
    try:
        with scratch("inspect") as folder:
            return _with_logic(seen, design, parameters or {}, folder)
    except YosysError as error:
        return replace(seen, no_logic=f"Yosys cannot read {design.name}: {error}")
    except HwsimError as error:
        return replace(seen, no_logic=str(error))


def _require_levels(top: Instance, where: str) -> None:
    """Refuses a hierarchy that no reader of JSON could follow."""
    instances = [top]
    for _ in range(_MOST_LEVELS):
        instances = [child for instance in instances for child in instance.children]
    if instances:
        raise HwsimError(
            f"{where}: expected at most {_MOST_LEVELS} levels of instances, got more; inspect a "
            "module further down with --top"
        )


def _recognised(interface: Interface, where: str) -> tuple[Roles | None, str | None]:
    try:
        return recognise(interface, where=where), None
    except HwsimError as error:
        return None, str(error)


def _with_logic(
    seen: Inspection, design: Reading, parameters: Mapping[str, Parameter], folder: Path
) -> Inspection:
    """What Yosys finds inside.

    Raises:
        HwsimError: there is no Yosys, or it cannot read the design.
    """
    for name, path in design.memories.items():
        shutil.copyfile(path, folder / name)
    verilog = folder / "axhil_design.v"
    verilog.write_text(design.text, encoding="utf-8", errors="surrogateescape")
    reader, log = run_around(
        [verilog], _harness(design, parameters), _COMMANDS, folder=folder, name=design.name
    )
    tree = read_json(folder / _TREE)
    words, gates = flat(folder / _WORDS), flat(folder / _GATES)
    inputs, outputs = (
        {
            port.name: (gates.port(_outer(place)), words.spelt(port.name))
            for place, port in enumerate(design.interface.ports)
            if port.direction in ways
        }
        for ways in (("input", "inout"), ("output", "inout"))
    )
    cones = Cones(gates, [bit for bits, _ in inputs.values() for bit in bits])
    rings = mere_loops(words)
    # Nothing may be left of an operator that reads a bit.
    unused = words.named(words.unused) | gates.named(gates.unused)
    found = replace(
        seen,
        reader=f"{reader}, through {design.front_end}" if design.front_end else reader,
        operators=operators(tree, design.top),
        gates=cones.counts([bit for bits, _ in outputs.values() for bit in bits]),
        depth=cones.depth,
        outputs=tuple(_outputs(cones, inputs, outputs, seen.roles)),
        loops=(
            *(gates.shown(loop) for loop in cones.loops),
            *(words.shown(ring) for ring in rings),
        ),
        latches=words.shown(words.latched),
        registers=cones.registers,
        undriven=words.shown(words.undriven),
        unused=tuple(sorted(ranges(unused - words.named(bit for ring in rings for bit in ring)))),
        conflicts=words.shown(words.conflicts),
        widths=tuple(dict.fromkeys(widths(log, tree))),
    )
    return replace(found, places=_places(found, design, words))


def _harness(design: Reading, parameters: Mapping[str, Parameter]) -> str:
    """A module around the design, with ports that no name of it can break."""
    ports = design.interface.ports
    header = ",\n".join(
        f"  {port.direction} [{port.width - 1}:0] {_outer(place)}"
        for place, port in enumerate(ports)
    )
    values = ", ".join(
        f".{identifier(name)}({literal(value)})" for name, value in parameters.items()
    )
    nets = ", ".join(
        f".{identifier(port.name)}({_outer(place)})" for place, port in enumerate(ports)
    )
    given = f" #({values})" if values else ""
    return (
        f"module {TOP} (\n{header}\n);\n"
        f"  {identifier(design.top)}{given} {INSTANCE} ({nets});\nendmodule\n"
    )


def _outer(place: int) -> str:
    return f"axhil_{place}"


_Ports = Mapping[str, tuple[Sequence[Bit], Sequence[str]]]


def _outputs(
    cones: Cones, inputs: _Ports, outputs: _Ports, roles: Roles | None
) -> Iterable[OutputBit]:
    names = [name for _, spelt in inputs.values() for name in spelt]
    first = {name: place for place, name in enumerate(names)}
    operands = [inputs[name][1] for name in (roles.activation, roles.weight)] if roles else []

    def shown(mask: int) -> tuple[str, ...]:
        return tuple(ranges(name for place, name in enumerate(names) if mask >> place & 1))

    for port, (bits, spelt) in outputs.items():
        for weight, (bit, name) in enumerate(zip(bits, spelt, strict=True)):
            seen = cones.inputs.get(bit, 0)
            needed = beyond = 0
            if roles and port == roles.product:
                for operand in operands:
                    needed |= sum(1 << first[one] for one in operand[: weight + 1]) & ~seen
                    beyond |= sum(1 << first[one] for one in operand[weight + 1 :]) & seen
            yield OutputBit(name, shown(seen), shown(needed), shown(beyond))


def _tree(instance: Instance) -> dict[str, Any]:
    return {
        "name": instance.name,
        "module": instance.module,
        "parameters": dict(instance.parameters),
        "children": [_tree(child) for child in instance.children],
    }


def _places(found: Inspection, design: Reading, words: Module) -> dict[str, str]:
    flaws = [found.latches, found.undriven, found.unused, found.conflicts, *found.loops]
    files = {safe(path.name): path.name for path in design.sources}
    places = dict[str, str]()
    verilog = {path for path in design.files if path.suffix.lower() not in LIST_SUFFIXES}
    if verilog - {*design.sources}:
        return places
    for net in (name for flaw in flaws for bits in flaw for name in (bits, _net(bits))):
        file, _, line = words.places.get(net, "").rpartition(":")
        if file in files:
            places[net] = f"{files[file]}:{line}"
    return places


def _net(bits: str) -> str:
    return re.sub(r"\[-?\d+(:-?\d+)?\]$", "", bits)
