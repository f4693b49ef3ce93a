# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from axhil.emulation import EmulationError, Settings, convert
from axhil.emulation.layers import HANDLERS, LutConv1d, LutConv2d, LutLinear, handles
from axhil.hwsim import Catalogued, Lut, golden
from axhil.hwsim.operands import Operands

CONVOLUTIONS = {
    "plain": {"kernel_size": 3},
    "same": {"kernel_size": 3, "padding": "same"},
    "stride, padding": {"kernel_size": (3, 2), "stride": 2, "padding": (1, 0), "bias": False},
    "dilation, groups": {"kernel_size": 3, "dilation": 2, "groups": 2},
    "depthwise": {"kernel_size": 3, "padding": 1, "groups": 4},
}


def images(n=6, seed=0):
    return torch.rand(n, 4, 10, 9, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def converted(layer, lut, **settings):
    torch.manual_seed(0)
    model = nn.Sequential(layer)
    return model, convert(model, lut, calibration=images(), **settings)


def dequantised(layer, emulated):
    """The float operands that the codes stand for."""
    inv = emulated.inv_scale
    scale = 1 / inv.double()
    weight_scale = layer.weight.detach().abs().max() / 127
    return scale, emulated.codes.double() * weight_scale.double()


@pytest.mark.parametrize("options", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_with_the_exact_table_a_layer_is_conv2d_of_dequantised_operands(options):
    layer = nn.Conv2d(4, 8, **options)
    _, net = converted(layer, golden(Catalogued.parse("exact")))
    emulated = net.network[0]
    assert isinstance(emulated, LutConv2d)
    x = images(seed=1)
    scale, weight = dequantised(layer, emulated)
    codes = torch.round(x.double() / scale).clamp(-127, 127)
    padding = layer.padding if layer.padding != "same" else 1
    bias = None if layer.bias is None else layer.bias.double()
    expected = F.conv2d(
        codes * scale, weight, bias, layer.stride, padding, layer.dilation, layer.groups
    )
    assert torch.allclose(net(x).double(), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("options", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_the_straight_through_gradient_is_that_of_the_float_convolution(options):
    layer = nn.Conv2d(4, 8, **options)
    # The gradient must not depend on the table: a random one.
    table = np.random.default_rng(0).integers(-999, 999, (256, 256))
    _, net = converted(layer, Lut(table, *Operands.parse("s8")))
    emulated = net.network[0]
    x = (images(seed=2) * 1.3).requires_grad_()  # some beyond the calibrated range
    y = net(x)
    upstream = torch.rand(y.shape, generator=torch.Generator().manual_seed(3))
    (gradient,) = torch.autograd.grad(y, x, upstream)

    # Oracle: autograd through torch's own fake quantisation and conv2d.
    scale, weight = dequantised(layer, emulated)
    z = x.detach().clone().requires_grad_()
    fake = torch.fake_quantize_per_tensor_affine(z, float(scale), 0, -127, 127)
    padding = layer.padding if layer.padding != "same" else 1
    out = F.conv2d(fake, weight.float(), None, layer.stride, padding, layer.dilation, layer.groups)
    (expected,) = torch.autograd.grad(out, z, upstream)
    assert torch.allclose(gradient, expected, rtol=1e-4, atol=1e-5)
    clamped = (x.abs() > 128 * scale).detach()
    assert clamped.any()
    assert (gradient[clamped] == 0).all()


@pytest.mark.parametrize("shape", [(5, 36), (2, 3, 36)])
def test_a_linear_layer_is_the_same_arithmetic_on_its_last_axis(shape):
    torch.manual_seed(1)
    layer = nn.Linear(36, 7)
    x = torch.rand(shape) - 0.5
    net = convert(nn.Sequential(layer), golden(Catalogued.parse("drum(3)")), calibration=x)
    emulated = net.network[0]
    assert isinstance(emulated, LutLinear)
    lut = golden(Catalogued.parse("drum(3)"))
    codes = torch.round(x * emulated.inv_scale).clamp(-127, 127).long() & 255
    w = emulated.codes.flatten(1).long() & 255
    products = torch.from_numpy(lut.table.copy())[codes[..., None, :], w]  # (..., 7, 36)
    expected = products.sum(-1).float() * emulated.out_scale + layer.bias.detach()
    assert torch.equal(net(x), expected)


def test_the_gradient_of_a_linear_layer_is_the_weights_times_the_upstream():
    torch.manual_seed(2)
    layer = nn.Linear(6, 4)
    x = torch.rand(3, 6)
    net = convert(nn.Sequential(layer), golden(Catalogued.parse("exact")), calibration=x)
    z = (0.5 * x).requires_grad_()
    upstream = torch.rand(3, 4)
    (gradient,) = torch.autograd.grad(net(z), z, upstream)
    codes = net.network[0].codes.flatten(1).float()
    weight = codes * layer.weight.abs().max().detach() / 127
    assert torch.allclose(gradient, upstream @ weight, rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3},
        {"kernel_size": 5, "stride": 2, "padding": 2, "dilation": 2, "bias": False},
        {"kernel_size": 3, "padding": "same", "groups": 2},
    ],
    ids=["plain", "stride, padding, dilation", "same, groups"],
)
@pytest.mark.parametrize("settings", [Settings(), Settings(batch_norm="fold", weights="channel")])
def test_a_convolution_of_one_row_is_the_two_dimensional_one_of_height_one(options, settings):
    torch.manual_seed(3)
    flat = nn.Sequential(nn.Conv1d(4, 6, **options), nn.BatchNorm1d(6)).eval()
    flat[1].running_mean.uniform_(-0.5, 0.5)
    flat[1].running_var.uniform_(0.5, 2.0)
    one, x = flat[0], torch.rand(5, 4, 19) - 0.3
    options = {
        name: (1 if name != "padding" else 0, value) if isinstance(value, int) else value
        for name, value in options.items()
        if name not in ("groups", "bias")
    }
    tall = nn.Conv2d(4, 6, groups=one.groups, bias=one.bias is not None, **options)
    tall.weight.data = one.weight.data[:, :, None, :]
    if one.bias is not None:
        tall.bias.data = one.bias.data
    model = nn.Sequential(tall, nn.BatchNorm2d(6)).eval()
    model[1].load_state_dict(flat[1].state_dict())
    lut = golden(Catalogued.parse("scaletrim(4,4)"))
    ours = convert(flat, lut, calibration=x, settings=settings)
    theirs = convert(model, lut, calibration=x[:, :, None, :], settings=settings)
    assert isinstance(ours.network[0], LutConv1d)
    a, b = x.clone().requires_grad_(), x[:, :, None, :].clone().requires_grad_()
    y, z = ours(a), theirs(b)
    assert torch.equal(y, z[:, :, 0, :])
    y.square().sum().backward()
    z.square().sum().backward()
    assert torch.equal(a.grad, b.grad[:, :, 0, :])
    assert a.grad.any()
    assert ours.plan[0].macs == theirs.plan[0].macs


def test_with_a_zero_point_a_layer_is_conv2d_of_dequantised_operands():
    operands = Operands.parse("u8xs8")
    lut = Lut(np.outer(operands.activation.values, operands.weight.values), *operands)
    layer = nn.Conv2d(4, 8, 3, padding=1)
    _, net = converted(layer, lut)
    emulated = net.network[0]
    assert 100 < emulated.activation.zero_point < 150
    x = (images(seed=1) * 1.3).requires_grad_()
    scale, zero = float(emulated.activation.scale), emulated.activation.zero_point
    z = x.detach().clone().requires_grad_()
    fake = torch.fake_quantize_per_tensor_affine(z, scale, zero, 0, 255)
    weight = emulated.codes.float() * layer.weight.detach().abs().max() / 127
    expected = F.conv2d(fake, weight, layer.bias.detach(), padding=1)
    assert torch.allclose(net(x), expected, rtol=0, atol=2e-6)
    upstream = torch.rand(expected.shape, generator=torch.Generator().manual_seed(3))
    (gradient,) = torch.autograd.grad(net(x), x, upstream)
    (straight,) = torch.autograd.grad(expected, z, upstream)
    assert torch.allclose(gradient, straight, rtol=1e-4, atol=1e-5)
    assert (gradient == 0).any()


def test_a_handler_is_a_small_class_of_its_own():
    class Scaled(nn.Linear):
        def forward(self, x):
            return F.linear(2 * x, self.weight, self.bias)

    torch.manual_seed(0)
    model, x = nn.Sequential(Scaled(6, 4)), torch.rand(5, 6)
    lut = golden(Catalogued.parse("exact"))
    with pytest.raises(EmulationError, match=r"no nn\.Conv2d or nn\.Conv1d or nn\.Linear"):
        convert(model, lut, calibration=x)

    @handles(Scaled)
    class LutScaled(LutLinear):
        @staticmethod
        def weight_of(module):
            return 2 * module.weight[:, :, None, None]

    try:
        net = convert(model, lut, calibration=x)
        assert isinstance(net.network[0], LutScaled)
        assert torch.allclose(net(x), model(x), atol=0.03)
    finally:
        del HANDLERS[Scaled]


def test_parameters_of_a_layer_take_no_gradient_and_no_graph_is_kept_without_one():
    _, net = converted(nn.Conv2d(4, 8, 3), golden(Catalogued.parse("exact")))
    assert not any(one.requires_grad for one in net.parameters())
    assert not net(images()).requires_grad


def test_padding_that_is_not_zeros_is_refused():
    layer = nn.Conv2d(4, 8, 3, padding=1, padding_mode="reflect")
    with pytest.raises(ValueError, match=r"^0: padding_mode='reflect' is not supported"):
        converted(layer, None)


def test_same_padding_of_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match="pads one side more than the other"):
        converted(nn.Conv2d(4, 8, 2, padding="same"), None)
