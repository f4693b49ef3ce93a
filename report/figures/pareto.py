# SPDX-License-Identifier: Apache-2.0
"""Accuracy and error over cost: every multiplier a point, the non-dominated ones joined."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from ..fronts import Choice, Front
from .curves import looks, visible_in_legend

_SIZE, _FONT = 6.0, 8.5
_DARKER = 0.68
_MOST_NAMED = 24  # multipliers beside the panels; looks repeat long before
_NEAR = (7.0, 12.0, 18.0)
# Sides of a point that a label may stand on: right and left, up and down.
_SIDES = ((1, 0), (1, 1), (1, -1), (-1, 0), (-1, 1), (-1, -1), (0, 1.2), (0, -1.2))


def pareto_figure(rows: Sequence[Sequence[Front]], *, title: str) -> Figure:
    """Draw a panel for every merit (down) and cost (across).

    Args:
        rows: see `fronts.fronts`; at least one.
        title: above the panels.
    """
    across = max(map(len, rows))
    figure = Figure(figsize=(3.7 * across + 0.5, 2.9 * len(rows) + 0.8), layout="constrained")
    grid = figure.subplots(len(rows), across, squeeze=False, sharey="row", sharex="col")
    for fronts, panels in zip(rows, grid, strict=True):
        for panel in panels[len(fronts) :]:
            panel.set_axis_off()
        for column, (front, panel) in enumerate(zip(fronts, panels, strict=False)):
            pareto_panel(panel, front)
            panel.grid(alpha=0.25, linewidth=0.6)
            panel.spines[["top", "right"]].set_visible(False)
            panel.tick_params(labelsize=8)
            if fronts is rows[-1]:
                panel.set_xlabel(front.cost, fontsize=8.5)
            if column == 0:
                panel.set_ylabel(front.merit, fontsize=8.5)
    figure.legend(handles=_legend(rows), loc="outside right center", frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()  # before labels: these go where the axes leave room
    for fronts, panels in zip(rows, grid, strict=True):
        for front, panel in zip(fronts, panels, strict=False):
            place_labels(panel, front)
    return figure


def _legend(rows: Sequence[Sequence[Front]]) -> list[Line2D]:
    """A symbol for every multiplier, unless there are too many, and for the lines."""
    labels = {
        one.look: one.group or one.label
        for fronts in rows
        for front in fronts
        for one in front.choices
    }
    named = sorted((number, label) for number, label in labels.items() if number is not None)
    if len(named) > _MOST_NAMED:
        named = []
    found = [
        Line2D([], [], linestyle="", marker=looks(number).marker, color=looks(number).colour,
               markersize=_SIZE, label=visible_in_legend(label))
        for number, label in named
    ]  # fmt: skip
    found.append(Line2D([], [], color="0.35", linewidth=1.2, label="non-dominated"))
    if None in labels:
        found.append(Line2D([], [], color="0.45", linewidth=1, linestyle=":", label=labels[None]))
    return found


def pareto_panel(axes: Axes, front: Front, *, name: bool = False) -> None:
    """Draw the points of one front, with their intervals, and the staircase of the non-dominated.

    Dotted lines are the best exact multiplier's cost and merit.

    Args:
        axes: to draw on.
        front: what to draw.
        name: give each point an id, ``best-0-2`` where it is non-dominated and else ``point-0-2``,
            of its looks and number, and the lines ``front`` and ``exact``.
    """
    best = front.best
    for one in front.choices:
        if one.look is None:
            continue
        look = looks(one.look)
        gid = f"{'best' if one in best else 'point'}-{one.look}-{one.number}" if name else None
        if one.interval is not None:
            axes.plot(
                [one.cost, one.cost], one.interval, color=look.colour, linewidth=1.1, gid=gid,
                marker="_", markersize=_SIZE - 2,
            )  # fmt: skip
        axes.plot(
            one.cost, one.value, marker=look.marker, markersize=_SIZE, color=look.colour, gid=gid,
            markerfacecolor=look.colour if one in best else "white", zorder=3, linestyle="",
        )  # fmt: skip
    axes.margins(x=0.14, y=0.16)
    axes.plot(
        *zip(*_corners(front), strict=True), color="0.35", linewidth=1.2, zorder=1,
        gid="front" if name else None,
    )  # fmt: skip
    if front.exact is not None:
        for line, at in ((axes.axvline, front.exact.cost), (axes.axhline, front.exact.value)):
            line(
                at, color="0.45", linewidth=1, linestyle=":", zorder=0,
                gid="exact" if name else None,
            )  # fmt: skip


def place_labels(axes: Axes, front: Front, *, name: bool = False) -> None:
    """Write each point's label where nothing else stands; one without such a place has none.

    Args:
        axes: drawn, so that it is known where its points are.
        front: what it shows.
        name: see `pareto_panel`.
    """
    canvas = axes.figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]  # matplotlib's
    frame = axes.get_window_extent(renderer)
    taken, lines = [_around(axes, one) for one in front.choices], _lines(axes, front, frame)
    best = front.best
    for one in sorted(front.choices, key=lambda one: (one.number is not None, one not in best)):
        label = axes.annotate(
            one.label, (one.cost, one.value), (0, 0), textcoords="offset points", fontsize=_FONT,
            annotation_clip=False, color=_ink(one),
            gid=f"point-{one.look}-{one.number}" if name and one.look is not None else None,
        )  # fmt: skip
        label.set_in_layout(False)
        places = _places(axes, one, frame)
        for avoided, (x, y) in product(([*taken, *lines], taken), places):
            _move(label, x, y)
            box = label.get_window_extent(renderer).padded(1.5)
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 + 12
            inside &= frame.y0 <= box.y0 and box.y1 <= frame.y1
            if inside and not box.count_overlaps(avoided):
                taken.append(box)
                break
        else:
            label.remove()


def _ink(one: Choice) -> tuple[float, ...]:
    """Colour of a label: the point's, darker, since light ones are hard to read."""
    colour = "0.55" if one.look is None else looks(one.look).colour
    return tuple(_DARKER * part for part in to_rgb(colour))


