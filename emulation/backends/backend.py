# SPDX-License-Identifier: Apache-2.0
"""What a backend is: weights and an arithmetic made ready to map activations to sums."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from ..products.arithmetic import Arithmetic, ExternalArithmetic
from ..products.factorise import Term
from ..products.geometry import Geometry, Pair
from ..quantise.quantize import Quantizer, offset_of

# Below this bound every partial sum of integers is itself an integer that float32 holds exactly,
# in whatever order a library adds.
FLOAT32_EXACT = 2**24


@dataclass(frozen=True, eq=False)
class Computation:
    """What a layer sums, but for its weights.

    Attributes:
        arithmetic: what multiplies and accumulates.
        activation: how its input is quantised, to codes of the arithmetic's first operand.
        geometry: how its windows lie.
        weight_zero: the code of the weight 0.0.
    """

    arithmetic: Arithmetic
    activation: Quantizer
    geometry: Geometry
    weight_zero: int = 0

    @property
    def refusal(self) -> str | None:
        """Why sums of a table's products are not what is computed; None where they are."""
        if isinstance(self.arithmetic, ExternalArithmetic):
            return "products computed elsewhere"
        return None if self.arithmetic.accumulator is None else str(self.arithmetic.accumulator)

    @cached_property
    def raw_table(self) -> NDArray[np.int32]:
        """(2^a, 2^w) int32 products by the bit patterns of step and of weight as it is kept.

        At zero point 0 and of signed weights the multiplier's own table.
        """
        assert not isinstance(self.arithmetic, ExternalArithmetic)
        table = self.arithmetic.table
        zero, offset = self.activation.zero_point, offset_of(self.arithmetic.weight)
        table = np.roll(table, -zero, axis=0) if zero else table
        return np.roll(table, -offset, axis=1) if offset else table

    @cached_property
    def table(self) -> NDArray[np.int32]:
        """`raw_table` less what the weights' zero point takes off each product."""
        return self.raw_table - self._taken_off[:, None] if self.weight_zero else self.raw_table

    @property
    def _taken_off(self) -> NDArray[np.int32]:
        """(2^a,) int32, by the pattern of the step: the step times the weights' zero point."""
        taken = np.zeros(self.arithmetic.activation.count, np.int32)
        taken[self.patterns_in_use] = self.weight_zero * self.steps
        return taken

    @property
    def products(self) -> int:
        """How many the table has; 0 where there is none."""
        return 0 if isinstance(self.arithmetic, ExternalArithmetic) else self.table.size

    @cached_property
    def terms(self) -> tuple[Term, ...] | None:
        """Few separable terms whose sum that table is; None where none were found."""
        if isinstance(self.arithmetic, ExternalArithmetic) or self.arithmetic.terms is None:
            return None
        zero, offset = self.activation.zero_point, offset_of(self.arithmetic.weight)
        terms = [
            Term(np.roll(term.u, -zero), np.roll(term.v, -offset)) for term in self.arithmetic.terms
        ]
        if not self.weight_zero:
            return tuple(terms)
        used, taken = self.patterns_in_use, self._taken_off.astype(np.int64)
        for place, term in enumerate(terms):
            if np.array_equal(term.u[used], self.steps):  # one term takes it off its own factor
                terms[place] = Term(term.u, term.v - self.weight_zero)
                return tuple(terms)
        return (*terms, Term(-taken, np.ones(self.arithmetic.weight.count, np.int64)))

    @property
    def steps(self) -> NDArray[np.int64]:
        """The steps in use, ascending."""
        return np.arange(self.activation.steps.start, self.activation.steps.stop)

    @property
    def patterns_in_use(self) -> NDArray[np.int64]:
        """Their rows of the table."""
        return self.steps & (self.arithmetic.activation.count - 1)

    def patterns(self, steps: torch.Tensor) -> torch.Tensor:
        """Rows of the table for steps, int64."""
        return steps.to(torch.int64) & (self.arithmetic.activation.count - 1)

    def columns(self, codes: torch.Tensor) -> torch.Tensor:
        """Columns of the table for weights as they are kept, int64."""
        return codes.to(torch.int64) & (self.arithmetic.weight.count - 1)


