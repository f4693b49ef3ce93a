# SPDX-License-Identifier: Apache-2.0
"""Adversarial examples as a picture: what was changed, and what each network says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from torch import nn

from attacks import preset
from emulation import Images
from hwsim import error_metrics

from .cells import Cell
from .comparisons import accurate_multiplier
from .errors import StudyError
from .multipliers import NamedLut
from .paper import TITLES
from .records import records_of
from .subject import Subject
from .tables import ATTACK_TITLES

_RIGHT, _WRONG = "#dff0d8", "#f3b8ae"
_INK = {True: "#1b5e20", False: "#7f0000"}
_MARGIN = 0.5  # left of the boxes, in boxes
# Images attacked at a time in the search for broken ones, and how many to look at.
_BATCH, _LOOKED_AT = 16, 64


@dataclass(frozen=True)
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


def telling_budget(cells: Sequence[Cell], *, attack: str, norm: str) -> float | None:
    """Find the eps at which the accurate multiplier keeps about half of its clean accuracy.

    Args:
        cells: of one network; without an accurate multiplier the first counts.
        attack: preset name.
        norm: ``linf`` or ``l2``.

    Returns:
        The smallest eps above 0 whose accuracy is nearest to half of that at the smallest eps
        (mostly 0, clean), or None where there is none.
    """
    records = records_of(cells)
    label = accurate_multiplier(records) or (cells[0].label if cells else None)
    own = [
        r
        for r in records
        if r.cell.label == label
        and (r.cell.settings.attack, r.cell.settings.norm) == (attack, norm)
    ]
    attacked = [r for r in own if r.eps > 0]
    if not attacked:
        return None
    half = min(own, key=lambda r: r.eps).accuracy.value / 2
    return min(attacked, key=lambda r: (abs(r.accuracy.value - half), r.eps)).eps


def find_examples(
    subject: Subject,
    images: Images,
    multipliers: Sequence[NamedLut],
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
        attack: preset name.
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
    source = next((m for m in multipliers if error_metrics(m.lut).ep == 0), multipliers[0])

    def built(one: NamedLut) -> nn.Module:
        layers = subject.network.approximate
        return subject.prepared.emulate(one.lut, layers=layers).to(device)

    network = built(source)

    def attacked(some: Images) -> torch.Tensor:
        x, y = some.batch(device=device)
        indices = torch.from_numpy(some.indices)
        return preset(attack, norm)(network, x, y, eps=eps, seed=seed, indices=indices)

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


def examples_figure(
    subject: Subject,
    images: Images,
    multipliers: Sequence[NamedLut],
    *,
    attack: str,
    norm: str,
    eps: float,
    seed: int,
    count: int = 5,
    device: str = "cpu",
) -> Figure:
    """`find_examples`, drawn; see there for arguments and errors."""
    found = find_examples(
        subject,
        images,
        multipliers,
        attack=attack,
        norm=norm,
        eps=eps,
        seed=seed,
        count=count,
        device=device,
    )
    title, name = ATTACK_TITLES.get((attack, norm), f"{attack} {norm}"), subject.network.name
    return draw_examples(found, title=f"{TITLES.get(name, name)}, {title}, eps {eps:g}")


def draw_examples(found: Examples, *, title: str) -> Figure:
    """Draw examples: a row per image, three pictures and a box per network.

    Args:
        found: the examples.
        title: above them.
    """
    rows, networks = len(found.labels), list(found.predictions)
    boxes = 0.92 * (len(networks) + _MARGIN)
    figure = Figure(figsize=(3 * 1.3 + boxes + 0.2, 1.42 * rows + 1.15))
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    grid = figure.subplots(rows, 4, squeeze=False, width_ratios=[1.3] * 3 + [boxes])
    change = found.adversarial - found.clean
    limit = float(np.abs(change).max()) or 1.0
    colour = found.clean.shape[1] == 3
    for row, panels in enumerate(grid):
        _picture(panels[0], found.clean[row])
        if colour:  # grey is no change, and each channel keeps its sign
            _picture(panels[1], 0.5 + change[row] / (2 * limit))
        else:
            panels[1].imshow(change[row][0], cmap="RdBu_r", vmin=-limit, vmax=limit)
        _picture(panels[2], found.adversarial[row])
        for panel in panels[:3]:
            panel.set_xticks([])
            panel.set_yticks([])
        panels[0].set_ylabel(found.classes[found.labels[row]], fontsize=10)
        _boxes(panels[3], found, row, heading=row == 0)
    grid[0][0].set_title("clean", fontsize=9)
    grid[0][1].set_title(f"perturbation\n(±{limit:.3g})", fontsize=9)
    grid[0][2].set_title("adversarial", fontsize=9)
    figure.suptitle(title, fontsize=11)
    scale = (
        f"grey: unchanged; a channel is darker by {limit:.3g} at 0 and brighter by it at full"
        if colour
        else f"red: brighter, blue: darker, full colour at {limit:.3g} of the range 0 to 1"
    )
    which = f"of each class here the first image that {found.attacked} gets right clean"
    if found.fooled.all():
        which += " and wrong attacked"
    figure.supxlabel(
        f"The attack is on {found.attacked}; the other networks see the images made for it. "
        f"✓ right, ✗ wrong.\nShown: {which}. Perturbation: {scale}.",
        fontsize=8,
        color="0.3",
    )
    return figure


def _picture(panel: Axes, image: NDArray[np.float32]) -> None:
    if len(image) == 3:
        panel.imshow(np.clip(image.transpose(1, 2, 0), 0, 1), interpolation="nearest")
    else:
        panel.imshow(image[0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def _boxes(panel: Axes, found: Examples, row: int, *, heading: bool) -> None:
    """A column per network: what it says of the clean image above what it says of the other."""
    panel.set_axis_off()
    panel.set_xlim(-_MARGIN, len(found.predictions))
    panel.set_ylim(0, 2)
    for line, word in enumerate(("clean", "adv.")):
        panel.text(-0.05, 1.49 - line, word, ha="right", va="center", fontsize=8, color="0.3")
    names = [found.classes[i] for both in found.predictions.values() for i in both.flat]
    size = 10 if max(map(len, names)) < 5 else 7.5
    for column, (network, classes) in enumerate(found.predictions.items()):
        for line, prediction in enumerate(classes[:, row]):
            right = bool(prediction == found.labels[row])
            panel.add_patch(
                Rectangle(
                    (column + 0.03, 1.02 - line),
                    0.94,
                    0.94,
                    facecolor=_RIGHT if right else _WRONG,
                    edgecolor="none",
                )
            )
            panel.text(
                column + 0.5,
                1.49 - line,
                f"{'✓' if right else '✗'} {found.classes[prediction]}",
                ha="center",
                va="center",
                fontsize=size,
                fontweight="normal" if right else "bold",
                color=_INK[right],
            )
        if heading:
            bold = "bold" if network == found.attacked else "normal"
            panel.text(
                column + 0.5, 2.08, network, ha="center", va="bottom", fontsize=9, fontweight=bold
            )
