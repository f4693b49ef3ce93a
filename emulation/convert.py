# SPDX-License-Identifier: Apache-2.0
"""Turn a float network into one built from a multiplier.

`prepare` does what does not depend on the multiplier: it calibrates activation ranges and absorbs
batch norm. `Prepared.emulate` then puts tables in, quantised to the operands that each has, so that
seven multipliers share one prepared network; `convert` is the two in one call.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from math import ceil, prod

import torch
from torch import nn

from .accounting import counted
from .backends import AUTO
from .bias_correction import images_for
from .errors import EmulationError
from .layers import HANDLERS, handler
from .mapping import BuiltFrom
from .pooling import quicken
from .prepared import EmulatedNetwork, Layers, Prepared, Settings, root_of
from .products.accumulator import Accumulator
from .quantise.batchnorm import Affine, followers
from .quantise.calibrate import RANGE, trace


def prepare(
    model: nn.Module,
    calibration: torch.Tensor,
    *,
    settings: Settings | None = None,
    allow_float: bool = False,
) -> Prepared:
    """Calibrate and quantise a network.

    Args:
        model: a float network for images in [0, 1]; left as it is.
        calibration: (N, C, H, W) float32 images in [0, 1], not among those evaluated.
        settings: None for the defaults.
        allow_float: whether `Prepared.emulate` may leave in float what no table can reach.

    Raises:
        EmulationError: no layer to convert, or one whose geometry the emulator does not know.
    """
    skeleton = copy.deepcopy(model).eval().requires_grad_(False)
    quicken(skeleton)
    root = root_of(skeleton)
    layers = _layers(root)
    if not layers:
        known = " or ".join(f"nn.{kind.__name__}" for kind in HANDLERS)
        raise EmulationError(f"the network has no {known} to build from a multiplier")
    totals: dict[str, int] = {}
    traces = trace(skeleton, layers, calibration, watch=counted(root, totals))
    for name, layer in layers.items():
        clip = getattr(layer, RANGE, None)
        if clip is not None:
            traces[name] = replace(traces[name], clip=(float(clip[0]), float(clip[1])))
    macs = {
        name: ceil(totals[name] / len(calibration))  # up: what multiplies at all is never 0
        for name, _ in root.named_modules()
        if name in totals
    }
    affines = {}
    for name, behind in followers(root).items():
        if name in layers:
            norm = root.get_submodule(behind)
            assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
            affines[name] = Affine.of(norm)
            parent, _, leaf = behind.rpartition(".")
            setattr(root.get_submodule(parent), leaf, nn.Identity())
    settings = settings or Settings()
    largest = max(
        prod(shape) for seen in traces.values() for shape in (seen.input_shape, seen.output_shape)
    )
    images = images_for(calibration, largest) if settings.bias_correction else torch.empty(0)
    prepared = Prepared(skeleton, affines, traces, settings, macs, allow_float, images)
    for name in layers:
        prepared.quantised(name)  # refuses a geometry now, and not when a table is put in
    return prepared


def _layers(root: nn.Module) -> dict[str, nn.Module]:
    """What a multiplier can build, by name.

    Attention multiplies by its projection's weights without running it as a layer.
    """
    return {
        name: module
        for name, module in root.named_modules()
        if handler(module) is not None
        and not isinstance(root.get_submodule(name.rpartition(".")[0]), nn.MultiheadAttention)
    }


def convert(
    model: nn.Module,
    multiplier: BuiltFrom,
    *,
    calibration: torch.Tensor,
    settings: Settings | None = None,
    layers: Layers = "all",
    backend: str = AUTO,
    gradient: str = "float32",
    accumulator: Accumulator | None = None,
    allow_float: bool = False,
    bias_correction: bool = False,
) -> EmulatedNetwork:
    """`prepare` and `Prepared.emulate` in one call; see there, and `Settings`."""
    settings = settings or Settings()
    if bias_correction:
        settings = replace(settings, bias_correction=True)
    prepared = prepare(model, calibration, settings=settings, allow_float=allow_float)
    return prepared.emulate(
        multiplier, layers=layers, backend=backend, gradient=gradient, accumulator=accumulator
    )
