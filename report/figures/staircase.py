# SPDX-License-Identifier: Apache-2.0
"""Why robust accuracy has steps: the codes that a network makes of a growing perturbation.

The first layer rounds a pixel to a code, and an approximate multiplier takes many codes for one. So
a perturbation may grow over a plateau without any effect, and a difference between two multipliers
may change its sign from one budget to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from axhil.emulation import Prepared
from axhil.emulation.prepared import root_of
from axhil.hwsim.lut import Lut
from axhil.hwsim.multipliers import Assignment
from axhil.hwsim.multipliers.by_gates import computed
from axhil.study.storage.records import Record

from ..panels import by_panel
from .curves import curve_panel, looks

FINE = 20
"""Budgets above 0 that make a grid fine enough for steps to show."""

_POINTS = 1001


def fine_curves(records: Sequence[Record]) -> list[Record]:
    """The records of the last attack in L-inf with many budgets; none where there is none."""
    panels = [
        own
        for (_, norm), own in by_panel(records).items()
        if norm == "linf" and len({record.eps for record in own if record.eps > 0}) >= FINE
    ]
    return list(panels[-1]) if panels else []


def taken_for(lut: Lut) -> NDArray[np.float64]:
    """What a multiplier takes each code of its first operand for.

    Args:
        lut: its table.

    Returns:
        (2^a,) by bit pattern: the factor c of the line c b nearest to its products with all b, by
        least squares; of an exact multiplier the code itself.
    """
    b = lut.weight.value(np.arange(lut.weight.count)).astype(np.float64)
    factors: NDArray[np.float64] = lut.table @ b / (b @ b)
    return factors


def steps_of(prepared: Prepared, lut: Lut, inputs: Tensor) -> NDArray[np.float64]:
    """Inputs of a network's first layer as its multiplications have them.

    Args:
        prepared: the quantised network.
        lut: the multiplier's table in that layer.
        inputs: (N,) float32, of one pixel.

    Returns:
        (N,) how far each is from the first, in the unit of the inputs.
    """
    first = next(iter(prepared.traces))
    quantizer = prepared.quantised(first, lut.activation, lut.weight).activation
    codes = quantizer.encode(inputs).numpy().astype(np.int64)
    values = taken_for(lut)[lut.activation.pattern(codes)]
    steps: NDArray[np.float64] = (values - values[0]) * float(quantizer.scale)
    return steps


def first_inputs(prepared: Prepared, images: Tensor) -> Tensor:
    """What the first layer that a multiplier builds gets in the middle of each image, (N,)."""
    caught: list[Tensor] = []
    layer = root_of(prepared.skeleton).get_submodule(next(iter(prepared.traces)))
    hook = layer.register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
    with torch.no_grad():
        prepared.skeleton(images)
    hook.remove()
    return caught[0].flatten(2)[:, 0, caught[0].flatten(2).shape[2] // 2]


def staircase_figure(
    records: Sequence[Record],
    prepared: Prepared,
    multipliers: Sequence[Assignment],
    images: Tensor,
    *,
    title: str,
) -> Figure:
    """Draw robust accuracy over L-inf budgets, and below it what a growing pixel is taken for.

    Args:
        records: of one attack in L-inf.
        prepared: the quantised network.
        multipliers: those of the records, by layer or alone.
        images: (N, C, H, W) float32 in [0, 1], those attacked: the pixel grows from their median.
        title: above both.
    """
    labels = list(dict.fromkeys(record.cell.label for record in records))
    named: Mapping[str, Assignment] = {one.label: one for one in multipliers}
    figure = Figure(figsize=(7.2, 6.2), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    curve_panel(top, records, labels)
    last = max(record.eps for record in records)
    base = float(images.median())
    eps = torch.linspace(0.0, min(last, 1.0 - base), _POINTS)
    inputs = first_inputs(prepared, (base + eps)[:, None, None, None].expand(-1, *images.shape[1:]))
    layer = next(iter(prepared.traces))
    for number, label in enumerate(labels):
        one = named[label].at(layer)
        lut = None if one is None or isinstance(one, str) else computed(one)
        if not isinstance(lut, Lut):  # in float, in exact arithmetic, or of too many bits
            continue
        look = looks(number)
        bottom.plot(
            eps.numpy(),
            steps_of(prepared, lut, inputs),
            color=look.colour,
            linestyle=look.line,
            linewidth=1.1,
        )
    top.set_xscale("linear")
    top.set_xlim(0, last)
    for axes in (top, bottom):
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    top.set_ylabel("robust accuracy, %")
    bottom.set_ylabel(f"change of a pixel of {base:.3g}\nby eps, as products have it")
    bottom.set_xlabel("eps")
    top.legend(frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure
