# SPDX-License-Identifier: Apache-2.0
"""The evaluator against attacks that cheat and networks that change under its hands."""

import pytest
import torch
from torch import nn

from axhil.attacks import AttackError, Norm, bim, evaluate, fgsm, network_rows, parse_attack, pgd


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny batches gain nothing from threads, and spinning ones stall a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Threshold(nn.Module):
    """Class 1 when the mean pixel exceeds 0.5, by a smooth score."""

    def forward(self, x):
        score = 20.0 * (x.flatten(1).mean(1) - 0.5)
        return torch.stack((torch.zeros_like(score), score), dim=1)


class Custom:
    """An attack made of a function of the images and the budgets."""

    steps, needs_gradient = 1, True

    def __init__(self, function, norm=Norm.LINF):
        self.name, self.norm, self.function = "custom", norm, function

    def __call__(self, model, images, labels, *, eps, seed, indices):
        return self.function(images, eps)


# Four images of constant grey, their true classes, the last of them a clean error.
GREY = torch.tensor([0.3, 0.45, 0.7, 0.4])
IMAGES = GREY.reshape(4, 1, 1, 1).expand(4, 1, 2, 3).contiguous()
LABELS = torch.tensor([0, 0, 1, 1])


@pytest.mark.parametrize("make", [fgsm, lambda: bim(steps=5), lambda: bim("l2", steps=5)])
def test_robust_accuracy_is_what_the_margins_say(make):
    attack = make()
    scale = 1.0 if attack.norm is Norm.LINF else 6**0.5  # L2 length of one grey level
    budgets = [eps * scale for eps in (0.0, 0.04, 0.1, 0.19, 0.21, 1.0)]
    result = evaluate(Threshold(), IMAGES, LABELS, attack, budgets=budgets, batch_size=3)
    # margins: 0.2, 0.05, 0.2 and a clean error that counts as an error at each budget
    assert result.correct.tolist() == [
        [True, True, True, False],
        [True, True, True, False],
        [True, False, True, False],
        [True, False, True, False],
        [False, False, False, False],
        [False, False, False, False],
    ]
    assert result.robust_accuracy == (0.75, 0.75, 0.5, 0.5, 0.0, 0.0)
    assert result.clean_accuracy == 0.75
    assert result.predictions[5].tolist() == [1, 1, 0, 0]
    assert result.clean_predictions.tolist() == [0, 0, 1, 0]
    assert result.threat_model == "whitebox"
    assert result.warnings == ()
    assert result.excess.max() < 1e-6
    assert result.seconds > 0.0
    assert (result.attack, result.norm, result.steps) == (attack.name, attack.norm, attack.steps)


def test_an_attack_that_leaves_the_ball_is_put_back_and_told_on():
    for norm, size in ((Norm.LINF, 1.0), (Norm.L2, 6**0.5)):
        cheat = Custom(lambda x, eps: torch.where(x < 0.5, 1.0, 0.0), norm)
        budgets = [0.1 * size, 0.04 * size]
        result = evaluate(Threshold(), IMAGES, LABELS, cheat, budgets=budgets)
        # within 0.1 only the second image can be broken, within 0.04 none; the last one was
        # wrong already and is put right by the cheat only if that takes no more than eps
        assert result.correct.tolist() == [[True, False, True, False], [True] * 3 + [False]]
        (warning,) = result.warnings
        assert warning.code == "left-the-ball"
        assert "8 of 8 images came back outside the eps-ball" in warning.message
        assert f"at eps {budgets[0]:g}, {budgets[1]:g}" in warning.message
        assert result.excess[0] == pytest.approx((0.7 - 0.1) * size, abs=1e-6)


def test_an_attack_that_moves_the_centre_of_the_ball_gains_nothing():
    def shift(images, eps):
        images.copy_(torch.where(images < 0.5, 1.0, 0.0))  # in place: "x0 was always there"
        return images

    result = evaluate(Threshold(), IMAGES, LABELS, Custom(shift), budgets=[0.04])
    assert result.correct.tolist() == [[True, True, True, False]]
    assert [warning.code for warning in result.warnings] == ["left-the-ball"]
    assert torch.equal(IMAGES[:, 0, 0, 0], GREY)