def _places(axes: Axes, one: Choice, frame: Bbox) -> list[tuple[float, float]]:
    """Where a label may stand beside its point, in points of the page: the best first."""
    found = [(far * x, far * y) for far, (x, y) in product(_NEAR, _SIDES)]
    to_points = 72 / axes.figure.dpi
    interval = one.interval or (one.value, one.value)
    middle, low, high = axes.transData.transform(
        [(one.cost, value) for value in (one.value, *interval)]
    )[:, 1]
    if one.number is None:  # beside the line of its cost, at its ends
        ends = [(end - middle) * to_points for end in (frame.y0 + 4, frame.y1 - 4)]
        return [(x, y + sign * _FONT) for y, sign in zip(ends, (1, -1), strict=True)
                for x in (4.0, -4.0)] + found  # fmt: skip
    beyond = [(0.0, (high - middle) * to_points + 3), (0.0, (low - middle) * to_points - 3)]
    found[len(_SIDES) : len(_SIDES)] = beyond
    return found


def _corners(front: Front) -> list[tuple[float, float]]:
    """The staircase: the merit to be had for a cost, as far as there are any."""
    best = front.best
    found = [(best[0].cost, best[0].value)]
    for one in best[1:]:
        found += [(one.cost, found[-1][1]), (one.cost, one.value)]
    return [*found, (max(one.cost for one in front.choices), best[-1].value)]


def _lines(axes: Axes, front: Front, frame: Bbox) -> list[Bbox]:
    """What the lines of a panel cover, in pixels."""
    corners = axes.transData.transform(_corners(front))
    found = [
        Bbox([np.minimum(one, other), np.maximum(one, other)]).padded(1)
        for one, other in pairwise(corners)
    ]
    if front.exact is not None:
        x, y = axes.transData.transform((front.exact.cost, front.exact.value))
        found += [Bbox([[x - 1, frame.y0], [x + 1, frame.y1]])]
        found += [Bbox([[frame.x0, y - 1], [frame.x1, y + 1]])]
    return found


def _move(label: Annotation, x: float, y: float) -> None:
    label.set_position((x, y))
    label.set_horizontalalignment("left" if x > 0 else "right" if x < 0 else "center")
    label.set_verticalalignment("bottom" if y > 0 else "top" if y < 0 else "center")


def _around(axes: Axes, one: Choice) -> Bbox:
    """What a point covers, its interval with it, in pixels."""
    low, high = (one.value, one.value)
    if one.number is not None and one.interval is not None:
        low, high = one.interval
    (x, bottom), (_, top) = axes.transData.transform([(one.cost, low), (one.cost, high)])
    half = _SIZE / 2 * axes.figure.dpi / 72
    return Bbox([[x - half, bottom - half], [x + half, top + half]])
