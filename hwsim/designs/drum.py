# SPDX-License-Identifier: Apache-2.0
"""DRUM(K): p = seg(a) * seg(b) (Hashemi et al., ICCAD 2015)."""

from collections.abc import Mapping

import numpy as np

from .family import SIGNS_REFUSED, Family, Integers, leading_one


def product(a: Integers, b: Integers, parameters: Mapping[str, int]) -> Integers:
    """seg(a) * seg(b); seg keeps K bits from the leading one down and sets the lowest of them."""
    return _segment(a, parameters["K"]) * _segment(b, parameters["K"])


def _segment(x: Integers, k: int) -> Integers:
    t = leading_one(np.maximum(x, 1))
    unit = 2 ** np.maximum(t - k + 1, 0)  # weight of the lowest kept bit
    kept = x // unit
    forced = kept + (kept % 2 == 0)  # the lowest kept bit becomes 1
    return np.where(t < k, x, forced * unit)


FAMILY = Family(
    name="drum",
    parameters=("K",),
    legal="2 <= K <= WIDTH",
    label="DR{}",
    modules=("mul_drum",),
    instances=lambda width: [(k,) for k in range(2, width + 1)],
    formula=product,
    header={"WIDTH": 8, "K": 4, "SIGNED": 0},
    signed_top="mul_signed",
    # A small WIDTH needs a K that it allows, or K's own check would stop it.
    refused=(
        *({"WIDTH": 3, "K": 2}, {"WIDTH": 17}, {"WIDTH": 20}),
        *({"K": k} for k in (1, 0, -1, 9, 12)),
        {"WIDTH": 16, "K": 17},
        {"WIDTH": 4, "K": 5},
        *SIGNS_REFUSED,
    ),
)
