# SPDX-License-Identifier: Apache-2.0
"""A user's Verilog files become a circuit: top, ports by role, parameters, signedness."""

import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..designs import FIRST, PRODUCT, SECOND
from ..designs.sources import sha256
from ..operands import Asked, Operand, Operands
from .parameters import Parameter, literal
from .ports import Interface, Port
from .reading.reading import read_design
from .roles import Roles, recognise
from .scalarize import scalarized
from .signs import SignedFrom, settle_signs

DESIGN = "design"
"""Folder of the Verilog of designs in that of their simulation."""


@dataclass(frozen=True)
class Circuit:
    """A multiplier in Verilog: all that a simulator sees.

    Attributes:
        name: top and file, for messages.
        multiplier: what its table is called.
        top: top module.
        sources: Verilog files in compilation order.
        files: every file that was read, includes among them.
        defines: macros, by name.
        memories: files that the Verilog loads, by their names in `text`.
        parameters: given, in place of the top's defaults.
        interface: of the top, parameters in place.
        roles: of its ports.
        operands: what goes in; the product is signed if either operand is.
        signed_from: who says which are signed.
        text: what was read and judged, and is simulated in place of the sources: preprocessed, with
            only what the top uses; None for the project's own files, which are simulated.
        scalarized: vectors that were taken apart in it, see `scalarize`.
        notes: sentences about what was concluded and not told.
        front_end: what made `text` of another language; empty where the simulator reads it.
        core: the unsigned circuit inside, where this one is a sign-magnitude wrapper around it.
        wrapper: text of the wrapper.
    """

    name: str
    multiplier: str
    top: str
    sources: tuple[Path, ...]
    files: tuple[Path, ...]
    memories: Mapping[str, Path]
    parameters: Mapping[str, Parameter]
    interface: Interface
    roles: Roles
    operands: Operands
    signed_from: SignedFrom = "declared"
    text: str | None = None
    scalarized: tuple[str, ...] = ()
    defines: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    front_end: str = ""
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
        for memory, path in self.memories.items():
            shutil.copyfile(path, folder / memory)
        generated = []
        # Icarus Verilog judges a language by its suffix.
        name = f"{self.sources[0].stem}.v" if self.front_end else self.sources[0].name
        for text in (self.text, self.wrapper):
            if text is not None:
                data = text.encode("utf-8", "surrogateescape")
                # Circuits that stand side by side must not overwrite one another.
                path = folder / DESIGN / hashlib.sha256(data).hexdigest()[:16] / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                generated.append(path)
        return [*(self.sources if self.text is None else ()), *generated]

    def instance(self, name: str, nets: Mapping[str, str]) -> str:
        """The Verilog of an instance.

        Args:
            name: of the instance.
            nets: expressions by port; enables, ties and outputs that nobody reads are filled in.
        """
        roles = self.roles
        bits = {port.name: port.width for port in self.interface.ports}
        wired = {
            **nets,
            **{enable.name: f"1'b{enable.active}" for enable in roles.enables},
            **{port: f"{bits[port]}'d{value}" for port, value in roles.ties.items()},
            **dict.fromkeys(roles.unread, ""),
        }
        for bus in {port.partition("[")[0] for port in wired if "[" in port}:
            parts = sorted(
                (int(port.rpartition(":")[2].rstrip("]")), port)
                for port in wired
                if port.startswith(f"{bus}[")
            )
            wired[bus] = f"{{{', '.join(wired.pop(port) for _, port in reversed(parts))}}}"
        parameters = {key: literal(value) for key, value in self.parameters.items()}
        given = f" #({_connected(parameters)})" if parameters else ""
        return f"  {identifier(self.top)}{given} {name} ({_connected(wired)});\n"

    @property
    def product(self) -> Operand:
        """What the output is: signed if either operand is."""
        return Operand(self.roles.product_bits, any(self.operands.signs))

    def products(self, words: NDArray[Any]) -> NDArray[Any]:
        """The products that output words stand for, with the bits that the circuit cuts off as 0.

        Args:
            words: unsigned integers of any shape.

        Returns:
            int64 where the circuit is signed, else uint64, of the same shape.
        """
        values = self.product.value(words) if self.product.signed else words.astype(np.uint64)
        return values << values.dtype.type(self.roles.product_shift)

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
    defines: Mapping[str, Parameter] | None = None,
    ties: Mapping[str, int] | None = None,
    product_shift: int = 0,
) -> Circuit:
    """Reads a multiplier from Verilog files, and refuses what cannot be tabulated.

    Args:
        sources: Verilog files in compilation order, or file lists.
        top: top module; None for the multiplier that no other module instantiates.
        a: first operand port, where its name does not tell, or bits of one, `ab[15:8]`.
        b: second operand port.
        p: product port.
        weight: the operand port that is the weight, the table's column; None for the second.
        asked: the operands, where the user says what the Verilog does not.
        parameters: in place of the top's defaults.
        includes: folders of included files.
        defines: macros by name.
        ties: inputs to hold at a value.
        product_shift: bits that the output lacks at its lower end.

    Raises:
        HwsimError: one sentence about what is missing, ambiguous, contradictory or refused.
    """
    wanted = partial(
        recognise, a=a, b=b, p=p, weight=weight, ties=ties, product_shift=product_shift
    )
    design = read_design(
        sources,
        top=top,
        parameters=parameters,
        includes=includes,
        defines=defines,
        recognise=wanted,
    )
    roles = wanted(design.interface, where=design.name)
    operands, signed_from, notes = settle_signs(design, roles, asked or Asked())
    simulated, vectors = scalarized(design.text)
    return Circuit(
        name=design.name,
        multiplier=design.top,
        top=design.top,
        sources=design.sources,
        files=design.files,
        memories=design.memories,
        parameters=dict(parameters or {}),
        interface=design.interface,
        roles=roles,
        operands=operands,
        signed_from=signed_from,
        text=simulated,
        scalarized=vectors,
        defines=design.defines,
        notes=(*design.notes, *notes, *roles.notes),
        front_end=design.front_end,
    )


def _connected(nets: Mapping[str, str]) -> str:
    lines = ",\n".join(f"    .{identifier(port)}({net})" for port, net in nets.items())
    return f"\n{lines}\n  "


def identifier(name: str) -> str:
    """A name as Verilog spells it: an escaped one begins with a backslash and ends with a space."""
    return name if re.fullmatch(r"[A-Za-z_][\w$]*", name, re.ASCII) else f"\\{name} "


def short_names(paths: Sequence[Path]) -> list[str]:
    """File names; where two are equal, from the last folder that both share."""
    names = [path.name for path in paths]
    if len(set(names)) == len(set(paths)):
        return names
    shared = os.path.commonpath([path.resolve().parent for path in paths])
    return [path.resolve().relative_to(shared).as_posix() for path in paths]
