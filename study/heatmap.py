# SPDX-License-Identifier: Apache-2.0
"""Where two tables differ, operand by operand."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hwsim import Lut
from hwsim.lut import write_atomically

_MOST_PIXELS = 1024


def difference_figure(x: Lut, y: Lut, *, names: tuple[str, str], title: str) -> Figure:
    """Draw y - x over both operands, from the smallest value to the largest.

    Equal products are white; the colours grow logarithmically, so that differences of 1 are seen
    beside large ones. A table with more than 1,024 rows shows the largest difference of each
    square of operands.

    Args:
        x: the first table.
        y: the second, of the same kind of operands.
        names: what to call them.
        title: above the map.
    """
    if (x.width, x.signed) != (y.width, y.signed):
        raise ValueError("expected two tables of the same kind of operands")
    side = 2**x.width
    shift = side // 2 if x.signed else 0
    difference = np.roll(y.table.astype(np.int64) - x.table, shift, axis=(0, 1))
    low = -shift
    pixels = _largest_of_blocks(difference, max(1, side // _MOST_PIXELS))
    limit = max(1, int(np.abs(pixels).max()))
    figure = Figure(figsize=(6.6, 5.6), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(
        np.ma.masked_equal(pixels, 0),
        cmap="RdBu_r",
        norm=SymLogNorm(linthresh=1, vmin=-limit, vmax=limit, base=10),
        extent=(low - 0.5, low + side - 0.5, low + side - 0.5, low - 0.5),
        interpolation="nearest",
    )
    axes.set_facecolor("white")
    if x.signed:
        axes.axhline(-0.5, color="black", linewidth=0.4)
        axes.axvline(-0.5, color="black", linewidth=0.4)
    axes.set_xlabel("second operand (column)")
    axes.set_ylabel("first operand (row)")
    axes.set_title(title, fontsize=9, wrap=True)
    bar = figure.colorbar(image, ax=axes, shrink=0.85)
    bar.set_label(f"product of {names[1]} minus that of {names[0]}", fontsize=9)
    return figure


def save_png(figure: Figure, path: Path) -> None:
    """Write a PNG atomically; the bytes depend on the data alone.

    Raises:
        HwsimError: the file cannot be written.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    write_atomically(path, buffer.getvalue())


def _largest_of_blocks(values: NDArray[np.int64], block: int) -> NDArray[np.int64]:
    """The entry of largest magnitude of every (block, block) square."""
    side = len(values) // block
    blocks = values.reshape(side, block, side, block).swapaxes(1, 2).reshape(side, side, -1)
    index = np.abs(blocks).argmax(axis=2)
    return np.take_along_axis(blocks, index[:, :, None], axis=2)[:, :, 0]
