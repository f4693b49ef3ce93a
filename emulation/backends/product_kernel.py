# SPDX-License-Identifier: Apache-2.0
"""The C++ kernel for one separable term whose factors fit 8 bits."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from ..native import ProductKernel
from ..products.factorise import Vector
from .backend import Computation, backend
from .compiled import Compiled, widened, width_of
from .factorised import counted


@backend
class ProductsOfFactors(Compiled):
    """Tables that are one product of 8-bit factors, on the CPU."""

    name: ClassVar[str] = "product kernel"

    @classmethod
    def supports(cls, computation: Computation, device: torch.device) -> str | None:
        """See `Backend.supports`."""
        refusal = super().supports(computation, device)
        if refusal is None:
            terms = computation.terms
            if terms is None:
                return "not separable"
            if len(terms) != 1:
                return counted(terms)
            u, v = _factors(computation)
            if min(v.min(), u.min()) < -128 or v.max() > 127 or u.max() > _largest(u):
                return "factors beyond 8 bits"
        return refusal

    @classmethod
    def cost(cls, computation: Computation) -> float:
        """See `Backend.cost`."""
        del computation
        return 1.0

    @classmethod
    def why(cls, computation: Computation, codes: torch.Tensor) -> str:
        """See `Backend.why`."""
        del codes
        return f"{counted(computation.terms or ())}, 8-bit factors"

    def _build(self, weights: torch.Tensor) -> ProductKernel:
        options: dict[str, Any] = self._options
        width = width_of(self.computation)
        u, v = (widened(factor, width) for factor in _factors(self.computation))
        return ProductKernel(u, v, weights, **options)


def _largest(u: Vector) -> int:
    return 127 if u.min() < 0 else 255


def _factors(computation: Computation) -> tuple[Vector, Vector]:
    """Both factors, 0 where there is no code: nothing is ever looked up there."""
    (term,) = computation.terms or ()
    rows = computation.steps & (computation.arithmetic.activation.count - 1)
    u: NDArray[np.int64] = np.zeros_like(term.u)
    u[rows] = term.u[rows]
    v, weight = term.v.copy(), computation.arithmetic.weight
    if weight.signed:
        v[weight.pattern(weight.minimum)] = 0
    return u, v
