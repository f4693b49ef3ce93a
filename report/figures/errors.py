# SPDX-License-Identifier: Apache-2.0
"""Where two tables differ, and where tables err, operand by operand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from axhil.hwsim import Lut, error_metrics
from axhil.hwsim.metrics import exact_products
from axhil.hwsim.multipliers import Multiplier

_MOST_PIXELS = 1024
# Panels are small: more pixels than this would be thrown away when drawn.
_PANEL_PIXELS = 512
_ACROSS = 3


def difference_figure(x: Lut, y: Lut, *, names: tuple[str, str], title: str) -> Figure:
    """Draw y - x over both operands, from the smallest value to the largest.

    Equal products are white; the colours grow logarithmically, so that differences of 1 are seen
    beside large ones. A table with more than 1,024 rows or columns shows the largest difference
    of each block of operands.

    Args:
        x: the first table.
        y: the second, of the same operands.
        names: what to call them.
        title: above the map.
    """
    if x.operands != y.operands:
        raise ValueError("expected two tables of the same operands")
    a, b = x.operands
    difference = _ascending(x, y.table.astype(np.int64) - x.table)
    pixels = _largest_of_blocks(difference, most=_MOST_PIXELS)
    limit = max(1, int(np.abs(pixels).max()))
    figure = Figure(figsize=(6.6, 5.6), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(
        np.ma.masked_equal(pixels, 0),
        cmap="RdBu_r",
        norm=SymLogNorm(linthresh=1, vmin=-limit, vmax=limit, base=10),
        extent=(b.minimum - 0.5, b.maximum + 0.5, a.maximum + 0.5, a.minimum - 0.5),
        aspect=b.count / a.count,
        interpolation="nearest",
    )
    axes.set_facecolor("white")
    _zero_lines(axes, x)
    axes.set_xlabel("second operand (column)")
    axes.set_ylabel("first operand (row)")
    axes.set_title(title, fontsize=9, wrap=True)
    bar = figure.colorbar(image, ax=axes, shrink=0.85)
    bar.set_label(f"product of {names[1]} minus that of {names[0]}", fontsize=9)
    return figure


def tables_figure(tables: Sequence[Multiplier]) -> Figure:
    """Draw the error of every table, product minus exact product, on one colour scale.

    Exact products are white; the colours grow logarithmically on both sides, so that errors of 1
    are seen beside large ones. Tables without errors are named below and not drawn, unless there
    are no others.

    Args:
        tables: at least one, of any operands.
    """
    metrics = {one.label: error_metrics(one.table()) for one in tables}
    exact = [one for one in tables if metrics[one.label].ep == 0]
    drawn = [one for one in tables if metrics[one.label].ep > 0] or list(tables)
    errors = [_largest_of_blocks(_errors(one), most=_PANEL_PIXELS) for one in drawn]
    limit = max(1, *(int(np.abs(error).max()) for error in errors))
    across = min(_ACROSS, len(drawn))
    down = math.ceil(len(drawn) / across)
    figure = Figure(figsize=(2.9 * across + 1.3, 2.85 * down + 0.7), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False)
    scale = SymLogNorm(linthresh=1, linscale=0.5, vmin=-limit, vmax=limit, base=10)
    for number, panel in enumerate(grid.flat):
        if number >= len(drawn):
            panel.set_axis_off()
            continue
        one = drawn[number]
        a, b = one.operands
        image = panel.imshow(
            np.ma.masked_equal(errors[number], 0),
            cmap="RdBu_r",
            norm=scale,
            origin="lower",
            extent=(b.minimum - 0.5, b.maximum + 0.5, a.minimum - 0.5, a.maximum + 0.5),
            aspect=b.count / a.count,
            # Nearest pixels would beat with the tables' own patterns.
            interpolation="antialiased",
            interpolation_stage="rgba",
        )
        panel.set_facecolor("white")
        if one in exact:
            panel.text(0.5, 0.5, "no errors", transform=panel.transAxes, ha="center", va="center")
        else:
            _zero_lines(panel, one.table())
        panel.set_xticks(sorted({b.minimum, 0, b.maximum}))
        panel.set_yticks(sorted({a.minimum, 0, a.maximum}))
        panel.tick_params(labelsize=8)
        m = metrics[one.label]
        panel.set_title(f"{one.label}: MRE {100 * m.mre:.2f} %, WCE {m.wce:,}", fontsize=9)
        if number % across == 0:
            panel.set_ylabel("activation", fontsize=9)
        if number + across >= len(drawn):
            panel.set_xlabel("weight", fontsize=9)
    bar = figure.colorbar(image, ax=grid, shrink=0.85, aspect=30)
    bar.set_label("product minus exact product\n(logarithmic beyond ±1; white: exact)", fontsize=9)
    bar.set_ticks(_powers(limit))
    bar.ax.yaxis.set_major_formatter(_signed)
    bar.ax.minorticks_off()
    bar.ax.tick_params(labelsize=8)
    figure.suptitle("Error of every product", fontsize=11)
    if exact and exact != drawn:
        names = ", ".join(one.label for one in exact)
        figure.supxlabel(f"{names}: no errors", fontsize=9, color="0.35")
    return figure


def _signed(value: float, _: float | None = None) -> str:
    return f"{value:+,.0f}".replace("-", "\u2212") if value else "0"


def _errors(one: Multiplier) -> NDArray[np.int64]:
    """Product minus exact product, operands ascending, row = activation."""
    lut = one.table()
    return _ascending(lut, lut.table - exact_products(lut))


def _ascending(lut: Lut, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Entries of a table from the smallest operands to the largest."""
    return values[np.ix_(lut.activation.ascending, lut.weight.ascending)]


def _zero_lines(axes: Axes, lut: Lut) -> None:
    if lut.activation.signed:
        axes.axhline(-0.5, color="black", linewidth=0.4)
    if lut.weight.signed:
        axes.axvline(-0.5, color="black", linewidth=0.4)


def _powers(limit: int) -> list[int]:
    """Powers of ten up to the limit, on both sides of 0."""
    found = [10**power for power in range(len(str(limit)))]
    return [*(-one for one in reversed(found)), 0, *found]


def _largest_of_blocks(values: NDArray[np.int64], *, most: int) -> NDArray[np.int64]:
    """The entry of largest magnitude of every block, with at most so many blocks to a side."""
    rows, columns = (min(side, most) for side in values.shape)  # powers of two
    split = values.reshape(rows, values.shape[0] // rows, columns, -1)
    blocks = split.swapaxes(1, 2).reshape(rows, columns, -1)
    index = np.abs(blocks).argmax(axis=2)
    return np.take_along_axis(blocks, index[:, :, None], axis=2)[:, :, 0]
