# SPDX-License-Identifier: Apache-2.0
"""Error metrics of a multiplier, named as EvoApproxLib names them.

Over all operand pairs (a, b), with the exact product e = a*b and the error d = p - e.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .lut import Lut


@dataclass(frozen=True)
class QuadrantError:
    """Errors of the operand pairs of one sign quadrant; zero counts as non-negative.

    Attributes:
        mae: mean |d|.
        wce: max |d|.
        ep: share of pairs with d != 0.
        bias: mean d.
    """

    mae: float
    wce: int
    ep: float
    bias: float


@dataclass(frozen=True)
class ErrorMetrics:
    """Errors of a complete table. Ratios are fractions, not percent.

    Attributes:
        mae: mean |d|, also called MED.
        wce: max |d|.
        wcre: max |d| / |e| over the pairs with e != 0.
        ep: error probability, the share of pairs with d != 0.
        mre: mean |d| / |e| over the pairs with e != 0, also called MRED.
        mse: mean d^2.
        nmed: mae / max |e|.
        bias: mean d.
        quadrants: by the signs of the operands, see `quadrant_masks`.
    """

    mae: float
    wce: int
    wcre: float
    ep: float
    mre: float
    mse: float
    nmed: float
    bias: float
    quadrants: dict[str, QuadrantError]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, keys as the attributes."""
        return asdict(self)


def exact_products(lut: Lut) -> NDArray[np.int64]:
    """The (activations, weights) products a*b in the table's layout."""
    return np.multiply.outer(lut.activation.values, lut.weight.values)


def quadrant_masks(lut: Lut) -> dict[str, NDArray[np.bool_]]:
    """Which entries belong to which sign quadrant; an unsigned table has the first alone."""
    a, b = lut.activation.values < 0, lut.weight.values < 0
    masks = {
        "a>=0 b>=0": np.logical_and.outer(~a, ~b),
        "a>=0 b<0": np.logical_and.outer(~a, b),
        "a<0 b>=0": np.logical_and.outer(a, ~b),
        "a<0 b<0": np.logical_and.outer(a, b),
    }
    return {name: mask for name, mask in masks.items() if mask.any()}


def error_metrics(lut: Lut) -> ErrorMetrics:
    """Metrics of a table over all its operand pairs.

    Args:
        lut: the table.

    Returns:
        The metrics, against the exact product of the same operands.
    """
    exact = exact_products(lut)
    d = lut.table.astype(np.int64) - exact
    size = np.abs(d)
    nonzero = exact != 0
    relative = size[nonzero] / np.abs(exact[nonzero])
    return ErrorMetrics(
        mae=_mean(size),
        wce=int(size.max()),
        wcre=float(relative.max()),
        ep=_mean(size != 0),
        mre=_mean(relative),
        mse=_mean(d.astype(np.float64) ** 2),
        nmed=_mean(size) / int(np.abs(exact).max()),
        bias=_mean(d),
        quadrants={
            name: QuadrantError(
                mae=_mean(size[mask]),
                wce=int(size[mask].max()),
                ep=_mean(size[mask] != 0),
                bias=_mean(d[mask]),
            )
            for name, mask in quadrant_masks(lut).items()
        },
    )


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean())
