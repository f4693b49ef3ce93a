# SPDX-License-Identifier: Apache-2.0
"""Max-pooling in C++: torch's own is the oracle, where the largest is shared too."""

import copy

import pytest
import torch
from torch import nn

from axhil.emulation import native
from axhil.emulation.pooling import MaxPoolOfSquares, quicken

pytestmark = pytest.mark.skipif(not native.available(), reason=native.unavailable_reason())


def _with_gradient(pool: nn.Module, x: torch.Tensor, grad: torch.Tensor):
    x = x.clone().requires_grad_()
    y = pool(x)
    y.backward(grad)
    return y.detach(), x.grad


@pytest.mark.parametrize("shape", [(3, 6, 24, 24), (70, 16, 8, 8), (2, 3, 7, 9), (1, 1, 2, 2)])
def test_values_and_gradients_are_those_of_torch_ties_and_infinities_included(shape):
    draw = torch.Generator().manual_seed(0)
    x = torch.randint(-2, 3, shape, generator=draw).float()
    x[0, 0, 0, 1], x[-1, -1] = float("inf"), -float("inf")
    grad = torch.randn(shape[0], shape[1], shape[2] // 2, shape[3] // 2, generator=draw)
    expected, back = _with_gradient(nn.MaxPool2d(2), x, grad)
    for found, found_back in (
        _with_gradient(MaxPoolOfSquares(2), x, grad),
        _with_gradient(MaxPoolOfSquares(2), x.to(memory_format=torch.channels_last), grad),
    ):
        assert torch.equal(found, expected)
        assert torch.equal(found_back, back)
    with torch.no_grad():
        assert torch.equal(MaxPoolOfSquares(2)(x), expected)


@pytest.mark.parametrize("place", range(4))
def test_a_nan_is_a_squares_largest_and_takes_its_gradient(place):
    x = torch.arange(4.0)
    x[place] = float("nan")
    y, back = _with_gradient(MaxPoolOfSquares(2), x.view(1, 1, 2, 2), torch.ones(1, 1, 1, 1))
    assert y.isnan().all()
    assert back.flatten().tolist() == [float(i == place) for i in range(4)]


def test_what_the_loop_does_not_know_is_left_to_torch():
    x = torch.randn(2, 3, 8, 8)
    others = [nn.MaxPool2d(3), nn.MaxPool2d(2, 1), nn.MaxPool2d(2, padding=1),
              nn.MaxPool2d(2, ceil_mode=True), nn.MaxPool2d(2, return_indices=True)]  # fmt: skip
    network = nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d((2, 2), (2, 2)), *others)
    quicken(network)
    kinds = [type(one) for one in network]
    assert kinds == [MaxPoolOfSquares] * 2 + [nn.MaxPool2d] * len(others)
    pool = copy.deepcopy(network[0])
    assert torch.equal(pool(x.double()), nn.MaxPool2d(2)(x.double()))
    assert torch.equal(pool(x[0]), nn.MaxPool2d(2)(x[0]))
