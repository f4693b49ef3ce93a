# SPDX-License-Identifier: Apache-2.0
"""On a GPU the portable and factorised paths give the CPU's logits, to the last bit."""

import pytest
import torch
from torch import nn

from axhil.emulation import prepare
from axhil.hwsim import PAPER_MULTIPLIERS, golden

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
