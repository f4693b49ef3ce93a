# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from axhil.emulation.quantize import (
    code_limit,
    inside_range,
    quantize,
    quantize_numpy,
    quantize_weights,
    reciprocal,
    scale_for,
)

FINITE = st.floats(-1e4, 1e4, width=32)
SCALE = st.floats(2.0**-10, 2.0**10, width=32)


@pytest.mark.parametrize(("width", "limit"), [(2, 1), (4, 7), (8, 127)])
def test_codes_span_a_symmetric_range(width, limit):
    assert code_limit(width) == limit


@given(st.lists(FINITE, min_size=1, max_size=50), SCALE)
def test_codes_equal_those_of_torch_fake_quantize(values, scale):
    x = torch.tensor(values)
    codes = quantize(x, reciprocal(torch.tensor(scale)), limit=127)
    expected = torch.fake_quantize_per_tensor_affine(x, scale, 0, -127, 127)
    assert torch.equal(codes * torch.tensor(scale), expected)


@given(st.lists(FINITE, min_size=1, max_size=50), SCALE)
def test_numpy_and_torch_give_the_same_codes(values, scale):
    inv = reciprocal(torch.tensor(scale))
    ours = quantize(torch.tensor(values), inv, limit=127).numpy()
    numpys = quantize_numpy(np.array(values, np.float32), inv.numpy(), limit=127)
    assert np.array_equal(ours, numpys)


def test_halves_round_to_even():
    x = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    assert quantize(x, torch.tensor(1.0), limit=127).tolist() == [-2, -2, 0, 0, 2, 2]


def test_a_dead_range_gives_scale_one_and_codes_zero():
    scale = scale_for(torch.zeros(3), width=8)
    assert scale.tolist() == [1.0, 1.0, 1.0]


def test_weights_get_one_scale_or_one_per_channel():
    weight = torch.tensor([[1.0, -0.5], [0.1, 0.2]]).view(2, 2, 1, 1)
    codes, scale = quantize_weights(weight, width=8, granularity="tensor")
    assert codes.flatten().tolist() == [127, -64, 13, 25]  # 63.5 and 12.7, 25.4
    assert torch.equal(scale, torch.full((2,), 1 / 127))
    codes, scale = quantize_weights(weight, width=8, granularity="channel")
    assert codes.flatten().tolist() == [127, -64, 64, 127]  # 63.5 rounds to even
    assert torch.allclose(scale, torch.tensor([1.0, 0.2]) / 127)


def test_the_gradient_mask_is_where_nothing_was_clamped():
    x = torch.tensor([-128.0, -127.4, 0.0, 127.5, 127.6, 1e9])
    # 127.5 rounds to 128, the even neighbour, and is clamped.
    mask = inside_range(x, torch.tensor(1.0), limit=127)
    assert mask.tolist() == [False, True, True, False, False, False]
