# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from axhil.emulation.quantise.quantize import S8, Quantizer, quantize_weights
from axhil.hwsim.operands import Operand

FINITE = st.floats(-1e4, 1e4, width=32)
SCALE = st.floats(2.0**-10, 2.0**10, width=32)
U8 = Operand(8, signed=False)


@pytest.mark.parametrize(
    ("operand", "zero", "codes", "steps"),
    [
        ("s2", 0, (-1, 1), (-1, 1)),
        ("s4", 0, (-7, 7), (-7, 7)),
        ("s8", 0, (-127, 127), (-127, 127)),
        ("u8", 0, (0, 255), (0, 255)),
        ("u8", 100, (0, 255), (-100, 155)),
        ("u4", 15, (0, 15), (-15, 0)),
    ],
)
def test_the_codes_of_a_signed_operand_are_symmetric_and_those_of_an_unsigned_one_all(
    operand, zero, codes, steps
):
    quantizer = Quantizer(Operand.parse(operand), torch.ones(()), zero)
    assert (quantizer.codes[0], quantizer.codes[-1]) == codes
    assert (quantizer.steps[0], quantizer.steps[-1]) == steps


@given(st.lists(FINITE, min_size=1, max_size=50), SCALE, st.integers(0, 255), st.booleans())
def test_codes_equal_those_of_torch_fake_quantize(values, scale, zero, signed):
    x, operand, zero = torch.tensor(values), (S8 if signed else U8), 0 if signed else zero
    quantizer = Quantizer(operand, torch.tensor(scale), zero)
    limits = (-127, 127) if signed else (0, 255)
    expected = torch.fake_quantize_per_tensor_affine(x, scale, zero, *limits)
    codes = quantizer.encode(x)
    assert torch.equal(quantizer.decode(codes), expected)
    assert torch.equal(quantizer.to_steps(x), codes - zero)


@given(st.lists(FINITE, min_size=1, max_size=50), SCALE)
def test_numpy_and_torch_give_the_same_codes(values, scale):
    quantizer = Quantizer(S8, torch.tensor(scale))
    ours = quantizer.encode(torch.tensor(values)).numpy()
    inv_scale = np.float32(1) / np.float32(scale)
    numpys = np.clip(np.rint(np.array(values, np.float32) * inv_scale), -127, 127)
    assert np.array_equal(ours, numpys)


def test_halves_round_to_even():
    x = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    assert Quantizer(S8, torch.ones(())).encode(x).tolist() == [-2, -2, 0, 0, 2, 2]


def test_a_dead_range_gets_scale_one_and_the_code_of_zero():
    assert Quantizer.symmetric(S8, torch.zeros(3)).scale.tolist() == [1.0, 1.0, 1.0]
    dead = Quantizer.between(U8, 0.0, 0.0)
    assert (float(dead.scale), dead.zero_point) == (1.0, 0)


@given(st.floats(0, 100, width=32), st.floats(0, 100, width=32))
def test_an_unsigned_range_reaches_its_ends_and_zero_has_a_code(below, above):
    quantizer = Quantizer.between(U8, -below, above)
    assert quantizer.decode(quantizer.encode(torch.zeros(1))).item() == 0
    if below + above > 1e-20:
        ends = torch.tensor([-below, above])
        error = (quantizer.decode(quantizer.encode(ends)) - ends).abs().max()
        assert error <= 1.01 * quantizer.scale
        assert quantizer.zero_point == 0 or below > 0


@pytest.mark.parametrize("inv_scale", [1.0, 0.1, 3.7, 127.0, 49.333, 1e-3])
@pytest.mark.parametrize(("operand", "zero"), [("s8", 0), ("u8", 0), ("u8", 100), ("s4", 0)])
def test_the_clip_thresholds_are_the_first_floats_that_are_clamped(operand, zero, inv_scale):
    quantizer = Quantizer(Operand.parse(operand), 1 / torch.tensor(inv_scale), zero)
    ends = (quantizer.steps[0], quantizer.steps[-1])
    for threshold, end, sign in zip(quantizer.clip, ends, (-1, 1), strict=True):
        first = torch.tensor(threshold)
        inside = torch.nextafter(first, torch.tensor(0.0))
        assert sign * (first * quantizer.inv_scale).round() > sign * end
        assert sign * (inside * quantizer.inv_scale).round() <= sign * end


def test_weights_get_one_scale_or_one_per_channel():
    weight = torch.tensor([[1.0, -0.5], [0.1, 0.2]]).view(2, 2, 1, 1)
    codes, scale, _ = quantize_weights(weight, S8, granularity="tensor")
    assert codes.flatten().tolist() == [127, -64, 13, 25]  # 63.5 and 12.7, 25.4
    assert torch.equal(scale, torch.full((2,), 1 / 127))
    codes, scale, _ = quantize_weights(weight, S8, granularity="channel")
    assert codes.flatten().tolist() == [127, -64, 64, 127]  # 63.5 rounds to even
    assert torch.allclose(scale, torch.tensor([1.0, 0.2]) / 127)
    codes, scale, _ = quantize_weights(weight, Operand(4, signed=True), granularity="tensor")
    assert codes.flatten().tolist() == [7, -3, 1, 1]  # 3.4999998
