# SPDX-License-Identifier: Apache-2.0
"""Unsigned weights with a zero point: every backend, whole layers, and what else they reach."""

import numpy as np
import pytest
import torch
from torch import nn

from axhil.emulation import Settings, convert, prepare
from axhil.emulation.backends import BACKENDS, Computation
from axhil.emulation.products.accumulator import Accumulator
from axhil.emulation.products.arithmetic import ExternalArithmetic, TableArithmetic
from axhil.emulation.products.external import External
from axhil.emulation.products.geometry import Geometry
from axhil.emulation.quantise.quantize import Quantizer, offset_of, quantize_weights
from axhil.emulation.trainable import TrainableNetwork
from axhil.hwsim import Lut
from axhil.hwsim.multipliers import Request, find
from axhil.hwsim.multipliers.find import Asked
from axhil.hwsim.operands import Operand, Operands

CPU = torch.device("cpu")
U8 = Operands.parse("u8")
EXACT = Lut(np.outer(np.arange(256), np.arange(256)), *U8)
# Operands, zero point of the activations, of the weights.
KINDS = {
    "u8": ("u8", 0, 0),
    "u8, weights": ("u8", 0, 131),
    "u8, both": ("u8", 77, 200),
    "u8, at the end": ("u8", 255, 255),
    "s8xu8": ("s8xu8", 0, 119),
    "u8xu4": ("u8xu4", 3, 9),
    "u4xu8": ("u4xu8", 15, 128),
    "u4": ("u4", 7, 8),
}
GEOMETRIES = {
    "3x3": ((3, 3), Geometry(padding=(1, 1))),
    "stride": ((2, 3), Geometry(stride=(2, 3), padding=(0, 1))),
    "groups": ((3, 2), Geometry(dilation=(2, 1), padding=(1, 1), groups=2)),
    "1x1": ((1, 1), Geometry()),
}


def table(operands, kind):
    rng = np.random.default_rng(0)
    a, w = operands.activation.values[:, None], operands.weight.values
    if kind == "random":
        return Lut(rng.integers(-(2**15), 2**15, operands.shape), *operands)
    if kind == "exact":
        return Lut(a * w, *operands)
    u, v = (rng.integers(-9, 9, size) for size in operands.shape)
    return Lut(np.outer(u, v), *operands)


def summed(x, w, what, lut):
    """By loops over taps, from the formula of the hardware, in int64."""
    zero, weight_zero = what.activation.zero_point, what.weight_zero
    geometry = what.geometry
    (ph, pw), (sh, sw), (dh, dw) = geometry.padding, geometry.stride, geometry.dilation
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=zero)
    n = len(x)
    outputs, per_group, kh, kw = w.shape
    oh = (x.shape[2] - (kh - 1) * dh - 1) // sh + 1
    ow = (x.shape[3] - (kw - 1) * dw - 1) // sw + 1
    acc = np.zeros((n, outputs, oh, ow), np.int64)
    rows, columns = (size - 1 for size in lut.table.shape)
    for m in range(outputs):
        first = m // (outputs // geometry.groups) * per_group
        for k in range(per_group):
            for i in range(kh):
                for j in range(kw):
                    part = x[:, first + k, i * dh :: sh, j * dw :: sw][:, :oh, :ow].astype(int)
                    code = int(w[m, k, i, j])
                    acc[:, m] += lut.table[part & rows, code & columns]
                    acc[:, m] -= zero * code + weight_zero * part - zero * weight_zero
    return acc


