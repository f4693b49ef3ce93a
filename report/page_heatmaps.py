# SPDX-License-Identifier: Apache-2.0
"""A multiplier's table as a small picture of its relative errors."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from axhil.hwsim import Lut

# Blue: the magnitude is too small; red: too large; white: exact.
_COLOURS = mpl.colormaps["RdBu_r"]
_STEPS = 40  # colours to either side of white
_LARGEST = 256  # pixels along an edge
_LIMITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


def relative_error(lut: Lut) -> NDArray[np.float64]:
    """Relative error (p - e) / e of every product, with operands in the order of their values.

    Returns:
        (side, side): row = activation and column = weight, both ascending (-128..127 for signed
        8 bits). 0 where the product is right; infinite where e = 0 and p is not.
    """
    order = np.argsort(lut.operands)
    operands = lut.operands[order]
    exact = np.multiply.outer(operands, operands)
    error = lut.table[np.ix_(order, order)].astype(np.int64) - exact
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(exact != 0, error / exact, np.inf)
    return np.where(error == 0, 0.0, ratio)


def shared_limit(errors: Sequence[NDArray[np.float64]]) -> float:
    """Round limit of a colour scale that 90 % of each table's entries stay within."""
    needed = max(float(np.quantile(np.abs(one), 0.9, method="lower")) for one in errors)
    return next((limit for limit in _LIMITS if limit >= needed), _LIMITS[-1])


def heat_map(error: NDArray[np.float64], *, limit: float) -> str:
    """Colour a table's errors.

    Args:
        error: (side, side), see `relative_error`; wide tables are averaged in blocks.
        limit: error of the darkest colour; larger ones look the same.

    Returns:
        A PNG as a data URI; activations grow upwards, weights to the right.
    """
    clipped = np.clip(error, -limit, limit)
    block = max(1, len(clipped) // _LARGEST)
    if block > 1:
        side = len(clipped) // block
        clipped = clipped.reshape(side, block, side, block).mean((1, 3))
    steps = np.rint(clipped[::-1] / limit * _STEPS).astype(np.int64) + _STEPS
    image = Image.fromarray(steps.astype(np.uint8))
    image.putpalette([channel for colour in _palette() for channel in colour])
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _palette() -> list[tuple[int, int, int]]:
    colours = []
    for step in range(2 * _STEPS + 1):
        red, green, blue, _ = _COLOURS(0.06 + 0.88 * step / (2 * _STEPS), bytes=True)
        colours.append((int(red), int(green), int(blue)))
    colours[_STEPS] = (255, 255, 255)  # exact is white, not nearly
    return colours


def colour_bar() -> str:
    """Return the scale as a CSS gradient, from too small to too large."""
    stops = ",".join(f"rgb({r},{g},{b})" for r, g, b in _palette()[:: _STEPS // 8])
    return f"linear-gradient(90deg,{stops})"
