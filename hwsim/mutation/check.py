# SPDX-License-Identifier: Apache-2.0
"""What a gate is made of: checks, which a harness in Verilog makes, and refusals.

A harness is a module TOP without ports. It prints, each on a line that begins with MARK:

    first <instance> ...               the first difference of an instance, in the check's own words
    count <instance> <wrong> <X/Z>     how many entries differ, and how many of them are X or Z
    done                               at its end
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..verilog.parameters import Parameter, literal

TOP = "axhil_mutation"
MARK = "AXHIL"

Integers = NDArray[np.int64]


class Check(Protocol):
    """Instances side by side, what goes into them, and what must come out."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def evidence(self) -> str:
        """What a difference is called: the value of a `Killer`."""
        ...

    @property
    def total(self) -> int:
        """Entries that are compared, over all instances."""
        ...

    def write(self, path: Path, data: Path) -> None:
        """Write the harness, and the data that it reads."""
        ...

    def difference(self, words: Sequence[str]) -> str:
        """The first difference for a person, from the words behind `first`."""
        ...


@dataclass(frozen=True)
class Refusal:
    """Parameters that must stop the simulation with the module's own sentence."""

    module: str
    parameters: Mapping[str, Parameter]

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.parameters.items())


@dataclass(frozen=True)
class Block:
    """An instance whose gates must compute what they do.

    Attributes:
        name: for messages.
        module: what is instantiated.
        parameters: given to it; the others keep their defaults.
        inputs: bits by port, without the clock.
        outputs: bits by port.
        clock: port; None where there is none.
    """

    name: str
    module: str
    parameters: Mapping[str, Parameter]
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    clock: str | None = None


@dataclass(frozen=True)
class Gate:
    """Everything that judges mutants of one module.

    Attributes:
        module: the module that is mutated.
        others: files that are compiled with it.
        checks: of the gate.
        refusals: of the gate.
        proof: checks that a mutant must also pass to be called equivalent, where gates do not say.
        basis: what "equivalent" rests on then, for a person.
        blocks: whose gates say.
        reach: what "equivalent" rests on there, for a person.
        whole: all that the checks simulate is among the blocks.
    """

    module: str
    others: tuple[Path, ...]
    checks: tuple[Check, ...]
    refusals: tuple[Refusal, ...]
    proof: tuple[Check, ...]
    basis: str
    blocks: tuple[Block, ...] = ()
    reach: str = ""
    whole: bool = True


def distinct(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """One of each module and set of parameters."""
    by_key = {(one.module, tuple(sorted(one.parameters.items()))): one for one in blocks}
    return tuple(by_key.values())


def instantiate(
    module: str, index: int, parameters: Mapping[str, Parameter], ports: Mapping[str, str]
) -> str:
    """The Verilog of an instance."""
    given = ", ".join(f".{name}({literal(value)})" for name, value in parameters.items())
    overrides = f" #({given})" if given else ""
    connected = ", ".join(f".{port}({wire})" for port, wire in ports.items())
    return f"  {module}{overrides} u_{index} ({connected});\n"


def number(bits: str) -> str:
    """What `%b` printed, as a number if it is one."""
    return str(int(bits, 2)) if set(bits) <= {"0", "1"} else f"b'{bits}"
