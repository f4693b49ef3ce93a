# SPDX-License-Identifier: Apache-2.0
"""A user's Verilog files become one text with one top: what is read, judged and simulated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...comments import located_lines
from ...errors import HwsimError
from ...tools.simulators import require_simulator
from ..parameters import Parameter
from ..ports import Interface
from ..roles import Roles
from .early import used_early
from .elaboration import elaborate
from .filelist import expand
from .headers import with_defaults, with_keywords
from .modules import Definition, cone, definitions
from .safety import check_tasks, memories
from .syntax import Preprocessed, preprocess
from .tops import choose_top


class Recognise(Protocol):
    """Finds the roles of a module's ports, or refuses them in one sentence."""

    def __call__(self, interface: Interface, *, where: str) -> Roles:
        """The roles."""


@dataclass(frozen=True)
class Reading:
    """Verilog of one top, as it was read.

    Attributes:
        name: top and files, for messages.
        top: top module.
        sources: Verilog files in compilation order.
        files: every file that was read: includes and file lists among them.
        defines: macros by name.
        memories: files that the Verilog loads, by their names in `text`.
        text: preprocessed Verilog of the top and what it uses, without comments.
        interface: of the top, parameters in place.
        notes: sentences about what was concluded and not told.
    """

    name: str
    top: str
    sources: tuple[Path, ...]
    files: tuple[Path, ...]
    defines: Mapping[str, str]
    memories: Mapping[str, Path]
    text: str
    interface: Interface
    notes: tuple[str, ...]


def read_design(
    sources: Sequence[Path],
    *,
    top: str | None = None,
    parameters: Mapping[str, Parameter] | None = None,
    includes: Sequence[Path] = (),
    defines: Mapping[str, Parameter] | None = None,
    recognise: Recognise,
) -> Reading:
    """Reads Verilog files, and refuses what may not or cannot be simulated.

    Args:
        sources: Verilog files in compilation order, or file lists.
        top: top module; None for the multiplier that no other module instantiates.
        parameters: in place of the top's defaults.
        includes: folders of included files.
        defines: macros by name.
        recognise: what makes a module a multiplier, to choose among several tops.

    Raises:
        HwsimError: one sentence about what is missing, ambiguous or refused.
    """
    if not sources:
        raise HwsimError("expected at least one Verilog file")
    require_simulator()
    macros = {name: str(value) for name, value in (defines or {}).items()}
    expanded = expand(sources, includes=includes, defines=macros)
    read = preprocess(expanded.files, includes=expanded.includes, defines=expanded.defines)
    label = ", ".join(path.name for path in expanded.files)
    text = with_keywords(read.text, where=label)
    defined = definitions(text, where=label)
    try:
        top, notes = choose_top(
            defined,
            top,
            where=label,
            multiplies=lambda roots: _multipliers(text, defined, roots, recognise, where=label),
        )
    except HwsimError:
        _refuse_undefined(read, text, expanded.files)  # which may be why there is no top
        raise
    text = cone(text, defined, [top], where=label)
    _refuse_undefined(read, text, expanded.files)
    text = with_defaults(text, top, parameters or {}, where=label)
    check_tasks(text, where=label)
    folders = tuple(dict.fromkeys([*(path.parent for path in expanded.files), *expanded.includes]))
    interface = elaborate(text, [top], parameters=parameters, name=label)[top]
    (module,) = (one for one in definitions(text, where=label) if one.name == top)
    notes += [
        f"{early} is used before it is declared, which Icarus Verilog 13 refuses"
        for early in used_early(module, {port.name for port in interface.ports})
    ]
    simulated, loads = memories(text, folders=folders, where=label)
    return Reading(
        name=f"{top} ({label})",
        top=top,
        sources=expanded.files,
        files=(*read.files, *expanded.lists),
        defines=expanded.defines,
        memories=loads,
        text=simulated,
        interface=interface,
        notes=tuple(notes),
    )


def _refuse_undefined(read: Preprocessed, text: str, sources: Sequence[Path]) -> None:
    """Refuses macros that nothing defines, unless they stand in what is not used."""
    lines: dict[tuple[str, int], str] = {}
    # Behind an included file the numbers of lines are others.
    if set(read.files) <= {*sources}:
        for file, number, line in located_lines(text, ""):
            lines[file, number] = lines.get((file, number), "") + line
    for file, number, name in read.undefined:
        if lines.get((file, number), name).strip():
            raise HwsimError(
                f"{file}:{number}: the macro {name} is used and nothing defines it; give it with "
                f"-D {name}=VALUE, or [define.{name}=VALUE] behind the file"
            )


def _multipliers(
    text: str,
    defined: Sequence[Definition],
    roots: Sequence[str],
    recognise: Recognise,
    *,
    where: str,
) -> list[str]:
    """Those modules that have two operands and a product; what does not compile has none."""

    def interfaces(names: Sequence[str]) -> dict[str, Interface]:
        try:
            return elaborate(cone(text, defined, names, where=where), names, name=where)
        except HwsimError:
            return {}

    # All at once takes a hundredth of the time, but one that does not compile spoils it.
    known = interfaces(roots)
    for name in () if known else roots:
        known |= interfaces([name])

    def multiplies(name: str) -> bool:
        try:
            recognise(known[name], where=where)
        except HwsimError:
            return False
        return True

    return [name for name in roots if name in known and multiplies(name)]
