# SPDX-License-Identifier: Apache-2.0
"""The waveform of the first operand pair at which two multipliers differ, and of some around it."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import HwsimError
from ...lut import Lut
from ...simulation.waveform import Probe, Waveform, record
from ...verilog.circuit import Circuit
from ..tabulating.tabulation import TIME_LIMIT, simulate_pairs
from .difference import Difference

_AROUND = 4
"""Operand pairs of a table before the first mismatch, and after it."""


@dataclass(frozen=True)
class Side:
    """One of two multipliers that differ.

    Attributes:
        name: what to call it.
        circuit: to simulate; None where it is a table or a model.
        table: all its products; None where there are too many, or they are not at hand.
    """

    name: str
    circuit: Circuit | None
    table: Lut | None


def mismatch_waveform(
    x: Side, y: Side, differences: Sequence[Difference], *, limit: float = TIME_LIMIT
) -> tuple[Waveform, int]:
    """Simulates what of two multipliers is Verilog around their first difference.

    Args:
        x: the first, whose products a difference expects.
        y: the second.
        differences: the first few; where there is no table, they are all that is simulated.
        limit: seconds that a simulation may take.

    Returns:
        The waveform, and the place of the first difference in it.

    Raises:
        HwsimError: neither is Verilog, or as `record`.
    """
    held = [
        (f"{letter}_{_scope(one.name)}", one.circuit, reference, products)
        for letter, one, reference, products in (
            ("x", x, y.table, [difference.actual for difference in differences]),
            ("y", y, x.table, [difference.expected for difference in differences]),
        )
        if one.circuit is not None
    ]
    if not held:
        raise HwsimError(f"expected Verilog for a waveform, got {x.name} and {y.name}")
    activation, weight = held[0][1].operands
    rows = activation.pattern([difference.a for difference in differences])
    columns = weight.pattern([difference.b for difference in differences])
    place, shape = 0, (activation.count, weight.count)
    if around := all(reference is not None for _, _, reference, _ in held):
        middle = int(rows[0]) * weight.count + int(columns[0])
        begin, end = max(0, middle - _AROUND), min(middle + _AROUND + 1, math.prod(shape))
        rows, columns = np.unravel_index(np.arange(begin, end), shape)
        place = middle - begin
    probes = []
    for scope, circuit, reference, products in held:
        latency = 0
        if circuit.roles.clock is not None:
            latency = simulate_pairs(circuit, rows, columns, limit=limit).latency
        expected = products
        if around and reference is not None:
            expected = reference.table[rows, columns].tolist()
        probes.append(Probe(scope, circuit, latency, expected))
    pairs = list(zip(rows.tolist(), columns.tolist(), strict=True))
    return record(probes, pairs, limit=limit), place


def _scope(name: str) -> str:
    """A name as part of an identifier."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")[:40]
