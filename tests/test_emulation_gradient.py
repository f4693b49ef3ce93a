# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from torch.nn import functional as F

from axhil.emulation.gradients.gradient import InputGradient
from axhil.emulation.products.geometry import Geometry

# (input channels, outputs, kernel, geometry, height, width)
SHAPES = {
    "one channel, blocks of 4": (1, 6, (5, 5), Geometry(), 28, 28),
    "one channel, a size that is no multiple": (1, 6, (5, 5), Geometry(padding=(2, 2)), 13, 10),
    "three channels, blocks of 2": (3, 8, (3, 3), Geometry(padding=(1, 1)), 9, 12),
    "1x1": (2, 5, (1, 1), Geometry(), 6, 7),
    "full padding": (1, 2, (3, 3), Geometry(padding=(2, 2)), 5, 5),
    "more padding than a kernel": (1, 2, (3, 3), Geometry(padding=(3, 3)), 5, 5),
    "rectangular": (1, 4, (3, 5), Geometry(), 11, 9),
    "stride": (1, 4, (3, 3), Geometry(stride=(2, 2)), 11, 9),
    "dilation": (1, 4, (3, 3), Geometry(dilation=(2, 2)), 11, 9),
    "depthwise": (4, 4, (3, 3), Geometry(padding=(1, 1), groups=4), 8, 8),
    "many channels": (16, 8, (3, 3), Geometry(padding=(1, 1)), 8, 8),
}


def example(shape):
    channels, outputs, kernel, g, height, width = shape
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, channels, height, width, generator=generator, requires_grad=True)
    w = torch.randn(outputs, channels // g.groups, *kernel, generator=generator)
    y = F.conv2d(x, w, None, g.stride, g.padding, g.dilation, g.groups)
    upstream = torch.randn(y.shape, generator=generator)
    (expected,) = torch.autograd.grad(y, x, upstream)
    return x, w, g, upstream, expected


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_input_gradient_is_that_of_autograd(shape):
    x, w, g, upstream, expected = example(shape)
    assert torch.allclose(InputGradient(w, g)(upstream, x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_bfloat16_is_close_and_not_equal(shape):
    x, w, g, upstream, expected = example(shape)
    found = InputGradient(w, g, precision="bfloat16")(upstream, x)
    assert found.dtype == torch.float32
    assert 0 < (found - expected).abs().max() < 0.03 * expected.abs().max()


def test_first_layers_take_the_blocked_form():
    shape = SHAPES["one channel, blocks of 4"]
    _, w, g, _, _ = example(shape)
    assert InputGradient(w, g)._block == 4
    _, w, g, _, _ = example(SHAPES["many channels"])
    assert InputGradient(w, g)._block == 1
