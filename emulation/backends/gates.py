# SPDX-License-Identifier: Apache-2.0
"""Products computed from a multiplier's gates, for operands that are too wide for a table.

Every multiplication is done, 512 at once in words of one bit each, padding included.
"""

from __future__ import annotations

from typing import ClassVar

import torch

from axhil.hwsim.netlist.native import module

from ..products.arithmetic import ExternalArithmetic
from .backend import Computation, backend
from .external import Elsewhere

# Codes of windows that are held at once.
_CODES = 2**24
# Cost of a product, of each of its gates, and of NumPy where the extension is missing.
_OVERHEAD, _GATE, _NUMPY = 60.0, 0.14, 10


@backend
class Gates(Elsewhere):
    """An `External` of gates, with an accumulator or without."""

    name: ClassVar[str] = "gates"

    @classmethod
    def supports(cls, computation: Computation, device: torch.device) -> str | None:
        """See `Backend.supports`."""
        del device
        arithmetic = computation.arithmetic
        if isinstance(arithmetic, ExternalArithmetic):
            return "products computed elsewhere" if arithmetic.external.gates is None else None
        return f"a table of products, not gates:{arithmetic.name}"

    @classmethod
    def cost(cls, computation: Computation) -> float:
        """See `Backend.cost`."""
        count = _count(computation)
        if not count:  # nobody's choice
            return super().cost(computation)
        return (_OVERHEAD + _GATE * count) * (1 if module() else _NUMPY)

    @classmethod
    def why(cls, computation: Computation, codes: torch.Tensor) -> str:
        """See `Backend.why`."""
        del codes
        arithmetic = computation.arithmetic
        assert isinstance(arithmetic, ExternalArithmetic)
        bits = 8 * arithmetic.external.sum_type().itemsize
        sums = f"int{bits} sums" if arithmetic.accumulator is None else str(arithmetic.accumulator)
        times, by = cls.cost(computation), "" if module() else " in NumPy"
        return f"{_count(computation):,} gates{by}: {times:.0f} x a product kernel; {sums}"

    def accumulate(self, steps: torch.Tensor) -> torch.Tensor:
        """See `Backend.accumulate`."""
        _, c, h, w = steps.shape
        oh, ow = self.computation.geometry.output_size(h, w, self.kernel)
        of_image = oh * ow * c * self.kernel[0] * self.kernel[1]
        parts = steps.split(max(1, _CODES // max(of_image, 1)))
        return torch.cat([super(Gates, self).accumulate(part) for part in parts])


def _count(computation: Computation) -> int:
    """Gates of the multiplier; 0 where there are none."""
    arithmetic = computation.arithmetic
    if not isinstance(arithmetic, ExternalArithmetic) or arithmetic.external.gates is None:
        return 0
    return len(arithmetic.external.gates.gates)
