# SPDX-License-Identifier: Apache-2.0
"""A sweep gives each (budget, image) row what attacking that row alone gives."""

import pytest
import torch
from torch import nn

from axhil.attacks import AttackError, Norm, bim, fgsm, pgd, sweep
from axhil.attacks.grid import attack_rows

BUDGETS = (0.0, 0.05, 0.3, 0.1)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny batches gain nothing from threads, and spinning ones stall a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Counting(nn.Module):
    """A small network in float64, whose results do not depend on the batch; counts its rows."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.inner = nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 4)).double()
        self.rows, self.largest = 0, 0

    def forward(self, x):
        self.rows += len(x)
        self.largest = max(self.largest, len(x))
        return self.inner(x.flatten(1).double()).float()


def batch(rows=7):
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(rows, 1, 3, 4, generator=generator)
    return images, torch.randint(0, 4, (rows,), generator=generator)


def assembled(blocks, budgets, images):
    """All images of a sweep, (budgets, N, ...), checking that each row comes once."""
    result = torch.full((budgets, *images.shape), float("nan"))
    seen = torch.zeros(budgets, len(images), dtype=torch.int64)
    for block in blocks:
        result[block.budget, block.sample] = block.x_adv
        seen[block.budget, block.sample] += 1
    assert (seen == 1).all()
    return result


@pytest.mark.parametrize("batch_size", [1, 3, 5, 7, 16, 1000])
@pytest.mark.parametrize(
    "attack",
    [fgsm(), fgsm("l2"), bim(steps=4), bim("l2", steps=4), pgd(steps=4), pgd("l2", steps=4)],
    ids=lambda attack: f"{attack.name}-{attack.norm}",
)
def test_a_sweep_equals_each_budget_run_alone(attack, batch_size):
    model, (images, labels) = Counting(), batch()
    indices = torch.arange(100, 107)
    blocks = sweep(
        attack,
        model,
        images,
        labels,
        budgets=BUDGETS,
        seed=5,
        indices=indices,
        batch_size=batch_size,
    )
    ours = assembled(blocks, len(BUDGETS), images)
    assert model.largest <= batch_size
    for row, eps in enumerate(BUDGETS):
        alone = attack(model, images, labels, eps=eps, seed=5, indices=indices)
        assert torch.equal(ours[row], alone), eps
    assert torch.equal(ours[0], images)


def test_a_single_step_computes_one_gradient_for_all_budgets():
    model, (images, labels) = Counting(), batch()
    reported = []
    list(sweep(fgsm(), model, images, labels, budgets=BUDGETS, on_rows=reported.append))
    assert model.rows == sum(reported) == 7
    assert attack_rows(fgsm(), budgets=4, samples=7) == 7


def test_an_iterated_sweep_reports_every_gradient_row_as_it_goes():
    model, (images, labels) = Counting(), batch()
    reported = []
    attack = pgd(steps=3)
    blocks = sweep(
        attack, model, images, labels, budgets=BUDGETS, batch_size=16, on_rows=reported.append
    )
    list(blocks)
    assert reported == [16] * 3 + [12] * 3  # 28 rows, 3 steps
    assert model.rows == sum(reported) == attack_rows(attack, budgets=4, samples=7)


def test_an_attack_of_ones_own_gets_copies():
    class Vandal:
        name, norm, steps, needs_gradient = "vandal", Norm.LINF, 2, False

        def __call__(self, model, images, labels, *, eps, seed, indices):
            assert eps.dtype == torch.float64
            labels.zero_()
            return images.fill_(0.5)

    (images, labels), reported = batch(), []
    kept = images.clone(), labels.clone()
    blocks = sweep(Vandal(), Counting(), images, labels, budgets=[0.1], on_rows=reported.append)
    assert (assembled(blocks, 1, images) == 0.5).all()
    assert torch.equal(images, kept[0])
    assert torch.equal(labels, kept[1])
    assert sum(reported) == 14


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"budgets": []}, "at least one budget, got none"),
        ({"budgets": [0.1, -0.1]}, "finite eps of 0 or more, got -0.1"),
        ({"batch_size": 0}, "batch_size as a whole number of at least 1, got 0"),
        ({"seed": -1}, "a seed from 0"),
        ({"indices": torch.arange(3)}, r"indices of shape \(7,\)"),
    ],
)
def test_impossible_sweeps_are_refused_before_they_start(change, match):
    images, labels = batch()
    with pytest.raises(AttackError, match=match):
        sweep(fgsm(), Counting(), images, labels, **{"budgets": BUDGETS, **change})
