# SPDX-License-Identifier: Apache-2.0
"""LutConv2d and LutLinear: a quantised layer whose products come from a table.

    code = quantize(x)                        static scale, see `quantize`
    acc  = sum of lut[code, weight code]      int32, see `definition`
    y    = float32(acc) * out_scale + bias    per output channel; product and sum each rounded

The backward pass is straight-through: the input gradient of the float convolution on the
dequantised operands, zero where the activation was clamped; or by the table's own slope, see
`slope`. Weights take no gradient: these layers are for attacking and evaluating a network, not for
training it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, cast

import torch
from torch import nn

from .geometry import Geometry
from .gradient import InputGradient, Precision
from .paths import Path
from .quantize import code_limit, quantize, reciprocal
from .slope import SlopeGradient, SlopeTerms


@dataclass(frozen=True, eq=False)
class LayerParameters:
    """All that determines a layer's arithmetic, but for the table.

    Attributes:
        codes: (O, C // groups, kh, kw) int8 weight codes; (O, K, 1, 1) for a linear layer.
        weight_scale: (O,) float32.
        activation_scale: () float32.
        gain: (O,) float32 factor on the dequantised sum; 1 but for absorbed batch norm.
        bias: (O,) float32.
        geometry: stride, padding, dilation, groups.
        width: operand width of the multiplier, bits.
    """

    codes: torch.Tensor
    weight_scale: torch.Tensor
    activation_scale: torch.Tensor
    gain: torch.Tensor
    bias: torch.Tensor
    geometry: Geometry
    width: int


def clip_threshold(inv_scale: torch.Tensor, *, limit: int) -> float:
    """Smallest float32 magnitude whose code would be clamped; gradients pass strictly below it."""
    value = torch.tensor(limit + 0.5, dtype=torch.float32) / inv_scale.cpu()
    up, down = torch.tensor(torch.inf), torch.tensor(0.0)
    while (value * inv_scale.cpu()).round() > limit:
        value = torch.nextafter(value, down)
    while (value * inv_scale.cpu()).round() <= limit:
        value = torch.nextafter(value, up)
    return float(value)


class _StraightThrough(torch.autograd.Function):
    """Forward through the table, backward through the float convolution."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: _LutLayer) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.layer = layer
        return layer.emulate(x)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        (x,) = ctx.saved_tensors
        return ctx.layer.input_gradient(x, grads[0]), None


class _LutLayer(nn.Module):
    """What the two layer types share; works on (N, C, H, W)."""

    codes: torch.Tensor
    inv_scale: torch.Tensor
    out_scale: torch.Tensor
    bias: torch.Tensor

    def __init__(
        self,
        parameters: LayerParameters,
        path: Path,
        *,
        gradient: Precision | SlopeTerms = "float32",
    ) -> None:
        super().__init__()
        self.geometry = parameters.geometry
        self.limit = code_limit(parameters.width)
        self.path = path
        self.register_buffer("codes", parameters.codes)
        self.register_buffer("inv_scale", reciprocal(parameters.activation_scale))
        # (O,): float32 products in this order, once, so that every backend has the same factor
        weight_scale = parameters.weight_scale * parameters.gain
        self.register_buffer("out_scale", parameters.activation_scale * weight_scale)
        self.register_buffer("bias", parameters.bias)
        self._rule = gradient
        self._gradient: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None
        self.clip_at = clip_threshold(self.inv_scale, limit=self.limit)

    def emulate(self, x: torch.Tensor) -> torch.Tensor:
        """Forward pass without a graph: (N, C, H, W) float32 to (N, O, OH, OW) float32."""
        return self.path.run(
            x,
            inv_scale=self.inv_scale,
            limit=self.limit,
            out_scale=self.out_scale,
            bias=self.bias,
        )

    def input_gradient(self, x: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
        """Gradient of the loss with respect to x, given that of the output."""
        if self._gradient is None:
            self._gradient = self._differentiated()
        return self._inside(self._gradient(grad, x), x)

    def _differentiated(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        if not isinstance(self._rule, SlopeTerms):
            weight = self.straight_through_weight()
            return InputGradient(weight, self.geometry, precision=self._rule)
        slope = SlopeGradient(self.codes, self._code_scale(), self._rule, self.geometry)
        return lambda grad, x: slope(grad, quantize(x, self.inv_scale, limit=self.limit))

    def straight_through_weight(self) -> torch.Tensor:
        """(O, C // groups, kh, kw) float32: the weights that the codes stand for."""
        return self.codes.to(torch.float32) * self._code_scale().view(-1, 1, 1, 1)

    def _code_scale(self) -> torch.Tensor:
        # (O,): what a step of the sum is worth in the output, per what a step of the code is in x
        return self.out_scale * self.inv_scale

    def _inside(self, grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        # hardtanh's backward is "grad where -limit < x < limit, else 0", in one pass.
        back = torch.ops.aten.hardtanh_backward(grad, x, -self.clip_at, self.clip_at)
        return cast(torch.Tensor, back)

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Self:
        self._gradient = None  # made anew where the layer moves to
        parent: Any = super()  # torch leaves it unannotated
        return cast(Self, parent._apply(fn, recurse))

    def _run(self, x: torch.Tensor) -> torch.Tensor:
        if x.requires_grad and torch.is_grad_enabled():
            apply: Any = _StraightThrough.apply  # torch leaves it unannotated
            return cast(torch.Tensor, apply(x, self))
        return self.emulate(x)

    def extra_repr(self) -> str:
        """Shape, geometry and path, as `print(model)` shows them."""
        o, c, kh, kw = self.codes.shape
        return f"{c * self.geometry.groups}, {o}, kernel={kh}x{kw}, path={self.path.name}"


class LutConv2d(_LutLayer):
    """Convolution through a table: (N, C, H, W) float32 to (N, O, OH, OW) float32."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the layer; differentiable with respect to x."""
        return self._run(x)


class LutLinear(_LutLayer):
    """Matrix product through a table: (..., K) float32 to (..., O) float32."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the layer; differentiable with respect to x."""
        rows = x.reshape(-1, x.shape[-1], 1, 1)
        return self._run(rows).view(*x.shape[:-1], -1)
