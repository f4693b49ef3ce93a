# SPDX-License-Identifier: Apache-2.0
"""The definition itself, in NumPy: for checking the others."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from ..products.arithmetic import ExternalArithmetic
from ..products.definition import activation_sums, lut_conv2d
from ..quantise.quantize import offset_of
from .backend import Backend, Computation, backend


@backend
class Definition(Backend):
    """Any table, any geometry, and nothing in common with the other backends."""

    name: ClassVar[str] = "definition"

    @classmethod
    def supports(cls, computation: Computation, device: torch.device) -> str | None:
        """See `Backend.supports`."""
        del device
        return computation.refusal

    @classmethod
    def cost(cls, computation: Computation) -> float:
        """See `Backend.cost`."""
        del computation
        return 600.0

    def _prepare(self, codes: torch.Tensor) -> None:
        offset = offset_of(self.computation.arithmetic.weight)
        self._weight = codes.cpu().numpy().astype(np.int16) + np.int16(offset)

    def accumulate(self, steps: torch.Tensor) -> torch.Tensor:
        """See `Backend.accumulate`."""
        arithmetic, zero = self.computation.arithmetic, self.computation.activation.zero_point
        assert not isinstance(arithmetic, ExternalArithmetic)
        codes = (steps + zero).to(torch.int16).cpu().numpy()
        geometry = self.computation.geometry
        acc = lut_conv2d(codes, self._weight, arithmetic.table, geometry, padding_code=zero)
        weight_zero = self.computation.weight_zero
        if weight_zero:
            acc -= weight_zero * activation_sums(codes - zero, self._weight, geometry)
        return torch.from_numpy(acc).to(steps.device)