def test_images_outside_the_box_are_clamped_and_told_on():
    dark = torch.full((1, 4), 0.02)
    out = Custom(lambda x, eps: x - 0.05)
    seen = []

    class Records(nn.Module):
        def forward(self, x):
            seen.append(x.detach().clone())
            return torch.stack((x.sum(1), 0 * x.sum(1)), 1)

    result = evaluate(Records(), dark, torch.tensor([0]), out, budgets=[0.1])
    assert [warning.code for warning in result.warnings] == ["left-the-ball"]
    assert any(torch.equal(x, torch.zeros(1, 4)) for x in seen)
    assert min(float(x.min()) for x in seen) >= 0.0
    assert result.excess[0] == 0.0


def test_rounding_is_forgiven_to_one_ulp_and_not_beyond():
    x = torch.full((1, 4), 0.75)
    for ulps, warned in ((0, False), (1, False), (3, True)):
        near = Custom(lambda image, eps, ulps=ulps: image + 0.125 + ulps * 2.0**-24)
        result = evaluate(Threshold(), x, torch.tensor([1]), near, budgets=[0.125])
        assert result.excess[0] == ulps * 2.0**-24
        assert bool(result.warnings) == warned


def test_a_lying_attack_that_does_nothing_is_seen_to_do_nothing():
    class Liar(Custom):
        success_rate = 1.0  # nobody asks

    result = evaluate(Threshold(), IMAGES, LABELS, Liar(lambda x, eps: x), budgets=[0.5])
    assert result.robust_accuracy == (0.75,)


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (lambda x, eps: x[:1], r"custom to return torch.float32 \(4, 1, 2, 3\), got"),
        (lambda x, eps: x.double(), "got torch.float64"),
        (lambda x, eps: None, "got NoneType"),
        (lambda x, eps: x * float("nan"), "finite images, got NaN or infinity in 4 of 4 rows"),
        (lambda x, eps: x / 0.0, "finite images, got NaN or infinity in 4 of 4 rows"),
    ],
)
def test_an_attack_that_returns_no_images_is_refused(answer, match):
    with pytest.raises(AttackError, match=match):
        evaluate(Threshold(), IMAGES, LABELS, Custom(answer), budgets=[0.1])


def test_no_budget_is_clean_accuracy_and_needs_no_attack():
    def never(images, eps):
        raise AssertionError("nothing to attack")

    result = evaluate(Threshold(), IMAGES, LABELS, Custom(never), budgets=[0.0, 0])
    assert result.robust_accuracy == (0.75, 0.75)
    assert torch.equal(result.predictions[0], result.clean_predictions)


def test_a_transfer_attack_takes_its_gradients_elsewhere():
    class Flipped(Threshold):
        def forward(self, x):
            return super().forward(x).flip(1)

    wrong_way = evaluate(
        Threshold(), IMAGES, LABELS, fgsm(), budgets=[0.21], gradient_model=Flipped()
    )
    assert wrong_way.threat_model == "transfer"
    assert wrong_way.correct.tolist() == [[True, True, True, True]]  # it helps the network
    named = evaluate(
        Threshold(),
        IMAGES,
        LABELS,
        fgsm(),
        budgets=[0.21],
        gradient_model=Threshold(),
        gradient_name="float",
    )
    assert named.threat_model == "transfer:float"
    assert named.robust_accuracy == (0.0,)
    model = Threshold()
    same = evaluate(model, IMAGES, LABELS, fgsm(), budgets=[0.21], gradient_model=model)
    assert same.threat_model == "whitebox"


def test_progress_counts_every_row_and_ends_at_its_total():
    for attack in (fgsm(), pgd(steps=3)):
        for budgets in ([0.0], [0.0, 0.1, 0.2]):
            calls = []
            evaluate(
                Threshold(),
                IMAGES,
                LABELS,
                attack,
                budgets=budgets,
                batch_size=3,
                progress=lambda done, total, calls=calls: calls.append((done, total)),
            )
            total = network_rows(attack, budgets=budgets, samples=4)
            assert calls[-1] == (total, total)
            assert [done for done, _ in calls] == sorted({done for done, _ in calls})
            assert {out_of for _, out_of in calls} == {total}
    assert network_rows(fgsm(), budgets=[0.0, 0.1, 0.2], samples=4) == 8 + 4 + 8
    assert network_rows(pgd(), budgets=[0.0, 0.1, 0.2], samples=4) == 8 + 400 + 8


