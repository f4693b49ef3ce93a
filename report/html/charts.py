# SPDX-License-Identifier: Apache-2.0
"""Curves as inline SVG in the page's own colours, and the numbers that hovering shows."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle
from matplotlib.transforms import Affine2D

from axhil.attacks import attack_title
from axhil.study.storage.records import Record

from ..figures.curves import curve_panel, looks
from ..figures.pareto import pareto_panel, place_labels
from ..figures.saving import svg
from ..fronts import Front
from ..panels import by_panel
from ..table import visible

# Geometry of a panel in points, which the page scales; page.js knows TOP and BOTTOM.
WIDTH, HEIGHT = 380, 262
LEFT, RIGHT, TOP, BOTTOM = 34, 10, 10, 34
# page.css has colours for so many multipliers; they repeat dashed.
COLOURS = 7
_MARKER = 6.8  # length of a symbol's side


@dataclass(frozen=True)
class Chart:
    """One panel.

    Attributes:
        title: attack and norm.
        drawing: what is inside the ``<svg>`` element; markup made of numbers alone.
        curves: per curve the multiplier's number and its points [eps, images right, % low, %
            high, x, y]: what the page's script shows.
    """

    title: str
    drawing: str
    curves: list[tuple[int, list[list[float]]]]


def css_class(number: int) -> str:
    """CSS classes of the multiplier at this position."""
    return f"k{number % COLOURS}" + (" second" if number >= COLOURS else "")


def symbols() -> list[str]:
    """Outline of every marker, as SVG writes it."""
    outlines = []
    for number in range(COLOURS):
        style = MarkerStyle(looks(number).marker)
        flipped = style.get_transform() + Affine2D().scale(_MARKER, -_MARKER)
        (corners,) = style.get_path().transformed(flipped).to_polygons()
        outlines.append("M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in np.asarray(corners)) + "z")
    return outlines


def charts(records: Sequence[Record], labels: Sequence[str]) -> list[Chart]:
    """Draw one chart per attack and norm.

    Args:
        records: one network's.
        labels: the multipliers, in the order of their looks.
    """
    return [
        _chart(attack_title(*panel), own, labels, salt=f"panel{number}")
        for number, (panel, own) in enumerate(by_panel(records).items())
    ]


def _chart(title: str, records: Sequence[Record], labels: Sequence[str], *, salt: str) -> Chart:
    figure, axes = _axes()
    curve_panel(axes, records, labels, name=True)
    root = records[0].cell.settings.norm == "linf"
    axes.set_xlabel("eps (square-root axis)" if root else "eps", fontsize=10, labelpad=2)
    drawing = svg(figure, salt=salt)
    curves = [
        (number, [_point(record, axes) for record in sorted(own, key=lambda r: r.eps)])
        for number, label in enumerate(labels)
        if (own := [record for record in records if record.cell.label == label])
    ]
    return Chart(title, _inline(drawing), curves)


def front_charts(rows: Sequence[Sequence[Front]]) -> list[Chart]:
    """Draw one chart for every merit and cost; pointing at a choice shows its detail, if any.

    Args:
        rows: see `fronts.fronts`.
    """
    return [
        _front_chart(front, salt=f"front{row}-{column}")
        for row, fronts in enumerate(rows)
        for column, front in enumerate(fronts)
    ]


def _front_chart(front: Front, *, salt: str) -> Chart:
    figure, axes = _axes()
    pareto_panel(axes, front, name=True)
    axes.set_xlabel(front.cost, fontsize=10, labelpad=2)
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    place_labels(axes, front, name=True)
    details = {one.number: one.detail for one in front.choices if one.detail}
    drawing = re.sub(
        r'<g class="[^"]*" data-k="\d+" data-n="(\d+)">',
        lambda point: point[0] + _tooltip(details.get(int(point[1]), "")),
        _inline(svg(figure, salt=salt)),
    )
    return Chart(front.merit, drawing, [])


def _tooltip(text: str) -> str:
    return f"<title>{html.escape(visible(text))}</title>" if text else ""


def _axes() -> tuple[Figure, Axes]:
    """A panel whose lines, text and background are the page's, in the light and in the dark."""
    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), dpi=72)
    place = (LEFT / WIDTH, BOTTOM / HEIGHT)
    size = ((WIDTH - LEFT - RIGHT) / WIDTH, (HEIGHT - TOP - BOTTOM) / HEIGHT)
    axes = figure.add_axes((*place, *size))
    axes.tick_params(length=0, labelsize=10)
    axes.grid()
    for part in (figure.patch, axes.patch, *axes.spines.values()):
        part.set_visible(False)
    return figure, axes


def _inline(drawing: str) -> str:
    """What matplotlib drew, with looks left to page.css: curves are known by their classes."""
    body = drawing[drawing.index("</defs>") + 7 : drawing.rindex("<defs>")]
    body = re.sub(
        r'id="(band|line|point|best)-(\d+)(?:-(\d+))?"',
        lambda curve: (
            f'class="curve {curve[1]} {css_class(int(curve[2]))}" data-k="{curve[2]}"'
            + (f' data-n="{curve[3]}"' if curve[3] else "")
        ),
        body,
    )
    body = re.sub(r'id="(front|exact)"', r'class="\1"', body)
    body = re.sub(r'style="[^"]*(text-anchor): (\w+)[^"]*"', r'\1="\2"', body)
    body = re.sub(r' (?:style="[^"]*"|clip-path="[^"]*"|id="[\w.]+_\d+")', "", body)
    body = re.sub(r"\d+\.\d+", lambda digits: f"{float(digits[0]):.4g}", body)
    return re.sub(r"\s*\n\s*", " ", body).replace("xlink:href", "href").replace(' "', '"')


def _point(record: Record, axes: Axes) -> list[float]:
    share = record.accuracy
    x, y = axes.transData.transform((record.eps, 100 * share.value))
    return [
        float(f"{record.eps:.6g}"),
        share.count,
        round(100 * share.low, 1),
        round(100 * share.high, 1),
        round(float(x), 1),
        round(HEIGHT - float(y), 1),
    ]
