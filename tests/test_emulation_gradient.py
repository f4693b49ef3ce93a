# SPDX-License-Identifier: Apache-2.0
import itertools

import pytest
import torch
from torch.nn import functional as F

from axhil.emulation import native
from axhil.emulation.gradients.gradient import InputGradient
from axhil.emulation.products.geometry import Geometry

# (input channels, outputs, kernel, geometry, height, width)
SHAPES = {
    "one channel": (1, 6, (5, 5), Geometry(), 28, 28),
    "one channel, a size that is no multiple": (1, 6, (5, 5), Geometry(padding=(2, 2)), 13, 10),
    "three channels": (3, 8, (3, 3), Geometry(padding=(1, 1)), 9, 12),
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


COMPILED = [
    (channels, outputs, kernel, g, *size)
    for channels, outputs, kernel, g, *size in SHAPES.values()
    if channels < 4 and g == Geometry(padding=g.padding) and g.padding < kernel
]


@pytest.mark.parametrize("shape", COMPILED)
@pytest.mark.skipif(not native.available(), reason="without the extension torch computes it")
def test_of_few_channels_it_is_the_same_to_the_bit_everywhere(shape, monkeypatch):
    # Other sets of instructions, threads and batches than torch's, whose order of additions varies.
    x, w, g, upstream, _ = example(shape)
    x, upstream = x.detach().repeat(7, 1, 1, 1), upstream.repeat(7, 1, 1, 1)
    turned = w.flip(2, 3).double()
    edge = [k - 1 - p for k, p in zip(shape[2], g.padding, strict=True)]
    around = F.pad(upstream, (edge[1], edge[1], edge[0], edge[0]))
    expected = torch.zeros(x.shape)
    for o, i, j in itertools.product(range(shape[1]), *map(range, shape[2])):
        tap = around[:, o : o + 1, i : i + x.shape[2], j : j + x.shape[3]]
        expected += turned[o, :, i, j].float().view(1, -1, 1, 1) * tap
    before = torch.get_num_threads()
    try:
        for isa, threads in itertools.product(native.supported_isas(), (1, 3)):
            monkeypatch.setenv("AXHIL_ISA", isa)
            torch.set_num_threads(threads)
            assert torch.equal(InputGradient(w, g)(upstream, x), expected)
            assert torch.equal(InputGradient(w, g)(upstream[4:5], x[4:5]), expected[4:5])
    finally:
        torch.set_num_threads(before)
