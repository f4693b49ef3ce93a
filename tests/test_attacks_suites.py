# SPDX-License-Identifier: Apache-2.0
"""Suites: never weaker than any of their members, and they say who broke what."""

import doctest
from itertools import pairwise

import pytest
import torch
from torch import nn

from axhil.attacks import (
    SOURCES,
    AttackError,
    Borrowed,
    Norm,
    Suite,
    evaluate,
    network_rows,
    parse_attack,
    suites,
)
from axhil.attacks.network import input_gradient
from axhil.attacks.suites import Member


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny batches gain nothing from threads, and spinning ones stall a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Smooth(nn.Module):
    """Four classes in float64, so that rounding does not tell batches apart."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.inner = nn.Sequential(nn.Linear(16, 24), nn.Tanh(), nn.Linear(24, 4)).double()
        with torch.no_grad():
            self.inner[0].weight *= 3

    def forward(self, x):
        return self.inner(x.double().flatten(1)).float()


class Staircase(nn.Module):
    """The same on eight grey levels: no gradient of its own."""

    def __init__(self):
        super().__init__()
        self.smooth = Smooth()

    def forward(self, x):
        return self.smooth((x * 7).round() / 7)


class Whole(nn.Module):
    """An integer model: whole numbers, no autograd, no parameters."""

    def forward(self, x):
        with torch.no_grad():
            codes = (x.flatten(1) * 255).round().to(torch.int64)
            score = codes.sum(1) - 128 * codes.shape[1]
            return torch.stack((-score, score), dim=1)


BUDGETS = (0.0, 0.02, 0.05, 0.08, 0.12, 0.2)
NAMES = (
    ("apgd(steps=10)", "own"),
    ("apgd(loss=targeted_dlr,steps=10)", "float"),
    ("pgd(steps=5,loss=margin,restarts=3)", "float"),
    ("fab(steps=5)", "own"),
    ("square(queries=60)", "own"),
)


def suite_of(norm="linf", *, bisection=False, names=NAMES):
    members = tuple(Member(parse_attack(one, norm), source) for one, source in names)
    return Suite("small", Norm(norm), members, bisection)


@pytest.fixture(scope="module")
def case():
    model = Staircase()
    x = torch.rand(30, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    y = model(x).argmax(1)
    y[::7] = (y[::7] + 1) % 4  # clean errors
    return model, x, y, {"float": Borrowed(model, model.smooth)}


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_suite_is_never_weaker_than_any_member_at_any_budget(case, norm):
    model, x, y, sources = case
    budgets = [eps * (1 if norm == "linf" else 3) for eps in BUDGETS]
    found = evaluate(model, x, y, suite_of(norm), budgets=budgets, sources=sources, batch_size=11)
    together = torch.ones_like(found.correct)
    for name, source in NAMES:
        alone = evaluate(
            model,
            x,
            y,
            suite_of(norm, names=[(name, source)]),
            budgets=budgets,
            sources=sources,
        )
        assert not (found.correct & ~alone.correct).any()
        together &= alone.correct
    assert torch.equal(found.correct, together)
    for smaller, larger in pairwise(found.correct):
        assert not (larger & ~smaller).any()
    assert 0 < int(found.correct[-2].sum()) < int(found.clean_correct.sum())


def test_the_record_names_who_broke_each_image_first(case):
    model, x, y, sources = case
    suite = suite_of()
    found = evaluate(model, x, y, suite, budgets=BUDGETS, sources=sources)
    names = [member.name for member in suite.members]
    assert "apgd(loss=targeted_dlr,steps=10)@float" in names
    assert (torch.tensor([[one == "" for one in row] for row in found.broken_by])).equal(
        found.correct
    )
    assert {one for row in found.broken_by for one in row} <= {"", "clean", *names}
    # The staircase has no gradient of its own; its neighbour's finds the way.
    assert [one.code for one in found.warnings] == ["zero-gradient", "hidden-gradient"]
    lent = ("square(queries=60)", "apgd(loss=targeted_dlr,steps=10)@float")
    lent += ("pgd(steps=5,loss=margin,restarts=3)@float",)
    hidden = max(sum(one in lent for one in row) for row in found.broken_by)
    assert f"{hidden} of 30 samples survive every attack along the network's own" in str(
        found.warnings[1]
    )
    for image in range(len(x)):
        if not found.clean_correct[image]:
            assert {row[image] for row in found.broken_by} == {"clean"}
    # The first budget that breaks an image, and its first member that does so alone.
    eps = BUDGETS[2]
    for image in range(len(x)):
        who = found.broken_by[2][image]
        if who in ("", "clean") or found.broken_by[1][image]:
            continue
        for name in names[: names.index(who) + 1]:
            attack, _, source = name.partition("@")
            index = torch.tensor([image])
            network = sources.get(source, model)
            x_adv = parse_attack(attack)(
                network, x[index], y[index], eps=eps, seed=0, indices=index
            )
            assert bool(model(x_adv).argmax(1) != y[index]) == (name == who)


@pytest.mark.parametrize("bisection", [False, True])
def test_what_others_broke_counts_for_the_own_gradient_where_that_succeeds(case, bisection):
    """Held against the members along the own gradient alone, at each budget."""
    model, x, y, sources = case
    names = [(NAMES[1][0], "own"), ("pgd(steps=3,rel_step=0.5,loss=margin)", "float"), NAMES[4]]
    budgets = [0.02 * n for n in range(13)]
    found, alone = (
        evaluate(model, x, y, one, budgets=budgets, sources=sources, batch_size=7)
        for one in (
            suite_of(names=names, bisection=bisection),
            suite_of(names=names[:1], bisection=bisection),
        )
    )
    missed = suites.hidden(found.broken_by)
    # Bisection may pass over a budget where an attack is weaker at a larger one.
    differ = missed != (alone.correct & ~found.correct)
    assert differ.float().mean() <= (0.03 if bisection else 0.0)
    assert missed.any(1).sum() > 3
    # Missed at one budget, but not at all that are larger.
    assert (missed.any(0) & ~missed[-1]).any()


def test_bisection_finds_the_same_smallest_budgets_with_fewer_attacks(case):
    model, x, y, sources = case
    budgets = [0.02 * n for n in range(13)]
    seen = []
    results = [
        evaluate(
            model,
            x,
            y,
            suite_of(bisection=bisection, names=NAMES[:3]),
            budgets=budgets,
            sources=sources,
            progress=lambda done, total: seen.append((done, total)),
        )
        for bisection in (False, True)
    ]
    smallest = [one.correct.sum(0) for one in results]
    assert ((smallest[0] - smallest[1]).abs() <= 1).all()
    assert (smallest[0] == smallest[1]).float().mean() > 0.9
    for one in results:
        assert not (one.correct[1:] & ~one.correct[:-1]).any()
    assert network_rows(suite_of(bisection=True), budgets=budgets, samples=30) < (
        network_rows(suite_of(), budgets=budgets, samples=30) / 2
    )
    assert [done for done, _ in seen[-1:]] == [total for _, total in seen[-1:]]
    assert all(done <= total for done, total in seen)


def test_a_borrowed_gradient_leaves_the_answers_and_brings_its_own(case):
    model, x, y, sources = case
    borrowed = sources["float"]
    assert torch.equal(borrowed(x), model(x))
    gradient, logits, _ = input_gradient(borrowed, x, y)
    assert torch.equal(logits, model(x))
    assert not input_gradient(model, x, y)[0].any()
    # Backward through the smooth network, of the loss at the stepped one's answers.
    leaf = x.clone().requires_grad_()
    pull = torch.softmax(model(x), 1) - nn.functional.one_hot(y, 4)
    (expected,) = torch.autograd.grad(model.smooth(leaf), leaf, pull)
    torch.testing.assert_close(gradient, expected)


def test_members_along_one_network_run_once(case):
    model, x, y, _ = case
    seen = []

    class Counted(nn.Module):
        def forward(self, rows):
            seen.append(len(rows))
            return model.smooth(rows)

    network = Counted()
    one = parse_attack("apgd(steps=10)")
    attack = Suite("two", one.norm, (Member(one), Member(one, "slope")))
    counts = []
    for sources in ({"slope": network}, {"slope": Borrowed(network, network)}):
        seen.clear()
        evaluate(network, x, y, attack, budgets=[0.01], sources=sources)
        counts.append(sum(seen))
    assert counts[0] < counts[1]


def test_the_named_suites_are_what_they_say():
    auto = parse_attack("autoattack", "l2")
    assert [member.name for member in auto.members] == [
        "apgd",
        "apgd(loss=targeted_dlr)",
        "fab",
        "square",
    ]
    assert auto.sources == ("own",)
    ours = parse_attack("adaptive(bisection=true)")
    assert ours.sources == SOURCES
    assert ours.name == "adaptive(bisection=true)"
    assert len({member.name for member in ours.members}) == len(ours.members) == 17


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(suites) == (0, 1)


def test_a_missing_source_is_named(case):
    model, x, y, _ = case
    with pytest.raises(AttackError, match="expected networks for slope and exact and float in sou"):
        evaluate(model, x, y, parse_attack("adaptive"), budgets=[0.1])


def test_a_black_box_attack_breaks_an_integer_model_without_a_gradient():
    x = torch.tensor([0.49, 0.52, 0.3]).reshape(3, 1, 1, 1).expand(3, 1, 4, 4).contiguous()
    y = torch.tensor([0, 1, 0])
    black = suite_of(names=[("square(queries=300)", "own")])
    for attack in (parse_attack("square(queries=300)"), black):
        found = evaluate(Whole(), x, y, attack, budgets=[0.0, 0.1])
        assert found.correct.tolist() == [[True] * 3, [False, False, True]]
    with pytest.raises(AttackError, match="a network without a gradient"):
        evaluate(Whole(), x, y, parse_attack("apgd"), budgets=[0.1])


def test_a_suite_is_an_attack_like_any_other(case):
    model, x, y, _ = case
    suite = suite_of(names=[NAMES[0], NAMES[-1]])
    x_adv = suite(
        model.smooth,
        x,
        y,
        eps=torch.full((30,), 0.08).double(),
        seed=0,
        indices=torch.arange(30),
    )
    found = evaluate(model.smooth, x, y, suite, budgets=[0.08])
    assert torch.equal(model.smooth(x_adv).argmax(1) == y, found.correct[0])
