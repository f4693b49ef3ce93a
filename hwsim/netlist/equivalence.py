# SPDX-License-Identifier: Apache-2.0
"""Do two netlists compute the same? A proof for any number of operand bits, or a counterexample.

Both stand beside one another on the same operands; whether any bit of their products can differ is
a question for ABC, which comes with Yosys. Unlike `evaluation` it need not look at every pair, so
its time depends on how alike the two are and not on how many pairs there are: two forms of a
multiplier of few partial products take a second at 24 bits, an array and a Booth multiplier no time
that anybody waits for.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..tools.box import Box
from ..tools.process import OverLimitError, run
from ..tools.scratch import scratch
from ..tools.yosys import INSTALL, find_abc
from .netlist import Gates, Kind, Netlist

LIMIT = 60.0
"""Seconds that a proof may take, where nobody says otherwise."""

_MITER, _FOUND = "miter.blif", "counterexample"
_READ = (f"read_blif {_MITER}", "strash")
_WRITE = f"write_cex -n {_FOUND}"
_PROVE = (*_READ, "&get", "&cec -m", "print_status", _WRITE)
# What `&cec` disproves before it asks a solver it writes no counterexample of.
_SEARCH = (*_READ, "iprove", _WRITE)
_COVERS = {
    Kind.not_: ("0",),
    Kind.and_: ("11",),
    Kind.or_: ("1-", "-1"),
    Kind.xor: ("01", "10"),
    Kind.mux: ("1-0", "-11"),
    Kind.nand: ("0-", "-0"),
    Kind.nor: ("00",),
    Kind.xnor: ("00", "11"),
    Kind.andnot: ("10",),
    Kind.ornot: ("1-", "-0"),
}
"""By kind of gate: where it is 1."""


class Proof(StrEnum):
    """What a statement about two multipliers rests on."""

    identical = "identical"
    """Yosys makes the same of both; registers of one name begin alike."""
    exhaustive = "exhaustive"
    """Every product of both."""
    sat = "sat"
    """No operands can make a difference, or some are known that do."""
    induction = "induction"
    """Registers of one name that are alike stay so, whatever comes in, and so do outputs."""
    bounded = "bounded"
    """No inputs make a difference in so many cycles from registers that are all 0."""
    sampled = "sampled"
    """Some products of both."""
    unknown = "unknown"
    """Nothing: the time was up."""


@dataclass(frozen=True, eq=False)
class Cone:
    """Gates between inputs and outputs.

    Attributes:
        gates: as those of a netlist.
        inputs: nets, in an order that both cones of a comparison have.
        outputs: nets, likewise.
    """

    gates: Gates
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @classmethod
    def of(cls, netlist: Netlist) -> "Cone":
        """From operands, the activation's bits first, to the product.

        Raises:
            HwsimError: the product is no function of one operand pair.
        """
        netlist.require_function()
        return cls(netlist.gates, (*netlist.a, *netlist.b), netlist.p)

    def pruned(self) -> "Cone":
        """The same without gates that no output depends on."""
        needed, kept = {*self.outputs}, list[int]()
        for place in range(len(self.gates) - 1, -1, -1):
            _, output, *sources = self.gates[place].tolist()
            if output in needed:
                kept.append(place)
                needed.update(sources)
        return Cone(self.gates[kept[::-1]], self.inputs, self.outputs)


@dataclass(frozen=True, eq=False)
class Verdict:
    """Whether two cones are equal.

    Attributes:
        equal: None where the time was up.
        inputs: (N,) bits at which they differ; None where they do not.
    """

    equal: bool | None
    inputs: NDArray[np.uint8] | None = None


def decide(x: Cone, y: Cone, *, seconds: float = LIMIT) -> Verdict:
    """Whether any inputs make any output of one cone another than the other's.

    Args:
        x: one.
        y: the other, of as many inputs and outputs.
        seconds: for the proof.

    Raises:
        HwsimError: there is no ABC, or it does not answer.
    """
    assert len(x.inputs) == len(y.inputs), (len(x.inputs), len(y.inputs))
    assert len(x.outputs) == len(y.outputs), (len(x.outputs), len(y.outputs))
    abc = find_abc()
    if abc is None:
        raise HwsimError(f"ABC not found, which proves that gates are equal ({INSTALL})")
    with scratch("equivalence") as folder:
        (folder / _MITER).write_text("".join(f"{line}\n" for line in _miter(x, y)))
        values: dict[str, str] = {}
        for commands in (_PROVE, _SEARCH):
            try:
                command = [str(abc), "-c", "; ".join(commands)]
                done = run(command, box=Box(folder), seconds=seconds)
            except OverLimitError:
                return Verdict(None)
            if re.search(r"^Networks are equivalent", done.stdout, re.M):
                return Verdict(True)
            if (found := folder / _FOUND).is_file():
                values = dict(re.findall(r"^i(\d+)@0=([01])$", found.read_text(), re.M))
            if values:
                break
        else:
            lines = done.stdout.strip().splitlines() or ["it said nothing"]
            raise HwsimError(f"expected an answer of ABC, got exit code {done.code}: {lines[-1]}")
    # What no gate reads may be missing.
    bits = [int(values.get(str(place), "0")) for place in range(len(x.inputs))]
    return Verdict(False, np.array(bits, np.uint8))


def _miter(x: Cone, y: Cone) -> Iterator[str]:
    """One output, which is 1 where any of their outputs differ, in the format BLIF."""
    inputs = [f"i{place}" for place in range(len(x.inputs))]
    yield from (".model miter", f".inputs {' '.join(inputs)}", ".outputs differ")
    for side, cone in (("x", x), ("y", y)):
        yield from (f".names {side}0", f".names {side}1", "1")
        for name, net in zip(inputs, cone.inputs, strict=True):
            yield from (f".names {name} {side}{net}", "1 1")
        for kind, output, *sources in cone.gates.tolist():
            cover = _COVERS[Kind(kind)]
            read = " ".join(f"{side}{net}" for net in sources[: len(cover[0])])
            yield f".names {read} {side}{output}"
            yield from (f"{row} 1" for row in cover)
    pairs = [*zip(x.outputs, y.outputs, strict=True)]
    for place, (one, other) in enumerate(pairs):
        yield from (f".names x{one} y{other} d{place}", "01 1", "10 1")
    yield f".names {' '.join(f'd{place}' for place in range(len(pairs)))} differ"
    for place in range(len(pairs)):
        yield f"{'-' * place}1{'-' * (len(pairs) - 1 - place)} 1"
    yield ".end"
