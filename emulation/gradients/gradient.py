# SPDX-License-Identifier: Apache-2.0
"""The straight-through input gradient of a layer: that of a float convolution, nothing more.

How a layer is differentiated at all is spelt in `parse_gradient`; `slope` is the other way.

No weight gradients are computed. A convolution of few input channels gets special treatment:
oneDNN's gradient computes its channels 16 at a time and wastes most of them, which makes the
first layer of a network the most expensive one to attack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isqrt
from typing import Literal, cast, get_args

import torch
from torch.nn import functional as F

from ..errors import EmulationError
from ..products.geometry import Geometry

Precision = Literal["float32", "bfloat16"]

# Channels that the CPU convolutions compute side by side.
_LANES = 16
_WIDEST = 254  # codes between the ends of a signed 8-bit operand


@dataclass(frozen=True)
class GradientRule:
    """How a layer is differentiated.

    Attributes:
        precision: of the products of a straight-through gradient.
        window: half-width of the secant, codes, where the table's own slope is taken; None:
            straight-through.
        terms: how many separable terms of that slope at most, the largest; None: as many as
            float32 can tell.
    """

    precision: Precision = "float32"
    window: int | None = None
    terms: int | None = None


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
        self._block = self._block_side()
        self._blocks = self._block_weight() if self._block > 1 else None

    def _block_side(self) -> int:
        """Side of the square of input pixels that become channels; 1 for the plain gradient."""
        _, c, kh, kw = self._weight.shape
        g = self._geometry
        plain = g.stride == (1, 1) and g.dilation == (1, 1) and g.groups == 1
        if not plain or self._weight.device.type != "cpu":
            return 1
        if kh != kw or g.padding[0] != g.padding[1] or g.padding[0] > kh - 1:
            return 1
        return min(4, isqrt(_LANES // c)) if c <= _LANES // 4 else 1

    def _block_weight(self) -> torch.Tensor:
        """Weights that compute a block of b x b input pixels as b * b * C channels.

        The gradient of a stride-1 convolution is the correlation of the padded output gradient
        with the flipped weights. For all pixels of a block the taps lie in one window of
        k + b - 1; pixel (i, j) finds the flipped weights at offset (i, j) in it.
        """
        o, c, k, _ = self._weight.shape
        b = self._block
        flipped = self._weight.flip(2, 3).transpose(0, 1)  # (C, O, k, k)
        blocks = self._weight.new_zeros(c, b, b, o, k + b - 1, k + b - 1)
        for i in range(b):
            for j in range(b):
                blocks[:, i, j, :, i : i + k, j : j + k] = flipped
        return blocks.view(c * b * b, o, k + b - 1, k + b - 1)

    def __call__(self, grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Compute the gradient.

        Args:
            grad: (N, O, OH, OW) float32, gradient of the output.
            x: (N, C, H, W) the input; only its shape counts.

        Returns:
            (N, C, H, W) float32.
        """
        grad = grad.to(self._dtype)
        back = self._plain(grad, x) if self._blocks is None else self._blocked(grad, x.shape)
        return back.to(torch.float32)

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

    def _blocked(self, grad: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        assert self._blocks is not None
        b, k = self._block, self._weight.shape[2]
        edge = k - 1 - self._geometry.padding[0]
        h, w = shape[2:]
        if h % b or w % b:  # fill the last blocks up
            grad, edge = F.pad(grad, (edge, edge - w % -b, edge, edge - h % -b)), 0
        blocks = F.conv2d(grad, self._blocks, stride=b, padding=edge)  # (N, C * b * b, ...)
        return F.pixel_shuffle(blocks, b)[:, :, :h, :w]
