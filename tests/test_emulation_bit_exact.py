# SPDX-License-Identifier: Apache-2.0
"""Whole networks against the NumPy definition, to the last bit of the logits."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from axhil.emulation import native, prepare
from axhil.hwsim import PAPER_MULTIPLIERS, Lut, Operands, golden
from axhil.zoo import network
from axhil.zoo.weights import load_state, read_state, weights_path


def trained(name):
    """The trained network where its weights are at hand, else one with random weights."""
    torch.manual_seed(0)
    model = network(name).build()
    folder = os.environ.get("AXHIL_WEIGHTS")
    if name == "lenet5" or (folder and Path(folder, f"{name}_cifar10.safetensors").is_file()):
        load_state(model, read_state(weights_path(name)), source=name)
    return model.eval()


@pytest.fixture(scope="module")
def prepared():
    cache = {}

    def of(name):
        if name not in cache:
            shape = (1, 28, 28) if name == "lenet5" else (3, 32, 32)
            images = torch.rand(8, *shape, generator=torch.Generator().manual_seed(1))
            cache[name] = (prepare(trained(name), images), images[:1])
        return cache[name]

    return of


@pytest.mark.parametrize("multiplier", PAPER_MULTIPLIERS, ids=str)
@pytest.mark.parametrize(
    "name",
    [
        "lenet5",
        pytest.param("resnet20", marks=pytest.mark.slow),
        pytest.param("resnet50", marks=pytest.mark.slow),
        pytest.param("vgg19", marks=pytest.mark.slow),
    ],
)
def test_logits_equal_the_definition_to_the_last_bit(prepared, name, multiplier):
    network_, image = prepared(name)
    lut = golden(multiplier)
    expected = network_.emulate(lut, backend="definition")(image)
    fast = network_.emulate(lut)
    assert torch.equal(fast(image), expected)
    assert expected.abs().max() > 0
    assert "definition" not in {layer.path for layer in fast.plan}


@pytest.mark.parametrize("isa", native.supported_isas())
@pytest.mark.parametrize("multiplier", ["random", *PAPER_MULTIPLIERS[:1], *PAPER_MULTIPLIERS[-1:]],
                         ids=str)  # fmt: skip
def test_on_every_instruction_set_lenet5_equals_the_definition(
    monkeypatch, prepared, isa, multiplier
):
    network_, image = prepared("lenet5")
    table = np.random.default_rng(0).integers(-(2**14), 2**14, (256, 256))
    lut = Lut(table, *Operands.parse("s8")) if multiplier == "random" else golden(multiplier)
    images = torch.cat([image, image.flip(2), 1 - image])
    monkeypatch.setenv("AXHIL_ISA", isa)
    expected = network_.emulate(lut, backend="definition")(images)
    assert torch.equal(network_.emulate(lut)(images), expected)