def test_batch_size_and_order_change_nothing():
    torch.manual_seed(3)
    inner = nn.Sequential(nn.Flatten(), nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)).double()

    class Model(nn.Module):
        def forward(self, x):
            return inner(x.double()).float()

    images = torch.rand(20, 1, 2, 3)
    labels = torch.randint(0, 2, (20,))

    def run(order, batch_size):
        return evaluate(
            Model(),
            images[order],
            labels[order],
            pgd("l2", steps=4),
            budgets=[0.0, 0.1, 0.2, 0.4],
            seed=8,
            indices=order,
            batch_size=batch_size,
        )

    straight, order = torch.arange(20), torch.randperm(20)
    base = run(straight, 256)
    assert 0.0 < base.robust_accuracy[-1] < 1.0
    assert torch.equal(run(straight, 7).predictions, base.predictions)
    assert torch.equal(run(order, 3).predictions, base.predictions[:, order])


def test_neither_network_changes_its_mode_or_collects_gradients():
    model, source = (
        nn.Sequential(nn.Flatten(), nn.BatchNorm1d(6), nn.Linear(6, 2)).train() for _ in range(2)
    )
    before = {k: v.clone() for net in (model, source) for k, v in net.state_dict().items()}
    evaluate(model, IMAGES, LABELS, bim(steps=2), budgets=[0.1], gradient_model=source)
    for net in (model, source):
        assert all(module.training for module in net.modules())
        assert all(p.grad is None for p in net.parameters())
    assert all(torch.equal(before[key], value) for key, value in source.state_dict().items())


def test_a_random_network_is_told_on():
    class Noisy(Threshold):
        def forward(self, x):
            return super().forward(x) + 0.01 * torch.rand(len(x), 2)

    result = evaluate(Noisy(), IMAGES, LABELS, fgsm(), budgets=[0.01])
    assert "nondeterministic" in [warning.code for warning in result.warnings]


def test_an_attack_that_changes_the_network_is_told_on():
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))

    def sabotage(images, eps):
        with torch.no_grad():
            model[1].bias.add_(1.0)
        return images

    result = evaluate(model, IMAGES, LABELS, Custom(sabotage), budgets=[0.1])
    assert [warning.code for warning in result.warnings] == ["nondeterministic"]


def test_a_network_whose_gradient_is_masked_is_told_on():
    class Saturated(Threshold):
        def forward(self, x):
            return 1e4 * super().forward(x)

    result = evaluate(Saturated(), IMAGES, LABELS, bim(steps=3), budgets=[0.3])
    assert result.zero_gradient.tolist() == [True, True, True, False]  # the error has a gradient
    assert result.robust_accuracy == (0.75,)
    assert [warning.code for warning in result.warnings] == ["zero-gradient"]
    assert "3 of 4 samples (75.0%)" in result.warnings[0].message


def test_an_l2_gradient_below_the_floor_of_its_definition_counts_as_none():
    class Confident(Threshold):
        def forward(self, x):
            return 11.0 * super().forward(x)  # margins of 44 and 11 nats

    result = evaluate(Confident(), IMAGES, LABELS, fgsm("l2"), budgets=[1.0])
    assert result.zero_gradient.tolist() == [True, False, True, False]
    assert result.correct.tolist() == [[True, False, True, False]]
    sign = evaluate(Confident(), IMAGES, LABELS, fgsm(), budgets=[0.5])
    assert sign.zero_gradient.tolist() == [False, False, True, False]


def test_nan_logits_are_refused():
    class Broken(nn.Module):
        def forward(self, x):
            return torch.log(x.flatten(1)[:, :2] - 0.35)

    with pytest.raises(AttackError, match="finite logits from the network, got NaN or infinity"):
        evaluate(Broken(), IMAGES, LABELS, fgsm(), budgets=[0.1])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"budgets": []}, "at least one budget"),
        ({"budgets": [0.1, -1.0]}, "finite eps of 0 or more, got -1"),
        ({"budgets": [float("nan")]}, "finite eps of 0 or more, got nan"),
        ({"batch_size": 0}, "batch_size as a whole number"),
        ({"seed": -5}, "a seed from 0"),
        ({"indices": torch.arange(3)}, r"indices of shape \(4,\)"),
        ({"labels": torch.tensor([0, 0, 1, 2])}, "below the network's 2 classes, got a label of 2"),
        ({"images": IMAGES + 1}, r"images in \[0, 1\]"),
    ],
)
def test_impossible_evaluations_are_refused(change, match):
    given = {"images": IMAGES, "labels": LABELS, "budgets": [0.1], **change}
    with pytest.raises(AttackError, match=match):
        evaluate(Threshold(), given.pop("images"), given.pop("labels"), fgsm(), **given)


