# SPDX-License-Identifier: Apache-2.0
"""A second opinion on simulated tables: what Yosys' gates of the same Verilog compute."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import asdict, dataclass, field, replace
from threading import Event
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import HwsimError
from ...lut import Lut
from ...netlist.evaluation import products as evaluate
from ...netlist.evaluation import table
from ...netlist.netlist import Findings, Netlist
from ...netlist.program import Program
from ...netlist.synthesis import synthesise
from ...operands import Operand
from ...tools.process import STOPS, StoppedError
from ...tools.yosys import INSTALL, find_yosys
from ...verilog.circuit import Circuit
from ..multiplier import Multiplier
from ..tabulating.findings import Finding, judged
from .difference import SHOWN, Difference, first_differences

NO_YOSYS = f"no second opinion by gates: Yosys not found ({INSTALL})"
"""To be said once, where there are no opinions."""

_UNEXPLAINED = "what is synthesised is not what is simulated: translate_off, or X"


@dataclass(frozen=True)
class Opinion:
    """How the gates of a multiplier compare to its simulated table.

    Attributes:
        reader: what made the gates, e.g. `Yosys 0.70`; empty where there are none.
        simulator: what made the table.
        reason: why the gates have no table; empty where they have one.
        total: products of either.
        count: products that differ.
        first: up to five of them; the simulated one is expected.
        findings: what is odd about the circuit.
        golden: which of two that differ is the golden table, or neither; empty where nobody asks.
    """

    reader: str
    simulator: str
    reason: str = ""
    total: int = 0
    count: int = 0
    first: tuple[Difference, ...] = ()
    findings: Findings = field(default_factory=Findings)
    golden: str = ""

    @property
    def equal(self) -> bool | None:
        """All products agree; None where the gates have no table."""
        return None if self.reason else self.count == 0

    @property
    def mark(self) -> str:
        """Behind a line about the table, where all products agree; empty where they do not."""
        flaws = "".join(f"; {flaw}" for flaw in self.findings.flaws)
        return f"  equal to gates ({self.reader}){flaws}" if self.equal else ""

    def sentence(self) -> str:
        """One line for a person."""
        if self.reason:
            return f"no second opinion by gates: {self.reason}"
        if self.equal:
            flaws = "".join(f"; {flaw}" for flaw in self.findings.flaws)
            return f"gates of {self.reader}: equal in all {self.total:,} products{flaws}"
        first = self.first[0]
        clauses = [*self.findings.reasons, self.golden]
        return (
            f"gates of {self.reader} and {self.simulator} DIFFER in {self.count:,} of "
            f"{self.total:,} products: {first.a} x {first.b} is {first.expected} as simulated, "
            f"{first.actual} as gates; {'; '.join(filter(None, clauses)) or _UNEXPLAINED}"
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; `equal` is null where there is no opinion."""
        return {
            **asdict(self),
            "equal": self.equal,
            "first": [
                {"a": one.a, "b": one.b, "simulated": one.expected, "gates": one.actual}
                for one in self.first
            ],
            "sentence": self.sentence(),
        }


class Opinions(Protocol):
    """What gives opinions."""

    def __call__(
        self, multiplier: Multiplier, lut: Lut, golden: Lut | None = None, /
    ) -> Opinion | None:
        """An opinion on a simulated table.

        Args:
            multiplier: one of those whose gates were made.
            lut: its simulated table.
            golden: what the table should be.

        Returns:
            None without Yosys, or without Verilog.

        Raises:
            HwsimError: the gates prove that the product is no function of the operands.
        """


