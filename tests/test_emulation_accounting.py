# SPDX-License-Identifier: Apache-2.0
"""Nothing is left in float unnoticed: multiply-accumulates by hand, for what no table reaches."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from axhil.emulation import EmulationError, convert, prepare
from axhil.emulation.accounting import counted
from axhil.hwsim import Catalogued, golden
from axhil.zoo.networks import network

DRUM = golden(Catalogued.parse("drum(3)"))


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.rnn = kind(4, 6, batch_first=True, **options)
        self.fc = nn.Linear(6 * (2 if options.get("bidirectional") else 1), 3)

    def forward(self, x):  # (N, 5, 4)
        return self.fc(self.rnn(x)[0][:, -1])


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.rand(3, 2, 3, 3) - 0.5)
        self.fc = nn.Linear(3 * 16, 4)

    def forward(self, x):  # (N, 2, 6, 6)
        return self.fc(F.conv2d(x, self.w).flatten(1))


class Attention(nn.Module):
    """A block of a vision transformer over 5 tokens of 8 values."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

    def forward(self, x):  # (N, 5, 8)
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(x)


class Standardised(nn.Conv2d):
    """A convolution whose weights are not what multiplies."""

    def forward(self, x):
        return F.conv2d(x, self.weight / self.weight.std(), self.bias)


# Multiply-accumulates of one input: of what no table reaches, and of the rest.
ATTENTION = 5 * 8 * 24 + 2 * 2 * 5 * 5 * 4 + 5 * 8 * 8
CASES = {
    "LSTM": (lambda: Recurrent(nn.LSTM), (5, 4), "rnn", 5 * 4 * 6 * (4 + 6), 6 * 3),
    "GRU, two ways, two layers": (
        lambda: Recurrent(nn.GRU, num_layers=2, bidirectional=True),
        (5, 4),
        "rnn",
        5 * 3 * 6 * 2 * ((4 + 6) + (12 + 6)),
        12 * 3,
    ),
    "transposed": (
        lambda: nn.Sequential(nn.ConvTranspose2d(2, 3, 2), nn.Flatten(), nn.Linear(3 * 49, 4)),
        (2, 6, 6),
        "0",
        36 * 4 * 2 * 3,
        3 * 49 * 4,
    ),
    "F.conv2d": (Functional, (2, 6, 6), "forward", 16 * 3 * 2 * 9, 3 * 16 * 4),
    "attention": (Attention, (5, 8), "attention", ATTENTION, 2 * 5 * 8 * 16),
    "transformer block": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        (5, 8),
        "self_attn",
        ATTENTION,
        2 * 5 * 8 * 16,
    ),
    "a convolution's subclass": (
        lambda: nn.Sequential(Standardised(2, 3, 3), nn.Flatten(), nn.Linear(48, 4)),
        (2, 6, 6),
        "0",
        16 * 3 * 2 * 9,
        48 * 4,
    ),
}


@pytest.mark.parametrize(("build", "shape", "name", "unreached", "rest"), CASES.values(), ids=CASES)
def test_what_no_table_reaches_is_refused_by_name_and_counted_where_allowed(
    build, shape, name, unreached, rest
):
    torch.manual_seed(0)
    model, x = build().eval(), torch.rand(7, *shape)
    share = unreached / (unreached + rest)
    with pytest.raises(EmulationError) as refused:
        convert(model, DRUM, calibration=x)
    sentence = str(refused.value)
    assert f"reaches {name} (" in sentence
    assert f"{100 * share:.3g} % of the network's multiply-accumulates" in sentence
    assert '"float", or allow it with allow_float=True (--allow-float)' in sentence
    allowed = convert(model, DRUM, calibration=x, allow_float=True)
    assert allowed.float_share == pytest.approx(share)
    (row,) = [row for row in allowed.plan if row.path == "float32"]
    assert (row.name, row.multiplier, row.macs) == (name, "float", unreached)
    assert sum(row.macs for row in allowed.plan) == unreached + rest
    assert sum(row.share for row in allowed.plan) == pytest.approx(1)
    with torch.no_grad():
        logits, expected = allowed(x), model(x)
    assert 0 < (logits - expected).abs().max() < 0.5 * expected.abs().max()
    # Mapped by name it is allowed without more words, and everything else may be as before.
    mapped = prepare(model, x).emulate({name: "float", "*": DRUM})
    assert mapped.float_share == pytest.approx(share)
    assert torch.equal(mapped(x), logits)


@pytest.mark.parametrize(
    ("product", "macs"),
    [
        (lambda a, b: a @ b, 6 * 4 * 5),
        (lambda a, b: torch.einsum("ij,jk->ik", a, b), 6 * 4 * 5),
        (lambda a, b: F.linear(a, b.T), 6 * 4 * 5),
        (lambda a, b: a[0] @ b, 4 * 5),
        (lambda a, b: a[0] @ b[:, 0], 4),
        (lambda a, b: torch.addmv(a[:, 0], a, b[:, 0]), 6 * 4),
        (lambda a, b: torch.addbmm(a[:, :1], a[None], b[None]), 6 * 4 * 5),
        (lambda a, b: F.bilinear(a, a, a.new_ones(2, 4, 4)), 6 * 2 * 4 * 4),
        (lambda a, b: F.scaled_dot_product_attention(*[b.T[None, None]] * 3), 2 * 5 * 5 * 4),
        (lambda a, b: (a * 2 + 1).relu().sum(), 0),
    ],
)
def test_products_of_functions_and_operators_are_counted(product, macs):
    class Product(nn.Module):
        def forward(self, a, b):
            return product(a, b)

    model, found = Product(), {}
    with torch.no_grad(), counted(model, found):
        model(torch.rand(6, 4), torch.rand(4, 5))
    assert found == ({"": macs} if macs else {})


def test_a_layer_mapped_to_float_is_a_row_with_its_share():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 4))
    prepared = prepare(model, torch.rand(3, 1, 6, 6))
    network_ = prepared.emulate({"2": "float", "0": DRUM})
    share = 128 / (16 * 2 * 9 + 128)
    assert network_.float_share == pytest.approx(share) == prepared.float_share({"2": "float"})
    assert [(row.name, row.path, row.reason) for row in network_.plan][1] == (
        "2",
        "float32",
        "mapped to float",
    )
    assert prepared.emulate(DRUM).float_share == prepared.float_share() == 0


def test_a_layer_that_runs_twice_counts_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            return self.fc(self.fc(x))

    (row,) = convert(Twice(), DRUM, calibration=torch.rand(3, 4)).plan
    assert row.macs == 2 * 16


@pytest.mark.parametrize("name", ["lenet5", "resnet20", "resnet50", "vgg19"])
def test_of_our_networks_nothing_stays_in_float(name):
    entry = network(name)
    torch.manual_seed(0)
    prepared = prepare(entry.build(), torch.rand(1, *entry.input_shape))
    assert prepared.float_share() == 0
    assert list(prepared.macs) == list(prepared.layers)
