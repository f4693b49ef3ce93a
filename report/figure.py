# SPDX-License-Identifier: Apache-2.0
"""Robust accuracy over eps, in the layout of the paper's Figure 2."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from axhil.attacks import attack_title
from axhil.hwsim.files import write_atomically
from axhil.study.records import Record

# Okabe and Ito's colours, told apart by readers with colour-vision deficiency; the accurate
# multiplier is black, and markers repeat the distinction.
_COLOURS = ("#000000", "#D55E00", "#E69F00", "#009E73", "#56B4E9", "#0072B2", "#CC79A7")
_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
# Markers on every point of a longer curve would hide the others: they stand this far apart, as a
# part of the panel's diagonal, and each curve's elsewhere.
_MOST_MARKERS, _APART = 26, 0.09


def robustness_figure(records: Sequence[Record], *, title: str) -> Figure:
    """Draw one panel per attack (across) and norm (down), one line per multiplier.

    Shaded bands are Wilson 95 % intervals. The eps axis of L-inf grows as a square root, because
    curves fall where budgets are small.

    Args:
        records: one network's, any multipliers, attacks, norms and budgets.
        title: above the panels.
    """
    attacks = list(dict.fromkeys(r.cell.settings.attack for r in records))
    norms = list(dict.fromkeys(r.cell.settings.norm for r in records))
    labels = list(dict.fromkeys(r.cell.label for r in records))
    figure = Figure(
        figsize=(3.9 * len(attacks) + 1.2, 3.1 * len(norms) + 0.9), layout="constrained"
    )
    axes = figure.subplots(len(norms), len(attacks), squeeze=False, sharey=True, sharex="row")
    for row, norm in enumerate(norms):
        for column, attack in enumerate(attacks):
            panel = axes[row][column]
            for number, label in enumerate(labels):
                points = sorted(
                    (r.eps, r.accuracy)
                    for r in records
                    if (r.cell.settings.attack, r.cell.settings.norm, r.cell.label)
                    == (attack, norm, label)
                )
                eps = [point[0] for point in points]
                colour = _COLOURS[number % len(_COLOURS)]
                panel.plot(
                    eps,
                    [100 * point[1].value for point in points],
                    marker=_MARKERS[number % len(_MARKERS)],
                    markersize=4,
                    markevery=(_APART * (number % len(_MARKERS)) / len(_MARKERS), _APART)
                    if len(points) > _MOST_MARKERS
                    else None,
                    linewidth=1.3,
                    color=colour,
                    label=label,
                    zorder=3 - number / 100,  # the first, the accurate multiplier, on top
                )
                panel.fill_between(
                    eps,
                    [100 * point[1].low for point in points],
                    [100 * point[1].high for point in points],
                    color=colour,
                    alpha=0.07,
                    linewidth=0,
                )
            panel.set_title(attack_title(attack, norm), fontsize=10)
            if norm == "linf":
                panel.set_xscale("function", functions=(_root, _square))
                panel.set_xticks([0, 0.1, 0.2, 0.3, 0.5, 1, 1.5, 2])
                panel.xaxis.set_major_formatter("{x:g}")
            panel.set_xlim(left=0)
            panel.set_ylim(-2, 102)
            panel.grid(alpha=0.25, linewidth=0.6)
            panel.spines[["top", "right"]].set_visible(False)
            if row == len(norms) - 1:
                panel.set_xlabel("eps")
            if column == 0:
                panel.set_ylabel("robust accuracy, %")
    handles, names = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


def _root(eps: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.clip(eps, 0, None))


def _square(position: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.square(position)


def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write `<stem>.png` and `<stem>.svg`, atomically; the bytes depend on the data alone.

    Returns:
        The two paths.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = []
    # A fixed salt and no date: the same records give the same file.
    with mpl.rc_context({"svg.hashsalt": "axhil", "svg.fonttype": "none"}):
        for suffix, metadata in ((".png", {"Software": None}), (".svg", {"Date": None})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=suffix[1:], dpi=150, metadata=metadata)
            path = stem.with_suffix(suffix)
            write_atomically(path, buffer.getvalue())
            paths.append(path)
    return paths
