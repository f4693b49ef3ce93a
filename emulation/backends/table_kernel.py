# SPDX-License-Identifier: Apache-2.0
"""The C++ kernel for any table."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from ..native import LutKernel
from .backend import Computation, backend
from .compiled import Compiled, widened, width_of


@backend
class TableKernel(Compiled):
    """Any table, on the CPU."""

    name: ClassVar[str] = "table kernel"

    @classmethod
    def cost(cls, computation: Computation) -> float:
        """See `Backend.cost`."""
        del computation
        return 4.0

    def _build(self, weights: torch.Tensor) -> LutKernel:
        options: dict[str, Any] = self._options
        table = widened(self.computation.table, width_of(self.computation))
        return LutKernel(table, weights, **options)
