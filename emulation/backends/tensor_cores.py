# SPDX-License-Identifier: Apache-2.0
"""Matrix products of int8 on a GPU's tensor cores, one per separable term of the table."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import numpy as np
import torch

from ..products.factorise import Term
from .backend import Backend, Computation, backend, padded
from .factorised import counted

# What torch's int8 product asks of its shapes: more than 16 rows; taps and outputs by eights.
_ROWS, _STEP = 17, 8


@backend
class TensorCores(Backend):
    """Tables of few separable terms whose factors fit a signed byte, on CUDA.

    Products of bytes are added in int32: exact, whatever the number of taps, as long as the
    definition's own sums are.
    """

    name: ClassVar[str] = "tensor cores"
    only_on: ClassVar[str | None] = "cuda"

    @classmethod
    def supports(cls, computation: Computation, device: torch.device) -> str | None:
        """See `Backend.supports`."""
        del device
        if computation.refusal is not None:
            return computation.refusal
        if computation.terms is None:
            return "not separable"
        fits = all(_fits(computation, term) for term in computation.terms)
        return None if fits else "factors beyond a signed byte"

    @classmethod
    def cost(cls, computation: Computation) -> float:
        """See `Backend.cost`."""
        return 0.01 * max(1, len(computation.terms or ()))

    @classmethod
    def why(cls, computation: Computation, codes: torch.Tensor) -> str:
        """See `Backend.why`."""
        del codes
        return f"{counted(computation.terms or ())}; int8"

    def _prepare(self, codes: torch.Tensor) -> None:
        computation = self.computation
        self._outputs = codes.shape[0] // computation.geometry.groups
        columns = self.grouped(computation.columns(codes))  # (groups, O / groups, K)
        # K may need zeros behind it, which then multiply zeros; O as well.
        sizes = (0, -columns.shape[2] % _STEP, 0, -self._outputs % _STEP)
        self._factors = []
        for term in computation.terms or ():
            identity = np.array_equal(term.u[computation.patterns_in_use], computation.steps)
            u = None if identity else torch.from_numpy(term.u).to(codes.device, torch.int8)
            v = torch.from_numpy(term.v).to(codes.device, torch.int8)[columns]
            v = padded(v, sizes).transpose(1, 2)  # (groups, K, O / groups)
            self._factors.append((u, int(term.u[0]), v))

    def accumulate(self, steps: torch.Tensor) -> torch.Tensor:
        """See `Backend.accumulate`."""
        (ph, pw), total = self.computation.geometry.padding, None
        for u, padding, v in self._factors:
            x = steps.to(torch.int8) if u is None else u[self.computation.patterns(steps)]
            # A padded tap is that of step 0, whose factor need not be 0.
            x = padded(x, (pw, pw, ph, ph), padding)
            acc = self.over_windows(x, partial(self._matmul, v), (0, 0))
            total = acc if total is None else total + acc
        assert total is not None
        return total

    def _matmul(self, v: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
        """(groups, R, K) int8 to (groups, R, O / groups) int32."""
        rows, taps = windows.shape[1:]
        x = padded(windows, (0, -taps % _STEP, 0, max(_ROWS - rows, 0)))
        sums = [torch._int_mm(one, other) for one, other in zip(x, v, strict=True)]
        acc = torch.stack(sums) if len(sums) > 1 else sums[0][None]
        return acc[:, :rows, : self._outputs]


def _fits(computation: Computation, term: Term) -> bool:
    """Whether the factors of the steps and weight codes in use are signed bytes."""
    largest = computation.arithmetic.weight.maximum
    codes = np.arange(-largest, largest + 1)
    used = np.concatenate([term.u[computation.patterns_in_use], term.v[codes]])
    byte = np.iinfo(np.int8)
    return bool(used.min() >= byte.min and used.max() <= byte.max)
