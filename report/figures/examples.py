# SPDX-License-Identifier: Apache-2.0
"""Adversarial examples as a picture: what was changed, and what each network says of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from axhil.attacks import attack_title
from axhil.hwsim.multipliers import Assignment
from axhil.study.subject import Subject
from axhil.zoo import Images

from ..example_search import Examples, find_examples
from ..titles import network_title

_RIGHT, _WRONG = "#dff0d8", "#f3b8ae"
_INK = {True: "#1b5e20", False: "#7f0000"}
_MARGIN = 0.5  # left of the boxes, in boxes


def examples_figure(
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
    network, panel = network_title(subject.network.name), attack_title(attack, norm)
    return draw_examples(found, title=f"{network}, {panel}, eps {eps:g}")


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
