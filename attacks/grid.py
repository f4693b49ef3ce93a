# SPDX-License-Identifier: Apache-2.0
"""One attack over a grid of images and budgets, in batches of bounded size.

A row is one (budget, image) pair. An attack that shares its gradient between budgets computes it
once per image; any other gets rows of several budgets side by side in one batch. Either way a
row's result is that of attacking its image alone at its budget, except where the network itself
sums in another order for another batch size, which can move its float32 logits by a rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from .attack import Attack, SharedAttack, SteppedAttack
from .errors import AttackError
from .inputs import (
    check_budgets,
    check_count,
    check_images,
    check_indices,
    check_labels,
    check_seed,
)
from .network import device_of

BATCH_SIZE = 256
"""Rows that share a pass through the network unless the caller says otherwise."""


@dataclass(frozen=True, eq=False)
class Block:
    """Some finished rows of a sweep.

    Attributes:
        budget: (R,) int64 on the CPU, positions in the list of budgets.
        sample: (R,) int64 on the CPU, positions in the batch of images.
        x_adv: (R, ...) what the attack returned, on the network's device.
    """

    budget: Tensor
    sample: Tensor
    x_adv: Tensor


def shares_gradient(attack: Attack) -> TypeGuard[SharedAttack]:
    """Whether one gradient per image serves all budgets of this attack.

    Args:
        attack: any attack.

    Returns:
        True for a single step from the clean image.
    """
    return isinstance(attack, SharedAttack) and attack.shares_gradient


def attack_rows(attack: Attack, *, budgets: int, samples: int) -> int:
    """How many rows an attack sends through the network in a sweep.

    Args:
        attack: any attack.
        budgets: number of budgets.
        samples: number of images.

    Returns:
        The number that `on_rows` adds up to in `sweep`.
    """
    return samples if shares_gradient(attack) else samples * budgets * attack.steps


def sweep(
    attack: Attack,
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    budgets: Sequence[float],
    seed: int = 0,
    indices: Tensor | None = None,
    batch_size: int = BATCH_SIZE,
    on_rows: Callable[[int], None] | None = None,
    stops: Callable[[Block], Tensor] | None = None,
) -> Iterator[Block]:
    """Attack every image at every budget.

    Args:
        attack: the attack.
        model: the network that the gradients come from.
        images: (N, ...) float32 in [0, 1], on any device.
        labels: (N,) int64, on the images' device.
        budgets: eps values, each 0 or more.
        seed: of random starts.
        indices: (N,) int64, each image's number in its data set; None counts from 0.
        batch_size: rows per pass through the network.
        on_rows: called with the number of the attack's rows through the network since its last
            call; rows that stopped early count as computed.
        stops: called with every step's block, answers (R,) bool: which of its rows end here and
            take no further step. None: all rows take all steps.

    Returns:
        An iterator of blocks of at most `batch_size` rows; each pair of a budget and an image is
        in exactly one of them. The attack gets copies of the images.

    Raises:
        AttackError: inputs or budgets out of range; `stops` for an attack that does not show its
            steps; what the attack itself raises.
    """
    check_images(images)
    check_labels(labels, images)
    check_seed(seed)
    check_count(batch_size, what="batch_size")
    task = _Task(
        images=images,
        labels=labels,
        eps=torch.tensor(check_budgets(budgets), dtype=torch.float64),
        indices=check_indices(indices, len(images)),
        seed=seed,
        batch_size=batch_size,
        device=device_of(model, images.device),
        report=on_rows or (lambda rows: None),
        stops=stops,
    )
    if shares_gradient(attack):
        return _shared(attack, model, task)
    if isinstance(attack, SteppedAttack):
        return _stepped(attack, model, task)
    if stops is not None:
        raise AttackError(f"expected an attack that shows its iterates, {attack.name} does not")
    return _whole(attack, model, task)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """A sweep's inputs after they were checked, as `sweep` names them; eps is (B,) float64."""

    images: Tensor
    labels: Tensor
    eps: Tensor
    indices: Tensor
    seed: int
    batch_size: int
    device: torch.device
    report: Callable[[int], None]
    stops: Callable[[Block], Tensor] | None

    def take(self, sample: Tensor) -> tuple[Tensor, Tensor]:
        """Copies of some images and their labels, on the network's device.

        Indexing copies, so an attack that writes into its input harms nobody.
        """
        return self.images[sample].to(self.device), self.labels[sample].to(self.device)

    def batches(self) -> Iterator[tuple[Block, Tensor, dict[str, Any]]]:
        """Every (budget, image) row, budget by budget: clean images, labels, what else is its."""
        count = len(self.images)
        for rows in torch.split(torch.arange(len(self.eps) * count), self.batch_size):
            budget, sample = rows // count, rows % count
            x0, labels = self.take(sample)
            own = {"eps": self.eps[budget], "seed": self.seed, "indices": self.indices[sample]}
            yield Block(budget, sample, x0), labels, own


def _shared(attack: SharedAttack, model: nn.Module, task: _Task) -> Iterator[Block]:
    """One gradient per image, then all budgets from it."""
    for samples in torch.split(torch.arange(len(task.images)), task.batch_size):
        x0, labels = task.take(samples)
        ascent = attack.ascent(model, x0, labels)
        task.report(len(x0))
        for rows in torch.split(torch.arange(len(task.eps) * len(x0)), task.batch_size):
            budget, within = rows // len(x0), rows % len(x0)
            x_adv = attack.single_step(x0[within], ascent[within], eps=task.eps[budget])
            block = Block(budget, samples[within], x_adv)
            if task.stops is not None:
                task.stops(block)  # it sees every step; this one is the last anyway
            yield block


def _whole(attack: Attack, model: nn.Module, task: _Task) -> Iterator[Block]:
    """An attack that shows only its end."""
    for clean, labels, own in task.batches():
        x_adv = attack(model, clean.x_adv, labels, **own)
        task.report(len(labels) * attack.steps)
        yield replace(clean, x_adv=x_adv)


def _stepped(attack: SteppedAttack, model: nn.Module, task: _Task) -> Iterator[Block]:
    """An attack that shows its iterates."""
    for clean, labels, own in task.batches():
        walk = attack.iterates(model, clean.x_adv, labels, **own)
        if task.stops is None:
            x_adv = clean.x_adv
            for iterate in walk:
                x_adv = iterate
                task.report(len(labels))
        else:
            start = replace(clean, x_adv=clean.x_adv.clone())
            x_adv = _until_stopped(walk, start, task, attack.steps)
        yield replace(clean, x_adv=x_adv)


def _until_stopped(
    walk: Generator[Tensor, Tensor | None, None], block: Block, task: _Task, steps: int
) -> Tensor:
    """Let each row walk until it stops, and return where each ended, (R, ...)."""
    assert task.stops is not None
    alive = torch.arange(len(block.sample))
    ends = block.x_adv
    keep: Tensor | None = None
    for step in range(steps):
        iterate = walk.send(keep)
        ends[alive.to(ends.device)] = iterate
        stopped = task.stops(Block(block.budget[alive], block.sample[alive], iterate))
        keep = ~stopped.cpu()
        task.report(len(alive) + int(stopped.sum()) * (steps - 1 - step))
        alive = alive[keep]
        if len(alive) == 0:
            break
    return ends
