# SPDX-License-Identifier: Apache-2.0
"""What the two C++ kernels share: one pass from float32 to float32 on the CPU."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from .. import native
from ..native import LutKernel, ProductKernel
from .backend import Backend, Computation


class Compiled(Backend):
    """A C++ kernel, whose table is square: of as many bits as the wider operand.

    A narrower operand's patterns are the low bits of the wider one's, whatever its sign, so its
    rows or columns repeat.
    """

    only_on: ClassVar[str | None] = "cpu"

    @classmethod
    def supports(cls, computation: Computation, device: torch.device) -> str | None:
        """See `Backend.supports`."""
        del device
        if computation.refusal is None and not native.available():
            return native.NOT_BUILT
        return computation.refusal

    def _prepare(self, codes: torch.Tensor) -> None:
        activation, half = self.computation.activation, 1 << (width_of(self.computation) - 1)
        steps = activation.steps
        self._inv_scale, self._ends = float(activation.inv_scale), (steps[0], steps[-1])
        self._signed = steps[0] < 0 or steps[-1] < half
        # Steps of an unsigned operand with a zero point may fit neither sign; as patterns they do.
        self._fits = -half <= steps[0] and steps[-1] < half if self._signed else True
        weights = codes.to(torch.int16)
        self._kernel = self._build(weights if self._signed else weights & (2 * half - 1))

    @abstractmethod
    def _build(self, weights: torch.Tensor) -> LutKernel | ProductKernel:
        """The kernel of weights that are codes, or bit patterns where activations are unsigned."""

    @property
    def _options(self) -> dict[str, object]:
        geometry = self.computation.geometry
        return {
            "width": width_of(self.computation),
            "signed": self._signed,
            "stride": geometry.stride,
            "padding": geometry.padding,
            "dilation": geometry.dilation,
            "groups": geometry.groups,
        }

    def accumulate(self, steps: torch.Tensor) -> torch.Tensor:
        """See `Backend.accumulate`."""
        patterns = steps if self._fits else steps.to(torch.int16)
        patterns = patterns.to(torch.int8 if self._signed else torch.uint8)
        return torch.from_numpy(self._kernel.accumulate(patterns, threads=torch.get_num_threads()))

    def run(
        self,
        x: torch.Tensor,
        *,
        out_scale: torch.Tensor,
        bias: torch.Tensor,
        correction: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """See `Backend.run`; one pass in C++, with the same rounding at each step."""
        if correction is not None or not self._fits:
            return super().run(x, out_scale=out_scale, bias=bias, correction=correction)
        y = self._kernel.forward(
            x,
            inv_scale=self._inv_scale,
            qmin=self._ends[0],
            qmax=self._ends[1],
            out_scale=out_scale,
            bias=bias,
            threads=torch.get_num_threads(),
        )
        return torch.from_numpy(y)


def width_of(computation: Computation) -> int:
    """Bits of the kernel's operands."""
    arithmetic = computation.arithmetic
    return max(2, arithmetic.activation.bits, arithmetic.weight.bits)


def widened(entries: NDArray[np.int32] | NDArray[np.int64], width: int) -> NDArray[np.int32]:
    """A table or a factor, repeated until each axis has 2^width patterns."""
    return np.tile(entries, [2**width // size for size in entries.shape])
