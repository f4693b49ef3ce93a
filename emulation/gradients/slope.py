# SPDX-License-Identifier: Apache-2.0
"""The input gradient of a layer by the slope of its own table, instead of straight-through.

The straight-through gradient takes every product for an exact one. An adversary who knows the
table can do better where the table is far from it: the slope over a window of h codes to either
side, a secant in the numeric order of the codes,

    D[a, b] = (lut[a+, b] - lut[a-, b]) / (a+ - a-),     a+ = min(a + h, 127), a- = max(a - h, -127)

With h = 1 that is the central difference, which is 0 within the steps of DRUM and large at their
edges; a window as wide as a step sees the staircase's rise. The idea of smoothing a multiplier
before differentiating it is that of C. Meng et al., "Gradient Approximation of Approximate
Multipliers for High-Accuracy Deep Neural Network Retraining", DATE 2025.

D is a sum of few separable terms, D[a, b] = sum over r of u_r[a] v_r[b] (as many as the table's
rank: 1 for DRUM, 45 at most for scaleTRIM), so the gradient is a few ordinary convolutions:

    dL/dcode = sum over r of u_r[code] * conv_transpose(dL/dacc, v_r[weight code])
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from axhil.hwsim.lut import Lut

from ..products.geometry import Geometry
from ..quantise.quantize import Quantizer
from .gradient import InputGradient

# Singular values below this share of the largest are beyond float32, in which gradients are.
_FLOAT32_SHARE = 2.0**-24
Along = Literal["activation", "weight"]
"""An operand of a multiplier."""

# Terms that go through one convolution, side by side as channels.
_CHUNK = 4


def slope_table(lut: Lut, *, window: int, along: Along = "activation") -> NDArray[np.float64]:
    """Slope of a table along one of its operands.

    Args:
        lut: the table.
        window: half-width h of the secant, codes.
        along: the operand.

    Returns:
        (A, 2^w), or (W, 2^a): a row for each of its codes in use, ascending, a column for the bit
        pattern of each code of the other operand. Change of the product per step of the code.
    """
    activation = along == "activation"
    used = Quantizer(lut.activation if activation else lut.weight, torch.ones(())).codes
    codes: NDArray[np.int64] = np.arange(used.start, used.stop)
    above, below = np.minimum(codes + window, codes[-1]), np.maximum(codes - window, codes[0])
    table = lut.table.astype(np.float64)  # a negative index counts from the end: two's complement
    table = table if activation else table.T
    slope: NDArray[np.float64] = (table[above] - table[below]) / (above - below)[:, None]
    return slope


@dataclass(frozen=True, eq=False)
class SlopeTerms:
    """A slope table as a sum of separable terms.

    Attributes:
        u: (R, A) float32, by the codes in use of the operand that it is along, ascending.
        v: (R, 2^w) float32, by the other operand's bit pattern.
    """

    u: torch.Tensor
    v: torch.Tensor

    @classmethod
    @lru_cache(maxsize=32)
    def of(
        cls,
        lut: Lut,
        *,
        window: int,
        along: Along = "activation",
        share: float = _FLOAT32_SHARE,
        less: int = 0,
        most: int | None = None,
    ) -> SlopeTerms:
        """Take a table's slope apart by its singular values.

        Args:
            lut: the table.
            window: half-width of the secant, codes.
            along: the operand.
            share: of the largest singular value, below which the others are left out; by default
                as far as float32 can tell.
            less: what is taken off every slope.
            most: how many terms at most.
        """
        table = slope_table(lut, window=window, along=along) - less
        left, values, right = np.linalg.svd(table, full_matrices=False)
        rank = max(int(np.sum(values[:most] > values[0] * share)), 1)
        root = np.sqrt(values[:rank])
        return cls(
            torch.from_numpy((left[:, :rank] * root).T.astype(np.float32)),
            torch.from_numpy((root[:, None] * right[:rank]).astype(np.float32)),
        )


class SlopeGradient:
    """Gradient of a layer's output with respect to its input, by the table's slope.

    Args:
        codes: (O, C // groups, kh, kw) weight codes.
        scale: (O,) float32, of the output per unit of the sum, divided by the activation's scale.
        terms: of the table's slope.
        geometry: of the convolution.
        least: the least step of the activation.
    """

    def __init__(
        self,
        codes: torch.Tensor,
        scale: torch.Tensor,
        terms: SlopeTerms,
        geometry: Geometry,
        *,
        least: int,
    ) -> None:
        self._codes, self._scale, self._geometry = codes, scale.view(-1, 1, 1, 1), geometry
        self._u, self._v = terms.u.to(codes.device), terms.v.to(codes.device)
        self._least = least
        # One term is as large as the network's own weights; more are made anew for every gradient.
        self._only = InputGradient(self._weight(self._v), geometry) if len(self._v) == 1 else None

    def __call__(self, grad: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        """Compute the gradient.

        Args:
            grad: (N, O, OH, OW) float32, gradient of the output.
            steps: (N, C, H, W) integer-valued float32 steps of the input.

        Returns:
            (N, C, H, W) float32.
        """
        n, c, h, w = steps.shape
        places = steps.nan_to_num().to(torch.int64) - self._least
        total = torch.zeros_like(steps)
        for u, v in zip(self._u.split(_CHUNK), self._v.split(_CHUNK), strict=True):
            # The terms of an input channel lie side by side, so that groups stay together.
            shape = steps.new_empty(n, c * len(u), h, w)
            back = (self._only or InputGradient(self._weight(v), self._geometry))(grad, shape)
            for r, row in enumerate(u):
                total += back[:, r :: len(u)] * row[places]
        return total

    def _weight(self, v: torch.Tensor) -> torch.Tensor:
        """(O, C // groups * R, kh, kw): the weights that R terms make of the codes."""
        patterns = self._codes.to(torch.int64) & (v.shape[1] - 1)
        return torch.stack([row[patterns] * self._scale for row in v], dim=2).flatten(1, 2)
