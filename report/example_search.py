# SPDX-License-Identifier: Apache-2.0
"""Looks for images that an attack breaks, and asks every network about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from axhil.attacks import parse_attack
from axhil.hwsim import error_metrics
from axhil.hwsim.lut import Lut
from axhil.hwsim.multipliers import Assignment
from axhil.hwsim.multipliers.by_gates import computed
from axhil.study.errors import StudyError
from axhil.study.subject import Subject
from axhil.zoo import Images

# Images attacked at a time in the search for broken ones, and how many to look at.
_BATCH, _LOOKED_AT = 16, 64


@dataclass(frozen=True, eq=False)
class Examples:
    """Attacked images and what every network makes of them.

    Attributes:
        attacked: label of the network that gave the gradients.
        fooled: (N,) whether it gets the adversarial image wrong; not all where few are broken.
        clean: (N, C, H, W) float32 in [0, 1].
        adversarial: the same images attacked.
        labels: (N,) true classes.
        classes: their names.
        predictions: by network (``float32`` first), class indices (2, N): clean, adversarial.
    """

    attacked: str
    fooled: NDArray[np.bool_]
    clean: NDArray[np.float32]
    adversarial: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    predictions: dict[str, NDArray[np.int64]]


def find_examples(
    subject: Subject,
    images: Images,
    multipliers: Sequence[Assignment],
    *,
    attack: str,
    norm: str,
    eps: float,
    seed: int,
    count: int = 5,
    device: str = "cpu",
) -> Examples:
    """Attack a few images through one network and show them to all.

    Args:
        subject: the network.
        images: where to look: of each class, the first image among a few dozen that the attacked
            network gets right clean and wrong attacked; where there are too few, unbroken ones.
        multipliers: tables to build it from; the first without errors, else the first, is attacked.
        attack: its spelling.
        norm: ``linf`` or ``l2``.
        eps: the budget.
        seed: of the random start.
        count: how many images, of as many classes.
        device: where to run.

    Raises:
        StudyError: no multiplier, or no image that is classified correctly.
        AttackError: an unknown attack or norm.
    """
    if not multipliers:
        raise StudyError("expected at least one multiplier to show examples of, got none")
    source = next((one for one in multipliers if _is_exact(one)), multipliers[0])

    def built(one: Assignment) -> nn.Module:
        layers = subject.network.approximate
        return subject.prepared.emulate(one.mapping(), layers=layers, device=device)

    network = built(source)

    def attacked(some: Images) -> torch.Tensor:
        x, y = some.batch(device=device)
        indices = torch.from_numpy(some.indices)
        budgets = torch.full((len(x),), eps, dtype=torch.float64)
        return parse_attack(attack, norm)(network, x, y, eps=budgets, seed=seed, indices=indices)

    chosen, adversarial = _search(network, attacked, images, count, device)
    if not len(chosen):
        raise StudyError(
            f"{source.label} classifies none of the first {min(len(images), _LOOKED_AT)} images of "
            f"{images.name} correctly: there is no example"
        )
    x, _ = chosen.batch(device=device)
    x_adv = adversarial.to(device)
    predictions = {"float32": _classes(subject.float_model, x, x_adv)}
    for one in multipliers:
        model = network if one is source else built(one)
        predictions[one.label] = _classes(model, x, x_adv)
    return Examples(
        attacked=source.label,
        fooled=predictions[source.label][1] != chosen.labels,
        clean=x.cpu().numpy(),
        adversarial=adversarial.numpy(),
        labels=chosen.labels,
        classes=chosen.classes,
        predictions=predictions,
    )


def _is_exact(assignment: Assignment) -> bool:
    tables = [computed(one) for one in assignment.multipliers]
    return bool(tables) and all(
        isinstance(lut, Lut) and error_metrics(lut).ep == 0 for lut in tables
    )


def _search(
    model: nn.Module,
    attacked: Callable[[Images], torch.Tensor],
    images: Images,
    count: int,
    device: str,
) -> tuple[Images, torch.Tensor]:
    """The first image of each of `count` classes that is right clean and broken by the attack.

    Where too few are broken, the first that are not make up for them.

    Returns:
        The images, by class, and what the attack made of them, on the CPU.
    """
    broken: dict[int, tuple[int, torch.Tensor]] = {}
    whole: dict[int, tuple[int, torch.Tensor]] = {}
    for start in range(0, min(len(images), _LOOKED_AT), _BATCH):
        part = np.arange(start, min(len(images), _LOOKED_AT, start + _BATCH))
        x, y = images.subset(part).batch(device=device)
        with torch.no_grad():
            right = (model(x).argmax(1) == y).cpu().numpy()
        wanted = right & ~np.isin(images.labels[part], list(broken))
        candidates = images.subset(part[wanted])
        if not len(candidates):
            continue
        x_adv = attacked(candidates)
        with torch.no_grad():
            found = model(x_adv).argmax(1).cpu().numpy()
        for i, position in enumerate(part[wanted]):
            label = int(candidates.labels[i])
            kept = whole if found[i] == label else broken
            kept.setdefault(label, (int(position), x_adv[i].cpu()))
        if len(broken) >= count:
            break
    first = sorted(broken.items(), key=lambda item: item[1][0])
    rest = sorted(whole.items(), key=lambda item: item[1][0])
    both = dict([*first, *((label, one) for label, one in rest if label not in broken)][:count])
    chosen = [both[label] for label in sorted(both)]
    if not chosen:
        return images.subset(np.arange(0)), torch.empty(0)
    positions = np.array([position for position, _ in chosen], dtype=np.int64)
    return images.subset(positions), torch.stack([one for _, one in chosen])


@torch.no_grad()
def _classes(model: nn.Module, x: torch.Tensor, x_adv: torch.Tensor) -> NDArray[np.int64]:
    """(2, N) class indices of clean and adversarial images."""
    found: NDArray[np.int64] = (
        torch.stack([model(x).argmax(1), model(x_adv).argmax(1)]).cpu().numpy()
    )
    return found
