# SPDX-License-Identifier: Apache-2.0
"""Ordinary convolutions of remapped operands, one per separable term of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from ..products.factorise import Term
from .backend import FLOAT32_EXACT, Backend, Computation, backend


@dataclass(frozen=True, eq=False)
class _Factors:
    """A term over a layer's weights.

    Attributes:
        u: (2^a,) by the step's pattern; None where it is the step itself.
        v: (O, C // groups, kh, kw).
        padding: u of a padded tap, the step 0.
    """

    u: torch.Tensor | None
    v: torch.Tensor
    padding: float


@backend
class Factorised(Backend):
    """Any device, tables of few separable terms.

    Float32 is exact while sum over k of |u||v| stays below 2**24 for every output channel; the
    bound is taken from the actual weights and the largest |u|. Above it, float64 is.
    """

    name: ClassVar[str] = "factorised"

    @classmethod
    def supports(cls, computation: Computation, device: torch.device) -> str | None:
        """See `Backend.supports`."""
        del device
        if computation.refusal is None and computation.terms is None:
            return "not separable"
        return computation.refusal

    @classmethod
    def cost(cls, computation: Computation) -> float:
        """See `Backend.cost`."""
        return 1.9 * max(1, len(computation.terms or ()))

    @classmethod
    def why(cls, computation: Computation, codes: torch.Tensor) -> str:
        """See `Backend.why`."""
        terms = computation.terms or ()
        largest = max((_bound(computation, term, codes) for term in terms), default=0)
        exact = "float32" if largest < FLOAT32_EXACT else "float64"
        return f"{counted(terms)}; {exact}: sum |u||v| <= {largest:,}"

    def _prepare(self, codes: torch.Tensor) -> None:
        self._factors = []
        computation = self.computation
        rows = computation.patterns_in_use
        for term in computation.terms or ():
            exact = _bound(computation, term, codes) < FLOAT32_EXACT
            dtype = torch.float32 if exact else torch.float64
            identity = np.array_equal(term.u[rows], computation.steps)
            u = None if identity else torch.from_numpy(term.u).to(codes.device, dtype)
            v = _weights(computation, term, codes).to(dtype)
            self._factors.append(_Factors(u, v, float(term.u[0])))
        self._outputs = codes.shape[0]

    def accumulate(self, steps: torch.Tensor) -> torch.Tensor:
        """See `Backend.accumulate`."""
        n, _, h, w = steps.shape
        size = self.computation.geometry.output_size(h, w, self.kernel)
        total = torch.zeros(n, self._outputs, *size, dtype=torch.int32, device=steps.device)
        patterns = None
        for factors in self._factors:
            if factors.u is None:
                x = steps.to(factors.v.dtype)
            else:
                patterns = self.computation.patterns(steps) if patterns is None else patterns
                x = factors.u[patterns]
            total += self._convolve(x, factors).to(torch.int32)
        return total

    def _convolve(self, x: torch.Tensor, factors: _Factors) -> torch.Tensor:
        geometry = self.computation.geometry
        v, (ph, pw) = factors.v, geometry.padding
        if factors.padding and (ph or pw):  # a padded tap is not the 0 that conv2d pads with
            x, ph, pw = F.pad(x, (pw, pw, ph, ph), value=factors.padding), 0, 0
        if x.is_cuda or not _float32_is_ieee():
            # cuDNN may pick TF32, Winograd or an FFT, and a user may have allowed bfloat16 on the
            # CPU: none of them exact. A float64 matrix product is.
            weights = self.grouped(v.to(torch.float64)).transpose(1, 2)
            return self.over_windows(x.to(torch.float64), lambda rows: rows @ weights, (ph, pw))
        return F.conv2d(x, v, None, geometry.stride, (ph, pw), geometry.dilation, geometry.groups)


def counted(terms: tuple[Term, ...]) -> str:
    """How many terms there are, in words."""
    return f"{len(terms)} separable term{'s' if len(terms) != 1 else ''}"


def _weights(computation: Computation, term: Term, codes: torch.Tensor) -> torch.Tensor:
    """(O, C // groups, kh, kw) int64: v of each weight."""
    return torch.from_numpy(term.v).to(codes.device)[computation.columns(codes)]


def _bound(computation: Computation, term: Term, codes: torch.Tensor) -> int:
    """The largest sum of magnitudes that an output channel can come to."""
    largest = int(np.abs(term.u[computation.patterns_in_use]).max())
    return int(_weights(computation, term, codes).abs().flatten(1).sum(1).max()) * largest


def _float32_is_ieee() -> bool:
    """Whether float32 convolutions and products on the CPU really compute in float32."""
    mkldnn: Any = torch.backends.mkldnn  # torch's stub lacks the precision settings
    return (
        torch.get_float32_matmul_precision() == "highest"
        and mkldnn.conv.fp32_precision in ("none", "ieee")
        and mkldnn.matmul.fp32_precision in ("none", "ieee")
    )
