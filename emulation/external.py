# SPDX-License-Identifier: Apache-2.0
"""Layers whose every product is computed elsewhere, by whatever is behind a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .accumulator import Accumulator
from .geometry import Geometry
from .paths import Path, window_rows

Products = Callable[[NDArray[np.int8], NDArray[np.int8]], NDArray[Any]]
"""(N,) activation codes and (N,) weight codes to (N,) integer products."""

# Operand pairs handed over at once; the function may split them further.
_PAIRS = 2**20


@dataclass(frozen=True)
class External:
    """A multiplier that is asked for each product, where a table would be looked up.

    Attributes:
        name: for the plan.
        products: what multiplies. It gets every operand pair of a layer, padding included, as
            often as it comes.
        width: operand bits, signed.
    """

    name: str
    products: Products
    width: int = 8


class ExternalPath(Path):
    """Sends every operand pair of a layer to an `External`, in an order that is defined.

    The operand with more partners is held while they pass: in a convolution a weight, while the
    windows pass (weight-stationary); in a linear layer with fewer rows than outputs an
    activation, while the weights pass. So the order is (o, k, row), else (row, k, o); the products
    of one output come in ascending k either way, as an `Accumulator` adds them.
    """

    name = "external"

    def __init__(
        self,
        external: External,
        weight: torch.Tensor,
        geometry: Geometry,
        accumulator: Accumulator | None = None,
    ) -> None:
        super().__init__()
        self._products = external.products
        self._geometry, self._accumulator = geometry, accumulator
        self._kernel = (weight.shape[2], weight.shape[3])
        # (groups, O / groups, K)
        shape = (geometry.groups, weight.shape[0] // geometry.groups, -1)
        self._weight: NDArray[np.int8] = weight.cpu().to(torch.int8).view(shape).numpy()

    def accumulate(self, codes: torch.Tensor) -> torch.Tensor:
        """See `Path.accumulate`."""
        n, _, h, w = codes.shape
        oh, ow = self._geometry.output_size(h, w, self._kernel)
        # Float32, because unfold takes no integers.
        columns = window_rows(codes.cpu(), self._kernel, self._geometry)  # (groups, R, K)
        groups = [
            self._matmul(x.to(torch.int8).numpy(), w)
            for x, w in zip(columns, self._weight, strict=True)
        ]
        acc = torch.from_numpy(np.stack(groups)).to(codes.device)  # (groups, N * OH * OW, O / g)
        return acc.view(len(groups), n, oh * ow, -1).permute(1, 0, 3, 2).reshape(n, -1, oh, ow)

    def _matmul(self, x: NDArray[np.int8], w: NDArray[np.int8]) -> NDArray[np.int32]:
        """(R, K) activation codes and (O, K) weight codes to (R, O) sums of products."""
        if len(x) >= len(w):
            return np.ascontiguousarray(
                _sums(w, x, lambda held, passing: self._ask(passing, held), self._accumulator).T
            )
        return _sums(x, w, self._ask, self._accumulator)

    def _ask(self, a: NDArray[np.int8], b: NDArray[np.int8]) -> NDArray[Any]:
        return self._products(a.ravel(), b.ravel()).reshape(a.shape)


def _sums(
    held: NDArray[np.int8],
    passing: NDArray[np.int8],
    ask: Callable[[NDArray[np.int8], NDArray[np.int8]], NDArray[Any]],
    accumulator: Accumulator | None,
) -> NDArray[np.int32]:
    """(H, K) and (P, K) codes to (H, P) sums over k of products, asked for in the order h, k, p."""
    taps = held.shape[1]
    out = np.empty((len(held), len(passing)), np.int32)
    step = max(1, _PAIRS // passing.size)
    for start in range(0, len(held), step):
        part = held[start : start + step, :, None]  # (h, K, 1)
        shape = (len(part), taps, len(passing))
        products = ask(np.broadcast_to(part, shape), np.broadcast_to(passing.T, shape))
        if accumulator is None:
            out[start : start + step] = products.sum(axis=1)
        else:
            out[start : start + step] = accumulator.sum(np.moveaxis(products, 1, -1))
    return out
