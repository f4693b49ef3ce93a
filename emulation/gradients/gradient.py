# SPDX-License-Identifier: Apache-2.0
"""The straight-through input gradient of a layer: that of a float convolution, nothing more.

How a layer is differentiated at all is spelt in `parse_gradient`; `slope` is the other way.

No weight gradients are computed. A convolution of few input channels has a compiled loop of its
own: oneDNN's gradient computes its channels 16 at a time and wastes most of them, which makes the
first layer of a network the most expensive one to attack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch

from .. import native
from ..errors import EmulationError
from ..native.extension import module
from ..products.geometry import Geometry

Precision = Literal["float32", "bfloat16"]

_FEW = 4  # channels: libraries compute 8 or 16 side by side
_WIDEST = 254  # codes between the ends of a signed 8-bit operand


@dataclass(frozen=True)
class GradientRule:
    """How a layer is differentiated.

    Attributes:
        precision: of the products of a straight-through gradient.
        window: half-width of the secant, codes, where the table's own slope is taken; None:
            straight-through.
    """

    precision: Precision = "float32"
    window: int | None = None


def parse_gradient(text: str) -> GradientRule:
    """Read `float32` or `bfloat16`, straight-through, or `slope:H`, the table's slope over H codes.

    Raises:
        EmulationError: anything else.
    """
    for precision in get_args(Precision):
        if text == precision:
            return GradientRule(precision)
    match = re.fullmatch(r"slope:([1-9]\d{0,2})", text)
    if match is None or int(match[1]) > _WIDEST:
        raise EmulationError(
            f"expected a gradient float32, bfloat16 or slope:H with 1 <= H <= {_WIDEST}, "
            f"got {text!r}"
        )
    return GradientRule(window=int(match[1]))


class InputGradient:
    """Gradient of a convolution with respect to its input.

    Args:
        weight: (O, C // groups, kh, kw) float32.
        geometry: of the convolution.
        precision: of the products; sums are float32 either way.
    """

    def __init__(
        self, weight: torch.Tensor, geometry: Geometry, *, precision: Precision = "float32"
    ) -> None:
        self._dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        self._weight = weight.to(self._dtype)
        self._geometry = geometry
        # (C, O, kh, kw): the gradient of a convolution of stride 1 is a correlation with these.
        self._turned = weight.flip(2, 3).transpose(0, 1).contiguous() if self._few() else None

    def _few(self) -> bool:
        """Whether the compiled loop for few input channels computes this."""
        channels, kernel, g = self._weight.shape[1], self._weight.shape[2:], self._geometry
        return (
            native.available()
            and self._weight.device.type == "cpu"
            and self._dtype == torch.float32
            and channels <= _FEW
            and g == Geometry(padding=g.padding)
            and all(p < k for p, k in zip(g.padding, kernel, strict=True))
        )

    def __call__(self, grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Compute the gradient.

        Args:
            grad: (N, O, OH, OW) float32, gradient of the output.
            x: (N, C, H, W) the input; only its shape counts.

        Returns:
            (N, C, H, W) float32.
        """
        grad = grad.to(self._dtype)
        if self._turned is None:
            return self._plain(grad, x).to(torch.float32)
        back = torch.empty(x.shape)
        module().input_gradient(
            native.isa(),
            grad.contiguous().numpy(),
            self._turned.numpy(),
            *self._geometry.padding,
            back.numpy(),
            torch.get_num_threads(),
        )
        return back

    def _plain(self, grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        g = self._geometry
        # Linear layers: torch computes large ones of these convolutions image by image.
        if g == Geometry() and x.shape[2:] == self._weight.shape[2:] == (1, 1):
            return (grad.flatten(1) @ self._weight.flatten(1)).view(x.shape)
        back = torch.ops.aten.convolution_backward(
            grad,
            x.to(self._dtype),
            self._weight,
            None,
            g.stride,
            g.padding,
            g.dilation,
            False,
            (0, 0),
            g.groups,
            (True, False, False),
        )
        return cast(torch.Tensor, back[0])
