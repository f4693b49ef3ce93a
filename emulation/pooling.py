# SPDX-License-Identifier: Apache-2.0
"""Max-pooling over squares of 2 x 2, which took more of LeNet-5's time than its products.

torch's takes elements one by one, and an int64 to remember each. Values and gradients are equal,
but that a gradient goes to the first of a square's NaNs.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn

from . import native
from .native.extension import module


class MaxPoolOfSquares(nn.MaxPool2d):
    """`nn.MaxPool2d(2)`, compiled: the first largest of a square, or a NaN."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) to (N, C, H // 2, W // 2)."""
        compiled = native.available() and x.device.type == "cpu" and x.dtype == torch.float32
        if not compiled or x.dim() != 4 or x.numel() == 0 or min(x.shape[2:]) < 2:
            return cast(torch.Tensor, super().forward(x))
        if x.requires_grad and torch.is_grad_enabled():
            apply: Any = _Pooled.apply  # torch leaves it unannotated
            return cast(torch.Tensor, apply(x))
        return _pool(x, None)


class _Pooled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = ctx.shape = x.shape
        which = torch.empty(n, c, h // 2, w // 2, dtype=torch.uint8)
        ctx.save_for_backward(which)
        return _pool(x, which)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        (which,) = ctx.saved_tensors
        back = torch.empty(ctx.shape)
        grad = grads[0].contiguous()
        module().unpool(*_arrays(back, grad, which), torch.get_num_threads())
        return back


def _pool(x: torch.Tensor, which: torch.Tensor | None) -> torch.Tensor:
    n, c, h, w = x.shape
    y = torch.empty(n, c, h // 2, w // 2)
    module().pool(*_arrays(x.contiguous(), y, which), torch.get_num_threads())
    return y


def _arrays(*tensors: torch.Tensor | None) -> list[Any]:
    return [None if t is None else t.detach().numpy() for t in tensors]


def quicken(network: nn.Module) -> None:
    """Give the pooling modules of a network that halve it the compiled loop, in place."""
    for one in network.modules():
        plain = type(one) is nn.MaxPool2d and not one.return_indices and not one.ceil_mode
        if plain and all(
            value in (wanted, (wanted, wanted))
            for value, wanted in (
                (one.kernel_size, 2),
                (one.stride, 2),
                (one.padding, 0),
                (one.dilation, 1),
            )
        ):
            one.__class__ = MaxPoolOfSquares
