# SPDX-License-Identifier: Apache-2.0
"""Operands as they reach a multiplier: parts of each layer's products on real images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from axhil.hwsim.cost.energy import ORDERS, Stream, Workload
from axhil.hwsim.operands import Operands

from .prepared import Prepared
from .products.external import External

_PAIRS, _MOST, _SHORTEST = 1 << 18, 1 << 14, 64
"""Operand pairs of a network and order, about; at most of a layer; at least of a run."""

Codes = NDArray[Any]


class _Sample:
    """Runs of consecutive operand pairs of one layer, in either order.

    Args:
        operands: of the multiplier.
        length: of a run.
        groups: of the layer, each of which multiplies by itself.
        seed: of where runs begin.
    """

    def __init__(self, operands: Operands, length: int, groups: int, seed: int) -> None:
        self._operands, self._length, self._groups = operands, length, groups
        self._calls = 0
        self._rng = np.random.default_rng(seed)
        self._runs: dict[str, list[tuple[Codes, Codes]]] = {order: [] for order in ORDERS}

    def sums(self, x: Codes, w: Codes) -> Codes:
        """Exact (R, O) sums of (R, K) and (O, K) codes; takes a run of their products."""
        if self._calls % self._groups == self._calls // self._groups % self._groups:
            self._take(x, w)  # of one group of each image, in turn
        self._calls += 1
        # Sums of integers that float64 holds exactly, by the library that is fast.
        return (x.astype(np.float64) @ w.astype(np.float64).T).astype(np.int64)

    def _take(self, x: Codes, w: Codes) -> None:
        (rows, taps), outputs = x.shape, len(w)
        total = rows * outputs * taps
        length = min(self._length, total)
        start = self._rng.integers(0, total - length + 1)
        place = np.arange(start, start + length)
        row, output, tap = np.unravel_index(place, (rows, outputs, taps))
        self._runs[ORDERS[0]].append((x[row, tap], w[output, tap]))
        if rows >= outputs:  # as `Elsewhere` asks: the operand with more partners is held
            output, tap, row = np.unravel_index(place, (outputs, taps, rows))
        else:
            row, tap, output = np.unravel_index(place, (rows, taps, outputs))
        self._runs[ORDERS[1]].append((x[row, tap], w[output, tap]))

    def stream(self, order: str) -> Stream:
        """All runs one after another, as bit patterns."""
        both = zip(*self._runs[order], strict=True)
        return Stream(
            *(operand.pattern(np.concatenate(codes))
              for operand, codes in zip(self._operands, both, strict=True))
        )  # fmt: skip


def workload(
    prepared: Prepared,
    images: torch.Tensor,
    operands: Operands,
    *,
    network: str,
    progress: Callable[[int], None] | None = None,
) -> Workload:
    """What the exact network asks of a multiplier, sampled from every layer and image.

    Args:
        prepared: the quantised network.
        images: (N, C, H, W) float32 in [0, 1].
        operands: of the multiplier; networks are quantised to them.
        network: its name.
        progress: called with the images done.

    Raises:
        EmulationError: networks are not quantised to these operands.
    """
    of_layer = min(_MOST, _PAIRS // len(prepared.traces))
    length = max(_SHORTEST, of_layer // len(images))
    samples = {
        name: _Sample(operands, length, prepared.quantised(name).geometry.groups, seed)
        for seed, name in enumerate(prepared.traces)
    }
    elsewhere = {
        name: External(name, _multiplied, *operands, sums=sample.sums)
        for name, sample in samples.items()
    }
    built = prepared.emulate(elsewhere)
    with torch.no_grad():
        for done, image in enumerate(images.split(1), 1):  # no operand is held across images
            built(image)
            if progress is not None:
                progress(done)
    return Workload(
        network,
        {name: prepared.macs[name] for name in samples},
        {name: {order: sample.stream(order) for order in ORDERS}
         for name, sample in samples.items()},
    )  # fmt: skip


def _multiplied(a: Codes, b: Codes) -> Codes:
    return a.astype(np.int64) * b
