# SPDX-License-Identifier: Apache-2.0
"""A user's files become one Verilog text with one top: what is read, judged and simulated.

What Icarus Verilog does not read is translated first, see `systemverilog` and `vhdl`; all that
follows sees Verilog.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from ...comments import located_lines
from ...errors import HwsimError
from ...tools.simulators import require_simulator
from ..parameters import Parameter
from ..ports import Interface
from ..roles import Roles
from .complaints import UncompiledError
from .early import used_early
from .elaboration import elaborate
from .filelist import Sources, expand
from .headers import with_defaults, with_keywords
from .modules import cone, definitions
from .safety import check_tasks, memories
from .syntax import Preprocessed, preprocess
from .systemverilog import translated
from .tops import choose_top
from .translation import Translation
from .vhdl import is_vhdl, read_vhdl


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
        front_end: what made `text` of another language; empty where Icarus Verilog reads it.
        unsigned: ports that are declared unsigned, which Verilog cannot say, in small letters.
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
    front_end: str = ""
    unsigned: frozenset[str] = frozenset()


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
    read = _read_vhdl if any(map(is_vhdl, expanded.files)) else _read_verilog
    return read(expanded, top, parameters or {}, recognise)


def _read_verilog(
    expanded: Sources, top: str | None, parameters: Mapping[str, Parameter], recognise: Recognise
) -> Reading:
    read = preprocess(expanded.files, includes=expanded.includes, defines=expanded.defines)
    label = _label(expanded)
    text = with_keywords(read.text, where=label)
    defined = definitions(text, where=label)
    folders = tuple(dict.fromkeys([*(path.parent for path in expanded.files), *expanded.includes]))

    def interfaces(names: Sequence[str]) -> dict[str, Interface]:
        part = cone(text, defined, names, where=label)
        try:
            return elaborate(part, names, name=label)
        except UncompiledError as refusal:
            if len(names) > 1:
                raise
            check_tasks(part, where=label)
            part, loads = memories(part, folders=folders, where=label)
            made = translated(part, names[0], {}, loads, where=label, refusal=refusal)
            return {names[0]: _interface(made, label)}

    try:
        top, notes = choose_top(
            defined,
            top,
            where=label,
            multiplies=partial(_multipliers, interfaces, recognise, where=label),
        )
    except HwsimError:
        _refuse_undefined(read, text, expanded.files)  # which may be why there is no top
        raise
    text = cone(text, defined, [top], where=label)
    _refuse_undefined(read, text, expanded.files)
    text = with_defaults(text, top, parameters, where=label)
    check_tasks(text, where=label)
    try:
        interface = elaborate(text, [top], parameters=parameters, name=label)[top]
    except UncompiledError as refusal:
        simulated, loads = memories(text, folders=folders, where=label)
        made = translated(simulated, top, parameters, loads, where=label, refusal=refusal)
        return _translated(made, expanded, read.files, loads, notes)
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


def _read_vhdl(
    expanded: Sources, top: str | None, parameters: Mapping[str, Parameter], recognise: Recognise
) -> Reading:
    label = _label(expanded)
    vhdl = read_vhdl(expanded.files, where=label)

    def interfaces(names: Sequence[str]) -> dict[str, Interface]:
        return {name: _interface(vhdl.translated(name, {}), label) for name in names}

    name, notes = choose_top(
        definitions(vhdl.skeleton, where=label),
        None if top is None else top.lower(),
        where=label,
        multiplies=partial(_multipliers, interfaces, recognise, where=label),
    )
    made = vhdl.translated(name, parameters)
    check_tasks(made.text, where=label)
    return _translated(made, expanded, expanded.files, {}, notes)


def _translated(
    made: Translation,
    expanded: Sources,
    files: Sequence[Path],
    loads: Mapping[str, Path],
    notes: Sequence[str],
) -> Reading:
    label = _label(expanded)
    return Reading(
        name=f"{made.top} ({label})",
        top=made.top,
        sources=expanded.files,
        files=(*files, *expanded.lists),
        defines=expanded.defines,
        memories=loads,
        text=made.text,
        interface=_interface(made, label),
        notes=(*notes, *made.notes),
        front_end=made.front_end,
        unsigned=made.unsigned,
    )


def _interface(made: Translation, label: str) -> Interface:
    """The ports of a translation, with what it lost of their declarations."""
    try:
        found = elaborate(made.text, [made.top], name=label)[made.top]
    except UncompiledError as error:
        raise HwsimError(
            f"{label}: what {made.front_end} makes of it is refused: {error}"
        ) from error
    ports = tuple(
        replace(port, signed=port.signed or port.name.lower() in made.signed)
        for port in found.ports
    )
    return Interface(ports, made.parameters)


def _label(expanded: Sources) -> str:
    return ", ".join(path.name for path in expanded.files)


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
    interfaces: Callable[[Sequence[str]], dict[str, Interface]],
    recognise: Recognise,
    roots: Sequence[str],
    *,
    where: str,
) -> list[str]:
    """Those modules that have two operands and a product; what does not compile has none."""

    def tried(names: Sequence[str]) -> dict[str, Interface]:
        try:
            return interfaces(names)
        except HwsimError:
            return {}

    # All at once takes a hundredth of the time, but one that does not compile spoils it.
    known = tried(roots)
    for name in () if known else roots:
        known |= tried([name])

    def multiplies(name: str) -> bool:
        try:
            recognise(known[name], where=where)
        except HwsimError:
            return False
        return True

    return [name for name in roots if name in known and multiplies(name)]
