# SPDX-License-Identifier: Apache-2.0
"""Products from a function: the same sums as the definition, from every pair, in its order."""

import numpy as np
import pytest
import torch
from torch import nn

from axhil.emulation import Accumulator, EmulationError, Geometry, prepare
from axhil.emulation.backends import BACKENDS, Computation
from axhil.emulation.products.arithmetic import ExternalArithmetic
from axhil.emulation.products.definition import lut_conv2d
from axhil.emulation.products.external import External
from axhil.emulation.quantise.quantize import S8, Quantizer
from axhil.hwsim import Catalogued, golden
from axhil.hwsim.operands import Operand

RNG = np.random.default_rng(5)
# lut[0, w] is not 0: padding has to go through the multiplier.
TABLE = RNG.integers(-20000, 20000, (256, 256)).astype(np.int32)


class Recorder:
    """Looks products up, and keeps what it was asked."""

    def __init__(self, table=TABLE):
        self._table, self.a, self.b = table, [], []

    def __call__(self, a, b):
        assert a.dtype == b.dtype == np.int8
        assert a.ndim == b.ndim == 1
        self.a += a.tolist()
        self.b += b.tolist()
        return self._table[a.astype(int) & 255, b.astype(int) & 255]


def accumulated(external, x, w, geometry, accumulator=None):
    """Sums of a layer, int32."""
    arithmetic = ExternalArithmetic(external, accumulator)
    what = Computation(arithmetic, Quantizer(S8, torch.ones(())), geometry)
    backend = BACKENDS["external"](what, torch.from_numpy(w))
    return backend.accumulate(torch.from_numpy(x).float())


CASES = {
    "plain": ((2, 3, 6, 5), (4, 3, 3, 3), Geometry()),
    "padded": ((2, 3, 5, 5), (4, 3, 3, 2), Geometry(padding=(1, 2))),
    "strided and dilated": ((1, 2, 9, 8), (3, 2, 2, 3), Geometry((2, 1), (1, 0), (2, 2))),
    "grouped": ((2, 4, 5, 5), (6, 2, 3, 3), Geometry(padding=(1, 1), groups=2)),
    "depthwise": ((1, 3, 6, 6), (3, 1, 3, 3), Geometry(groups=3)),
    "linear, fewer rows than outputs": ((2, 7, 1, 1), (5, 7, 1, 1), Geometry()),
    "linear, fewer outputs than rows": ((5, 7, 1, 1), (2, 7, 1, 1), Geometry()),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("pairs", [1, 50, 2**20])
def test_sums_are_the_definitions_for_any_geometry_and_size_of_a_request(monkeypatch, case, pairs):
    shape, weights, geometry = CASES[case]
    x = RNG.integers(-127, 128, shape).astype(np.int8)
    w = RNG.integers(-127, 128, weights).astype(np.int8)
    monkeypatch.setattr("axhil.emulation.backends.external._PAIRS", pairs)
    ask = Recorder()
    acc = accumulated(External("mine", ask), x, w, geometry)
    np.testing.assert_array_equal(acc.numpy(), lut_conv2d(x, w, TABLE, geometry))
    assert acc.dtype == torch.int32
    # Every pair, as often as it comes.
    assert len(ask.a) == acc.numel() * w[0].size


def oracle(products, bits, overflow):
    """One Python integer, step by step."""
    low, high, acc = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0
    for product in products:
        acc += int(product)
        saturated, wrapped = min(max(acc, low), high), (acc - low) % 2**bits + low
        acc = saturated if overflow == "saturate" else wrapped
    return acc


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("pairs", [1, 50, 2**20])
@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
def test_a_register_of_few_bits_is_added_to_by_ascending_tap(monkeypatch, case, pairs, overflow):
    shape, weights, geometry = CASES[case]
    x = RNG.integers(-127, 128, shape).astype(np.int8)
    w = RNG.integers(-127, 128, weights).astype(np.int8)
    monkeypatch.setattr("axhil.emulation.backends.external._PAIRS", pairs)
    external, register = External("mine", Recorder()), Accumulator(15, overflow)
    found = accumulated(external, x, w, geometry, register).numpy()

    (ph, pw), (sh, sw), (dh, dw) = geometry.padding, geometry.stride, geometry.dilation
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw))).astype(int)
    _, depth, kh, kw = w.shape
    for n, o, i, j in np.ndindex(found.shape):
        first = o // (len(w) // geometry.groups) * depth
        products = [
            TABLE[padded[n, first + c, i * sh + u * dh, j * sw + v * dw] & 255, int(w[o, c, u, v])]
            for c, u, v in np.ndindex(depth, kh, kw)
        ]
        assert found[n, o, i, j] == oracle(products, 15, overflow)
    # So many bits do not hold these sums.
    assert (found != lut_conv2d(x, w, TABLE, geometry)).any()


def test_the_operand_with_more_partners_is_held():
    x, w = np.arange(1, 7, dtype=np.int8), np.arange(10, 30, 10, dtype=np.int8)
    for rows, weights in ((x.reshape(3, 2), w.reshape(1, 2)), (w.reshape(1, 2), x.reshape(3, 2))):
        ask = Recorder()
        accumulated(
            External("mine", ask), rows[:, :, None, None], weights[:, :, None, None], Geometry()
        )
        held, passing = (ask.b, ask.a) if len(rows) > len(weights) else (ask.a, ask.b)
        assert held == [10, 10, 10, 20, 20, 20]
        assert passing == [1, 3, 5, 2, 4, 6]


def test_chosen_layers_of_a_network_ask_and_the_plan_says_so():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 4))
    images = torch.rand(3, 1, 6, 6)
    lut = golden(Catalogued.parse("drum(3)"))
    prepared, ask = prepare(model, images), Recorder(lut.table)
    network = prepared.emulate({"0": External("my RTL", ask), "3": lut})
    wide = prepared.emulate(lut)(images)
    assert torch.equal(network(images), wide)
    assert not torch.equal(wide[0], wide[1])  # not all cut off by the ReLU
    assert len(ask.a) == 3 * 16 * 2 * 9
    assert [(e.multiplier, e.path == "external") for e in network.plan] == [
        ("my RTL", True),
        ("drum(3)", False),
    ]
    narrow = Accumulator(12, "saturate")
    network = prepared.emulate({"0": External("my RTL", ask), "3": lut}, accumulator=narrow)
    expected = prepared.emulate(lut, accumulator=narrow)(images)
    assert torch.equal(network(images), expected)
    assert not torch.equal(expected, wide)
    assert network.plan[0].reason == "every product asked for; 12-bit accumulator, saturate"
    with pytest.raises(EmulationError, match="operands of 2 to 16 bits, but wide takes s17 ac"):
        prepared.emulate(External("wide", ask, activation=Operand(17, signed=True)))
