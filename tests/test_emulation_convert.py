# SPDX-License-Identifier: Apache-2.0
import copy

import pytest
import torch
from axhil.hwsim.reference import table
from torch import nn

from axhil.emulation import EmulationError, Settings, convert, prepare
from axhil.emulation.batchnorm import followers
from axhil.emulation.layers import LutConv2d, LutLinear
from axhil.hwsim import Catalogued, Lut, golden

EXACT = golden(Catalogued.parse("exact"))
DRUM = golden(Catalogued.parse("drum(3)"))


class Block(nn.Module):
    """Two convolutions with batch norm, one of them behind a shared ReLU, and a head."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)) + y)
        return self.fc(y.mean((2, 3)))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    block = Block()
    for norm in (block.bn1, block.bn2):
        nn.init.uniform_(norm.weight, 0.5, 2.0)
        nn.init.uniform_(norm.bias, -1.0, 1.0)
        norm.running_mean.uniform_(-0.5, 0.5)
        norm.running_var.uniform_(0.5, 2.0)
    return block.eval()


@pytest.fixture(scope="module")
def images():
    return torch.rand(32, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("batch_norm", ["keep", "fold"])
@pytest.mark.parametrize("weights", ["tensor", "channel"])
@pytest.mark.parametrize("activations", ["max", "percentile", "mse"])
def test_the_exact_table_keeps_logits_close_to_float(
    model, images, batch_norm, weights, activations
):
    settings = Settings(weights, activations, batch_norm)
    net = convert(model, EXACT, calibration=images, settings=settings)
    with torch.no_grad():
        error = (net(images) - model(images)).abs().max()
        assert 0 < error < 0.1 * model(images).abs().max()


def test_kept_batch_norm_leaves_the_integer_weights_those_of_the_convolution(model, images):
    kept = prepare(model, images, settings=Settings(batch_norm="keep")).layers["conv1"]
    scale = model.conv1.weight.abs().max() / 127
    assert torch.equal(kept.codes.float(), (model.conv1.weight / scale).round())
    folded = prepare(model, images, settings=Settings(batch_norm="fold")).layers["conv1"]
    assert not torch.equal(kept.codes, folded.codes)
    assert torch.equal(folded.gain, torch.ones(8))


def test_absorbed_batch_norm_is_the_same_function_in_float(model, images):
    """With codes undone, gain and bias must be torch's own batch norm."""
    layer = prepare(model, images).layers["conv2"]
    x = torch.rand(2, 8, 8, 8)
    with torch.no_grad():
        expected = model.bn2(model.conv2(x))
        raw = nn.functional.conv2d(x, model.conv2.weight, padding=1)
        ours = raw * layer.gain.view(-1, 1, 1) + layer.bias.view(-1, 1, 1)
    assert torch.allclose(ours, expected, atol=1e-5)


def test_batch_norm_is_found_behind_its_convolution_only(model):
    assert followers(model) == {"conv1": "bn1", "conv2": "bn2"}


def test_a_network_that_cannot_be_traced_keeps_its_batch_norms(model, images):
    class Branching(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return self.inner(x) if float(x.sum()) > 0 else x  # data-dependent

    wrapped = Branching(copy.deepcopy(model))
    assert followers(wrapped) == {}
    net = convert(wrapped, EXACT, calibration=images)
    assert isinstance(net.network.inner.bn1, nn.BatchNorm2d)
    with torch.no_grad():
        assert (net(images) - model(images)).abs().max() < 0.1 * model(images).abs().max()


def test_layers_get_multipliers_by_name_pattern(model, images):
    prepared = prepare(model, images)
    net = prepared.emulate({"conv1": DRUM, "conv*": EXACT, "fc": "float"})
    assert {p.name: p.multiplier for p in net.plan} == {
        "conv1": "drum(3)", "conv2": "exact", "fc": "float",
    }  # fmt: skip
    assert isinstance(net.network.fc, nn.Linear)
    assert isinstance(net.network.conv1, LutConv2d)
    # No match is exact integer arithmetic.
    net = prepared.emulate({"conv1": DRUM})
    assert [p.multiplier for p in net.plan] == ["drum(3)", "exact", "exact"]
    assert isinstance(net.network.fc, LutLinear)


def test_convolutions_only_leaves_linear_layers_exact(model, images):
    net = prepare(model, images).emulate(DRUM, layers="convolutions")
    assert [p.multiplier for p in net.plan] == ["drum(3)", "drum(3)", "exact"]


def test_none_equals_the_exact_table_to_the_bit(model, images):
    prepared = prepare(model, images)
    assert torch.equal(prepared.emulate(None)(images), prepared.emulate(EXACT)(images))


@pytest.mark.parametrize("backend", ["definition", "gather", "row sums"])
def test_every_backend_gives_the_same_logits_to_the_bit(model, images, backend):
    prepared = prepare(model, images)
    lut = golden(Catalogued.parse("scaletrim(4,4)"))
    assert torch.equal(
        prepared.emulate(lut)(images[:4]), prepared.emulate(lut, backend=backend)(images[:4])
    )


def test_the_float_network_is_left_as_it_was(model, images):
    before = copy.deepcopy(model.state_dict())
    convert(model, DRUM, calibration=images)
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert isinstance(model.bn1, nn.BatchNorm2d)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_plan_counts_multiplications(model, images):
    plan = prepare(model, images).emulate(EXACT).plan
    assert [p.macs for p in plan] == [8 * 8 * 8 * 27, 8 * 8 * 8 * 72, 5 * 8]


def test_forced_factorisation_of_an_inseparable_table_is_refused(model, images):
    with pytest.raises(EmulationError, match=r"'factorised' cannot compute scaletrim\(4,8\) on cpu: not separable; choose "):
        prepare(model, images).emulate(
            golden(Catalogued.parse("scaletrim(4,8)")), backend="factorised"
        )


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [
        ({"layer9.*": None}, r"the pattern 'layer9\.\*' matches no layer; .*conv1, conv2, fc"),
        ({"conv1": "int4"}, "expected a Lut, None or 'float' for a layer, got 'int4'"),
        (Lut(table(Catalogued.parse("exact"), width=4), width=4, signed=True), "signed 4-bit"),
        (
            Lut(table(Catalogued.parse("exact"), signed=False), width=8, signed=False),
            "is unsigned 8-bit .wrap an unsigned core with mul_signed",
        ),
    ],
    ids=["pattern", "word", "width", "unsigned"],
)
def test_what_cannot_be_mapped_gets_a_sentence(model, images, mapping, sentence):
    with pytest.raises(EmulationError, match=sentence):
        prepare(model, images).emulate(mapping)


def test_a_network_without_layers_to_convert_is_refused(images):
    with pytest.raises(EmulationError, match=r"no nn\.Conv2d or nn\.Linear"):
        prepare(nn.Sequential(nn.ReLU()), images)


def test_calibration_refuses_no_images_and_activations_that_are_not_finite(model, images):
    with pytest.raises(EmulationError, match="at least one image"):
        prepare(model, images[:0])
    with pytest.raises(EmulationError, match="conv1: an activation is not finite"):
        prepare(model, torch.full_like(images, torch.nan))
