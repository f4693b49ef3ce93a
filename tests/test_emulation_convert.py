# SPDX-License-Identifier: Apache-2.0
import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from axhil.emulation import EmulationError, Settings, convert, prepare
from axhil.emulation.layers import LutConv2d, LutLinear
from axhil.emulation.products.definition import lut_conv2d
from axhil.emulation.quantise.batchnorm import followers
from axhil.errors import AxhilError
from axhil.hwsim import Catalogued, Lut, golden
from axhil.hwsim.multipliers import Assignment
from axhil.hwsim.operands import Operands

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


# Operands, and whether the calibration sees negative values.
KINDS = ["s8", "u8xs8", "s8xs4", "s4", "u4xs8", "u8xs4"]


@pytest.mark.parametrize("negative", [False, True], ids=["from zero", "with a zero point"])
@pytest.mark.parametrize("code", KINDS)
def test_a_network_is_quantised_to_its_tables_operands(model, images, code, negative):
    operands = Operands.parse(code)
    images = images - 0.3 if negative else images
    prepared = prepare(model, images)
    rng = np.random.default_rng(1)
    rough = Lut(rng.integers(-(2**15), 2**15, operands.shape), *operands)
    expected = prepared.emulate(rough, backend="definition")(images[:4])
    for backend in ("auto", "gather", "row sums"):
        network = prepared.emulate(rough, backend=backend)
        assert torch.equal(network(images[:4]), expected)
    exact = Lut(np.outer(operands.activation.values, operands.weight.values), *operands)
    network = prepared.emulate(exact)
    unsigned = not operands.activation.signed
    assert (network.network.conv1.activation.zero_point > 0) == (unsigned and negative)
    with torch.no_grad():
        error = (network(images) - model(images)).abs().max() / model(images).abs().max()
    assert 0 < error < (0.1 if min(operands.bits) == 8 else 0.6)
    # What is not mapped stays exact 8-bit arithmetic, beside what is.
    mixed = prepared.emulate({"conv2": exact})
    assert mixed.network.conv1.activation.operand.code == "s8"
    assert mixed.network.conv2.activation.operand == operands.activation


def test_unsigned_activations_are_finer_where_nothing_is_negative(model, images):
    prepared = prepare(model, images, settings=Settings(activations="max"))
    operands = Operands.parse("u8xs8")
    values = np.outer(operands.activation.values, operands.weight.values)
    network = prepared.emulate(Lut(values, *operands))
    signed = prepared.emulate(None)
    ratio = signed.network.conv1.activation.scale / network.network.conv1.activation.scale
    assert float(ratio) == pytest.approx(255 / 127)


def test_weights_of_a_layer_can_be_replaced_without_touching_other_networks(model, images):
    prepared = prepare(model, images)
    lut = golden(Catalogued.parse("scaletrim(4,4)"))
    first, second = prepared.emulate(lut), prepared.emulate(lut)
    layer, own = second.network.conv1, prepared.layers["conv1"]
    assert first.network.conv1.chosen.backend is layer.chosen.backend
    before, codes_before = first(images), own.codes.clone()
    x = (0.9 * images[:2]).requires_grad_()
    layer(x).sum().backward()  # whose weights must not be kept
    for turn in (1, 2):  # the first makes a backend of its own, the second updates it
        codes, scale = own.codes.roll(turn, 0), own.weight_scale * turn
        layer.update(codes, scale)
        steps = own.activation.to_steps(x.detach()).numpy().astype(int)
        acc = torch.from_numpy(lut_conv2d(steps, codes.numpy(), lut.table, own.geometry))
        factor = own.activation.scale * (scale * own.gain)
        expected = acc.float() * factor.view(-1, 1, 1) + own.bias.view(-1, 1, 1)
        x.grad = None
        y = layer(x)
        assert torch.equal(y, expected)
        y.sum().backward()
        weight = codes * (scale * own.gain).view(-1, 1, 1, 1)
        gradient = nn.grad.conv2d_input(x.shape, weight, torch.ones_like(y), padding=1)
        assert torch.allclose(x.grad, gradient, atol=1e-5)
    assert torch.equal(first(images), before)
    for unchanged in (first.network.conv1.codes, prepared.layers["conv1"].codes):
        assert torch.equal(unchanged, codes_before)


def test_networks_of_one_preparation_share_the_backends_of_equal_layers(model, images):
    prepared = prepare(model, images)
    first = prepared.emulate({"conv*": DRUM, "fc": EXACT})
    second = prepared.emulate({"conv1": DRUM, "fc": DRUM})
    backends = [
        {name: layer.chosen.backend for name, layer in network.layers.items()}
        for network in (first, second)
    ]
    shared = [name for name in backends[0] if backends[0][name] is backends[1][name]]
    assert shared == ["conv1"]
    # Nor does an unpickled preparation carry what it built, or the copy of a network another's.
    again = pickle.loads(pickle.dumps(prepared))
    assert torch.equal(again.emulate(DRUM)(images), prepared.emulate(DRUM)(images))
    assert torch.equal(copy.deepcopy(second)(images), second(images))


