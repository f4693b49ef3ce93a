# SPDX-License-Identifier: Apache-2.0
"""Robust accuracy over eps as inline SVG, and the numbers that hovering shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from axhil.attacks import attack_title
from axhil.study.records import Record

from .tables import panels

# Geometry of a panel in SVG units; the page scales it.
WIDTH, HEIGHT = 380, 262
LEFT, RIGHT, TOP, BOTTOM = 34, 10, 10, 34

# The looks of page.css (colours, per scheme) and of the symbols below repeat after this many.
LOOKS = 7
# Markers of study.figure, in its order: o s D ^ v P X.
_SYMBOLS = (
    "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0z",
    "M-3-3h6v6h-6z",
    "M0-4.1 4.1 0 0 4.1-4.1 0z",
    "M0-4 3.7 2.9h-7.4z",
    "M0 4 3.7-2.9h-7.4z",
    "M-1.2-3.6h2.4v2.4h2.4v2.4h-2.4v2.4h-2.4v-2.4h-2.4v-2.4h2.4z",
    "M-3.6-1.7-1.7-3.6 0-1.9 1.7-3.6 3.6-1.7 1.9 0 3.6 1.7 1.7 3.6 0 1.9-1.7 3.6-3.6 1.7-1.9 0z",
)
_ROOT_TICKS = (0, 0.1, 0.2, 0.3, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 16, 32)
# More points than this on a curve, and markers hide it.
_MOST_MARKERS = 26


def looks(number: int) -> str:
    """CSS classes of the multiplier at this position."""
    return f"k{number % LOOKS}" + (" second" if number >= LOOKS else "")


def symbols() -> str:
    """Return the markers, to be put on the page once."""
    shapes = "".join(
        f'<symbol id="m{i}" overflow="visible"><path d="{d}"/></symbol>'
        for i, d in enumerate(_SYMBOLS)
    )
    return f'<svg class="symbols" width="0" height="0" aria-hidden="true">{shapes}</svg>'


def swatch(number: int) -> str:
    """Line and marker of a multiplier, for legends and tables."""
    return (
        f'<svg class="swatch {looks(number)}" viewBox="-12 -6 24 12" aria-hidden="true">'
        f'<path class="line" d="M-12 0h24"/><use href="#m{number % LOOKS}"/></svg>'
    )


def legend(labels: Sequence[str]) -> str:
    """Buttons that hide and show a multiplier in all panels."""
    buttons = "".join(
        f'<button type="button" aria-pressed="true" data-toggle="{i}">{swatch(i)}'
        f"{escape(label)}</button>"
        for i, label in enumerate(labels)
    )
    return f'<div class="legend" role="group" aria-label="Multipliers shown">{buttons}</div>'


class _Scale:
    """Positions in a panel: eps across, as a square root for L-inf, and percent upwards."""

    def __init__(self, norm: str, largest: float) -> None:
        self.root = norm == "linf"
        self._largest = largest or 1.0

    def x(self, eps: float) -> float:
        part = eps / self._largest
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.sqrt(part) if self.root else part)

    @staticmethod
    def y(share: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def ticks(self) -> list[float]:
        """Values to label on the eps axis."""
        if self.root and 0.2 < self._largest <= _ROOT_TICKS[-1]:
            found = [tick for tick in _ROOT_TICKS if tick <= self._largest]
        else:
            raw = self._largest / 5
            power = 10 ** math.floor(math.log10(raw))
            step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
            count = math.floor(self._largest / step * 1.001)
            found = [round(i * step, 10) for i in range(count + 1)]
        kept: list[float] = []
        for tick in found:  # labels must not touch
            if not kept or self.x(tick) - self.x(kept[-1]) >= 24:
                kept.append(tick)
        return kept


def chart_panels(
    records: Sequence[Record], labels: Sequence[str]
) -> tuple[list[str], list[dict[str, object]]]:
    """Draw one panel per attack and norm.

    Args:
        records: one network's.
        labels: the multipliers, in the order of their looks.

    Returns:
        A ``<figure>`` per panel, and what the page's script shows of each: its title and, per
        curve, the multiplier's number and points [eps, images right, % low, % high, x, y].
    """
    figures: list[str] = []
    data: list[dict[str, object]] = []
    for number, (attack, norm) in enumerate(panels(records)):
        chosen = [
            r for r in records if (r.cell.settings.attack, r.cell.settings.norm) == (attack, norm)
        ]
        scale = _Scale(norm, max(r.eps for r in chosen))
        title = attack_title(attack, norm)
        curves, drawn = [], []
        for i, label in enumerate(labels):
            points = sorted((r for r in chosen if r.cell.label == label), key=lambda r: r.eps)
            if points:
                drawn.append(_curve(points, i, scale))
                curves.append([i, [_point(point, scale) for point in points]])
        # The first, usually the accurate multiplier, on top.
        body = _axes(scale) + "".join(reversed(drawn))
        figures.append(
            f'<figure class="panel"><figcaption>{escape(title)}</figcaption>'
            f'<svg class="chart" data-panel="{number}" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'tabindex="0" role="img" aria-label="{escape(title)}: robust accuracy in percent '
            f'over eps, arrow keys read the points; the numbers are in the tables below">'
            f'{body}<g class="cursor"><path class="rule" d=""/><circle r="6.5"/></g></svg></figure>'
        )
        data.append({"title": title, "curves": curves})
    return figures, data


def _point(record: Record, scale: _Scale) -> list[float]:
    share = record.accuracy
    return [
        float(f"{record.eps:.6g}"),
        share.count,
        round(100 * share.low, 1),
        round(100 * share.high, 1),
        round(scale.x(record.eps), 1),
        round(scale.y(share.value), 1),
    ]


def _curve(points: Sequence[Record], number: int, scale: _Scale) -> str:
    def path(pairs: Sequence[tuple[float, float]]) -> str:
        return "M" + "L".join(f"{scale.x(eps):.1f} {scale.y(share):.1f}" for eps, share in pairs)

    line = [(r.eps, r.accuracy.value) for r in points]
    low = [(r.eps, r.accuracy.low) for r in points]
    high = [(r.eps, r.accuracy.high) for r in points]
    marks = ""
    if len(points) <= _MOST_MARKERS:
        marks = "".join(
            f'<use href="#m{number % LOOKS}" x="{scale.x(eps):.1f}" y="{scale.y(share):.1f}"/>'
            for eps, share in line
        )
    return (
        f'<g class="curve {looks(number)}" data-k="{number}">'
        f'<path class="band" d="{path([*low, *reversed(high)])}z"/>'
        f'<path class="line" d="{path(line)}"/>{marks}</g>'
    )


def _axes(scale: _Scale) -> str:
    parts = []
    bottom = HEIGHT - BOTTOM
    for percent in (0, 20, 40, 60, 80, 100):
        y = scale.y(percent / 100)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="end" x="{LEFT - 6}" y="{y + 3.6:.1f}">{percent}</text>')
    for tick in scale.ticks():
        x = scale.x(tick)
        parts.append(f'<path class="grid" d="M{x:.1f} {TOP}V{bottom + 4}"/>')
        parts.append(f'<text class="mid" x="{x:.1f}" y="{bottom + 16}">{tick:g}</text>')
    kind = "eps (square-root axis)" if scale.root else "eps"
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="mid name" x="{middle:.0f}" y="{HEIGHT - 4}">{kind}</text>')
    return f'<g class="axes">{"".join(parts)}</g>'
