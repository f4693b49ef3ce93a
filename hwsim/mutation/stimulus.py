# SPDX-License-Identifier: Apache-2.0
"""What a clocked module gets in every cycle: constrained random, in phases of one temper each.

A phase draws how often the handshakes are high, where operands lie and where accumulators lie: in
one everything flows, in the next nothing does. Accumulators aim at both limits, one addition from
overflow. Nothing is idle: what no handshake makes valid is as random as what one does.
"""

import random
from collections.abc import Sequence
from typing import Literal

from ..designs.mac import CycleModel, MacArrayModel, MacModel, pack
from .trace import Stimulus

Place = Literal["any", "corner", "lowest"]
_PLACES: tuple[Place, ...] = ("any", "any", "corner", "lowest")
_RATES = (0.0, 0.2, 0.7, 1.0, 1.0)
_RESETS = (0.0, 0.0, 0.0, 0.04)


def element_stimulus(model: CycleModel, rng: random.Random) -> Stimulus:
    """Cycles for `mac`."""
    assert isinstance(model, MacModel)
    width, bits = model.width, model.acc_bits
    reset = True
    while True:
        valid, enabled = rng.choice(_RATES), rng.choice(_RATES)
        resets, place = rng.choice(_RESETS), rng.choice(_PLACES)
        accumulator = rng.choice(("any", "limit", "limit", "in place"))
        for _ in range(rng.randint(3, 20)):
            if accumulator == "limit":
                acc = _near_limit(rng, [model.arriving or 0], bits)
            else:
                acc = model.acc if accumulator == "in place" else _anywhere(rng, bits)
            yield {
                "rst_ni": int(not reset),
                "en_i": _flip(rng, enabled),
                "valid_i": _flip(rng, valid),
                "a_i": pack([_operand(rng, width, place)], width),
                "b_i": pack([_operand(rng, width, place)], width),
                "acc_i": pack([acc], bits),
            }
            reset = rng.random() < resets


def array_stimulus(model: CycleModel, rng: random.Random) -> Stimulus:
    """Cycles for `mac_array`; first of all, every row gets weights and vectors stream through."""
    assert isinstance(model, MacArrayModel)
    rows, through = model.rows, model.rows + 3
    last_row = 2 ** model.inputs["w_row_i"] - 1
    yield _array_cycle(model, rng, reset=True, row=last_row)
    for row in range(rows):
        yield _array_cycle(model, rng, row=row, rates=(1.0, 0.0, 1.0))
    for _ in range(2 * through):
        yield _array_cycle(model, rng, row=0, rates=(0.0, 1.0, 1.0))
    while True:
        rates = (rng.choice((0.0, 0.0, 0.1, 0.5, 1.0)), rng.choice(_RATES), rng.choice(_RATES))
        if rng.random() < 0.3:
            rates = (0.5, 0.3, 0.5)
        resets, place = rng.choice(_RESETS), rng.choice(_PLACES)
        near = rng.random() < 0.6
        for _ in range(rng.randint(3, through + 10)):
            yield _array_cycle(
                model, rng,
                reset=rng.random() < resets,
                row=rng.randint(0, last_row),
                rates=rates,
                place=place,
                near=near,
            )  # fmt: skip


def _array_cycle(
    model: MacArrayModel,
    rng: random.Random,
    *,
    row: int,
    reset: bool = False,
    rates: tuple[float, float, float] = (0.5, 0.5, 0.5),
    place: Place = "any",
    near: bool = False,
) -> dict[str, int]:
    """One cycle; `rates` are of w_valid_i, valid_i and ready_i."""
    width, bits, cols = model.width, model.acc_bits, model.cols
    a = [_operand(rng, width, place) for _ in range(model.rows)]
    acc = [_anywhere(rng, bits) for _ in range(cols)]
    if near:
        acc = [_near_limit(rng, column, bits) for column in zip(*model.products(a), strict=True)]
    return {
        "rst_ni": int(not reset),
        "w_valid_i": _flip(rng, rates[0]),
        "w_row_i": row,
        "w_i": pack([_operand(rng, width, place) for _ in range(cols)], width),
        "valid_i": _flip(rng, rates[1]),
        "a_i": pack(a, width),
        "acc_i": pack(acc, bits),
        "ready_i": _flip(rng, rates[2]),
    }


def _flip(rng: random.Random, rate: float) -> int:
    return int(rng.random() < rate)


def _anywhere(rng: random.Random, bits: int) -> int:
    half = 1 << bits - 1
    return rng.randrange(-half, half)


def _operand(rng: random.Random, width: int, place: Place) -> int:
    low = -(1 << width - 1)
    if place == "lowest":
        return low
    if place == "corner":
        return rng.choice((low, low + 1, -2, -1, 0, 1, 2, -low - 2, -low - 1))
    return _anywhere(rng, width)


def _near_limit(rng: random.Random, products: Sequence[int], bits: int) -> int:
    """From where the first few products lead to a limit, or up to two steps beside it."""
    low = -(1 << bits - 1)
    limit = rng.choice((low, -low - 1))
    taken = rng.randint(1, len(products))
    start = limit - sum(products[:taken]) + rng.randint(-2, 2)
    return min(max(start, low), -low - 1)
