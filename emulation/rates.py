# SPDX-License-Identifier: Apache-2.0
"""How fast this machine's CPU is on a path, for estimates: measured once per process."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import torch
from torch.nn import functional as F

from .backends import Backend, Computation
from .products.arithmetic import Arithmetic, ExternalArithmetic
from .products.geometry import Geometry
from .quantise.quantize import Quantizer

_CHANNELS, _SIDE, _KERNEL = 32, 16, 3
_LEAST, _REPEATS = 0.005, 4  # seconds of a measurement; measurements
_UNIT = 0.05  # nanoseconds of the product kernel's product, for what takes too long to measure


def nanoseconds_per_product(backend: type[Backend], computation: Computation) -> float:
    """Of a 3x3 layer whose activations are rectified ones, on torch's threads.

    Args:
        backend: of the path.
        computation: whose operands and multiplier it computes; not the layer's own windows, so
            that a network's layers share one measurement.
    """
    if isinstance(computation.arithmetic, ExternalArithmetic):
        return _UNIT * backend.cost(computation)
    return _measured(backend, computation.arithmetic, computation.activation)


@cache
def nanoseconds_per_float_product() -> float:
    """The same of a float32 convolution."""
    weight = torch.ones(_CHANNELS, _CHANNELS, _KERNEL, _KERNEL)
    return _timed(lambda x: F.conv2d(x, weight, padding=1), 1.0)


_rates: dict[tuple[type[Backend], Arithmetic, bool], float] = {}


def _measured(backend: type[Backend], arithmetic: Arithmetic, activation: Quantizer) -> float:
    key = (backend, arithmetic, activation.steps[0] < 0)
    if key not in _rates:
        draw = torch.Generator().manual_seed(0)
        low, high = arithmetic.weight.minimum, arithmetic.weight.maximum
        shape = (_CHANNELS, _CHANNELS, _KERNEL, _KERNEL)
        dtype = torch.int8 if high < 128 else torch.int16
        codes = torch.randint(low, high + 1, shape, generator=draw).to(dtype)
        ready = backend(Computation(arithmetic, activation, Geometry(padding=(1, 1))), codes)
        ones = torch.ones(_CHANNELS)
        _rates[key] = _timed(
            lambda x: ready.run(x, out_scale=ones, bias=ones), float(activation.clip[1])
        )
    return _rates[key]


def _timed(run: Callable[[torch.Tensor], object], largest: float) -> float:
    draw, images, least = torch.Generator().manual_seed(0), 1, 0.0
    while least < _LEAST:
        x = (torch.rand(images, _CHANNELS, _SIDE, _SIDE, generator=draw) * 2 - 1).relu() * largest
        run(x)  # the first makes what it needs
        seconds = []
        for _ in range(_REPEATS):
            began = time.perf_counter()
            run(x)
            seconds.append(time.perf_counter() - began)
        least = min(seconds)  # whatever else runs only adds
        images *= 2
    return 1e9 * least / (images // 2 * _CHANNELS**2 * _KERNEL**2 * _SIDE**2)
