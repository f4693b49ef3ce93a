# SPDX-License-Identifier: Apache-2.0
"""Any table, with an accumulator of few bits; NumPy, one step per tap."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from ..products.accumulator import lut_matmul_bits
from ..products.arithmetic import TableArithmetic
from .backend import Backend, Computation, backend


@backend
class FewBits(Backend):
    """Any table, any geometry, in the order of the hardware's additions."""

    name: ClassVar[str] = "accumulator"

    @classmethod
    def supports(cls, computation: Computation, device: torch.device) -> str | None:
        """See `Backend.supports`."""
        del device
        arithmetic = computation.arithmetic
        table = isinstance(arithmetic, TableArithmetic) and arithmetic.accumulator is not None
        return None if table else "no accumulator of few bits over a table"

    @classmethod
    def cost(cls, computation: Computation) -> float:
        """See `Backend.cost`."""
        del computation
        return 1e3

    @classmethod
    def why(cls, computation: Computation, codes: torch.Tensor) -> str:
        """See `Backend.why`."""
        del codes
        return str(computation.arithmetic.accumulator)

    def _prepare(self, codes: torch.Tensor) -> None:
        self._weight = self.grouped(codes).cpu().numpy()  # (groups, O / groups, K)

    def accumulate(self, steps: torch.Tensor) -> torch.Tensor:
        """See `Backend.accumulate`."""
        acc = self.over_windows(steps.cpu(), self._matmul).to(steps.device)
        return self.less_weight_zero(acc, steps)

    def _matmul(self, windows: torch.Tensor) -> torch.Tensor:
        accumulator = self.computation.arithmetic.accumulator
        assert accumulator is not None
        table = self.computation.raw_table
        acc = [
            lut_matmul_bits(x, w, table, accumulator)
            for x, w in zip(windows.to(torch.int16).numpy(), self._weight, strict=True)
        ]
        return torch.from_numpy(np.stack(acc).astype(np.int32))
