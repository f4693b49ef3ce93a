# SPDX-License-Identifier: Apache-2.0
"""Static activation ranges, from images the evaluation does not use, or from training.

The float network runs over the calibration images twice: once for the largest magnitude that
enters each layer, once for a histogram of magnitudes. A method then turns the histogram into the
clipping range that the codes span. A network that was trained through a multiplier has its ranges
with its weights, as `RANGE` of each layer: of a float network that was not trained to run in float
nothing could be seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from axhil.hwsim.operands import Operand

from ..accounting import unfused_attention
from ..errors import EmulationError
from .quantize import Quantizer

RANGE = "activation_range"
"""Buffer of a layer: the least and the greatest value that its input's codes stand for, float32."""

Calibration = Literal["max", "percentile", "mse"]

_BINS = 2048
_PERCENTILE = 0.9999
# Candidate ranges of the mse search, as fractions of the largest magnitude.
_MSE_STEPS = 100


@dataclass(frozen=True, eq=False)
class LayerTrace:
    """What calibration saw at one layer's input.

    Attributes:
        lowest: least value, 0 if none is negative.
        highest: greatest value, 0 if none is positive.
        histogram: counts of magnitudes in equal bins over [0, largest], float64.
        input_shape: (C, H, W) or (K,) of one image.
        output_shape: likewise.
        clip: the clipping range, where training has found it; None: a method's.
    """

    lowest: float
    highest: float
    histogram: torch.Tensor
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    clip: tuple[float, float] | None = None

    @property
    def largest(self) -> float:
        """Largest magnitude."""
        return max(-self.lowest, self.highest)


@torch.no_grad()
def trace(
    model: nn.Module,
    layers: Mapping[str, nn.Module],
    images: torch.Tensor,
    *,
    batch: int = 64,
    watch: AbstractContextManager[object] | None = None,
) -> dict[str, LayerTrace]:
    """Run the float network over calibration images and record what enters each layer.

    Args:
        model: in float, in eval mode.
        layers: name to module, as found in the model.
        images: (N, C, H, W) float32 in [0, 1].
        batch: images at a time.
        watch: entered while every image passes once.

    Raises:
        EmulationError: no images, an input that is not finite, or a layer that never ran.
    """
    if len(images) == 0:
        raise EmulationError("calibration needs at least one image")
    ranges: dict[str, tuple[float, float]] = {}
    histograms = {name: torch.zeros(_BINS, dtype=torch.float64) for name in layers}
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}

    def first(name: str, x: torch.Tensor, y: torch.Tensor) -> None:
        lowest, highest = (float(end) for end in torch.aminmax(x))
        if not (math.isfinite(lowest) and math.isfinite(highest)):
            raise EmulationError(f"{name}: an activation is not finite during calibration")
        before = ranges.get(name, (0.0, 0.0))
        ranges[name] = min(before[0], lowest), max(before[1], highest)
        shapes[name] = (tuple(x.shape[1:]), tuple(y.shape[1:]))

    def second(name: str, x: torch.Tensor, _: torch.Tensor) -> None:
        largest = max(-ranges[name][0], ranges[name][1])
        if largest > 0:
            counts = torch.histc(x.abs().float(), _BINS, 0.0, largest)
            histograms[name] += counts.to("cpu", torch.float64)

    for visit, around in ((first, watch or nullcontext()), (second, nullcontext())):
        handles = [
            layer.register_forward_hook(
                lambda _module, args, out, name=name, visit=visit: visit(name, args[0], out)
            )
            for name, layer in layers.items()
        ]
        try:
            with unfused_attention(), around:
                for start in range(0, len(images), batch):
                    model(images[start : start + batch])
        finally:
            for handle in handles:
                handle.remove()
    for name in layers:
        if name not in shapes:
            raise EmulationError(f"{name}: the layer did not run during calibration")
    return {name: LayerTrace(*ranges[name], histograms[name], *shapes[name]) for name in layers}


def clipping_range(seen: LayerTrace, method: Calibration, *, limit: int) -> float:
    """Turn what was seen into the largest magnitude that the codes represent.

    Args:
        seen: one layer's trace.
        method: ``max``: the largest magnitude; ``percentile``: the 99.99th of magnitudes;
            ``mse``: the range with the least mean squared quantisation error over the histogram.
        limit: largest code.

    Returns:
        The range, in the units of the activation.
    """
    counts, largest = seen.histogram, seen.largest
    if method == "max" or largest == 0:
        return largest
    centres = (torch.arange(_BINS, dtype=torch.float64) + 0.5) * (largest / _BINS)
    if method == "percentile":
        reached = torch.searchsorted(counts.cumsum(0), _PERCENTILE * counts.sum())
        return float(min(int(reached) + 1, _BINS) * (largest / _BINS))
    best = (torch.inf, largest)
    for step in range(_MSE_STEPS // 5, _MSE_STEPS + 1):
        candidate = largest * step / _MSE_STEPS
        scale = candidate / limit
        codes = (centres / scale).round().clamp(max=limit)
        error = float((counts * (codes * scale - centres) ** 2).sum())
        best = min(best, (error, candidate))
    return best[1]


def activation_quantizer(seen: LayerTrace, method: Calibration, operand: Operand) -> Quantizer:
    """Quantise a layer's input to an operand, by what was seen of it.

    Signed operands are symmetric. An unsigned one starts at 0 if no negative value was seen; else
    its zero point lies between, and the clipping range of magnitudes holds on either side.

    Args:
        seen: the layer's trace.
        method: see `clipping_range`.
        operand: of the multiplier.
    """
    if seen.clip is not None:
        lowest, highest = seen.clip
        if operand.signed:
            return Quantizer.symmetric(operand, torch.tensor(max(-lowest, highest)))
        return Quantizer.between(operand, lowest, highest)
    if operand.signed:
        largest = clipping_range(seen, method, limit=operand.maximum)
        return Quantizer.symmetric(operand, torch.tensor(largest))
    limit = operand.maximum if seen.lowest == 0 else max(operand.maximum // 2, 1)
    largest = clipping_range(seen, method, limit=limit)
    return Quantizer.between(operand, max(seen.lowest, -largest), min(seen.highest, largest))
