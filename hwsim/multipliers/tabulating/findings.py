# SPDX-License-Identifier: Apache-2.0
"""What is found on a circuit or its table becomes a refusal or a warning, here alone.

Whoever looks at a circuit, at its compiled program, its products or its gates, hands in findings;
`judged` decides.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import HwsimError
from ...operands import Operands
from ...verilog.compiled.state import Compiled

WarningCode = Literal[
    "constant-product", "constant-bit", "wrong-sign", "undriven", "compiler", "unchecked-vhdl"
]

_MOST = 3  # of one kind, and of the compiler's warnings
_NEARLY_ALL = 0.9  # approximate products are 0 now and then


@dataclass(frozen=True)
class Finding:
    """Something about a circuit that its user does not expect.

    Attributes:
        what: it is.
        then: what follows from it, and what to do.
        code: of the warning that it is; None: there must be no table.
    """

    what: str
    then: str
    code: WarningCode | None = None

    def __str__(self) -> str:
        return f"{'' if self.code is None else f'{self.code}: '}{self.what}{self.then}"


def judged(name: str, findings: Iterable[Finding]) -> tuple[str, ...]:
    """The warnings among some findings.

    Args:
        name: of the circuit, for the refusal.
        findings: the gravest kind first.

    Raises:
        HwsimError: the first finding that refuses.
    """
    found = tuple(findings)
    for finding in found:
        if finding.code is None:
            raise HwsimError(f"{name}: {finding}")
    return tuple(dict.fromkeys(map(str, found)))


def before_running(compiled: Compiled) -> Iterator[Finding]:
    """Findings for which nothing may run.

    Args:
        compiled: what the compiled program shows.
    """
    if compiled.outside:
        yield Finding(
            f"it writes {_listed(compiled.outside)}, outside of itself",
            "; a multiplier has its product and nothing else to write",
        )


def in_program(compiled: Compiled, warnings: Iterable[str]) -> Iterator[Finding]:
    """Findings of the simulator's compiler.

    Args:
        compiled: what the compiled program shows.
        warnings: of the compiler.
    """
    if compiled.unwritten:
        yield Finding(
            f"nothing writes {_listed(compiled.unwritten)}",
            ", which stays X though the product hides it; write it or remove it",
        )
    if compiled.undriven:
        yield Finding(
            f"nothing drives {_listed(compiled.undriven)}",
            ": the products are those of a Z there, hardware has 0 or 1; connect it",
            "undriven",
        )
    lines = tuple(warnings)
    for line in lines[:_MOST]:
        yield Finding(f"the compiler warns: {line.rstrip('.')}", "", "compiler")
    if len(lines) > _MOST:
        yield Finding(f"the compiler warns {len(lines) - _MOST} times more", "", "compiler")


def in_table(
    table: NDArray[np.int32], operands: Operands, *, product: str, bits: int
) -> Iterator[Finding]:
    """Findings on all products of a circuit.

    Args:
        table: the products, laid out as in `Lut`.
        operands: of the circuit.
        product: name of its output.
        bits: of its output.
    """
    if table.min() == table.max():
        yield Finding(
            f"{product} is {table.flat[0]} for all operands",
            ": is this a multiplier?",
            "constant-product",
        )
        return
    a, b = (operand.values.astype(np.int64) for operand in operands)
    exact = a[:, None] * b[None, :]
    moves = int(np.bitwise_or.reduce(table.ravel()) ^ np.bitwise_and.reduce(table.ravel()))
    expected = int(np.bitwise_or.reduce(exact.ravel()) ^ np.bitwise_and.reduce(exact.ravel()))
    top = min(bits, expected.bit_length())
    highest = (moves & ((1 << top) - 1)).bit_length()
    if highest < top:
        which = f"{product}[{top - 1}{'' if top - 1 == highest else f':{highest}'}]"
        yield Finding(
            f"{which} never changes",
            ": a dead output, or a product of other operands?",
            "constant-bit",
        )
    quadrants = {
        "negative x positive": (a < 0, b > 0),
        "positive x negative": (a > 0, b < 0),
        "negative x negative": (a < 0, b < 0),
    }
    wrong = [
        name
        for name, (rows, columns) in quadrants.items()
        if (part := (np.sign(table) == -np.sign(exact))[rows][:, columns]).size
        and part.mean() > _NEARLY_ALL
    ]
    if wrong:
        yield Finding(
            f"the sign of {_listed(tuple(wrong))} products is wrong",
            ": are the operands signed, and does the circuit put the sign together as it should?",
            "wrong-sign",
        )


def _listed(names: tuple[str, ...]) -> str:
    if len(names) > _MOST:
        return f"{', '.join(names[:_MOST])} and {len(names) - _MOST} more"
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else ()), names[-1]])
