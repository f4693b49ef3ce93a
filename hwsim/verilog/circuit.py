# SPDX-License-Identifier: Apache-2.0
"""Somebody's Verilog files become a circuit: top, ports by role, parameters, signedness."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..designs import FIRST, PRODUCT, SECOND
from ..designs.sources import sha256
from ..errors import HwsimError
from ..operands import Asked, Operand, Operands
from ..tools.simulators import require_simulator
from .constants import NotConstantError
from .early import used_early
from .elaboration import elaborate
from .parameters import Parameter, literal
from .ports import Interface, Port, module_interface
from .roles import Roles, recognise
from .safety import check_tasks, memories
from .scalarize import scalarized
from .syntax import UnreadableVerilogError, parse_modules, preprocess

SignedFrom = Literal["declared", "option", "name", "wrapper"]


@dataclass(frozen=True)
class Circuit:
    """A multiplier in Verilog: all that a simulator sees.

    Attributes:
        name: top and file, for messages.
        multiplier: what its table is called.
        top: top module.
        sources: Verilog files in compilation order.
        files: every file that was read, includes among them.
        includes: folders of included files.
        memories: files that the Verilog loads, by the names it uses.
        parameters: given, in place of the top's defaults.
        interface: of the top, parameters in place.
        roles: of its ports.
        operands: what goes in; the product is signed if either operand is.
        signed_from: who says which are signed.
        text: Verilog that is simulated in place of the sources: the same circuit with vectors taken
            apart, see `scalarize`; None where there are none.
        scalarized: the vectors.
        reader: `pyverilog`, or `Icarus Verilog` where pyverilog cannot read the files.
        notes: sentences about what was concluded and not told.
        core: the unsigned circuit inside, where this one is a sign-magnitude wrapper around it.
        wrapper: text of the wrapper.
    """

    name: str
    multiplier: str
    top: str
    sources: tuple[Path, ...]
    files: tuple[Path, ...]
    includes: tuple[Path, ...]
    memories: Mapping[str, Path]
    parameters: Mapping[str, Parameter]
    interface: Interface
    roles: Roles
    operands: Operands
    signed_from: SignedFrom = "declared"
    text: str | None = None
    scalarized: tuple[str, ...] = ()
    reader: str = "pyverilog"
    notes: tuple[str, ...] = ()
    core: "Circuit | None" = None
    wrapper: str | None = None

    @classmethod
    def of(
        cls,
        name: str,
        top: str,
        sources: Sequence[Path],
        operand: Operand,
        *,
        parameters: Mapping[str, Parameter] | None = None,
    ) -> "Circuit":
        """A circuit whose ports are those of `rtl/`: combinational, nothing to recognise.

        Args:
            name: for messages and manifests, such as `drum(4)`.
            top: top module.
            sources: Verilog files, all of them.
            operand: what both operands are; the product has the bits of both.
            parameters: in place of the top's defaults.
        """
        width, parameters = operand.bits, dict(parameters or {})
        ports = (
            Port(FIRST, "input", width),
            Port(SECOND, "input", width),
            Port(PRODUCT, "output", 2 * width),
        )
        return cls(
            name=name,
            multiplier=name,
            top=top,
            sources=tuple(sources),
            files=tuple(sources),
            includes=(),
            memories={},
            parameters=parameters,
            interface=Interface(ports, parameters),
            roles=Roles(
                FIRST, SECOND, PRODUCT, (width, width), 2 * width, (operand.signed, operand.signed)
            ),
            operands=Operands(operand, operand),
        )

    def place(self, folder: Path) -> list[Path]:
        """Puts generated Verilog and memories into the folder of a simulation.

        Returns:
            Every Verilog file to compile, in order.
        """
        for name, path in self.memories.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)
        texts = {"scalarized.v": self.text, f"{self.top}.v": self.wrapper}
        generated = {folder / name: text for name, text in texts.items() if text is not None}
        for path, text in generated.items():
            path.write_text(text, encoding="utf-8")
        return [*(self.sources if self.text is None else ()), *generated]

    def instance(self, name: str, nets: Mapping[str, str]) -> str:
        """The Verilog of an instance.

        Args:
            name: of the instance.
            nets: expressions by port; enables, ties and outputs that nobody reads are filled in.
        """
        roles = self.roles
        wired = {
            **nets,
            **{enable.name: f"1'b{enable.active}" for enable in roles.enables},
            **{port: str(value) for port, value in roles.ties.items()},
            **dict.fromkeys(roles.unread, ""),
        }
        parameters = {key: literal(value) for key, value in self.parameters.items()}
        given = f" #({_connected(parameters)})" if parameters else ""
        return f"  {_identifier(self.top)}{given} {name} ({_connected(wired)});\n"

    @property
    def product(self) -> Operand:
        """What the output is: signed if either operand is."""
        return Operand(self.roles.product_bits, any(self.operands.signs))

    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file that was read, by names that tell them apart."""
        paths = [*self.files, *self.memories.values()]
        return {name: sha256(path) for name, path in zip(short_names(paths), paths, strict=True)}


