# SPDX-License-Identifier: Apache-2.0
"""On a GPU the portable and factorised paths give the CPU's logits, to the last bit."""

import numpy as np
import pytest
import torch
from test_emulation_backends import (
    CUDA,
    GEOMETRIES,
    KINDS,
    computation,
    operands_of,
    random_table,
    separable_table,
)
from torch import nn

from axhil.emulation import prepare
from axhil.emulation.backends import BACKENDS
from axhil.emulation.products.definition import lut_conv2d
from axhil.hwsim import PAPER_MULTIPLIERS, Operands, golden

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("multiplier", PAPER_MULTIPLIERS, ids=str)
def test_cuda_and_cpu_logits_are_equal_to_the_last_bit(multiplier):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, groups=4),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 10),
    ).eval()
    images = torch.rand(4, 3, 16, 16)
    network = prepare(model, images).emulate(golden(multiplier))
    expected = network(images)
    assert torch.equal(network.to("cuda")(images.to("cuda")).cpu(), expected)


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("separable", [False, True], ids=["random", "separable"])
@pytest.mark.parametrize(("kernel", "geometry"), GEOMETRIES.values(), ids=GEOMETRIES)
@pytest.mark.parametrize(("code", "zero"), KINDS.values(), ids=KINDS)
def test_every_backend_on_a_gpu_equals_the_definition(code, zero, kernel, geometry, separable):
    operands = Operands.parse(code)
    lut = (separable_table if separable else random_table)(3, operands)
    what = computation(lut, geometry, zero)
    x, w = operands_of(what, kernel)
    expected = lut_conv2d(x, w, lut.table, geometry, padding_code=zero)
    able = [name for name, one in BACKENDS.items() if one.refusal(what, CUDA) is None]
    assert {"gather", "product rows"} <= set(able)
    assert "tensor cores" in able or not separable
    steps = torch.from_numpy(x).to(CUDA).float() - zero
    for name in able:
        found = BACKENDS[name](what, torch.from_numpy(w).to(CUDA)).accumulate(steps)
        assert found.dtype == torch.int32
        np.testing.assert_array_equal(found.cpu().numpy(), expected, err_msg=name)
