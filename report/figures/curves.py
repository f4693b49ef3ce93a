# SPDX-License-Identifier: Apache-2.0
"""Robust accuracy over eps, in the layout of the paper's Figure 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from axhil.attacks import attack_title
from axhil.study.storage.records import Record

from ..panels import by_panel


@dataclass(frozen=True)
class Looks:
    """What a multiplier looks like in every chart.

    Attributes:
        colour: of line, marker and band.
        marker: as matplotlib spells it.
        line: its style.
    """

    colour: str
    marker: str
    line: str = "-"


# Okabe and Ito's colours, told apart by readers with colour-vision deficiency; the accurate
# multiplier is black, and markers repeat the distinction.
_LOOKS = tuple(
    map(
        Looks,
        ("#000000", "#D55E00", "#E69F00", "#009E73", "#56B4E9", "#0072B2", "#CC79A7"),
        ("o", "s", "D", "^", "v", "P", "X"),
    )
)
# Markers on every point of a longer curve would hide the others: they stand this far apart, as a
# part of the panel's diagonal, and each curve's elsewhere.
_MOST_MARKERS, _APART = 26, 0.09
_ROOT_TICKS = (0, 0.1, 0.2, 0.3, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 16, 32)


def looks(number: int) -> Looks:
    """Looks of the multiplier at this position; they repeat dashed."""
    again = number >= len(_LOOKS)
    look = _LOOKS[number % len(_LOOKS)]
    return replace(look, line="--") if again else look


def visible_in_legend(label: str) -> str:
    """A label that matplotlib does not hide, as it does those that begin with a low line."""
    return f" {label}" if label.startswith("_") else label


def curve_panel(
    axes: Axes, records: Sequence[Record], labels: Sequence[str], *, name: bool = False
) -> None:
    """Draw the curves of one attack and norm, with bands that are Wilson 95 % intervals.

    The eps axis of L-inf grows as a square root, because curves fall where budgets are small.

    Args:
        axes: to draw on.
        records: of one attack and norm.
        labels: all multipliers, in the order of their looks; the first is drawn on top.
        name: give each curve's band and line an id, ``band-0`` and ``line-0`` and so on.
    """
    for number, label in enumerate(labels):
        points = sorted((r.eps, r.accuracy) for r in records if r.cell.label == label)
        if not points:
            continue
        eps = [point[0] for point in points]
        look = looks(number)
        axes.plot(
            eps,
            [100 * point[1].value for point in points],
            marker=look.marker,
            markersize=4,
            markevery=(_APART * (number % len(_LOOKS)) / len(_LOOKS), _APART)
            if len(points) > _MOST_MARKERS
            else None,
            linewidth=1.3,
            linestyle=look.line,
            color=look.colour,
            label=visible_in_legend(label),
            zorder=3 - number / 100,
            gid=f"line-{number}" if name else None,
        )
        axes.fill_between(
            eps,
            [100 * point[1].low for point in points],
            [100 * point[1].high for point in points],
            color=look.colour,
            alpha=0.07,
            linewidth=0,
            gid=f"band-{number}" if name else None,
        )
    if records[0].cell.settings.norm == "linf":
        axes.set_xscale("function", functions=(_root, _square))
        largest = max(record.eps for record in records)
        if 0.2 < largest <= _ROOT_TICKS[-1]:
            axes.set_xticks([tick for tick in _ROOT_TICKS if tick <= largest])
        axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlim(left=0)
    axes.set_ylim(-2, 102)


def robustness_figure(records: Sequence[Record], *, title: str) -> Figure:
    """Draw one panel per attack (across) and norm (down), one line per multiplier.

    Args:
        records: one network's, any multipliers, attacks, norms and budgets.
        title: above the panels.
    """
    drawn = by_panel(records)
    attacks = list(dict.fromkeys(attack for attack, _ in drawn))
    norms = list(dict.fromkeys(norm for _, norm in drawn))
    labels = list(dict.fromkeys(r.cell.label for r in records))
    figure = Figure(
        figsize=(3.9 * len(attacks) + 1.2, 3.1 * len(norms) + 0.9), layout="constrained"
    )
    grid = figure.subplots(len(norms), len(attacks), squeeze=False, sharey=True, sharex="row")
    for row, norm in enumerate(norms):
        for column, attack in enumerate(attacks):
            axes = grid[row][column]
            curve_panel(axes, drawn[attack, norm], labels)
            axes.set_title(attack_title(attack, norm), fontsize=10)
            axes.grid(alpha=0.25, linewidth=0.6)
            axes.spines[["top", "right"]].set_visible(False)
            if row == len(norms) - 1:
                axes.set_xlabel("eps")
            if column == 0:
                axes.set_ylabel("robust accuracy, %")
    handles, names = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


def _root(eps: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.clip(eps, 0, None))


def _square(position: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.square(position)
