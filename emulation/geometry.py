# SPDX-License-Identifier: Apache-2.0
"""The geometry of a layer: stride, padding, dilation and groups, checked once."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from .errors import EmulationError

Pair = tuple[int, int]


@dataclass(frozen=True)
class Geometry:
    """How a convolution's windows lie; the default is a matrix product.

    Attributes:
        stride: rows, columns between windows.
        padding: rows, columns of code 0 on either side.
        dilation: rows, columns between taps.
        groups: input and output channels are split in so many independent parts.
    """

    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    def output_size(self, height: int, width: int, kernel: Pair) -> Pair:
        """Rows and columns of the output for an input of (height, width)."""
        rows, columns = (
            (size + 2 * p - d * (k - 1) - 1) // s + 1
            for size, p, d, k, s in zip(
                (height, width), self.padding, self.dilation, kernel, self.stride, strict=True
            )
        )
        return rows, columns

    @classmethod
    def of(cls, layer: nn.Conv2d, name: str) -> Geometry:
        """Read a convolution's geometry.

        Raises:
            EmulationError: padding that is not zeros, or not the same on both sides.
        """
        if layer.padding_mode != "zeros":
            raise EmulationError(
                f"{name}: padding_mode={layer.padding_mode!r} is not supported, expected 'zeros'"
            )
        (dh, dw), (kh, kw) = layer.dilation, layer.kernel_size
        padding = layer.padding
        if padding == "valid":
            padding = (0, 0)
        elif padding == "same":
            if dh * (kh - 1) % 2 or dw * (kw - 1) % 2:
                raise EmulationError(
                    f"{name}: padding='same' with an even kernel pads one side more than the "
                    f"other, which is not supported; pad explicitly"
                )
            padding = (dh * (kh - 1) // 2, dw * (kw - 1) // 2)
        assert not isinstance(padding, str)
        return cls(
            (layer.stride[0], layer.stride[1]), (padding[0], padding[1]), (dh, dw), layer.groups
        )
