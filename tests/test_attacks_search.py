# SPDX-License-Identifier: Apache-2.0
"""The attacks that look for any way in, against closed forms and other people's implementations."""

import pytest
import torch
from torch import nn

from axhil.attacks import AttackError, Norm, evaluate, parse_attack
from axhil.attacks.draws import unit_ball
from axhil.attacks.fab import boundary_step
from axhil.attacks.losses import likeliest_wrong, loss_of
from axhil.zoo.data import embedded_split
from axhil.zoo.weights import pretrained

SEARCHES = (
    "apgd",
    "apgd(loss=margin)",
    "apgd(loss=dlr)",
    "apgd(loss=targeted_dlr)",
    "pgd(steps=120,loss=margin,restarts=2)",
    "fab(steps=20)",
    "square(queries=200)",
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny batches gain nothing from threads, and spinning ones stall a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Linear(nn.Module):
    """Four classes, of which only the first two ever win: a margin w x + b."""

    def __init__(self, w, b):
        super().__init__()
        self.register_buffer("w", w)
        self.b = b

    def forward(self, x):
        score = x.flatten(1) @ self.w + self.b
        rest = torch.full_like(score, -50.0)
        return torch.stack((-0.5 * score, 0.5 * score, rest, rest - 1.0), dim=1)


@pytest.fixture(scope="module")
def line():
    """A linear network, images that no box gets in the way of, and their distances."""
    torch.manual_seed(4)
    w = torch.randn(16)
    x = 0.5 + 0.02 * torch.randn(6, 1, 4, 4)
    model = Linear(w, 0.1 - float(x.flatten(1).mean(0) @ w))
    score = x.flatten(1) @ w + model.b
    y = (score > 0).long()
    distances = {Norm.LINF: score.abs() / w.abs().sum(), Norm.L2: score.abs() / w.norm()}
    return model, x, y, distances


@pytest.mark.parametrize("norm", list(Norm))
@pytest.mark.parametrize("name", [one for one in SEARCHES if not one.startswith("square")])
def test_a_linear_network_breaks_at_its_distance_and_not_before(line, name, norm):
    """The smallest eps of a linear margin f is |f| / ||w||_1 in L-inf, and |f| / ||w||_2 in L2."""
    model, x, y, distances = line
    attack = parse_attack(name, norm)
    for share, broken in ((0.98, False), (1.02, True)):
        x_adv = attack(model, x, y, eps=share * distances[norm].double(), seed=1)
        assert ((model(x_adv).argmax(1) != y) == broken).all()


@pytest.mark.parametrize("norm", list(Norm))
def test_square_breaks_a_linear_network_without_a_gradient(line, norm):
    model, x, y, distances = line
    attack = parse_attack("square(queries=1000)", norm)
    assert not attack.needs_gradient
    share = {Norm.LINF: 1.3, Norm.L2: 2.5}[norm]
    with torch.inference_mode():
        x_adv = attack(model, x, y, eps=share * distances[norm].double(), seed=1)
        assert (model(x_adv).argmax(1) != y).all()
        inside = attack(model, x, y, eps=0.98 * distances[norm].double(), seed=1)
        assert (model(inside).argmax(1) == y).all()


@pytest.mark.parametrize("norm", list(Norm))
def test_fab_takes_the_shortest_step_that_the_box_allows(norm):
    """Against a bisection over the size of the step, which says the same in other words."""
    generator = torch.Generator().manual_seed(2)
    x = torch.rand(40, 12, generator=generator, dtype=torch.float64)
    w = torch.randn(40, 12, generator=generator, dtype=torch.float64)
    w[:, :3] = 0.0
    room = torch.where(w > 0, 1 - x, x)
    need = (w.abs() * room).sum(1) * torch.rand(40, generator=generator, dtype=torch.float64)
    step = boundary_step(norm, x, w, need)
    low, high = torch.zeros(40, 1).double(), torch.full((40, 1), 1e4).double()
    pace = torch.ones_like(w) if norm is Norm.LINF else w.abs()
    for _ in range(100):
        size = (low + high) / 2
        far = (w.abs() * torch.minimum(size * pace, room)).sum(1, keepdim=True) < need[:, None]
        low, high = torch.where(far, size, low), torch.where(far, high, size)
    expected = w.sign() * torch.minimum(high * pace, room)
    torch.testing.assert_close(step, expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close((w * step).sum(1), need, rtol=1e-5, atol=1e-7)
    assert ((x + step >= -1e-12) & (x + step <= 1 + 1e-12)).all()
    far = boundary_step(norm, x, w, 10 * need + 1e9)
    torch.testing.assert_close(far.abs()[:, 3:], room[:, 3:])


def test_losses_are_what_their_formulas_say():
    z = torch.tensor([[3.0, 1.0, -2.0, 0.5, 2.0]], dtype=torch.float64)
    for label, target in ((0, 2), (4, 0)):
        y, t = torch.tensor([label]), torch.tensor([target])
        wrong = max(float(z[0, k]) for k in range(5) if k != label)
        margin = wrong - float(z[0, label])
        expected = {
            "cross_entropy": -float(z[0].log_softmax(0)[label]),
            "margin": margin,
            "dlr": margin / (3.0 - 1.0),
            "targeted_dlr": float(z[0, target] - z[0, label]) / (3.0 - (1.0 + 0.5) / 2),
        }
        for name, value in expected.items():
            assert float(loss_of(name)(z, y, t)) == pytest.approx(value)
    assert likeliest_wrong(z, torch.tensor([4]), 3).tolist() == [[0, 1, 3]]
    assert likeliest_wrong(z, torch.tensor([0]), 9).tolist() == [[4, 1, 3, 2]]
    with pytest.raises(
        AttackError, match="at least 3 classes for this DLR loss, the network has 2"
    ):
        loss_of("dlr")(z[:, :2], torch.tensor([0]), torch.tensor([0]))


class Bent(nn.Module):
    """In float64, so that rounding does not tell batches apart."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.inner = nn.Sequential(
            nn.Flatten(), nn.Linear(18, 12), nn.Tanh(), nn.Linear(12, 5)
        ).double()
        with torch.no_grad():
            self.inner[1].weight *= 4

    def forward(self, x):
        return self.inner(x.double()).float()


@pytest.mark.parametrize("norm", list(Norm))
@pytest.mark.parametrize("name", SEARCHES)
def test_neither_batch_nor_order_nor_rows_that_left_change_a_row(name, norm):
    model, attack = Bent(), parse_attack(name, norm)
    x = torch.rand(12, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    y = model(x).argmax(1)
    order = torch.tensor([5, 2, 11, 0, 7])
    eps = 0.06 if norm is Norm.LINF else 0.2
    together = attack(model, x, y, eps=eps, seed=8)
    some = attack(model, x[order], y[order], eps=eps, seed=8, indices=order)
    assert torch.equal(together[order], some)
    broken = model(together).argmax(1) != y
    assert broken.any()
    assert not broken.all()
    offset = (together - x).flatten(1)
    length = offset.abs().amax(1) if norm is Norm.LINF else offset.norm(dim=1)
    assert (length <= eps * (1 + 1e-5)).all()
    if name != "fab(steps=20)":
        assert not torch.equal(attack(model, x, y, eps=eps, seed=9), together)


def test_starts_of_restarts_are_independent_and_the_first_is_the_old_one():
    for norm in Norm:
        first, second = (
            unit_ball(norm, 3, torch.arange(5), (4, 4), restart=number) for number in (0, 1)
        )
        assert torch.equal(first, unit_ball(norm, 3, torch.arange(5), (4, 4)))
        assert (
            abs(float(torch.corrcoef(torch.stack((first.flatten(), second.flatten())))[0, 1])) < 0.3
        )


def test_more_restarts_never_break_less():
    model = Bent()
    x = torch.rand(40, 2, 3, 3, generator=torch.Generator().manual_seed(2))
    y = model(x).argmax(1)
    before = torch.zeros(40, dtype=torch.bool)
    for restarts in (2, 4, 8):
        attack = parse_attack(f"pgd(loss=margin,steps=3,restarts={restarts})")
        broken = model(attack(model, x, y, eps=0.05)).argmax(1) != y
        assert (broken | ~before).all()
        before = broken


def test_what_is_meant_for_another_network_goes_on_after_the_first_misclassification():
    model, other = Bent(), Bent()
    x = torch.rand(12, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    y = model(x).argmax(1)
    attack = parse_attack("pgd(restarts=2)")
    impatient, patient = (one(model, x, y, eps=0.2) for one in (attack, attack.for_transfer()))
    first, last = (-model(one).log_softmax(1)[range(12), y] for one in (impatient, patient))
    assert (last >= first).all()
    assert (last > first + 0.1).any()
    found = evaluate(model, x, y, attack, budgets=[0.2], gradient_model=other)
    assert found.threat_model == "transfer"
    assert torch.equal(found.predictions[0], model(patient).argmax(1))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "pgd(loss=cw)",
            "unknown loss 'cw': expected one of cross_entropy, margin, dlr, ",
        ),
        ("pgd(loss=targeted_dlr)", "expected a loss without a target, got targeted_dlr: use apgd"),
        ("pgd(restarts=0)", "expected restarts as a whole number of at least 1, got 0"),
        ("pgd(restarts=2,random_start=false)", "expected a random start where there are several"),
        ("apgd(targets=0)", "expected targets as a whole number of at least 1, got 0"),
        ("square(queries=0)", "expected queries as a whole number of at least 1, got 0"),
        ("fab(steps=0)", "expected steps as a whole number of at least 1, got 0"),
    ],
)
def test_settings_that_do_not_fit_get_a_sentence(text, sentence):
    with pytest.raises(AttackError, match=f"^{sentence}"):
        parse_attack(text)


@pytest.fixture(scope="module")
def lenet():
    return pretrained("lenet5").eval(), *embedded_split("evaluation").select(50).batch()


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.1), ("l2", 1.2)])
def test_robust_accuracy_of_lenet_is_that_of_the_reference_implementation(lenet, norm, eps):
    """50 images, the same budgets; what differs is the seeds. Square places each image's squares
    by itself, the reference one for a batch, so ours may only be stronger by more."""
    pyautoattack = pytest.importorskip("pyautoattack")
    model, x, y = lenet
    reference = pyautoattack.AutoAttack(
        model, norm={"linf": "Linf", "l2": "L2"}[norm], eps=eps, seed=0
    )
    reference.fab.n_iter, reference.square.n_queries = 20, 300
    reference.apgd_targeted.n_target_classes = reference.fab.n_target_classes = 3
    for ours, theirs, slack in (
        ("apgd", "apgd-ce", 3),
        ("apgd(loss=dlr)", "apgd-dlr", 2),
        ("apgd(loss=targeted_dlr,targets=3)", "apgd-t", 2),
        ("fab(steps=20,targets=3)", "fab-t", 2),
        ("square(queries=300)", "square", 8),
    ):
        reference.attacks_to_run = [theirs]
        x_ref, _ = reference.run_standard_evaluation(x, y, batch_size=50)
        left = int((model(x_ref).argmax(1) == y).sum())
        found = evaluate(model, x, y, parse_attack(ours, norm), budgets=[eps])
        own = int(found.correct.sum())
        assert found.warnings == ()
        assert own <= left + 2, ours
        assert own >= left - slack, ours
