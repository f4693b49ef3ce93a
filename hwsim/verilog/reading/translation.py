# SPDX-License-Identifier: Apache-2.0
"""Other languages than Icarus Verilog's become plain Verilog, once, before all that follows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..parameters import Parameter, literal
from .modules import definitions, header


@dataclass(frozen=True)
class Translation:
    """A design of one top as plain Verilog, and what that does not say any more.

    Attributes:
        text: the Verilog; it declares the parameters that were given, which have no effect there.
        top: as the Verilog spells it.
        front_end: what read the design, e.g. `GHDL 2.0.0`.
        parameters: of the top, given or default.
        signed: ports that were declared signed, and ports that were declared unsigned.
        unsigned: likewise.
        notes: sentences about what was concluded and not told.
    """

    text: str
    top: str
    front_end: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    signed: frozenset[str] = frozenset()
    unsigned: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def with_parameters(text: str, top: str, given: Mapping[str, Parameter], *, where: str) -> str:
    """The text whose top declares parameters, so that instances can go on to set them.

    Args:
        text: Verilog that does not use them.
        top: the module.
        given: by name.
        where: files, for messages.
    """
    if not given:
        return text
    (module,) = (one for one in definitions(text, where=where) if one.name == top)
    _, ports = header(module)
    end = module.text.index(";", ports[1] if ports else 0) + 1
    declared = "".join(f"\n  parameter {key} = {literal(value)};" for key, value in given.items())
    place = module.start + end
    return f"{text[:place]}{declared}{text[place:]}"
