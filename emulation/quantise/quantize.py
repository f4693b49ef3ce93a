# SPDX-License-Identifier: Apache-2.0
"""Linear quantisation to the codes that a multiplier's operand takes.

A real value x becomes the code q = clip(rint(x / scale) + zero_point), rint rounding half to even,
and q stands for (q - zero_point) * scale. The division is a multiplication by the float32
reciprocal of the scale, as in PyTorch's own fake quantisation, so that every backend (NumPy, torch,
C++) rounds the same way to the last bit.

Signed operands are symmetric: the zero point is 0 and the least code of the two's complement is
none. Layers compute with *steps*, q - zero_point: 0.0 is the step 0 whatever the zero point. Codes
of unsigned weights are kept less `offset_of` their operand, as signed integers of as many bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, Self

import torch

from axhil.hwsim.operands import Operand

Granularity = Literal["tensor", "channel"]

S8 = Operand(8, signed=True)
"""What networks are quantised to where no table says anything else."""


_BITS = range(2, 17)


def refused_operands(activation: Operand, weight: Operand, *, table: bool = False) -> str | None:
    """What networks are quantised to, where a multiplier's operands are something else.

    Args:
        activation: the first operand.
        weight: the second.
        table: products are looked up in a table, which no backend does beyond 8 bits.
    """
    most = S8.bits if table else _BITS[-1]
    if not all(_BITS[0] <= operand.bits <= most for operand in (activation, weight)):
        more = f", or up to {_BITS[-1]} with Verilog" if table else ""
        return f"operands of {_BITS[0]} to {most} bits{more}"
    return None


def offset_of(weight: Operand) -> int:
    """What is added to a weight as it is kept to get its code: half the codes of an unsigned one.

    >>> offset_of(Operand(8, signed=False)), offset_of(Operand(8, signed=True))
    (128, 0)
    """
    return 0 if weight.signed else weight.count // 2


def is_wide(*operands: Operand) -> bool:
    """Whether codes of some operand need two bytes, and so sums of products eight."""
    return any(operand.bits > S8.bits for operand in operands)


@dataclass(frozen=True, eq=False)
class Quantizer:
    """Real values to the codes of an operand, and back.

    >>> unsigned = Quantizer.between(Operand(8, signed=False), -1.0, 1.55)
    >>> unsigned.zero_point, unsigned.encode(torch.tensor([-1.0, 0.0, 1.55, 9.0])).tolist()
    (100, [0.0, 100.0, 255.0, 255.0])

    Attributes:
        operand: of the multiplier.
        scale: () float32, or (O,) for one per first index of what is quantised.
        zero_point: the code of 0.0.
    """

    operand: Operand
    scale: torch.Tensor
    zero_point: int = 0

    @classmethod
    def symmetric(cls, operand: Operand, largest: torch.Tensor) -> Self:
        """Magnitudes up to `largest` on the codes of a signed operand.

        A range of zero (a dead layer) gets the scale 1: every code is 0 either way.
        """
        return cls(operand, _scale(largest, operand.maximum))

    @classmethod
    def between(cls, operand: Operand, lowest: float, highest: float) -> Self:
        """A range that contains 0 on the codes of an unsigned operand."""
        scale = _scale(torch.tensor(highest - lowest), operand.maximum)
        return cls(operand, scale, min(round(-lowest / float(scale)), operand.maximum))

    @property
    def codes(self) -> range:
        """The codes in use: all, but for the least of a signed operand."""
        least = -self.operand.maximum if self.operand.signed else 0
        return range(least, self.operand.maximum + 1)

    @cached_property
    def steps(self) -> range:
        """The codes in use, less the zero point."""
        return range(self.codes[0] - self.zero_point, self.codes[-1] + 1 - self.zero_point)

    @cached_property
    def inv_scale(self) -> torch.Tensor:
        """Float32 reciprocal of the scale: the factor that every backend multiplies by."""
        return torch.ones((), dtype=torch.float32, device=self.scale.device) / self.scale

    def to_steps(self, x: torch.Tensor) -> torch.Tensor:
        """Float32 values to steps, float32 of the same shape (exact integers; NaN stays NaN)."""
        steps = self.steps
        return (x * _along(self.inv_scale, x)).round_().clamp_(steps[0], steps[-1])

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Float32 values to codes, float32 of the same shape (exact integers; NaN stays NaN)."""
        return self.to_steps(x).add_(self.zero_point)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """The float32 values that codes stand for."""
        return (codes - self.zero_point).to(torch.float32) * _along(self.scale, codes)

    @cached_property
    def clip(self) -> tuple[float, float]:
        """The float32 values next to 0 on either side whose codes are clamped; of one scale."""
        return -self._first_beyond(-self.steps[0]), self._first_beyond(self.steps[-1])

    def _first_beyond(self, limit: int) -> float:
        inv_scale = self.inv_scale.cpu()
        value = torch.tensor(limit + 0.5, dtype=torch.float32) / inv_scale
        up, down = torch.tensor(torch.inf), torch.tensor(0.0)
        while (value * inv_scale).round() > limit:
            value = torch.nextafter(value, down)
        while (value * inv_scale).round() <= limit:
            value = torch.nextafter(value, up)
        return float(value)


def _scale(largest: torch.Tensor, limit: int) -> torch.Tensor:
    scale = largest.to(torch.float32) / limit
    # A smaller one has no reciprocal in float32.
    return torch.where(scale >= torch.finfo(torch.float32).tiny, scale, torch.ones_like(scale))


def _along(scale: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """A scale of the first index, shaped to be broadcast against x."""
    return scale.view(-1, *[1] * (x.dim() - 1)) if scale.dim() else scale


class WeightCodes(NamedTuple):
    """Quantised weights.

    Attributes:
        codes: (O, ...) less `offset_of` the operand; int8 or, of more than 8 bits, int16.
        scale: (O,) float32, all equal where there is one for the tensor.
        zero_point: the code of 0.0.
    """

    codes: torch.Tensor
    scale: torch.Tensor
    zero_point: int


def quantize_weights(
    weight: torch.Tensor, operand: Operand, *, granularity: Granularity
) -> WeightCodes:
    """Weights to codes and scales.

    Signed operands are symmetric. Those of an unsigned one span the least to the greatest weight of
    the tensor; with a scale per output channel the zero point is the middle of the codes, and each
    channel's largest magnitude lies at an end.

    Args:
        weight: (O, ...) float32.
        operand: of the multiplier.
        granularity: one scale for the tensor (the paper's setting) or one per output channel.
    """
    weight = weight.detach().to(torch.float32)
    per_channel = weight.abs().flatten(1).amax(1)  # (O,)
    if not operand.signed and granularity == "tensor":
        lowest, highest = (float(end) for end in torch.aminmax(weight))
        quantizer = Quantizer.between(operand, min(lowest, 0.0), max(highest, 0.0))
    else:
        largest = per_channel if granularity == "channel" else per_channel.max()
        half = Operand(operand.bits, signed=True)
        zero_point = offset_of(operand)
        quantizer = Quantizer(operand, Quantizer.symmetric(half, largest).scale, zero_point)
    codes = quantizer.encode(weight) - offset_of(operand)
    dtype = torch.int16 if is_wide(operand) else torch.int8
    scale = quantizer.scale.expand_as(per_channel).contiguous()
    return WeightCodes(codes.to(dtype), scale, quantizer.zero_point)
