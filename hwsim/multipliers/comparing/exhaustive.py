# SPDX-License-Identifier: Apache-2.0
"""Every product of multipliers that are too wide for a table, by gates of their Verilog."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ...errors import HwsimError
from ...metrics import ErrorMetrics, QuadrantError, error_metrics
from ...netlist.evaluation import Measured, Rows, measure, products
from ...netlist.netlist import Netlist
from ...netlist.program import MEASURED_BITS, Program
from ...operands import MAX_BITS, Operand, Operands
from ..by_gates import gates_of
from ..multiplier import Multiplier, Progress
from .comparison import Comparison, Quadrant, quadrant_words
from .difference import SHOWN, Difference


@runtime_checkable
class HasRows(Protocol):
    """A multiplier without Verilog that gives its products by rows."""

    def rows(self, first: int, count: int) -> NDArray[Any]:
        """(count, weights) products, modulo 2^32."""


def is_wide(multiplier: Multiplier) -> bool:
    """Whether there are too many products for a table."""
    return max(multiplier.operands.bits) > MAX_BITS


def metrics_of(
    multiplier: Multiplier, *, jobs: int | None = None, progress: Progress | None = None
) -> ErrorMetrics:
    """Error metrics over all operand pairs: of the table, or of the gates where it is too large.

    Args:
        multiplier: of products of at most 32 bits.
        jobs: threads; None is one per processor core.
        progress: called with (products so far, products in all), where there is no table.

    Raises:
        HwsimError: there is no table, no Verilog, no Yosys, or the gates keep an earlier product.
    """
    if not is_wide(multiplier):
        return error_metrics(multiplier.table(jobs=jobs))
    parts = measure(Program.of(gates_of(multiplier)), threads=jobs, progress=progress)
    return _metrics(parts, multiplier.operands)


def compare_wide(
    x: Multiplier,
    y: Multiplier,
    *,
    names: tuple[str, str],
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compares two multipliers in every product; one of them at least must be Verilog.

    Args:
        x: the first.
        y: the second.
        names: what to call them.
        jobs: threads; None is one per processor core.
        progress: called with (products so far, products in all).

    Raises:
        HwsimError: their operands differ, neither is Verilog, there is no Yosys.
    """
    if x.operands != y.operands:
        raise HwsimError(
            f"{names[0]} is of {x.operands}, {names[1]} of {y.operands}: no products correspond"
        )
    first, second = (None if isinstance(one, HasRows) else gates_of(one) for one in (x, y))
    if first is None and second is None:
        raise HwsimError(
            f"expected Verilog on one side, to compare products of more than {MAX_BITS} bits, got "
            f"{names[0]} and {names[1]}"
        )
    pair = _Pair.of(first, second, x, y)
    found = _Differences(x.operands)
    found.add(pair.measured(jobs, progress))
    swapped = None
    if found.count and x.operands.equal and first is not None and second is not None:
        turned = _Pair.of(first, replace(second, a=second.b, b=second.a), x, y)
        swapped = sum(int(part.wrong.sum()) for part in turned.measured(jobs, None))
    return Comparison(
        x=names[0],
        y=names[1],
        operands=x.operands,
        equal=not found.count,
        swapped=bool(found.count) and swapped == 0,
        reordered=False,
        count=found.count,
        total=x.operands.product.count,
        count_swapped=swapped if found.count else 0,
        worst=found.worst(pair),
        first=found.first(pair),
        quadrants=found.quadrants(),
    )


