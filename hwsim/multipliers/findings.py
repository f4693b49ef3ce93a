# SPDX-License-Identifier: Apache-2.0
"""What is found on a circuit or its table becomes a refusal or a warning, here alone.

Whoever looks at a circuit, at its compiled program, its products or its gates, hands in findings;
`judged` decides.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..operands import Operands
from ..verilog.state import Compiled

_MOST = 3  # of one kind, and of the compiler's warnings


@dataclass(frozen=True)
class Finding:
    """Something about a circuit that its user does not expect.

    Attributes:
        sentence: what it is and what to do, without a full stop.
        refused: there must be no table.
    """

    sentence: str
    refused: bool = False

    def __str__(self) -> str:
        return self.sentence


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
        if finding.refused:
            raise HwsimError(f"{name}: {finding.sentence}")
    return tuple(dict.fromkeys(finding.sentence for finding in found))


def in_program(compiled: Compiled, warnings: Iterable[str]) -> Iterator[Finding]:
    """Findings of the simulator's compiler.

    Args:
        compiled: what the compiled program shows.
        warnings: of the compiler.
    """
    if compiled.unwritten:
        yield Finding(
            f"expected something to write {_listed(compiled.unwritten)}, but nothing does: it is "
            "X for ever, which the Verilog may hide; write it or remove it",
            refused=True,
        )
    if compiled.undriven:
        yield Finding(
            f"nothing drives {_listed(compiled.undriven)}: the products are those with Z there, "
            "which hardware does not have; connect it"
        )
    lines = tuple(warnings)
    for line in lines[:_MOST]:
        yield Finding(f"the compiler warns: {line.rstrip('.')}")
    if len(lines) > _MOST:
        yield Finding(f"the compiler warns {len(lines) - _MOST} times more")


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
        yield Finding(f"{product} is {table.flat[0]} for all operands: is this a multiplier?")
        return
    a, b = (operand.values.astype(np.int64) for operand in operands)
    exact = a[:, None] * b[None, :]
    moves = int(np.bitwise_or.reduce(table.ravel()) ^ np.bitwise_and.reduce(table.ravel()))
    expected = int(np.bitwise_or.reduce(exact.ravel()) ^ np.bitwise_and.reduce(exact.ravel()))
    top = min(bits, expected.bit_length())
    highest = (moves & ((1 << top) - 1)).bit_length()
    if highest < top:
        which = f"{product}[{top - 1}{'' if top - 1 == highest else f':{highest}'}]"
        yield Finding(f"{which} never changes: a dead output, or a product of other operands?")
    for first, second, rows, columns in (
        ("negative", "positive", a < 0, b > 0),
        ("positive", "negative", a > 0, b < 0),
        ("negative", "negative", a < 0, b < 0),
    ):
        part, signs = table[rows][:, columns], np.sign(exact[rows][:, columns])
        if part.size and (np.sign(part) != signs).all() and part.any():
            yield Finding(
                f"every product of a {first} and a {second} operand has the wrong sign: signed "
                "operands of an unsigned core?"
            )


def _listed(names: tuple[str, ...]) -> str:
    shown = " and ".join([", ".join(names[: _MOST - 1]), *names[_MOST - 1 : _MOST]])
    return (
        shown
        if len(names) <= _MOST
        else f"{', '.join(names[:_MOST])} and {len(names) - _MOST} more"
    )
