# SPDX-License-Identifier: Apache-2.0
"""Suites: several attacks as one, and an image is robust only if it survives all of them.

* `autoattack`, Croce and Hein, 2020, the standard version: APGD on the cross-entropy, APGD on the
  targeted DLR loss to 9 classes, targeted FAB to 9 classes, Square with 5,000 queries;
* `adaptive`: APGD on the cross-entropy, DLR and targeted DLR losses and PGD on the margin with 10
  restarts, along the gradients of one source after the other; then Square.

Where the arithmetic of a network hides its gradient, the gradient of a neighbour may show the way
(Athalye, Carlini and Wagner, 2018: backward pass differentiable approximation). A source is a
network that computes what the network under attack computes, and differs in how it is
differentiated: see `Borrowed`. Broken images leave the batch for the next member, so the cost falls
with what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from .attack import Attack, TransferAttack
from .fab import Fab
from .network import predict
from .norms import Norm
from .presets import apgd, pgd
from .registry import parse_attack, register, spell
from .square import Square

Source = Literal["own", "slope", "exact", "float"]
"""Whose gradient: the attacked network's own, that of its tables' slopes, of the network in exact
integer arithmetic, and of the float network."""
SOURCES: tuple[Source, ...] = get_args(Source)

CLEAN = "clean"
"""What broke an image that is misclassified as it is, in place of a member's name."""


@dataclass(frozen=True)
class Member:
    """One attack of a suite.

    Attributes:
        attack: itself.
        source: whose gradient it follows.
    """

    attack: Attack
    source: Source = "own"

    @property
    def name(self) -> str:
        """The attack's name, and the source's unless it is the network's own."""
        return self.attack.name if self.source == "own" else f"{self.attack.name}@{self.source}"


@cache
def foreign(name: str) -> bool:
    """Whether what broke an image does without the attacked network's own gradient.

    >>> foreign("apgd"), foreign("apgd@float"), foreign("square"), foreign("clean")
    (False, True, True, False)
    """
    attack, borrowed, _ = name.partition("@")
    return name not in ("", CLEAN) and (bool(borrowed) or not parse_attack(attack).needs_gradient)


def hidden(broken_by: Sequence[Sequence[str]]) -> Tensor:
    """Which images are broken, but by nothing along the network's own gradient up to that budget.

    Members along it come first in a suite, and are tried at larger budgets on what they missed.

    Args:
        broken_by: see `Evaluation`.

    Returns:
        (budgets, N) bool.
    """
    return torch.tensor([[foreign(who) for who in row] for row in broken_by])


@dataclass(frozen=True)
class Suite:
    """Attacks in the order in which they are run.

    Attributes:
        name: its spelling.
        norm: of all members.
        members: at least one.
        bisection: whether the budgets are searched for the smallest that breaks an image, rather
            than all tried, see `assault`.
    """

    name: str
    norm: Norm
    members: tuple[Member, ...]
    bisection: bool = False

    @property
    def steps(self) -> int:
        """Rows through networks for each image and budget, where none leaves the batch."""
        return sum(member.attack.steps + 1 for member in self.members)

    @property
    def needs_gradient(self) -> bool:
        """Whether any member differentiates a network."""
        return any(member.attack.needs_gradient for member in self.members)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Whose gradients the members follow, each once."""
        return tuple(dict.fromkeys(member.source for member in self.members))

    def for_transfer(self) -> Suite:
        """The same suite for a network whose answers it does not see."""
        members = tuple(
            replace(member, attack=member.attack.for_transfer())
            if isinstance(member.attack, TransferAttack)
            else member
            for member in self.members
        )
        return replace(self, members=members)

    def __call__(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        eps: Tensor,
        seed: int,
        indices: Tensor,
    ) -> Tensor:
        """Attack a batch along the network's own gradient alone; see `Attack`."""
        ends = images.clone()
        rows = torch.arange(len(images))
        for attack in dict.fromkeys(member.attack for member in self.members):
            rows = rows[(predict(model, ends[rows]).argmax(1) == labels[rows]).cpu()]
            if len(rows) == 0:
                break
            ends[rows] = attack(
                model, images[rows], labels[rows], eps=eps[rows], seed=seed, indices=indices[rows]
            )
        return ends


class Borrowed(nn.Module):
    """A network with the answers of one and the gradient of another.

    Args:
        network: what is computed.
        source: what is differentiated, at the same input.
    """

    def __init__(self, network: nn.Module, source: nn.Module) -> None:
        super().__init__()
        self.network, self.source = network, source

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) images in [0, 1] to logits."""
        if not (torch.is_grad_enabled() and x.requires_grad):
            answers: Tensor = self.network(x)
            return answers
        with torch.no_grad():
            answers = self.network(x)
        swap: Any = _Swap.apply  # torch leaves it unannotated
        swapped: Tensor = swap(self.source(x), answers)
        return swapped


class _Swap(torch.autograd.Function):
    """The second argument forward, the first backward."""

    @staticmethod
    def forward(ctx: Any, differentiated: Tensor, answers: Tensor) -> Tensor:
        del ctx, differentiated
        return answers.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        del ctx
        return grads[0], None


@register("autoattack", title="AutoAttack")
def autoattack(norm: Norm | str = Norm.LINF, *, bisection: bool = False) -> Suite:
    """AutoAttack's standard suite, along the network's own gradient.

    Args:
        norm: "linf" or "l2".
        bisection: see `Suite`.

    Returns:
        The suite.
    """
    attacks: tuple[Attack, ...] = (
        apgd(norm),
        apgd(norm, loss="targeted_dlr"),
        Fab(norm),
        Square(norm),
    )
    members = tuple(map(Member, attacks))
    return Suite(spell("autoattack", bisection=bisection), Norm(norm), members, bisection)


@register("adaptive", title="Adaptive suite")
def adaptive(norm: Norm | str = Norm.LINF, *, bisection: bool = False) -> Suite:
    """Our suite for networks of approximate multipliers.

    All along the network's own gradient comes first: what others break after that, its own gradient
    hid.

    Args:
        norm: "linf" or "l2".
        bisection: see `Suite`.

    Returns:
        The suite.
    """
    attacks = (
        apgd(norm),
        apgd(norm, loss="dlr"),
        apgd(norm, loss="targeted_dlr"),
        pgd(norm, steps=100, rel_step=0.1, loss="margin", restarts=10),
    )
    members = [Member(attack, source) for source in SOURCES for attack in attacks]
    members.append(Member(Square(norm)))
    return Suite(spell("adaptive", bisection=bisection), Norm(norm), tuple(members), bisection)
