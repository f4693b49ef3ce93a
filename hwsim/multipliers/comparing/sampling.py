# SPDX-License-Identifier: Apache-2.0
"""Operands too wide for a complete table: a stratified sample, and estimates that say so.

A stratum is a pair of magnitude classes: operands of equal sign whose leading one stands at the
same place. Half of the draws are spread evenly over the strata, so that small operands are seen;
half in proportion to a stratum's size, where most of a mean is. Every mean weighs a stratum by its
size, so it estimates the mean over all operand pairs without bias.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import HwsimError
from ...operands import Operand, Operands
from ...verilog.circuit import Circuit
from ..tabulating.tabulation import TIME_LIMIT, Progress, manifest_of, simulate_pairs
from .opinion import Opinion, opinion_on

DRAWS = 1 << 16
_MOST = 1 << 24
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A mean over all operand pairs, estimated.

    Attributes:
        value: the estimate.
        margin: half of its 95 % interval.
    """

    value: float
    margin: float

    def __str__(self) -> str:
        return f"{self.value:.6g} +- {self.margin:.2g}"


@dataclass(frozen=True)
class Sample:
    """Simulated products of some of the operand pairs. It is never a table.

    Attributes:
        count: pairs drawn.
        corners: pairs at corners, simulated too; they count for `wce` alone.
        population: operand pairs that exist.
        mae: mean |p - a*b|.
        mre: mean |p - a*b| / |a*b| over pairs with a*b != 0.
        ep: share of wrong products.
        bias: mean p - a*b.
        wce: the largest |p - a*b| that was seen; the true one may be larger.
        worst: operands of `wce`.
        manifest: where the products come from, JSON-able.
        gates: a second opinion on the simulated products; None where there is no Yosys.
    """

    count: int
    corners: int
    population: int
    mae: Estimate
    mre: Estimate
    ep: Estimate
    bias: Estimate
    wce: int
    worst: tuple[int, int]
    manifest: dict[str, Any]
    gates: Opinion | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; says of itself that it is a sample."""
        gates = None if self.gates is None else self.gates.as_dict()
        body = asdict(replace(self, gates=None))
        return {"kind": "sample", **body, "worst": list(self.worst), "gates": gates}


def sample(
    circuit: Circuit,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    jobs: int | None = None,
    limit: float = TIME_LIMIT,
    progress: Progress | None = None,
) -> Sample:
    """Simulates a stratified sample and all corners.

    Args:
        circuit: of any width that can be driven.
        draws: pairs to draw; at least two for each stratum are drawn whatever it says.
        seed: of the draws.
        jobs: simulators at a time.
        limit: seconds without a sign of life after which a simulation is ended.
        progress: told how far it is.

    Raises:
        HwsimError: as `tabulate`.
    """
    if not 1 <= draws <= _MOST:
        raise HwsimError(f"expected a sample of 1..{_MOST:,} pairs, got {draws:,}")
    operands = circuit.operands
    a, b, stratum, weight = draw(operands, draws=draws, seed=seed)
    corner_a, corner_b = corners(operands)
    hashes = circuit.hashes()
    every_a, every_b = np.concatenate([a, corner_a]), np.concatenate([b, corner_b])
    patterns = operands.activation.pattern(every_a), operands.weight.pattern(every_b)
    found = simulate_pairs(circuit, *patterns, jobs=jobs, limit=limit, progress=progress)
    gates = opinion_on(circuit, *patterns, found.values, simulator=found.simulator.title)
    kind = np.int64 if operands.product.signed else np.uint64
    exact = every_a.astype(kind) * every_b.astype(kind)
    size, error = _errors(found.values, exact)
    worst = int(size.argmax())
    drawn = slice(0, len(a))
    nonzero = exact[drawn] != 0
    relative = np.zeros(len(a))
    relative[nonzero] = size[drawn][nonzero] / np.abs(exact[drawn][nonzero].astype(float))
    rows, columns = operands.shape
    share = (1 - 1 / rows) * (1 - 1 / columns)  # pairs with a*b != 0
    mre = _mean(relative, stratum, weight)
    return Sample(
        count=len(a),
        corners=len(corner_a),
        population=rows * columns,
        mae=_mean(size[drawn].astype(float), stratum, weight),
        mre=Estimate(mre.value / share, mre.margin / share),
        ep=_mean((size[drawn] != 0).astype(float), stratum, weight),
        bias=_mean(error[drawn], stratum, weight),
        wce=int(size[worst]),
        worst=(int(every_a[worst]), int(every_b[worst])),
        manifest=manifest_of(circuit, found, hashes),
        gates=gates,
    )


def draw(
    operands: Operands, *, draws: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.intp], NDArray[np.float64]]:
    """Operand pairs of a stratified sample.

    Returns:
        a, b: (N,) operand values; N is about `draws`. stratum: (N,) index of each pair's stratum.
        weight: (strata,) share of all pairs that a stratum holds; they sum to 1.
    """
    low_a, size_a = classes(operands.activation)
    low_b, size_b = classes(operands.weight)
    weight = np.multiply.outer(size_a / size_a.sum(), size_b / size_b.sum()).ravel()
    even = draws / 2 / len(weight)
    counts = np.maximum(2, np.rint(even + draws / 2 * weight)).astype(np.int64)
    stratum = np.repeat(np.arange(len(weight)), counts)
    rng = np.random.default_rng(seed)
    a, b = (
        low[which] + rng.integers(0, size[which], dtype=np.int64)
        for low, size, which in (
            (low_a, size_a, stratum // len(size_b)),
            (low_b, size_b, stratum % len(size_b)),
        )
    )
    return a, b, stratum, weight


def classes(operand: Operand) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest value and number of values of each magnitude class.

    Unsigned: 0, 1, 2..3, 4..7, ...; signed: the same up to the maximum, and -1, -2, -4..-3, ...
    """
    bits = operand.maximum.bit_length()
    low = np.array([0, *(1 << k for k in range(bits))], np.int64)
    size = np.array([1, *(1 << k for k in range(bits))], np.int64)
    if operand.signed:
        low, size = np.concatenate([low, -low - size]), np.concatenate([size, size])
    return low, size


