# SPDX-License-Identifier: Apache-2.0
"""Multipliers that are asked for every product, by whatever is behind a function.

Sums are int32 as those of tables, or int64 where codes have more than 8 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from axhil.hwsim.netlist.evaluation import matmul, multiply
from axhil.hwsim.netlist.program import Program
from axhil.hwsim.operands import Operand

from ..quantise.quantize import S8, is_wide

Products = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
"""(N,) activation codes and (N,) weight codes, each of its `code_type`, to (N,) products."""


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
            None: `products` is asked for each. Not for sums that saturate.
        gates: those of a multiplier that compute the products; None: something else does.
    """

    name: str
    products: Products
    activation: Operand = S8
    weight: Operand = S8
    sums: Products | None = None
    gates: Program | None = None

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, program: Program) -> External:
        """A multiplier by its gates, on as many threads as torch uses."""

        def multiplied(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
            return multiply(program, a, b, threads=torch.get_num_threads())

        def summed(x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
            return matmul(program, x, w, threads=torch.get_num_threads())[0]

        return cls(program.name, multiplied, *program.operands, summed, program)

    @property
    def sum_type(self) -> type[np.signedinteger[Any]]:
        """Of sums of its products."""
        return np.int64 if is_wide(self.activation, self.weight) else np.int32


def code_type(operand: Operand) -> np.dtype[Any]:
    """int8 or uint8 by the sign; of more than 8 bits int16 or uint16."""
    return np.dtype(f"{'i' if operand.signed else 'u'}{2 if is_wide(operand) else 1}")
