# SPDX-License-Identifier: Apache-2.0
"""Layers that are trained through a multiplier: what they compute, and their gradients."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from axhil.emulation import prepare
from axhil.emulation.gradients.slope import slope_table
from axhil.emulation.quantise.calibrate import RANGE
from axhil.emulation.trainable import SCALE, TrainableNetwork
from axhil.hwsim import Catalogued, Lut, Operands, golden

EXACT, DRUM = golden(Catalogued("exact")), golden(Catalogued("drum", (3,)))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Flatten(), nn.Linear(64, 3),
    ).eval()  # fmt: skip


@pytest.fixture(scope="module")
def images():
    return torch.rand(6, 2, 8, 8, generator=torch.Generator().manual_seed(1))


def training(model, images, multiplier, **options):
    return TrainableNetwork(model, prepare(model, images), multiplier, **options)


def rounded(x):
    """Rounded, with the gradient of x: the straight-through estimator."""
    return x + (x.round() - x).detach()


def test_what_is_trained_is_what_conversion_gives(model, images):
    for multiplier in (None, DRUM, {"0": DRUM, "4": None}):
        prepared = prepare(model, images)
        network = TrainableNetwork(model, prepared, multiplier).eval()
        expected = prepared.emulate(multiplier)(images)
        torch.testing.assert_close(network(images), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("geometry", [{}, {"stride": 2, "padding": 1}, {"groups": 2}], ids=str)
def test_straight_through_gradients_are_those_of_torchs_own_fake_quantisation(geometry, images):
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 4, 3, **geometry)
    network = training(conv.eval(), images / 2, EXACT)  # half of it is clipped
    layer, grad = network.network, torch.randn(network(images).shape)
    x = images.clone().requires_grad_()
    network(x).backward(grad)

    scale = getattr(layer, SCALE).detach().clone().requires_grad_()
    weight = conv.weight.detach().clone().requires_grad_()
    bias = conv.bias.detach().clone().requires_grad_()
    y = images.clone().requires_grad_()
    steps = rounded((y / scale).clamp(-127, 127))  # LSQ: Esser et al. 2020, equation 1
    of_weight = weight.detach().abs().max() / 127
    out = F.conv2d(steps * scale, rounded(weight / of_weight) * of_weight, bias, **geometry)
    out.backward(grad)
    torch.testing.assert_close(layer.weight.grad, weight.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(layer.bias.grad, bias.grad)
    # Where a value is rounded onto the last code, torch's clamp says otherwise.
    inside = (y / scale).abs() < 126.5
    assert 0.2 < inside.float().mean() < 0.9
    torch.testing.assert_close(x.grad[inside], y.grad[inside], rtol=1e-4, atol=1e-4)
    shrunk = scale.grad / (images[0].numel() * 127) ** 0.5
    torch.testing.assert_close(getattr(layer, SCALE).grad, shrunk, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("operands", ["s8", "u8xs8"])
def test_slope_gradients_are_sums_of_the_tables_own_secants(operands, images):
    generator = np.random.default_rng(0)
    # Few terms, of which none is left out, and an error that depends on both operands.
    pair = Operands.parse(operands)
    a, w = pair.activation.values[:, None], pair.weight.values
    lut = Lut((a * w + (a // 16) * (w % 8)).astype(np.int32), *pair)
    torch.manual_seed(0)
    linear = nn.Linear(5, 3, bias=False)
    x = torch.from_numpy(generator.uniform(-0.5, 1, (4, 5)).astype(np.float32))
    network = training(linear.eval(), x, lut, gradient="slope:3")
    grad = torch.randn(4, 3)
    images_ = x.clone().requires_grad_()
    network(images_).backward(grad)

    parameters = prepare(linear, x).quantised("", *pair)
    quantizer, codes = parameters.activation, parameters.codes[:, :, 0, 0].long()
    q = quantizer.encode(x).long()
    scale, of_weight = quantizer.scale, parameters.weight_scale[0]
    by_activation = torch.from_numpy(slope_table(lut, window=3)).float()
    by_weight = torch.from_numpy(slope_table(lut, window=3, along="weight")).float()
    expected_x, expected_w = torch.zeros(4, 5), torch.zeros(3, 5)
    for n in range(4):
        for m in range(3):
            for k in range(5):
                code, other = int(q[n, k]), int(codes[m, k])
                row = code - quantizer.codes.start
                expected_x[n, k] += grad[n, m] * of_weight * by_activation[row, other & 255]
                slope = by_weight[other + 127, code & 255] - quantizer.zero_point
                expected_w[m, k] += grad[n, m] * scale * slope
    clamped = (x / scale).round() != quantizer.to_steps(x)
    torch.testing.assert_close(images_.grad, expected_x.masked_fill(clamped, 0), rtol=1e-3,
                               atol=2e-3)  # fmt: skip
    torch.testing.assert_close(network.network.weight.grad, expected_w, rtol=1e-2, atol=1e-2)


def test_weights_that_a_step_changed_are_quantised_anew(model, images):
    network = training(model, images, DRUM).eval()
    before = network(images)
    with torch.no_grad():
        network.network[0].weight.neg_()
    prepared = prepare(network.released(), images)
    after = network(images)
    assert not torch.equal(before, after)
    torch.testing.assert_close(after, prepared.emulate(DRUM)(images), rtol=1e-5, atol=1e-5)
    assert torch.equal(training(model, images, DRUM).eval()(images), before)  # ours is a copy


def test_a_released_network_keeps_the_ranges_that_its_layers_were_trained_with(model, images):
    network = training(model, images, DRUM)
    with torch.no_grad():
        getattr(network.network[0], SCALE).mul_(0.5)
    network.eval()
    released = network.released()
    scale = getattr(network.network[0], SCALE).item()
    assert released[0].get_buffer(RANGE).tolist() == pytest.approx([-127 * scale, 127 * scale])
    assert SCALE not in "".join(released.state_dict())
    # Of other images too: no calibration counts any more.
    again = prepare(released, 3 * images)
    assert float(again.layers["0"].activation.scale) == pytest.approx(scale)
    torch.testing.assert_close(again.emulate(DRUM)(images), network(images), rtol=1e-4, atol=1e-4)
    unsigned = again.quantised("4", Operands.parse("u8xs8").activation)
    lowest, highest = released[4].get_buffer(RANGE).tolist()
    assert float(unsigned.activation.scale) == pytest.approx((highest - lowest) / 255)


def test_scales_are_calibrated_by_what_enters_the_layers_now(model, images):
    network = training(model, images, DRUM, learned=False)
    scale = getattr(network.network[0], SCALE)
    before = scale.clone()
    network.calibrate(2 * images)
    assert float(scale) == pytest.approx(2 * float(before), rel=1e-3)
    assert not scale.requires_grad
    assert len(network.parameter_groups()) == 1
    learned = training(model, images, DRUM).parameter_groups()
    assert [one.get("weight_decay") for one in learned] == [None, 0.0]