def corners(operands: Operands) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every pair of the operands at which carries, shifts and signs change."""
    a, b = np.meshgrid(*map(_edges, operands), indexing="ij")
    return a.ravel(), b.ravel()


def _edges(operand: Operand) -> NDArray[np.int64]:
    top = operand.maximum
    values = {0, 1, 2, 3, top, top - 1}
    for k in range(2, top.bit_length()):
        values |= {(1 << k) - 1, 1 << k, (1 << k) + 1}
    values = {value for value in values if value <= top}
    if operand.signed:
        values |= {-value for value in values} | {operand.minimum}
    return np.array(sorted(values), np.int64)


def _errors(
    products: NDArray[Any], exact: NDArray[Any]
) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """|p - e| exactly, and p - e rounded to float64."""
    above = products >= exact
    # Modulo 2^64 the difference of the larger and the smaller is right for either type.
    p, e = products.astype(np.uint64), exact.astype(np.uint64)
    size = np.where(above, p - e, e - p)
    return size, np.where(above, 1.0, -1.0) * size.astype(float)


def _mean(
    values: NDArray[np.float64], stratum: NDArray[np.intp], weight: NDArray[np.float64]
) -> Estimate:
    """The stratified mean; each stratum has two values or more."""
    counts = np.bincount(stratum, minlength=len(weight))
    means = np.bincount(stratum, values, len(weight)) / counts
    squares = np.bincount(stratum, (values - means[stratum]) ** 2, len(weight))
    variance = squares / (counts - 1) / counts
    margin = _Z95 * float(np.sqrt((weight**2 * variance).sum()))
    return Estimate(float((weight * means).sum()), margin)