@contextmanager
def second_opinions(
    multipliers: Sequence[Multiplier], *, jobs: int | None = None
) -> Iterator[Opinions]:
    """Makes the gates of multipliers while their tables are simulated.

    Args:
        multipliers: those without a circuit are passed over.
        jobs: processes at a time; None is one per processor core.

    Yields:
        What an opinion is given by, once there is a table.
    """
    circuits = {one: one.circuit() for one in multipliers} if find_yosys() else {}
    stop = Event()
    token = STOPS.set((*STOPS.get(), stop))
    pool = ThreadPoolExecutor(jobs)
    gates = {
        one: pool.submit(copy_context().run, _gates, circuit)
        for one, circuit in circuits.items()
        if circuit is not None
    }
    STOPS.reset(token)

    def opinion(multiplier: Multiplier, lut: Lut, golden: Lut | None = None, /) -> Opinion | None:
        made = gates.get(multiplier)
        return None if made is None else _opinion(made.result(), lut, golden)

    try:
        yield opinion
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _gates(circuit: Circuit) -> Netlist | str:
    """The gates, or why there are none."""
    try:
        return synthesise(circuit)
    except StoppedError:  # nobody waits any more
        return "stopped"
    except HwsimError as error:
        return str(error)


def opinion_on(
    circuit: Circuit,
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    products: NDArray[Any],
    *,
    simulator: str,
) -> Opinion | None:
    """An opinion on some simulated products, where there are too many for a table.

    Args:
        circuit: that was simulated.
        a: (N,) bit patterns of the activation.
        b: (N,) of the weight.
        products: (N,) simulated, int64 where they are signed, else uint64.
        simulator: that made them, for people.

    Returns:
        None without Yosys.
    """
    if find_yosys() is None:
        return None
    gates = _gates(circuit)
    program = _program(gates)
    if isinstance(gates, str) or isinstance(program, str):
        return _none(gates, program, simulator)
    words = evaluate(program, a, b)
    made = circuit.product.value(words) if circuit.product.signed else words
    wrong = np.flatnonzero(made != products)
    first = [
        Difference(int(x), int(y), int(products[i]), int(made[i]))
        for i in wrong[:SHOWN]
        for x, y in [(gates.operands.activation.value(a[i]), gates.operands.weight.value(b[i]))]
    ]
    return Opinion(gates.reader, simulator, "", len(a), len(wrong), tuple(first), gates.findings)


def _program(gates: Netlist | str) -> Program | str:
    """What evaluates the gates, or why nothing does."""
    try:
        return gates if isinstance(gates, str) else Program.of(gates)
    except HwsimError as error:
        return str(error)


def _none(gates: Netlist | str, program: Program | str, simulator: str) -> Opinion:
    """Why there is no opinion."""
    assert isinstance(program, str)
    if isinstance(gates, str):
        return Opinion("", simulator, program)
    return Opinion(gates.reader, simulator, program, findings=gates.findings)


def _opinion(gates: Netlist | str, lut: Lut, golden: Lut | None) -> Opinion:
    made_by = lut.manifest.get("simulator", {})
    simulator = f"{made_by.get('name', 'simulator')} {made_by.get('version', '')}".strip()
    program = _program(gates)
    if isinstance(gates, str) or isinstance(program, str):
        return _none(gates, program, simulator)
    if gates.enable != 1:
        _refuse_held(gates)
    made = Lut(table(program), *lut.operands)
    count, first = first_differences(lut, made)
    words = ""
    if count and golden is not None:
        same = [name for name, one in (("simulated", lut), ("gates'", made)) if one == golden]
        words = f"the golden table is {f'the {same[0]} one' if same else 'neither'}"
    return Opinion(
        gates.reader,
        simulator,
        total=lut.table.size,
        count=count,
        first=first,
        findings=gates.findings,
        golden=words,
    )


def _refuse_held(gates: Netlist) -> None:
    """Refuses a product that a latch keeps for some operand pair; a file may only look like it."""
    watched = replace(gates, p=(gates.enable,), product=Operand(1, signed=False))
    is_open = table(Program.of(watched))
    if not is_open.all():
        row, column = np.unravel_index(int(is_open.argmin()), is_open.shape)
        a, b = (x.value(i) for x, i in zip(gates.operands, (row, column), strict=True))
        what = (
            "expected a product of the operands alone, got one that a latch keeps from an earlier "
            f"pair for {(is_open == 0).sum():,} of {is_open.size:,} pairs, the first {a} x {b}: "
        )
        judged(gates.name, [Finding(what, "; ".join(gates.findings.reasons))])