def read_circuit(
    sources: Sequence[Path],
    *,
    top: str | None = None,
    a: str | None = None,
    b: str | None = None,
    p: str | None = None,
    weight: str | None = None,
    asked: Asked | None = None,
    parameters: Mapping[str, Parameter] | None = None,
    includes: Sequence[Path] = (),
    ties: Mapping[str, int] | None = None,
) -> Circuit:
    """Reads a multiplier from Verilog files, and refuses what cannot be tabulated.

    Args:
        sources: Verilog files in compilation order.
        top: top module; None for the one that nobody instantiates.
        a: first operand port, where its name does not tell.
        b: second operand port.
        p: product port.
        weight: the operand port that is the weight, the table's column; None for the second.
        asked: the operands, where the user says what the Verilog does not.
        parameters: in place of the top's defaults.
        includes: folders of included files.
        ties: inputs to hold at a value.

    Raises:
        HwsimError: one sentence about what is missing, ambiguous, contradictory or refused.
    """
    if not sources:
        raise HwsimError("expected at least one Verilog file")
    require_simulator()
    text = preprocess(sources, includes=includes)
    label = ", ".join(path.name for path in sources)
    check_tasks(text.text, where=label)
    folders = [*dict.fromkeys([*(path.parent for path in sources), *includes])]
    loads = memories(text.text, folders=folders, where=label)
    parameters = dict(parameters or {})

    notes: list[str] = []
    try:
        modules = parse_modules(text.text, where=label)
        top = choose_top(modules, top, where=label, notes=notes)
        interface = module_interface(modules[top], parameters, where=label)
        reader = "pyverilog"
        notes += [
            f"{early} is used before it is declared, which Icarus Verilog 13 refuses"
            for early in used_early(modules[top])
        ]
    except (UnreadableVerilogError, NotConstantError):
        include_folders = [*dict.fromkeys([*includes, *folders])]
        if top is None:
            roots = elaborate(
                sources, includes=include_folders, top=None, parameters={}, name=label
            )
            top = choose_top(roots, None, where=label, notes=notes)
        interface = elaborate(
            sources, includes=include_folders, top=top, parameters=parameters, name=label
        )[top]
        reader = "Icarus Verilog"
        notes.append("read as Icarus Verilog elaborates it: beyond what pyverilog reads")

    name = f"{top} ({label})"
    roles = recognise(interface, where=name, a=a, b=b, p=p, weight=weight, ties=ties)
    operands, signed_from = _operands(roles, asked or Asked(), top, name, notes)
    simulated, vectors = scalarized(text.text)
    return Circuit(
        name=name,
        multiplier=top,
        top=top,
        sources=tuple(sources),
        files=text.files,
        includes=tuple(folders),
        memories=loads,
        parameters=parameters,
        interface=interface,
        roles=roles,
        operands=operands,
        signed_from=signed_from,
        text=simulated if vectors else None,
        scalarized=vectors,
        reader=reader,
        notes=(*notes, *roles.notes),
    )


def _connected(nets: Mapping[str, str]) -> str:
    lines = ",\n".join(f"    .{_identifier(port)}({net})" for port, net in nets.items())
    return f"\n{lines}\n  "


def _identifier(name: str) -> str:
    """An escaped identifier ends with a space."""
    return f"{name} " if name.startswith("\\") else name


