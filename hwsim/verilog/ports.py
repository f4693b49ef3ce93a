# SPDX-License-Identifier: Apache-2.0
"""A module's ports, widths and parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .parameters import Parameter


@dataclass(frozen=True)
class Port:
    """One port.

    Attributes:
        name: as in the Verilog.
        direction: `input`, `output` or `inout`.
        width: bits, with the design's parameters in place.
        signed: declared `signed`.
    """

    name: str
    direction: str
    width: int
    signed: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.direction} {self.name} of {self.width} bits"


@dataclass(frozen=True)
class Instance:
    """One instance in a hierarchy.

    Attributes:
        name: of the instance, behind the generate blocks that it is in; of the top, the module.
        module: its module.
        parameters: with values.
        children: instances inside.
    """

    name: str
    module: str
    parameters: Mapping[str, Parameter]
    children: Sequence["Instance"] = ()


@dataclass(frozen=True)
class Interface:
    """What a module shows to the outside, and the instances inside.

    Attributes:
        ports: in the order of the header.
        parameters: every parameter with its value, given or default.
        instances: what is inside.
    """

    ports: tuple[Port, ...]
    parameters: Mapping[str, Parameter]
    instances: Sequence[Instance] = ()
