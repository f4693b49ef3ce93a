# SPDX-License-Identifier: Apache-2.0
"""Sends every operand pair of a layer elsewhere, in an order that is defined.

The operand with more partners is held while they pass: in a convolution a weight, while the
windows pass (weight-stationary); in a linear layer with fewer rows than outputs an activation,
while the weights pass. So the order is (o, k, row), else (row, k, o); the products of one output
come in ascending k either way, as an `Accumulator` adds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from ..products.accumulator import Accumulator
from ..products.arithmetic import ExternalArithmetic
from ..products.external import code_type
from ..quantise.quantize import is_wide, offset_of
from .backend import Backend, Computation, backend

# Operand pairs handed over at once; the function may split them further.
_PAIRS = 2**20


@backend
class Elsewhere(Backend):
    """An `External`, with an accumulator or without."""

    name: ClassVar[str] = "external"

    @classmethod
    def supports(cls, computation: Computation, device: torch.device) -> str | None:
        """See `Backend.supports`."""
        del device
        arithmetic = computation.arithmetic
        external = isinstance(arithmetic, ExternalArithmetic) and arithmetic.external.gates is None
        return None if external else "nothing outside that multiplies"

    @classmethod
    def cost(cls, computation: Computation) -> float:
        """See `Backend.cost`."""
        del computation
        return 1e5  # a simulator's

    @classmethod
    def why(cls, computation: Computation, codes: torch.Tensor) -> str:
        """See `Backend.why`."""
        del codes
        accumulator = computation.arithmetic.accumulator
        return "every product asked for" + ("" if accumulator is None else f"; {accumulator}")

    def _prepare(self, codes: torch.Tensor) -> None:
        assert isinstance(self.computation.arithmetic, ExternalArithmetic)
        self._external = self.computation.arithmetic.external
        weight = self._external.weight
        kept = self.grouped(codes).cpu().numpy().astype(np.int32)
        # (groups, O / groups, K)
        self._weight: NDArray[Any] = (kept + offset_of(weight)).astype(code_type(weight))

    def accumulate(self, steps: torch.Tensor) -> torch.Tensor:
        """See `Backend.accumulate`."""
        # Steps are small until they are windows; those of 16-bit codes need not fit 16 bits.
        wide = is_wide(self._external.activation)
        small = steps.cpu().to(torch.int32 if wide else torch.int16)
        acc = self.over_windows(small, self._windows).to(steps.device)
        return self.less_weight_zero(acc, steps)

    def _windows(self, windows: torch.Tensor) -> torch.Tensor:
        zero = self.computation.activation.zero_point
        codes = (windows + zero if zero else windows).numpy()
        activations = codes.astype(code_type(self._external.activation))
        groups = [self._matmul(x, w) for x, w in zip(activations, self._weight, strict=True)]
        return torch.from_numpy(np.stack(groups))

    def _matmul(self, x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
        """(R, K) activation codes and (O, K) weight codes to (R, O) sums of products."""
        accumulator = self.computation.arithmetic.accumulator
        at_once, dtype = self._external.sums, self._external.sum_type
        if at_once is not None and accumulator is None:
            return at_once(x, w).astype(dtype)
        if at_once is not None and accumulator is not None and accumulator.overflow == "wrap":
            return accumulator.add(at_once(x, w), 0).astype(dtype)
        if len(x) >= len(w):
            sums = _sums(w, x, lambda held, passing: self._ask(passing, held), accumulator)
            return np.ascontiguousarray(sums.T).astype(dtype)
        return _sums(x, w, self._ask, accumulator).astype(dtype)

    def _ask(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return self._external.products(a.ravel(), b.ravel()).reshape(a.shape)


def _sums(
    held: NDArray[Any],
    passing: NDArray[Any],
    ask: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]],
    accumulator: Accumulator | None,
) -> NDArray[np.int64]:
    """(H, K) and (P, K) codes to (H, P) sums over k of products, asked for in the order h, k, p."""
    taps = held.shape[1]
    out = np.empty((len(held), len(passing)), np.int64)
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