def test_backends_that_nobody_uses_are_kept_up_to_a_bound(model, images, monkeypatch):
    # Two layers of 576 and 40 weights, and their tables; the first has 216.
    monkeypatch.setattr("axhil.emulation.cache._VALUES", 700 + 2 * 2**16)
    prepared = prepare(model, images)
    first = prepared.emulate(DRUM)
    backend = weakref.ref(first.network.conv1.chosen.backend)
    last = weakref.ref(first.network.fc.chosen.backend)
    del first
    gc.collect()
    assert backend() is None
    assert last() is not None
    again = prepared.emulate({"fc": DRUM, "conv*": "float"})
    assert again.network.fc.chosen.backend is last()


def test_the_plan_of_a_device_needs_no_such_device(model, images):
    prepared = prepare(model, images)
    lut = golden(Catalogued.parse("scaletrim(4,4)"))
    there = prepared.plan({"conv1": lut, "conv2": DRUM, "fc": "float"}, device="cuda")
    assert [row.path for row in there] == ["product rows", "tensor cores", "float32"]
    here = prepared.emulate(lut)
    assert here.plan == prepared.plan(lut)


def test_a_module_in_two_places_is_replaced_in_both(images):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Conv2d(3, 3, 3, padding=1)
            self.b = self.a

        def forward(self, x):
            return self.b(self.a(x)).flatten(1)

    network = convert(Tied(), DRUM, calibration=images)
    assert isinstance(network.network.b, LutConv2d)
    assert network.network.a is network.network.b
    assert network.float_share == 0


def test_forced_factorisation_of_an_inseparable_table_is_refused(model, images):
    with pytest.raises(
        EmulationError,
        match=r"'factorised' cannot compute scaletrim\(4,8\) on cpu: not separable; choose ",
    ):
        prepare(model, images).emulate(
            golden(Catalogued.parse("scaletrim(4,8)")), backend="factorised"
        )


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [
        ({"layer9.*": None}, r"the pattern 'layer9\.\*' matches no layer; .*conv1, conv2, fc"),
        ({"conv1": "int4"}, "int4: no such file, and no multiplier"),
        (
            Lut(np.zeros((512, 256), int), *Operands.parse("s9xs8")),
            "operands of 2 to 8 bits, or up to 16 with Verilog, but lut takes s9 activations and",
        ),
    ],
    ids=["pattern", "word", "width"],
)
def test_what_cannot_be_mapped_gets_a_sentence(model, images, mapping, sentence):
    with pytest.raises(AxhilError, match=sentence):
        prepare(model, images).emulate(mapping)


def test_words_multipliers_and_assignments_build_what_their_tables_build(model, images):
    prepared = prepare(model, images)
    expected = prepared.emulate({"conv*": DRUM, "fc": "float"})(images)
    for source in (
        {"conv*": "drum(3)", "fc": "float"},
        {"conv*": Catalogued("drum", (3,)), "fc": "float"},
        "conv*=drum(3),fc=float",
        Assignment.parse("conv*=drum(3),fc=float"),
    ):
        assert torch.equal(prepared.emulate(source)(images), expected)
    everywhere = prepared.emulate(DRUM)(images)
    assert not torch.equal(everywhere, expected)
    for source in ("drum(3)", Catalogued("drum", (3,)), Assignment.parse("drum(3)")):
        assert torch.equal(prepared.emulate(source)(images), everywhere)


def test_a_network_without_layers_to_convert_is_refused(images):
    with pytest.raises(EmulationError, match=r"no nn\.Conv2d or nn\.Conv1d or nn\.Linear"):
        prepare(nn.Sequential(nn.ReLU()), images)


def test_calibration_refuses_no_images_and_activations_that_are_not_finite(model, images):
    with pytest.raises(EmulationError, match="at least one image"):
        prepare(model, images[:0])
    with pytest.raises(EmulationError, match="conv1: an activation is not finite"):
        prepare(model, torch.full_like(images, torch.nan))


def test_measured_costs_are_those_of_the_paths_and_measured_once(model, images):
    prepared = prepare(model, images)
    fast, slow = (prepared.plan(DRUM, backend=b, measured=True) for b in ("auto", "gather"))
    assert all(a.cost * 3 < b.cost for a, b in zip(fast, slow, strict=True))
    assert prepared.plan(DRUM, measured=True) == fast
    ((layer, *_), (plain, *_)) = fast, prepared.plan(DRUM)
    assert layer.path == plain.path
    assert layer.cost != plain.cost
