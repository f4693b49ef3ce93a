# SPDX-License-Identifier: Apache-2.0
"""Figures as files: the same data give the same bytes."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
from matplotlib.axis import Tick
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from axhil.hwsim.files import write_atomically

from ..table import visible


def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write `<stem>.png` and `<stem>.svg`, atomically.

    Returns:
        The two paths.

    Raises:
        HwsimError: a file cannot be written.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_suffix(suffix) for suffix in (".png", ".svg")]
    write_atomically(paths[0], png(figure))
    write_atomically(paths[1], svg(figure).encode())
    return paths


def png(figure: Figure) -> bytes:
    """Draw as PNG."""
    buffer = io.BytesIO()
    _literal(figure).savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()


def small_png(figure: Figure) -> bytes:
    """Draw as PNG of few pixels and colours, for files that carry pictures in them."""
    buffer = io.BytesIO()
    _literal(figure).savefig(buffer, format="png", dpi=100)
    drawn = Image.open(buffer).convert("RGB").quantize(128, method=Image.Quantize.FASTOCTREE)
    small = io.BytesIO()
    drawn.save(small, format="png", optimize=True)
    return small.getvalue()


def svg(figure: Figure, *, salt: str = "axhil") -> str:
    """Draw as SVG whose text stays text, so that it can be searched for and set in any font.

    Args:
        figure: to draw.
        salt: of the ids; figures in one page need different ones.
    """
    buffer = io.StringIO()
    # A fixed salt and no date: the same records give the same file.
    with mpl.rc_context({"svg.hashsalt": salt, "svg.fonttype": "none"}):
        _literal(figure).savefig(buffer, format="svg", dpi=150, metadata={"Date": None})
    return buffer.getvalue()


def _literal(figure: Figure) -> Figure:
    """The figure with names as they are: no formula between dollar signs, no control character."""
    ticks = {text for tick in figure.findobj(Tick) for text in (tick.label1, tick.label2)}
    for text in set(figure.findobj(Text)) - ticks:  # matplotlib writes powers of ten as formulas
        text.set_parse_math("$" not in text.get_text())
        text.set_text(visible(text.get_text()))
    return figure
