# SPDX-License-Identifier: Apache-2.0
"""Multipliers that are asked for every product, by whatever is behind a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from axhil.hwsim.operands import Operand

from ..quantise.quantize import S8

Products = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
"""(N,) activation codes and (N,) weight codes, int8 or uint8 by their sign, to (N,) products."""


@dataclass(frozen=True)
class External:
    """A multiplier that is asked for each product, where a table would be looked up.

    Attributes:
        name: for the plan.
        products: what multiplies. It gets every operand pair of a layer, padding included, as
            often as it comes.
        activation: its first operand.
        weight: its second operand.
        sums: (R, K) activation codes and (O, K) weight codes to (R, O) sums of products, at once;
            None: `products` is asked for each.
    """

    name: str
    products: Products
    activation: Operand = S8
    weight: Operand = S8
    sums: Products | None = None
