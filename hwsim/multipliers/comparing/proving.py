# SPDX-License-Identifier: Apache-2.0
"""Are two multipliers equal that have too many products to look at each? A proof, or a sample."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import HwsimError
from ...netlist.equivalence import LIMIT, Cone, Proof, decide
from ...netlist.evaluation import products
from ...netlist.netlist import Netlist
from ...netlist.program import MEASURED_BITS, Program
from ...operands import Operands
from ..by_gates import gates_of
from ..from_model import RunningMultiplier
from ..multiplier import Multiplier
from ..tabulating.tabulation import simulate_pairs
from .difference import Difference
from .sampling import DRAWS, corners, draw

_SIDE = Netlist | RunningMultiplier


@dataclass(frozen=True)
class Equivalence:
    """Whether two multipliers are equal, without a count of what differs.

    Attributes:
        x: name of the first.
        y: name of the second.
        operands: of both.
        equal: None where that is unknown.
        proof: what that rests on.
        sampled: operand pairs that were looked at.
        limit: seconds that a proof was given.
        difference: an operand pair with two products; None where none is known.
        simulated: whether a simulator has the same two products at it; None where it was not run.
    """

    x: str
    y: str
    operands: Operands
    equal: bool | None
    proof: Proof
    sampled: int
    limit: float
    difference: Difference | None = None
    simulated: bool | None = None

    def sentence(self) -> str:
        """One line for a person."""
        pair, of = f"{self.x} and {self.y}", f"products of {self.operands}"
        looked = f"{self.sampled:,} of {self.operands.product.count:,} {of}"
        if self.equal is None and self.proof is Proof.sampled:
            return f"{pair} are equal in a sample of {looked}, and not known to be equal in all"
        if self.equal is None:
            return (
                f"{pair} are not known to be equal: no proof within {self.limit:g} s, no "
                f"difference in {looked}"
            )
        if self.equal:
            return f"{pair} are equal in all {self.operands.product.count:,} {of}, by proof"
        return f"{pair} differ: {self.cell()}"

    def cell(self) -> str:
        """The difference in words."""
        one = self.difference
        assert one is not None
        agrees = {None: "", True: ", as simulated", False: "; a SIMULATOR has other products"}
        return (
            f"{one.a} x {one.b} = {one.expected} in {self.x}, {one.actual} in {self.y}"
            f"{agrees[self.simulated]}"
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; the products of the difference are named x and y."""
        one = self.difference
        cell = one and {"a": one.a, "b": one.b, "x": one.expected, "y": one.actual}
        return {
            **asdict(replace(self, difference=None)),
            "operands": self.operands.code,
            "proof": str(self.proof),
            "difference": cell,
            "sentence": self.sentence(),
        }


def is_countable(x: Multiplier, y: Multiplier) -> bool:
    """Whether every product of both can be looked at."""
    slow = any(isinstance(one, RunningMultiplier) and not one.by_rows for one in (x, y))
    return not slow and sum(x.operands.bits) <= MEASURED_BITS


def prove_equal(
    x: Multiplier, y: Multiplier, *, names: tuple[str, str], limit: float = LIMIT
) -> Equivalence:
    """Looks for a difference in a sample, and then for a proof that there is none.

    Args:
        x: Verilog, or a model that is running.
        y: likewise; between a model and anything there is no proof.
        names: what to call them.
        limit: seconds for the proof.

    Raises:
        HwsimError: their operands differ, one is neither, there is no Yosys.
    """
    if x.operands != y.operands:
        raise HwsimError(
            f"{names[0]} is of {x.operands}, {names[1]} of {y.operands}: no products correspond"
        )
    operands = x.operands
    sides = tuple(one if isinstance(one, RunningMultiplier) else gates_of(one) for one in (x, y))
    a, b = _pairs(operands)
    p, q = (_products(side, a, b) for side in sides)
    unknown = Equivalence(*names, operands, None, Proof.sampled, len(a), limit)
    for place in np.flatnonzero(p != q)[:1].tolist():
        return _differing((x, y), sides, (int(a[place]), int(b[place])), unknown)
    cones = [Cone.of(side) for side in sides if isinstance(side, Netlist)]
    if len(cones) < 2:
        return unknown
    width = max(len(cone.outputs) for cone in cones)
    verdict = decide(
        *(replace(c, outputs=_extended(c, width, operands.product.signed)) for c in cones),
        seconds=limit,
    )
    if verdict.inputs is None:
        proof = Proof.unknown if verdict.equal is None else Proof.sat
        return replace(unknown, equal=verdict.equal, proof=proof)
    bits, low = verdict.inputs.tolist(), operands.activation.bits
    pair = _number(bits[:low]), _number(bits[low:])
    return _differing((x, y), sides, pair, replace(unknown, proof=Proof.sat))


def _number(bits: list[int]) -> int:
    return sum(bit << place for place, bit in enumerate(bits))


def _extended(cone: Cone, width: int, signed: bool) -> tuple[int, ...]:
    """Its outputs, and as many copies of the sign, or zeros, as the other has bits more."""
    return (*cone.outputs, *[cone.outputs[-1] if signed else 0] * (width - len(cone.outputs)))


def _pairs(operands: Operands) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bit patterns of a stratified sample and of all corners."""
    a, b, _, _ = draw(operands, draws=DRAWS, seed=0)
    corner_a, corner_b = corners(operands)
    every = np.concatenate([a, corner_a]), np.concatenate([b, corner_b])
    return operands.activation.pattern(every[0]), operands.weight.pattern(every[1])


def _products(side: _SIDE, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Bit patterns of products, extended to the bits that a model's have."""
    if isinstance(side, RunningMultiplier):
        return side.products(a, b)
    made = products(Program.of(side), a, b)
    if side.product.signed:
        made = side.product.value(made).astype(np.uint64)
    bits = 32 if side.operands.product.bits <= 32 else 64
    return made & np.uint64((1 << bits) - 1)


def _differing(
    pair: tuple[Multiplier, Multiplier],
    sides: tuple[_SIDE, ...],
    patterns: tuple[int, int],
    unknown: Equivalence,
) -> Equivalence:
    """A difference, by both sides again, and by a simulator of what is Verilog."""
    operands = unknown.operands
    a, b = (np.array([one], np.int64) for one in patterns)
    p, q = (_value(_products(side, a, b)[0], operands) for side in sides)
    if p == q:
        raise HwsimError(
            f"expected two products at {patterns[0]} x {patterns[1]}, where a proof has a "
            f"difference, got {p} twice: please report it"
        )
    agreed = [
        int(simulate_pairs(circuit, a, b).values[0]) == value
        for one, value in zip(pair, (p, q), strict=True)
        if (circuit := one.circuit()) is not None
    ]
    x, y = (int(one.value(bits)) for one, bits in zip(operands, patterns, strict=True))
    return replace(unknown, equal=False, difference=Difference(x, y, p, q), simulated=all(agreed))


def _value(pattern: np.uint64, operands: Operands) -> int:
    """What a product's bits stand for, in 32 bits or in 64."""
    bits, number = 32 if operands.product.bits <= 32 else 64, int(pattern)
    return number - (1 << bits) if operands.product.signed and number >> (bits - 1) else number
