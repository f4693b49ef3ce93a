# SPDX-License-Identifier: Apache-2.0
"""Corrected biases against the mean of the errors that the definition has, layer by layer."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from axhil.emulation import Settings, convert, prepare
from axhil.emulation.bias_correction import images_for
from axhil.emulation.products.definition import lut_conv2d
from axhil.hwsim import Catalogued, golden

DRUM = golden(Catalogued("drum", (3,)))
ON = Settings(bias_correction=True)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4).eval(), nn.ReLU(),
        nn.Flatten(), nn.Linear(64, 3),
    )  # fmt: skip


@pytest.fixture(scope="module")
def images():
    return torch.rand(20, 2, 8, 8, generator=torch.Generator().manual_seed(1))


def mean_error(parameters, x, lut):
    """In NumPy, from the definition: float64 (O,), in units of the output."""
    codes = parameters.activation.encode(x).to(torch.int16).numpy()
    weights, geometry = parameters.codes.numpy(), parameters.geometry
    exact = np.outer(lut.activation.values, lut.weight.values).astype(np.int32)
    errors = [lut_conv2d(codes, weights, table, geometry) for table in (lut.table, exact)]
    mean = (errors[0].astype(np.int64) - errors[1]).mean((0, 2, 3))
    scale = parameters.activation.scale * parameters.weight_scale * parameters.gain
    return mean * scale.double().numpy()


def test_each_bias_loses_the_mean_error_of_its_own_calibration_operands(network, images):
    prepared = prepare(network, images, settings=ON)
    corrected = prepared.emulate(DRUM)
    before = prepared.layers
    conv, fc = corrected.layers["0"], corrected.layers["4"]
    expected = before["0"].bias.numpy() - mean_error(before["0"], images, DRUM)
    np.testing.assert_allclose(conv.bias.numpy(), expected, rtol=1e-5, atol=1e-6)
    # The second layer sees the first one corrected.
    x = corrected.network[:4](images)[:, :, None, None]
    expected = before["4"].bias.numpy() - mean_error(before["4"], x, DRUM)
    np.testing.assert_allclose(fc.bias.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert not torch.equal(fc.bias, before["4"].bias)


def test_the_mean_output_is_then_that_of_exact_products(network, images):
    single = nn.Sequential(nn.Conv2d(2, 4, 3))
    prepared = prepare(single, images, settings=ON)
    exact, raw = prepared.emulate(None)(images), convert(single, DRUM, calibration=images)(images)
    ours = prepared.emulate(DRUM)(images)
    assert (raw - exact).mean((0, 2, 3)).abs().max() > 1e-4
    assert (ours - exact).mean((0, 2, 3)).abs().max() < 1e-6


def test_products_without_errors_leave_every_bias_as_it_is(network, images):
    exact = golden(Catalogued("exact"))
    prepared = prepare(network, images, settings=ON)
    for multiplier in (None, exact, {"0": None, "4": exact}):
        for name, layer in prepared.emulate(multiplier).layers.items():
            assert torch.equal(layer.bias, prepared.layers[name].bias)


def test_no_thread_count_backend_or_other_network_changes_a_correction(network, images):
    prepared = prepare(network, images, settings=ON)
    expected = {name: layer.bias for name, layer in prepared.emulate(DRUM).layers.items()}
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if before > 1 else 2)
        again = prepare(network, images, settings=ON).emulate(DRUM, backend="definition")
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(layer.bias, expected[name]) for name, layer in again.layers.items())
    # What is prepared is shared, and stays as it was.
    assert torch.equal(prepared.layers["0"].bias, prepare(network, images).layers["0"].bias)


def test_it_is_an_option_of_conversion_and_off_by_default(network, images):
    off = convert(network, DRUM, calibration=images)
    on = convert(network, DRUM, calibration=images, bias_correction=True)
    assert not torch.equal(off.layers["0"].bias, on.layers["0"].bias)
    assert [row.bias_corrected for row in off.plan] == [False, False]
    assert [row.bias_corrected for row in on.plan] == [True, True]
    mixed = prepare(network, images, settings=ON).plan({"0": None, "4": DRUM})
    assert [row.bias_corrected for row in mixed] == [False, True]


def test_large_layers_are_corrected_on_images_evenly_among_those_there_are():
    images = torch.arange(10.0).view(10, 1, 1, 1)
    assert images_for(images, 2**20).flatten().tolist() == list(range(10))
    assert images_for(images, 2**24).flatten().tolist() == [0, 3, 6, 9]
    assert images_for(images, 2**30).flatten().tolist() == [0]


def test_a_command_records_it_where_it_is_on(axhil):
    words = ("accuracy", "lenet5", "-m", "drum(3)", "--images", 20)
    assert axhil(*words, "--out", "off")[0] == axhil(*words, "--bias-correction", "--out", "on")[0]
    record = "accuracy_lenet5_mnist5k.json"
    off, on = (json.loads(Path(folder, record).read_text()) for folder in ("off", "on"))
    assert on["quantisation"] == {**off["quantisation"], "bias_correction": "True"}
    assert "bias_correction" not in off["quantisation"]
