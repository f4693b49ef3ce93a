# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from torch import nn

from axhil.emulation import EmulationError
from axhil.emulation.quantise.calibrate import activation_quantizer, clipping_range, trace
from axhil.hwsim.operands import Operand


def seen(values):
    layer = nn.Linear(1, 1)
    return trace(nn.Sequential(layer), {"0": layer}, values.view(-1, 1))["0"]


def test_max_is_the_largest_magnitude_over_all_batches():
    values = torch.cat([torch.linspace(0, 1, 100), torch.tensor([-7.5]), torch.zeros(100)])
    assert clipping_range(seen(values), "max", limit=127) == 7.5


def test_the_percentile_leaves_outliers_out():
    values = torch.cat(
        [torch.rand(99_999, generator=torch.Generator().manual_seed(0)), torch.tensor([50.0])]
    )
    assert 0.95 <= clipping_range(seen(values), "percentile", limit=127) <= 1.1


def test_mse_finds_the_range_that_a_direct_search_finds():
    rng = np.random.default_rng(0)
    values = rng.laplace(0, 1, 20_000).astype(np.float32)
    found = clipping_range(seen(torch.from_numpy(values)), "mse", limit=7)

    def error(limit):
        scale = limit / 7
        codes = np.clip(np.rint(values / scale), -7, 7)
        return float(np.mean((codes * scale - values) ** 2))

    candidates = np.linspace(0.2, 1.0, 81) * np.abs(values).max()
    best = min(candidates, key=error)
    assert error(found) <= 1.01 * error(best)
    assert error(found) < 0.8 * error(np.abs(values).max())


@pytest.mark.parametrize("method", ["max", "percentile", "mse"])
def test_an_unsigned_input_starts_at_zero_unless_something_was_negative(method):
    u8 = Operand(8, signed=False)
    values = torch.rand(5000, generator=torch.Generator().manual_seed(0))
    positive = activation_quantizer(seen(values), method, u8)
    assert positive.zero_point == 0
    assert float(positive.scale) == pytest.approx(1 / 255, rel=0.02)
    either = activation_quantizer(seen(4 * values - 1), method, u8)
    assert either.zero_point == pytest.approx(64, abs=2)
    assert float(either.scale) == pytest.approx(4 / 255, rel=0.02)
    signed = activation_quantizer(seen(4 * values - 1), method, Operand(8, signed=True))
    assert signed.zero_point == 0
    assert float(signed.scale) == pytest.approx(3 / 127, rel=0.02)


def test_an_all_zero_layer_has_the_range_zero():
    assert clipping_range(seen(torch.zeros(8)), "mse", limit=127) == 0


def test_a_layer_that_never_runs_is_named():
    idle = nn.Linear(1, 1)
    with pytest.raises(EmulationError, match="idle: the layer did not run"):
        trace(nn.Sequential(nn.ReLU()), {"idle": idle}, torch.rand(2, 1))