@dataclass(frozen=True)
class _Pair:
    """Two sides of a comparison: a program of one or both, and rows of the other."""

    program: Program
    reference: Rows | None
    turned: bool  # the program is of y, and x is the reference

    @classmethod
    def of(
        cls, first: Netlist | None, second: Netlist | None, x: Multiplier, y: Multiplier
    ) -> "_Pair":
        if first is None:
            assert isinstance(x, HasRows)
            assert second is not None
            return cls(Program.of(second), x.rows, turned=True)
        if second is None:
            assert isinstance(y, HasRows)
            return cls(Program.of(first), y.rows, turned=False)
        return cls(Program.of(first, second), None, turned=False)

    def measured(self, jobs: int | None, progress: Progress | None) -> Iterator[Measured]:
        return measure(self.program, reference=self.reference, threads=jobs, progress=progress)

    def row(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Products of x and of y in one row."""
        b = np.arange(self.program.operands.weight.count)
        a = np.full(len(b), number)
        whole = replace(self.program, product=Operand(MEASURED_BITS, self.program.product.signed))
        words = [products(whole, a, b, threads=1)]
        if self.reference is not None:
            words.append(self.reference(number, 1)[0])
        elif whole.q is not None:
            words.append(products(replace(whole, p=whole.q), a, b, threads=1))
        x, y = (whole.product.value(word) for word in words)
        return (y, x) if self.turned else (x, y)


class _Differences:
    """Where products differ, row by row."""

    def __init__(self, operands: Operands) -> None:
        self._operands = operands
        self._wrong: list[NDArray[np.uint64]] = []
        self._worst: list[NDArray[np.uint64]] = []

    def add(self, parts: Iterable[Measured]) -> None:
        for part in parts:
            self._wrong.append(part.wrong)
            self._worst.append(part.worst.max(1))

    @property
    def count(self) -> int:
        return int(sum(part.sum() for part in self._wrong))

    def worst(self, pair: _Pair) -> Difference | None:
        if not self.count:
            return None
        row = int(np.concatenate(self._worst).argmax())
        x, y = pair.row(row)
        return self._difference(row, int(np.abs(x - y).argmax()), x, y)

    def first(self, pair: _Pair) -> tuple[Difference, ...]:
        found: list[Difference] = []
        for row in np.flatnonzero(np.concatenate(self._wrong).sum(1))[:SHOWN].tolist():
            x, y = pair.row(row)
            found += [self._difference(row, b, x, y) for b in np.flatnonzero(x != y)[:SHOWN]]
        return tuple(found[:SHOWN])

    def quadrants(self) -> tuple[Quadrant, ...]:
        sums = _by_quadrant(np.concatenate(self._wrong), self._operands)
        each = self._operands.product.count // len(sums)
        words = quadrant_words(sums)
        return tuple(Quadrant(words[name], int(sum(wrong)), each) for name, wrong in sums.items())

    def _difference(
        self, row: int, column: int, x: NDArray[np.int64], y: NDArray[np.int64]
    ) -> Difference:
        a, b = (one.value(i) for one, i in zip(self._operands, (row, column), strict=True))
        return Difference(int(a), int(b), int(x[column]), int(y[column]))


def _by_quadrant(values: NDArray[Any], operands: Operands) -> Mapping[str, list[Any]]:
    """(rows, 2) of sides to lists by sign quadrant, the rows in order."""
    half = len(values) // 2
    signs = [(">=0", "<0") if signed else (">=0", ">=0") for signed in operands.signs]
    found: dict[str, list[Any]] = {}
    for (side_a, sign_a), (side_b, sign_b) in (
        (one, other) for one in enumerate(signs[0]) for other in enumerate(signs[1])
    ):
        name = f"a{sign_a} b{sign_b}"
        rows = slice(0, half) if side_a == 0 else slice(half, None)
        found.setdefault(name, []).extend(values[rows, side_b].tolist())
    return found


def _metrics(parts: Iterable[Measured], operands: Operands) -> ErrorMetrics:
    measured = [*parts]
    sums, above, wrong, worst, square = (
        np.concatenate([getattr(part, name) for part in measured])
        for name in ("sum", "above", "wrong", "worst", "square")
    )
    relative = math.fsum(float(x) for part in measured for x in part.relative.ravel())
    rows, columns = operands.shape
    total, size = rows * columns, _whole(sums)
    by_name = [_by_quadrant(one, operands) for one in (sums, above, wrong, worst)]
    each = total // len(by_name[0])
    quadrants = {}
    for name in by_name[0]:
        sizes, over, differ, largest = (one[name] for one in by_name)
        quadrants[name] = QuadrantError(
            mae=sum(sizes) / each,
            wce=max(largest),
            ep=sum(differ) / each,
            bias=(2 * sum(over) - sum(sizes)) / each,
        )
    largest_a, largest_b = (max(-one.minimum, one.maximum) for one in operands)
    return ErrorMetrics(
        mae=size / total,
        wce=int(worst.max()),
        wcre=max(float(part.relative_worst.max()) for part in measured),
        ep=_whole(wrong) / total,
        mre=relative / ((rows - 1) * (columns - 1)),
        mse=_whole(square) / total,
        nmed=size / total / (largest_a * largest_b),
        bias=(2 * _whole(above) - size) / total,
        quadrants=quadrants,
    )


def _whole(values: NDArray[Any]) -> int:
    """The exact sum."""
    return sum(values.ravel().tolist())