def short_names(paths: Sequence[Path]) -> list[str]:
    """File names; where two are equal, from the last folder that both share."""
    names = [path.name for path in paths]
    if len(set(names)) == len(set(paths)):
        return names
    shared = os.path.commonpath([path.resolve().parent for path in paths])
    return [path.resolve().relative_to(shared).as_posix() for path in paths]


def _instantiated(node: Any) -> set[str]:
    found = {node.module} if type(node).__name__ == "InstanceList" else set()
    return found.union(*(_instantiated(child) for child in node.children()))


def choose_top(
    modules: Mapping[str, Any], top: str | None, *, where: str, notes: list[str] | None = None
) -> str:
    """The top that was named, or the one module that nobody instantiates.

    A netlist may bring cells that it does not use; they have no operands and are passed over.

    Args:
        modules: pyverilog's trees, or the interfaces of elaborated roots, by name.
        top: the user's word.
        where: files, for messages.
        notes: gets a sentence about modules that were passed over.

    Raises:
        HwsimError: there is no such module, no candidate, or more than one.
    """
    if top is not None:
        if top not in modules:
            known = ", ".join(modules) or "none"
            raise HwsimError(f"{where}: expected a module {top}, got {known}")
        return top
    trees = [module for module in modules.values() if not isinstance(module, Interface)]
    used = {name for tree in trees for name in _instantiated(tree)}
    candidates = {
        name: module if isinstance(module, Interface) else module_interface(module, {}, where=where)
        for name, module in modules.items()
        if name not in used
    }
    if not candidates:
        raise HwsimError(f"{where}: expected a module that no other instantiates, found none")
    wide = [
        name
        for name, interface in candidates.items()
        if sum(q.direction == "input" and q.width > 1 for q in interface.ports) >= 2
    ]
    chosen = wide or [*candidates]
    if len(chosen) > 1:
        raise HwsimError(
            f"{where}: expected one top module, got {' and '.join(chosen)}, which no other "
            "module instantiates; choose one with --top, or [top=NAME] behind the file"
        )
    unused = [name for name in candidates if name != chosen[0]]
    if unused and notes is not None:
        notes.append(f"modules that nothing uses and that cannot be the top: {', '.join(unused)}")
    return chosen[0]


_NAMED_SIGN = re.compile(r"(?:^|_)mul(?:t|tiplier)?\d+(?:x\d+)?(s|u)(?:_|$)", re.IGNORECASE)


def _operands(
    roles: Roles, asked: Asked, top: str, name: str, notes: list[str]
) -> tuple[Operands, SignedFrom]:
    """The operands, from the declarations, else the user, else the module's name."""
    ports = (roles.activation, roles.weight)
    for port, bits, requested in zip(ports, roles.bits, asked.bits, strict=True):
        if requested not in {None, bits}:
            raise HwsimError(f"{name}: expected operands of {requested} bits, got {port} of {bits}")
    signs: list[bool | None] = []
    for port, declared, requested in zip(ports, roles.declared, asked.signs, strict=True):
        if declared and requested is False:
            raise HwsimError(f"{name}: {port} is declared signed, got {asked.sign_words}")
        signs.append(True if declared else requested)
    if any(roles.declared):
        source: SignedFrom = "declared"
        for port, sign in zip(ports, signs, strict=True):
            if sign is None:
                notes.append(
                    f"{port} is taken as unsigned: the other operand is declared signed and it is "
                    "not"
                )
    elif None not in signs:
        source = "option"
    elif hint := _NAMED_SIGN.search(top):
        source, signs = "name", [hint[1].lower() == "s"] * 2
        kind = "signed" if signs[0] else "unsigned"
        notes.append(
            f"the operands are taken as {kind} from the name {top}; say --{kind} to be sure"
        )
    else:
        file = name.rpartition("(")[2].partition(",")[0].rstrip(")")
        raise HwsimError(
            f"{name}: the Verilog does not declare its operands signed, which netlists leave out; "
            f"say {file}[signed] (two's complement), {file}[unsigned], or {file}[wrap] to put an "
            "unsigned core into a sign-magnitude wrapper"
        )
    activation, weight = (
        Operand(bits, bool(sign)) for bits, sign in zip(roles.bits, signs, strict=True)
    )
    return Operands(activation, weight), source
