# SPDX-License-Identifier: Apache-2.0
"""The geometry of a layer: stride, padding, dilation and groups, checked once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from ..errors import EmulationError

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

    def output_size(
        self, height: int, width: int, kernel: Pair, padding: Pair | None = None
    ) -> Pair:
        """Rows and columns of the output for an input of (height, width).

        Args:
            height: rows.
            width: columns.
            kernel: rows, columns.
            padding: None: the geometry's.
        """
        padding = self.padding if padding is None else padding
        rows, columns = (
            (size + 2 * p - d * (k - 1) - 1) // s + 1
            for size, p, d, k, s in zip(
                (height, width), padding, self.dilation, kernel, self.stride, strict=True
            )
        )
        return rows, columns

    def convolve(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """The exact convolution: (N, C, H, W) and (O, C // groups, kh, kw) to (N, O, OH, OW)."""
        return F.conv2d(x, weight, None, self.stride, self.padding, self.dilation, self.groups)

    @classmethod
    def of(cls, layer: nn.Conv1d | nn.Conv2d, name: str) -> Geometry:
        """Read a convolution's geometry; one of a single dimension has one row.

        Raises:
            EmulationError: padding that is not zeros, or not the same on both sides.
        """
        if layer.padding_mode != "zeros":
            raise EmulationError(
                f"{name}: padding_mode={layer.padding_mode!r} is not supported, expected 'zeros'"
            )
        padding = layer.padding
        if padding == "same":
            reach = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
            if any(size % 2 for size in reach):
                raise EmulationError(
                    f"{name}: padding='same' with an even kernel pads one side more than the "
                    f"other, which is not supported; pad explicitly"
                )
            padding = tuple(size // 2 for size in reach)
        elif isinstance(padding, str):  # valid
            padding = (0,) * len(layer.stride)
        return cls(
            _pair(layer.stride, 1), _pair(padding, 0), _pair(layer.dilation, 1), layer.groups
        )


def _pair(sizes: tuple[int, ...], of_rows: int) -> Pair:
    return (of_rows, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])
