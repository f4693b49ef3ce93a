# SPDX-License-Identifier: Apache-2.0
"""Energy of a product: edges of every net while operands pass, times what an edge of it takes.

Of switching and inside the cells, by the library's tables, without wires and without the clock that
brings the operands; with the clock of a multiplier's own registers, but not what drives it. Leakage
is not in it: it depends on how long a product may take.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..multipliers.cache import figures_through_cache
from ..operands import Operands
from ..tools.pool import together
from .library import Library
from .mapped import Mapped
from .pipeline import between_registers
from .switching import Sources, Steps, edges
from .timing import Timing, gate_delay, timing

REVISION = 1
"""Higher whenever the same cells and operands could take another energy."""

ORDERS = ("output stationary", "weight stationary")
"""Of a layer's products: both operands new in every step, the products of one sum after another; or
the operand with more partners held while these pass."""

_STEPS = 4  # of time in the delay of a loaded inverter
_PAIRS, _SEED = 1 << 14, 20250101

Patterns = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Stream:
    """Operand pairs, one after another.

    Attributes:
        a: (N,) bit patterns of the activation.
        b: (N,) of the weight.
    """

    a: Patterns
    b: Patterns

    @classmethod
    def uniform(cls, operands: Operands) -> "Stream":
        """Every bit pattern as often as any other, independent of all before."""
        rng = np.random.default_rng(_SEED)
        return cls(*(rng.integers(0, operand.count, _PAIRS) for operand in operands))

    @property
    def sha256(self) -> str:
        """Of the operands, hexadecimal."""
        both = np.stack([self.a, self.b]).astype("<u4")
        return hashlib.sha256(both.tobytes()).hexdigest()


@dataclass(frozen=True, eq=False)
class Workload:
    """What a network multiplies.

    Attributes:
        network: its name.
        products: of an image, by layer.
        streams: operands by layer and order.
    """

    network: str
    products: Mapping[str, int]
    streams: Mapping[str, Mapping[str, Stream]]

    def mean(self, layers: Mapping[str, Mapping[str, float]], order: str) -> float:
        """The mean of a figure over the products of an image.

        Args:
            layers: the figure by layer and order.
            order: one of `ORDERS`.
        """
        total = sum(self.products[name] for name in layers)
        return sum(self.products[name] * layers[name][order] for name in layers) / total


def energy(mapped: Mapped, library: Library, streams: Sequence[Stream]) -> list[float]:
    """Energy of a product in pJ, for each stream of operands; of a pipeline that of a cycle."""
    found = timing(mapped, library)
    delay = delays(mapped, found, library)
    return [_mean(mapped, delay, found, stream) for stream in streams]


def delays(mapped: Mapped, found: Timing, library: Library) -> Steps:
    """(nets,) of the netlist's gates: those of its cells in steps of time, 0 inside of cells."""
    steps = np.zeros(mapped.netlist.nets, np.int32)
    steps[: mapped.nets] = np.maximum(1, np.rint(found.delay / step(library)))
    return steps


def step(library: Library) -> float:
    """A step of time in ns."""
    return gate_delay(library) / _STEPS


def _mean(mapped: Mapped, delay: Steps, found: Timing, stream: Stream) -> float:
    operands = Sources.operands(mapped.netlist, stream.a, stream.b)
    netlist, sources = between_registers(mapped, operands)
    counted = edges(netlist, delay, sources)[: len(found.energy)]
    cycles = len(stream.a) - 1
    for one in mapped.registers[:1]:  # all have one clock
        counted[one.pins[one.cell.clock]] = 2 * cycles
    return float(counted @ found.energy) / cycles


def energies(
    mapped: Sequence[Mapped],
    library: Library,
    workload: Workload,
    *,
    jobs: int | None = None,
    cache: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, dict[str, float]]]:
    """Energy of a product in pJ, by layer and order, for each of several multipliers.

    Args:
        mapped: of one library, all for the operands of the workload.
        library: theirs.
        workload: what passes.
        jobs: threads; None is one per processor core.
        cache: take figures from the cache, and keep them there.
        progress: called with (multipliers done, multipliers in all).
    """
    keys = [(name, order) for name in workload.streams for order in ORDERS]
    streams = [workload.streams[name][order] for name, order in keys]
    hashes = [stream.sha256 for stream in streams]

    def one(multiplier: Mapped) -> dict[str, dict[str, float]]:
        facts = {
            "energy": REVISION,
            "cells": [[one.cell.name, dict(one.pins)] for one in multiplier.instances],
            "ports": [multiplier.a, multiplier.b, multiplier.p],
            "library": library.sha256,
            "streams": hashes,
        }
        make = partial(energy, multiplier, library, streams)
        values = figures_through_cache(facts, make, enabled=cache)
        found: dict[str, dict[str, float]] = {}
        for (name, order), value in zip(keys, values, strict=True):
            found.setdefault(name, {})[order] = value
        return found

    results = together(
        {place: partial(one, multiplier) for place, multiplier in enumerate(mapped)},
        jobs=jobs,
        finished=lambda _place, _value, done: progress(done, len(mapped)) if progress else None,
    )
    return list(results.values())
