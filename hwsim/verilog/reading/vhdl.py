# SPDX-License-Identifier: Apache-2.0
"""VHDL files become Verilog through GHDL's netlist of one entity."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import HwsimError
from ...files import TEXT_LIMIT, read_text, require_file
from ...tools.ghdl import INSTALL, ghdl_version, synthesised
from ...tools.scratch import scratch
from ..parameters import Parameter
from .modules import closing
from .translation import Translation, with_parameters
from .vhdl_gates import to_verilog

VHDL_SUFFIXES = (".vhd", ".vhdl")

_NOISE = re.compile(r"""--[^\n]*|/\*.*?\*/|'["()]'|"(?:[^"\n]|"")*\"""", re.DOTALL)
_ENTITY = re.compile(r"\bentity\s+(\w+)\s+is\b(.*?)\bend\b", re.DOTALL)
_ARCHITECTURE = re.compile(
    r"\barchitecture\s+\w+\s+of\s+(\w+)\s+is\b(.*?)(?=\barchitecture\s+\w+\s+of\b|"
    r"\b(?:entity|package|configuration)\s+(?:body\s+)?\w+\s+(?:is|of)\b|\Z)",
    re.DOTALL,
)
_DECLARATION = re.compile(
    r"(?:(?:signal|constant)\s+)?(?P<names>\w+(?:\s*,\s*\w+)*)\s*:\s*"
    r"(?:(?P<way>in|out|inout|buffer|linkage)\s+)?(?P<type>[^:]+)(?::=(?P<default>.*))?",
    re.DOTALL,
)
_SINGLE = {"std_logic", "std_ulogic", "bit", "boolean"}
_SUBTYPE = re.compile(r"\bsubtype\s+(\w+)\s+is\s+([\w.]+)")
_SIGNED = re.compile(r"(?:\w+\.)*(?:unresolved_|u_)?signed\b")
_UNSIGNED = re.compile(r"(?:\w+\.)*(?:(?:unresolved_|u_)?unsigned|natural|positive)\b")
# What would read files that nobody hashes, or call programs.
_OUTSIDE = re.compile(r"\bfile\s+\w+\s*(?:,\s*\w+\s*)*:|\bfile_open\b|\battribute\s+foreign\b")


@dataclass(frozen=True)
class Entity:
    """What VHDL says of an entity.

    Attributes:
        name: in small letters, as all names here.
        ports: direction and type of each.
        generics: the text of their defaults; empty where they have none.
        uses: other entities that its architectures name.
    """

    name: str
    ports: Mapping[str, tuple[str, str]]
    generics: Mapping[str, str]
    uses: tuple[str, ...]


@dataclass(frozen=True)
class Vhdl:
    """VHDL files, and the entities in them.

    Attributes:
        files: in compilation order.
        entities: by name.
        subtypes: what they are subtypes of.
        where: the files, for messages.
    """

    files: tuple[Path, ...]
    entities: Mapping[str, Entity]
    subtypes: Mapping[str, str]
    where: str

    @property
    def skeleton(self) -> str:
        """The entities as empty Verilog modules that instantiate one another."""
        return "\n".join(map(_skeleton, self.entities.values()))

    def translated(self, top: str, given: Mapping[str, Parameter]) -> Translation:
        """An entity as Verilog.

        Args:
            top: its name, in small letters.
            given: generics in place of their defaults.

        Raises:
            HwsimError: it has no such generic, or GHDL does not take the VHDL.
        """
        entity = self.entities[top]
        for key in given:
            if key.lower() not in entity.generics:
                known = ", ".join(entity.generics) or "none"
                raise HwsimError(f"{top} ({self.where}): no generic {key}; it has {known}")
        if both := next((port for port, (way, _) in entity.ports.items() if way == "inout"), None):
            raise HwsimError(
                f"{top} ({self.where}): expected inputs and outputs, got inout {both}; declare it "
                "as what it is, or write a wrapper around the entity"
            )
        with scratch("vhdl") as folder:
            copied = placed(self.files, folder)
            netlist = synthesised(copied, top, given, folder=folder, name=self.where)
        text, name = to_verilog(netlist, top, where=self.where)
        signs = {port: self.base(kind) for port, (_, kind) in entity.ports.items()}
        front_end = f"GHDL {ghdl_version()}"
        set_here = {key.lower() for key in given}
        defaults = {
            key: _value(value)
            for key, value in entity.generics.items()
            if value and key not in set_here
        }
        return Translation(
            text=with_parameters(text, name, given, where=self.where),
            top=name,
            front_end=front_end,
            parameters={**defaults, **given},
            signed=frozenset(port for port, kind in signs.items() if _SIGNED.match(kind)),
            unsigned=frozenset(port for port, kind in signs.items() if _UNSIGNED.match(kind)),
            notes=(f"read by {front_end}, for the simulation and the gates alike",),
        )

    def base(self, kind: str) -> str:
        """A type without the subtypes in between."""
        for _ in self.subtypes:
            word = re.match(r"[\w.]+", kind)
            base = self.subtypes.get(word[0].rpartition(".")[2]) if word else None
            if base is None:
                break
            kind = base
        return kind


def is_vhdl(path: Path) -> bool:
    """Whether a file is VHDL by its name."""
    return path.suffix.lower() in VHDL_SUFFIXES


def read_vhdl(files: Sequence[Path], *, where: str) -> Vhdl:
    """Reads what VHDL files say of their entities.

    Args:
        files: in compilation order.
        where: their names, for messages.

    Raises:
        HwsimError: there is no GHDL, a file cannot be read, is no VHDL, or reads other files.
    """
    if ghdl_version() is None:
        raise HwsimError(f"{where}: expected ghdl on PATH, which reads VHDL ({INSTALL})")
    plain = []
    for path in files:
        if not is_vhdl(path):
            raise HwsimError(
                f"{where}: expected VHDL or Verilog, got both; give a design in one of them"
            )
        text = _NOISE.sub(" ", read_text(path, errors="surrogateescape")).lower()
        if outside := _OUTSIDE.search(text):
            raise HwsimError(
                f"{path.name}: `{' '.join(outside[0].split())}` is refused: a multiplier may "
                "compute, nothing else; write what the file has as a constant"
            )
        plain.append(text)
    text = "\n".join(plain)
    bodies: dict[str, str] = {}
    for found in _ARCHITECTURE.finditer(text):
        bodies[found[1]] = bodies.get(found[1], "") + found[2]
    headers = {found[1]: found[2] for found in _ENTITY.finditer(text)}
    if not headers:
        raise HwsimError(f"{where}: expected a VHDL entity, found none")
    entities = {
        name: Entity(
            name,
            {port: (way, kind) for port, way, kind, _ in _clause(inside, "port")},
            {key: default for key, _, _, default in _clause(inside, "generic")},
            tuple(
                other
                for other in headers
                if other != name and re.search(rf"\b{other}\b", bodies.get(name, ""))
            ),
        )
        for name, inside in headers.items()
    }
    return Vhdl(tuple(files), entities, dict(_SUBTYPE.findall(text)), where)


def _clause(header: str, keyword: str) -> list[tuple[str, str, str, str]]:
    """Name, direction, type and default of all that a generic or a port clause declares."""
    found = re.search(rf"\b{keyword}\s*\(", header)
    if found is None:
        return []
    inside = header[found.end() : closing(header, found.end() - 1)]
    declared = []
    for item in inside.split(";"):
        match = _DECLARATION.fullmatch(item.strip())
        if match is not None:
            names = match["names"].replace(" ", "").split(",")
            words = (match["way"] or "in", match["type"].strip(), (match["default"] or "").strip())
            declared += [(name.strip(), *words) for name in names]
    return declared


def _skeleton(entity: Entity) -> str:
    ports = (
        f"{'input' if way == 'in' else 'output'} {'' if kind in _SINGLE else '[1:0] '}{port}"
        for port, (way, kind) in entity.ports.items()
    )
    inside = "".join(f" {other} u_{other} ();" for other in entity.uses)
    return f"module {entity.name} ({', '.join(ports)});{inside} endmodule"


def _value(text: str) -> Parameter:
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def placed(files: Sequence[Path], folder: Path) -> list[str]:
    """Copies the files into the folder, under names that GHDL shows as they are."""
    names: list[str] = []
    for path in files:
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", path.name).lstrip("-")
        if name in names:
            name = f"{len(names)}_{name}"
        shutil.copyfile(require_file(path, limit=TEXT_LIMIT), folder / name)
        names.append(name)
    return names