def test_a_black_box_attack_runs_on_a_network_without_a_gradient():
    class Steps(nn.Module):
        """The threshold without its slope."""

        def forward(self, x):
            with torch.no_grad():
                return Threshold()(x).sign()

    class BlackBox(Custom):
        needs_gradient, steps = False, 7

    def toward_the_threshold(images, eps):
        return images + torch.sign(0.5 - images) * eps.reshape(-1, 1, 1, 1).float()

    told = []
    attack, budgets = BlackBox(toward_the_threshold), (0.0, 0.1, 0.3)
    result = evaluate(
        Steps(), IMAGES, LABELS, attack, budgets=budgets, progress=lambda *rows: told.append(rows)
    )
    assert result.clean_correct.tolist() == [True, True, True, False]
    assert result.robust_accuracy == (0.75, 0.5, 0.25)  # the clean error is put right at 0.3
    assert not result.zero_gradient.any()
    # A pass for each clean image, seven for each attacked one, and one to judge it.
    assert told[-1] == (4 + 2 * 4 * 8,) * 2
    with pytest.raises(AttackError, match="a network without a gradient"):
        evaluate(Steps(), IMAGES, LABELS, Custom(toward_the_threshold), budgets=budgets)


@pytest.mark.parametrize("name", ["bim", "pgd"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_worst_iterate_is_what_a_walk_image_by_image_finds(name, norm):
    model, x, y = _uncertain_network()
    attack = parse_attack(name, norm)
    budgets = (0.0, 0.02, 0.1, 0.4, 1.5)
    found = evaluate(model, x, y, attack, budgets=budgets, seed=3, worst_iterate=True)
    last = evaluate(model, x, y, attack, budgets=budgets, seed=3)
    for row, eps in enumerate(budgets):
        for i in range(len(x)):
            image, label, index = x[i : i + 1], y[i : i + 1], torch.tensor([i])
            broken = bool(model(image).argmax(1) != label)
            if eps > 0:
                for x_adv in attack.iterates(model, image, label, eps=eps, seed=3, indices=index):
                    broken |= bool(model(x_adv).argmax(1) != label)
            assert bool(found.correct[row, i]) != broken
    assert not (found.correct & ~last.correct).any()
    # The network is made so that iterates come back: else this would not tell the two apart.
    assert (last.correct & ~found.correct).any()
    assert found.worst_iterate
    assert not last.worst_iterate


def test_progress_of_a_worst_iterate_ends_at_its_total_although_images_stop_early():
    model, x, y = _uncertain_network()
    seen = []
    evaluate(
        model,
        x,
        y,
        parse_attack("bim", "linf"),
        budgets=(0.0, 0.1, 0.4),
        worst_iterate=True,
        batch_size=5,
        progress=lambda done, total: seen.append((done, total)),
    )
    total = network_rows(
        parse_attack("bim", "linf"), budgets=(0.0, 0.1, 0.4), samples=len(x), worst_iterate=True
    )
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_worst_iterate_needs_an_attack_that_shows_its_steps():
    model, x, y = _uncertain_network()

    class Opaque:
        name, norm, steps, needs_gradient = "opaque", Norm.LINF, 2, False

        def __call__(self, model, images, labels, **_):
            return images

    with pytest.raises(AttackError, match="expected an attack that shows its iterates, opaque"):
        evaluate(model, x, y, Opaque(), budgets=(0.1,), worst_iterate=True)


def _uncertain_network():
    """A network whose logits wave with the input, so that a long walk passes through errors."""
    torch.manual_seed(4)
    weights = torch.randn(3, 12) * 6

    class Waves(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = torch.nn.Parameter(weights)

        def forward(self, x):
            return torch.sin(x.flatten(1) @ self.weights.T * 8)

    model = Waves()
    x = torch.rand(14, 1, 3, 4)
    y = model(x).argmax(1).detach()
    y[::5] = (y[::5] + 1) % 3  # some are wrong from the start
    return model, x, y
