# SPDX-License-Identifier: Apache-2.0
"""The gradient loop against foolbox, against closed forms, and as properties."""

import copy

import foolbox
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from axhil.attacks import AttackError, GradientAttack, Norm, bim, fgsm, parse_attack, pgd
from axhil.attacks.draws import unit_ball

EPS = (0.03, 0.1, 0.3, 1.0, 2.0)
FOOLBOX = {
    ("fgsm", "linf"): foolbox.attacks.LinfFastGradientAttack,
    ("fgsm", "l2"): foolbox.attacks.L2FastGradientAttack,
    ("bim", "linf"): foolbox.attacks.LinfBasicIterativeAttack,
    ("bim", "l2"): foolbox.attacks.L2BasicIterativeAttack,
    ("pgd", "linf"): foolbox.attacks.LinfProjectedGradientDescentAttack,
    ("pgd", "l2"): foolbox.attacks.L2ProjectedGradientDescentAttack,
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny batches gain nothing from threads, and spinning ones stall a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Exact(nn.Module):
    """A network whose float32 results do not depend on the batch: it computes in float64."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner.double()

    def forward(self, x):
        return self.inner(x.double()).float()


class Linear(nn.Module):
    """logits = (0, w x): the loss of class 0 rises along w, everywhere."""

    def __init__(self, weight):
        super().__init__()
        self.register_buffer("weight", torch.as_tensor(weight, dtype=torch.float32))

    def forward(self, x):
        score = x.flatten(1) @ self.weight
        return torch.stack((torch.zeros_like(score), score), dim=1)


def conv_net(channels=1):
    torch.manual_seed(7)
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6 * 9, 10),
    ).eval()


def batch(rows=24, channels=1):
    generator = torch.Generator().manual_seed(11)
    images = torch.rand(rows, channels, 12, 12, generator=generator)
    images[0] = 0.0  # corners of the box
    images[1] = 1.0
    return images, torch.randint(0, 10, (rows,), generator=generator)


MODEL = conv_net()


def theirs(name, norm, model, images, labels, *, eps, start=None):
    """The same attack by foolbox, with our start put in the place of its own draw."""
    steps = {"fgsm": {}, "bim": {"steps": 50}, "pgd": {"steps": 50, "rel_stepsize": 0.01 / 0.3}}
    attack = FOOLBOX[name, norm](**steps[name])
    if start is not None:
        import eagerpy

        attack.get_random_start = lambda x0, epsilon: eagerpy.astensor(start)
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    return attack.run(wrapped, images, labels, epsilon=eps)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("name", ["fgsm", "bim"])
def test_linf_attacks_equal_foolbox_bit_for_bit(name, eps, channels):
    model, (images, labels) = conv_net(channels), batch(channels=channels)
    ours = parse_attack(name, "linf")(model, images, labels, eps=eps)
    assert not torch.equal(ours, images)
    assert torch.equal(ours, theirs(name, "linf", model, images, labels, eps=eps))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("name", ["fgsm", "bim"])
def test_l2_attacks_equal_foolbox_to_a_millionth(name, eps, channels):
    model, (images, labels) = conv_net(channels), batch(channels=channels)
    ours = parse_attack(name, "l2")(model, images, labels, eps=eps)
    oracle = theirs(name, "l2", model, images, labels, eps=eps)
    torch.testing.assert_close(ours, oracle, rtol=0, atol=1e-6)


@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd_from_an_injected_start_equals_foolbox_to_a_millionth(norm, eps):
    model, (images, labels) = conv_net(), batch()
    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(3)) - 0.5
    start = (images + 0.1 * eps * noise).clamp(0, 1)
    ours = pgd(norm)(model, images, labels, eps=eps, start=start)
    oracle = theirs("pgd", norm, model, images, labels, eps=eps, start=start)
    torch.testing.assert_close(ours, oracle, rtol=0, atol=1e-6)


def test_budgets_of_one_batch_give_the_bits_of_each_budget_alone():
    model, (images, labels) = Exact(conv_net()).eval(), batch(8)
    for attack in (fgsm(), fgsm("l2"), bim(steps=5), pgd("l2", steps=5)):
        rows = torch.tensor(EPS, dtype=torch.float64).repeat_interleave(len(images))
        indices = torch.arange(len(images)).repeat(len(EPS))
        together = attack(
            model,
            images.repeat(len(EPS), 1, 1, 1),
            labels.repeat(len(EPS)),
            eps=rows,
            indices=indices,
        )
        alone = torch.cat([attack(model, images, labels, eps=eps) for eps in EPS])
        assert torch.equal(together, alone), attack


def test_fgsm_on_a_linear_network_reaches_the_known_optimum():
    weight = torch.tensor([3.0, -2.0, 0.0, 0.5])
    x = torch.tensor([[0.5, 0.5, 0.5, 0.95], [0.02, 0.5, 0.25, 0.5]])
    ours = fgsm()(Linear(weight), x, torch.tensor([0, 0]), eps=0.125)
    # class 0 loses where w x is largest: every pixel by eps along sign(w), cut off at the box
    assert torch.equal(ours[0], torch.tensor([0.625, 0.375, 0.5, 1.0]))
    assert torch.equal(ours[1], torch.tensor([0.02 + 0.125, 0.375, 0.25, 0.625]))
    reverse = fgsm()(Linear(weight), x[:1], torch.tensor([1]), eps=0.125)
    assert torch.equal(reverse[0], torch.tensor([0.375, 0.625, 0.5, 0.95 - 0.125]))


def test_fgm_on_a_linear_network_moves_eps_along_the_weights():
    x = torch.full((1, 2), 0.5)
    ours = fgsm("l2")(Linear([0.03, 0.04]), x, torch.tensor([0]), eps=0.25)
    torch.testing.assert_close(ours, torch.tensor([[0.5 + 0.15, 0.5 + 0.2]]), rtol=0, atol=1e-7)


def test_iterated_attacks_on_a_linear_network_end_at_the_corner_of_the_ball():
    x = torch.full((1, 2), 0.5)
    for attack in (bim(), pgd(steps=60)):  # 50 steps of PGD cover 1.67 eps of a way of up to 2
        ours = attack(Linear([1.0, -1.0]), x, torch.tensor([0]), eps=0.25)
        assert torch.equal(ours, torch.tensor([[0.75, 0.25]]))


def test_abs_step_takes_the_place_of_the_relative_one():
    attack = GradientAttack(norm=Norm.LINF, steps=3, rel_step=1.0, abs_step=0.0625)
    x = torch.full((1, 2), 0.5)
    ours = attack(Linear([1.0, -1.0]), x, torch.tensor([0]), eps=0.5)
    assert torch.equal(ours, torch.tensor([[0.6875, 0.3125]]))
    assert torch.equal(attack(Linear([1.0, 1.0]), x, torch.tensor([0]), eps=0.125), x + 0.125)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_sample_without_gradient_does_not_move(norm):
    x = torch.rand(3, 5, generator=torch.Generator().manual_seed(1))
    ours = bim(norm, steps=4)(Linear(torch.zeros(5)), x, torch.zeros(3).long(), eps=0.3)
    torch.testing.assert_close(ours, x, rtol=0, atol=1e-7)
    assert torch.equal(fgsm(norm)(Linear(torch.zeros(5)), x, torch.zeros(3).long(), eps=0.3), x)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("make", [fgsm, bim, pgd])
def test_rows_with_no_budget_come_back_unchanged(make, norm):
    model, (images, labels) = conv_net(), batch(6)
    eps = torch.tensor([0.0, 0.1, 0.0, 0.2, 0.0, 0.3], dtype=torch.float64)
    ours = make(norm)(model, images, labels, eps=eps)
    assert torch.equal(ours[::2], images[::2])
    assert not (ours[1::2] == images[1::2]).flatten(1).all(1).any()


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(["fgsm", "bim", "pgd"]),
    norm=st.sampled_from(["linf", "l2"]),
    eps=st.floats(0.0, 3.0),
    seed=st.integers(0, 2**63 - 1),
    steps=st.integers(1, 4),
)
def test_every_iterate_is_in_the_ball_and_in_the_box(name, norm, eps, seed, steps):
    settings_of = parse_attack(name, norm)
    attack = GradientAttack(
        norm=norm,
        steps=steps,
        rel_step=settings_of.rel_step * 2,
        random_start=settings_of.random_start,
    )
    images, labels = batch(5)
    count = 0
    for x in attack.iterates(MODEL, images, labels, eps=eps, seed=seed):
        count += 1
        offset = (x.double() - images.double()).flatten(1)
        if norm == "linf":
            assert offset.abs().max() <= eps + 2.0**-24
        else:
            assert offset.norm(dim=1).max() <= eps * (1 + 1e-6) + 12 * 2.0**-24
        assert x.min() >= 0.0
        assert x.max() <= 1.0
    assert count == steps


def test_the_network_is_left_as_it_was():
    model = nn.Sequential(conv_net(), nn.BatchNorm1d(10), nn.Dropout(0.5))
    model.train()
    model[1].eval()
    model[0][0].weight.grad = torch.full_like(model[0][0].weight, 2.0)
    before, flags = copy.deepcopy(model.state_dict()), [m.training for m in model.modules()]
    images, labels = batch(6)
    held = images.clone()
    first = bim(steps=3)(model, images, labels, eps=0.1)
    assert torch.equal(first, bim(steps=3)(model, images, labels, eps=0.1))  # no dropout
    assert [m.training for m in model.modules()] == flags
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert torch.equal(model[0][0].weight.grad, torch.full_like(model[0][0].weight, 2.0))
    assert all(p.grad is None for n, p in model.named_parameters() if n != "0.0.weight")
    assert all(p.requires_grad for p in model.parameters())
    assert torch.equal(images, held)
    assert not images.requires_grad
    assert not first.requires_grad


def test_the_training_flag_returns_even_when_the_network_fails():
    class Fails(nn.Module):
        def forward(self, x):
            raise RuntimeError("broken")

    model, (images, labels) = Fails().train(), batch(2)
    with pytest.raises(RuntimeError, match="broken"):
        fgsm()(model, images, labels, eps=0.1)
    assert model.training


def test_an_attack_works_under_no_grad():
    model, (images, labels) = conv_net(), batch(4)
    with torch.no_grad():
        quiet = bim(steps=3)(model, images, labels, eps=0.1)
    assert torch.equal(quiet, bim(steps=3)(model, images, labels, eps=0.1))


def test_a_random_start_follows_the_sample_through_batches_and_order():
    model, (images, labels) = Exact(conv_net()).eval(), batch(8)
    indices = torch.tensor([5, 0, 900, 3, 17, 2, 44, 1])
    for norm in Norm:
        attack = pgd(norm, steps=3)
        whole = attack(model, images, labels, eps=0.2, seed=4, indices=indices)
        order = torch.tensor([6, 1, 7, 0, 2, 5, 3, 4])
        shuffled = attack(
            model, images[order], labels[order], eps=0.2, seed=4, indices=indices[order]
        )
        single = attack(model, images[2:3], labels[2:3], eps=0.2, seed=4, indices=indices[2:3])
        assert torch.equal(shuffled, whole[order])
        assert torch.equal(single, whole[2:3])
        other = attack(model, images, labels, eps=0.2, seed=5, indices=indices)
        assert not torch.equal(other, whole)


@pytest.mark.parametrize("norm", list(Norm))
def test_a_random_start_is_the_drawn_point_of_the_ball_cut_off_at_the_box(norm):
    seen = []

    class Records(Linear):
        def forward(self, x):
            seen.append(x.detach().clone())
            return super().forward(x)

    images, indices = batch(4)[0].flatten(1)[:, :6], torch.tensor([3, 1, 4, 15])
    pgd(norm, steps=1)(
        Records(torch.ones(6)), images, torch.zeros(4).long(), eps=1.0, seed=9, indices=indices
    )
    expected = images + unit_ball(norm, 9, indices, (6,))
    assert (expected < 0).any()
    assert (expected > 1).any()
    assert torch.equal(seen[0], expected.clamp(0, 1))


def test_presets_have_the_settings_of_the_table():
    assert (fgsm().steps, fgsm().rel_step, fgsm().random_start) == (1, 1.0, False)
    assert (bim().steps, bim().rel_step, bim().random_start) == (50, 0.2, False)
    assert (pgd().steps, pgd().rel_step, pgd().random_start) == (50, 0.01 / 0.3, True)
    assert parse_attack("pgd", "l2") == pgd(Norm.L2)


class Returns(nn.Module):
    """A network with one fixed wrong answer."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x):
        return self.answer(x)


X, Y = torch.full((2, 3), 0.5), torch.zeros(2, dtype=torch.int64)
NAN = float("nan")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        pytest.param({"images": X.double()}, "float32 tensor, got torch.float64", id="dtype"),
        pytest.param({"images": X.numpy()}, "float32 tensor, got ndarray", id="numpy"),
        pytest.param({"images": X[0]}, r"shape \(N, \.\.\.\)", id="no batch"),
        pytest.param({"images": X[:0], "labels": Y[:0]}, "at least one sample", id="empty"),
        pytest.param({"images": X + 1}, r"images in \[0, 1\], got values from 1.5", id="above"),
        pytest.param({"images": X - 1}, r"images in \[0, 1\], got values from -0.5", id="below"),
        pytest.param({"images": X * NAN}, r"images in \[0, 1\], got values from nan", id="nan"),
        pytest.param({"labels": Y.int()}, "int64 tensor, got torch.int32", id="label dtype"),
        pytest.param({"labels": [0, 1]}, "int64 tensor, got list", id="label list"),
        pytest.param({"labels": Y[:1]}, r"2 labels of shape \(2,\)", id="label shape"),
        pytest.param({"labels": Y - 100}, "labels of 0 and more, got -100", id="label below 0"),
        pytest.param(
            {"labels": Y + 2}, "below the network's 2 classes, got a label of 2", id="class"
        ),
        pytest.param({"eps": -0.1}, "finite eps of 0 or more, got -0.1", id="eps < 0"),
        pytest.param({"eps": NAN}, "finite eps of 0 or more, got nan", id="eps nan"),
        pytest.param({"eps": float("inf")}, "finite eps of 0 or more, got inf", id="eps inf"),
        pytest.param({"eps": "0.1"}, "a number or a tensor, got str", id="eps text"),
        pytest.param({"eps": torch.tensor([0.1, -1.0])}, "in each row, got -1", id="row < 0"),
        pytest.param({"eps": torch.tensor([0.1, NAN])}, "in each row, got nan", id="row nan"),
        pytest.param({"eps": torch.ones(3)}, r"tensor of shape \(2,\)", id="eps shape"),
        pytest.param({"eps": torch.tensor([1, 2])}, "got torch.int64", id="eps dtype"),
        pytest.param({"seed": -1}, "a seed from 0 to 2", id="seed < 0"),
        pytest.param({"seed": 1.5}, "a seed from 0 to 2", id="seed float"),
        pytest.param({"indices": Y[:1]}, r"indices of shape \(2,\)", id="index shape"),
        pytest.param({"indices": X[:, 0]}, "indices as an int64", id="index dtype"),
        pytest.param({"indices": Y - 1}, "indices of 0 and more, got -1", id="index < 0"),
        pytest.param({"start": X[:1]}, "start like the images", id="start shape"),
        pytest.param({"start": X + 1}, r"start in \[0, 1\]", id="start range"),
        pytest.param(
            {"model": Returns(lambda x: x.sum())}, r"logits of shape \(2, classes\)", id="scalar"
        ),
        pytest.param({"model": Returns(lambda x: (x, x))}, "logits, got tuple", id="tuple"),
        pytest.param(
            {"model": Returns(lambda x: x.long())}, "depend on the input through", id="integers"
        ),
        pytest.param(
            {"model": Returns(lambda x: x.detach())}, "depend on the input through", id="detached"
        ),
        pytest.param(
            {"model": Returns(lambda x: torch.ones(2, 3, requires_grad=True) * 1)},
            "depend on the input through",
            id="other leaf",
        ),
        pytest.param(
            {"model": Returns(lambda x: x * torch.tensor([[1.0], [NAN]]))},
            "NaN or infinity in 1 of 2 rows, the first of them row 1",
            id="nan logits",
        ),
        pytest.param(
            {"model": Returns(lambda x: x + torch.tensor([0.0, 0.0, float("-inf")]))},
            "NaN or infinity in 2 of 2 rows",
            id="inf logits",
        ),
        pytest.param(
            {"model": Returns(lambda x: (x - 0.5).abs().pow(0.25))},
            "finite logits and gradients during pgd",
            id="inf gradient",
        ),
    ],
)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_what_an_attack_cannot_work_with_is_refused(change, match, norm):
    given_ = {
        "model": Linear([1.0, 2.0, 3.0]),
        "images": X,
        "labels": Y,
        "eps": 0.1,
        "start": X,
        **change,
    }
    with pytest.raises(AttackError, match=match):
        pgd(norm, steps=2)(
            given_.pop("model"), given_.pop("images"), given_.pop("labels"), **given_
        )


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: bim(steps=0), "steps as a whole number of at least 1, got 0"),
        (lambda: bim(steps=2.5), "steps as a whole number of at least 1, got 2.5"),
        (lambda: GradientAttack(norm=Norm.L2, steps=1, rel_step=0.0), "rel_step above 0, got 0"),
        (lambda: GradientAttack(norm=Norm.L2, steps=1, abs_step=NAN), "abs_step above 0, got nan"),
        (lambda: fgsm("l1"), "unknown norm 'l1': expected one of linf, l2"),
        (lambda: parse_attack("cw"), "unknown attack 'cw': expected one of .*fgsm, bim, pgd"),
    ],
)
def test_impossible_settings_are_refused(make, match):
    with pytest.raises(AttackError, match=match):
        make()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_starts_from_the_same_points():
    model, (images, labels) = Exact(conv_net()).eval(), batch(8)
    for norm in Norm:
        attack = GradientAttack(norm=norm, steps=1, rel_step=1e-30, random_start=True)
        here = attack(model.cpu(), images, labels, eps=0.25)
        there = attack(model.cuda(), images.cuda(), labels.cuda(), eps=0.25)
        assert there.is_cuda
        assert torch.equal(here, there.cpu()) or norm is Norm.L2
        torch.testing.assert_close(here, there.cpu(), rtol=0, atol=1e-7)