class Backend(ABC):
    """Sums of a layer's products, ready to run on one device.

    Args:
        computation: what is summed.
        codes: (O, C // groups, kh, kw) int8 or int16 weights as they are kept, see `quantize`; on
            the device to run on.
    """

    name: ClassVar[str]
    """In plans, and to force it."""

    only_on: ClassVar[str | None] = None
    """The one type of device that it is for; None: any."""

    def __init__(self, computation: Computation, codes: torch.Tensor) -> None:
        self.computation = computation
        self.update(codes)

    @classmethod
    def refusal(cls, computation: Computation, device: torch.device) -> str | None:
        """Why it cannot compute this there, in a few words; None where it can."""
        if cls.only_on not in (None, device.type):
            return f"only on {cls.only_on}"
        return cls.supports(computation, device)

    @classmethod
    @abstractmethod
    def supports(cls, computation: Computation, device: torch.device) -> str | None:
        """As `refusal`, on a device of its type."""

    @classmethod
    @abstractmethod
    def cost(cls, computation: Computation) -> float:
        """Time per product, in units of the product kernel's.

        Orders of magnitude, read off `make bench`.
        """

    @classmethod
    def why(cls, computation: Computation, codes: torch.Tensor) -> str:
        """What speaks for it, in a few words; empty: only what speaks against cheaper ones."""
        del computation, codes
        return ""

    def update(self, codes: torch.Tensor) -> None:
        """Take other weights, of the same shape and on the same device."""
        self.device = codes.device
        self.kernel: Pair = (codes.shape[2], codes.shape[3])
        self._prepare(codes)

    @abstractmethod
    def _prepare(self, codes: torch.Tensor) -> None:
        """Make ready what depends on the weights."""

    @abstractmethod
    def accumulate(self, steps: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) integer-valued float32 steps to (N, O, OH, OW) sums, int32 or int64.

        Of products less the weights' zero point times the step.
        """

    def sums(self, steps: torch.Tensor, correction: torch.Tensor | None) -> torch.Tensor:
        """`accumulate`, and correct.

        Args:
            steps: (N, C, H, W) integer-valued float32.
            correction: (O,) to add, of the sums' type; None: 0.
        """
        acc = self.accumulate(steps)
        return acc if correction is None else acc.add_(correction.view(-1, 1, 1))

    def run(
        self,
        x: torch.Tensor,
        *,
        out_scale: torch.Tensor,
        bias: torch.Tensor,
        correction: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Quantise, accumulate, correct, dequantise; see `layers` for the arithmetic.

        Args:
            x: (N, C, H, W) float32.
            out_scale: (O,) float32.
            bias: (O,) float32.
            correction: (O,) to add to the sums, of their type; None: 0.

        Returns:
            (N, O, OH, OW) float32.
        """
        acc = self.sums(self.computation.activation.to_steps(x), correction)
        # Where pooling or a sum follows, the order of its float additions depends on the layout.
        y = acc.to(torch.float32, memory_format=torch.contiguous_format)
        return y.mul_(out_scale.view(-1, 1, 1)).add_(bias.view(-1, 1, 1))

    def less_weight_zero(self, acc: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        """Sums of raw products, less what the weights' zero point takes off: it times the steps.

        Args:
            acc: (N, O, OH, OW) int32 or int64; changed in place.
            steps: (N, C, H, W) integer-valued float32.
        """
        zero, geometry = self.computation.weight_zero, self.computation.geometry
        if zero:
            groups = geometry.groups
            ones = torch.ones(groups, steps.shape[1] // groups, *self.kernel, dtype=torch.float64)
            sums = geometry.convolve(steps.to(torch.float64), ones.to(steps.device))
            sums = sums.repeat_interleave(acc.shape[1] // groups, dim=1)
            acc -= (zero * sums).to(acc.dtype)
        return acc

    def grouped(self, weights: torch.Tensor) -> torch.Tensor:
        """(O, C // groups, kh, kw) to (groups, O // groups, K)."""
        groups = self.computation.geometry.groups
        return weights.reshape(groups, weights.shape[0] // groups, -1)

    def over_windows(
        self,
        x: torch.Tensor,
        matmul: Callable[[torch.Tensor], torch.Tensor],
        padding: Pair | None = None,
    ) -> torch.Tensor:
        """Compute a convolution as a matrix product over its windows.

        Args:
            x: (N, C, H, W), of any type; padded by 0.
            matmul: (groups, R, K) windows, channel-major taps, to (groups, R, O // groups).
            padding: None: the geometry's.

        Returns:
            (N, O, OH, OW).
        """
        geometry = self.computation.geometry
        padding = geometry.padding if padding is None else padding
        (n, c, h, w), (kh, kw), (ph, pw) = x.shape, self.kernel, padding
        oh, ow = geometry.output_size(h, w, self.kernel, padding)
        x = padded(x, (pw, pw, ph, ph)).contiguous()
        (sn, sc, sh, sw), (dh, dw) = x.stride(), geometry.dilation
        step_h, step_w = (s * size for s, size in zip((sh, sw), geometry.stride, strict=True))
        groups, channels = geometry.groups, c // geometry.groups
        windows = x.as_strided(
            (groups, n, oh, ow, channels, kh, kw),
            (sc * channels, sn, step_h, step_w, sc, sh * dh, sw * dw),
        )
        acc = matmul(windows.reshape(groups, n * oh * ow, channels * kh * kw))
        # (groups, N, OH * OW, O / groups) -> (N, groups, O / groups, OH * OW)
        return acc.reshape(groups, n, oh * ow, -1).permute(1, 0, 3, 2).reshape(n, -1, oh, ow)


def padded(x: torch.Tensor, sizes: tuple[int, ...], value: int = 0) -> torch.Tensor:
    """`torch.nn.functional.pad`, which copies even where there is nothing to add."""
    return F.pad(x, sizes, value=value) if any(sizes) else x


BACKENDS: dict[str, type[Backend]] = {}
"""Every backend by its name."""

_Class = TypeVar("_Class", bound=type[Backend])


def backend(cls: _Class) -> _Class:
    """Register a backend under its name."""
    BACKENDS[cls.name] = cls
    return cls