@pytest.mark.parametrize(("kernel", "geometry"), GEOMETRIES.values(), ids=GEOMETRIES)
@pytest.mark.parametrize(("code", "zero", "weight_zero"), KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("kind", ["random", "exact", "separable"])
def test_every_backend_gives_the_sums_of_the_hardware(
    *, kind, code, zero, weight_zero, kernel, geometry
):
    operands = Operands.parse(code)
    lut = table(operands, kind)
    quantizer = Quantizer(lut.activation, torch.ones(()), zero)
    rng = np.random.default_rng(1)
    x = rng.integers(quantizer.codes[0], quantizer.codes[-1] + 1, (2, 4, 7, 6))
    w = rng.integers(0, lut.weight.maximum + 1, (4, 4 // geometry.groups, *kernel))
    w.flat[:2] = 0, lut.weight.maximum
    kept = torch.from_numpy((w - offset_of(lut.weight)).astype(np.int8))
    steps = torch.from_numpy(x - zero).float()
    products = External(
        "mine", lambda a, b: lut.table[a.astype(int) & (len(lut.table) - 1), b], *operands
    )
    plain = Computation(TableArithmetic(lut), quantizer, geometry, weight_zero)
    every = {
        **{name: plain for name, one in BACKENDS.items() if one.refusal(plain, CPU) is None},
        "accumulator": Computation(
            TableArithmetic(lut, Accumulator(32)), quantizer, geometry, weight_zero
        ),
        "external": Computation(ExternalArithmetic(products), quantizer, geometry, weight_zero),
    }
    assert {"definition", "gather", "table kernel"} <= set(every)
    expected = summed(x, w, plain, lut)
    constant = zero * w.reshape(4, -1).sum(1)[:, None, None]  # what a layer takes off itself
    for name, what in every.items():
        acc = BACKENDS[name](what, kept).accumulate(steps.clone()).numpy()
        np.testing.assert_array_equal(acc - constant, expected, err_msg=name)


def test_exact_products_take_the_factor_of_their_zero_point_along():
    what = Computation(TableArithmetic(EXACT), Quantizer(U8.activation, torch.ones(())), Geometry(),
                       131)  # fmt: skip
    (term,) = what.terms
    kept = np.arange(-128, 128)
    np.testing.assert_array_equal(term.v[kept & 255], kept + 128 - 131)
    assert BACKENDS["factorised"].refusal(what, CPU) is None


def test_codes_of_unsigned_weights_are_torchs_own():
    torch.manual_seed(0)
    weight = torch.randn(6, 3, 3, 3) + 0.3
    codes, scale, zero = quantize_weights(weight, U8.weight, granularity="tensor")
    assert codes.dtype == torch.int8
    assert scale.shape == (6,)
    assert float(scale[0]) == pytest.approx(float(weight.max() - weight.min()) / 255)
    expected = torch.fake_quantize_per_tensor_affine(weight, float(scale[0]), zero, 0, 255)
    ours = (codes.to(torch.int32) + 128 - zero) * scale.view(-1, 1, 1, 1)
    torch.testing.assert_close(ours, expected)
    codes, scale, zero = quantize_weights(weight, U8.weight, granularity="channel")
    assert zero == 128
    largest = weight.abs().flatten(1).amax(1)
    torch.testing.assert_close(scale, largest / 127)
    assert (codes.int() + 128).min() >= 1
    positive, _, zero = quantize_weights(weight.abs(), U8.weight, granularity="tensor")
    assert zero == 0 and positive.min() < -120


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=2, padding=1),
        nn.Flatten(), nn.Linear(256, 3),
    ).eval()  # fmt: skip


@pytest.fixture(scope="module")
def images():
    return torch.rand(6, 2, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
def test_with_exact_products_a_network_is_the_float_one_on_what_the_codes_stand_for(
    granularity, model, images
):
    prepared = prepare(model, images, settings=Settings(granularity))
    network = prepared.emulate(EXACT)
    x = images
    for name, layer in network.layers.items():
        codes = layer.activation.decode(layer.activation.encode(x))
        weight = layer.straight_through_weight()
        if name == "4":
            x = codes.flatten(1) @ weight.flatten(1).T + layer.bias
        else:
            x = layer.geometry.convolve(codes, weight) + layer.bias.view(-1, 1, 1)
            x = x.relu() if name == "0" else x
    torch.testing.assert_close(network(images), x, rtol=1e-4, atol=1e-4)
    # Half of what a code is worth is the most that quantisation moves a value.
    assert (network(images) - model(images)).abs().max() < 0.05 * model(images).abs().max()
    assert network.layers["2"].activation.zero_point == 0
    assert network.layers["4"].activation.zero_point > 0  # no ReLU before it


def test_every_path_of_a_network_gives_the_same_bits(model, images):
    lut = find("drum(3)", Request(operands=Asked(default=U8))).table()
    assert lut.weight == U8.weight
    prepared = prepare(model, images)
    expected = prepared.emulate(lut, backend="definition")(images)
    for backend in ("auto", "gather", "table kernel"):
        assert torch.equal(prepared.emulate(lut, backend=backend)(images), expected)
    wide = Accumulator(31)
    assert torch.equal(prepared.emulate(lut, accumulator=wide)(images), expected)


def test_a_mean_error_knows_of_zero_points(model, images):
    prepared = prepare(model, images, settings=Settings(bias_correction=True))
    for name, layer in prepared.emulate(EXACT).layers.items():
        assert torch.equal(layer.bias, prepared.quantised(name, *U8).bias)
    off = Lut(EXACT.table + 5, *U8)  # each product 5 too large: its mean error is the taps' 5
    layer = prepared.emulate(off).layers["0"]
    expected = prepared.quantised("0", *U8).bias - 5 * 18 * layer.out_scale
    torch.testing.assert_close(layer.bias, expected)


def test_slopes_of_exact_products_are_straight_through(model, images):
    prepared = prepare(model, images)
    gradients = []
    for rule in ("float32", "slope:1"):
        x = images.clone().requires_grad_()
        prepared.emulate(EXACT, gradient=rule)(x).square().sum().backward()
        gradients.append(x.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-3)


def test_training_moves_the_weights_zero_point_along(model, images):
    network = TrainableNetwork(model, prepare(model, images), EXACT).eval()
    with torch.no_grad():
        network.network[0].weight.add_(0.2)
    expected = prepare(network.released(), images).emulate(EXACT)
    assert expected.layers["0"].chosen.computation.weight_zero < 120
    torch.testing.assert_close(network(images), expected(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("gradient", ["float32", "slope:1"])
def test_weights_learn_by_the_values_that_activation_codes_stand_for(gradient):
    generator = torch.Generator().manual_seed(2)
    linear, x = nn.Linear(5, 3), torch.rand(7, 5, generator=generator) - 0.3
    prepared = prepare(linear, x)
    network = TrainableNetwork(linear, prepared, EXACT, gradient=gradient)
    grad = torch.randn(7, 3, generator=generator)
    network(x).backward(grad)
    quantizer = prepared.quantised("", *U8).activation
    assert quantizer.zero_point > 0
    expected = grad.T @ quantizer.decode(quantizer.encode(x))
    torch.testing.assert_close(network.network.weight.grad, expected, rtol=1e-3, atol=1e-3)


def test_signed_weights_of_other_bits_stay_as_they_were():
    weight = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    for bits in (4, 8, 12):
        codes, scale, zero = quantize_weights(weight, Operand(bits, True), granularity="tensor")
        largest = float(weight.abs().max())
        assert zero == 0
        assert float(scale[0]) == pytest.approx(largest / (2 ** (bits - 1) - 1))
        assert codes.abs().max() == 2 ** (bits - 1) - 1


def test_it_is_an_option_of_nothing_but_the_multipliers_own_operands(model, images):
    network = convert(model, EXACT, calibration=images)
    assert {layer.activation.operand.code for layer in network.layers.values()} == {"u8"}
