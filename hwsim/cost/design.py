# SPDX-License-Identifier: Apache-2.0
"""What is put into hardware: a multiplier, or an exact one to hold it against."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..multipliers.cache import circuit_facts
from ..multipliers.multiplier import Multiplier
from ..netlist.evaluation import products
from ..netlist.netlist import Netlist
from ..netlist.program import Program
from ..netlist.synthesis import TOP, run_on, synthesise
from ..operands import MAX_BITS, Operand, Operands
from ..tools.yosys import require_yosys
from ..verilog.circuit import Circuit
from . import exact

_PAIRS = 1 << 20
"""Most operand pairs that a netlist is checked with: all where there are no more."""

_SEED = 20250101
_TEXT = "exact.v"

Patterns = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Design:
    """A circuit and what it must compute.

    Attributes:
        name: of the structure; empty where the multiplier's own name says all.
        operands: what goes in.
        product: what comes out.
        source: a circuit, or the text of a module as `netlist.synthesis` puts around circuits.
        expected: (N,) bit patterns of activation and of weight to (N,) products.
        shift: bits that the output lacks at its lower end, and are 0.
    """

    name: str
    operands: Operands
    product: Operand
    source: Circuit | str
    expected: Callable[[Patterns, Patterns], NDArray[Any]]
    shift: int = 0

    @classmethod
    def of(cls, multiplier: Multiplier) -> "Design":
        """The design of a multiplier.

        Raises:
            HwsimError: there is only a table or a model of it.
        """
        circuit = multiplier.circuit()
        if circuit is None:
            raise HwsimError(f"expected Verilog to know what {multiplier.name} costs, got a table")
        if max(circuit.operands.bits) <= MAX_BITS:
            expected = partial(_looked_up, multiplier)
        else:
            expected = partial(_by_gates, circuit)
        shift = circuit.roles.product_shift
        product = Operand(circuit.product.bits + shift, circuit.product.signed)
        return cls("", circuit.operands, product, circuit, expected, shift)

    @property
    def title(self) -> str:
        """For messages."""
        return self.name if isinstance(self.source, str) else self.source.name

    @property
    def clocked(self) -> bool:
        """Whether it has a clock, and may have registers."""
        return not isinstance(self.source, str) and self.source.roles.clock is not None

    def facts(self) -> dict[str, Any]:
        """All that its hardware depends on, JSON-able."""
        if isinstance(self.source, str):
            return {"text": self.source, "operands": self.operands.code}
        return circuit_facts(self.source)

    def read(self, commands: Sequence[str], *, folder: Path) -> None:
        """Has Yosys read it and work on it in a folder.

        Raises:
            HwsimError: as `netlist.synthesis.run_on`.
        """
        if not isinstance(self.source, str):
            run_on(self.source, commands, folder=folder)
            return
        (folder / _TEXT).write_text(self.source, encoding="utf-8")
        first = [f"read_verilog {_TEXT}", f"hierarchy -check -top {TOP}"]
        require_yosys().run([*first, *commands], folder=folder, name=self.name)

    def check(self, netlist: Netlist, *, made_by: str) -> int:
        """Holds gates against what the design must compute.

        Args:
            netlist: made of it.
            made_by: whom to blame.

        Returns:
            How many operand pairs were tried: all of up to a million, else as many at random.

        Raises:
            HwsimError: a product differs.
        """
        a, b, expected = self._sample
        got = products(Program.of(netlist), a, b, threads=1)
        wrong = got.astype(np.int64) != expected
        if wrong.any():
            first = int(wrong.argmax())
            x, y = (
                operand.value(p[first]) for operand, p in zip(self.operands, (a, b), strict=True)
            )
            raise HwsimError(
                f"{netlist.name}: expected cells that compute its table, got {int(wrong.sum()):,} "
                f"wrong products of {len(a):,} by {made_by}, the first {x} x {y}"
            )
        return len(a)

    @cached_property
    def _sample(self) -> tuple[Patterns, Patterns, Patterns]:
        """Operand pairs, and their products, as bit patterns."""
        columns, total = self.operands.weight.count, self.operands.product.count
        if total <= _PAIRS:
            pairs = np.arange(total, dtype=np.int64)
        else:
            pairs = np.random.default_rng(_SEED).integers(0, total, _PAIRS)
        a, b = pairs // columns, pairs % columns
        return a, b, self.product.pattern(self.expected(a, b))


def exact_designs(operands: Operands) -> tuple[Design, ...]:
    """Exact multipliers of several structures, each named.

    Args:
        operands: of any bits and signs.
    """
    texts: Mapping[str, str] = {
        "a * b": exact.inferred(operands),
        "array": exact.array(operands),
        **{f"Dadda {adder}": exact.dadda(operands, adder=adder) for adder in exact.ADDERS},
    }
    bits = sum(operands.bits)
    product = Operand(bits, any(operands.signs))
    return tuple(
        Design(name, operands, product, text, partial(_multiplied, operands))
        for name, text in texts.items()
    )


def _looked_up(multiplier: Multiplier, a: Patterns, b: Patterns) -> NDArray[Any]:
    return multiplier.table().table[a, b]


def _by_gates(circuit: Circuit, a: Patterns, b: Patterns) -> NDArray[Any]:
    netlist = synthesise(circuit)
    return netlist.product.value(products(Program.of(netlist), a, b))


def _multiplied(operands: Operands, a: Patterns, b: Patterns) -> NDArray[Any]:
    activation, weight = operands
    return activation.value(a) * weight.value(b)
