# SPDX-License-Identifier: Apache-2.0
"""The weight-stationary MAC array of `rtl/`: its parameters, what is legal, and its cycle models.

The naive models are the independent oracle of `mac.v` and `mac_array.v`: written from the comments
above the modules, never from the Verilog, and meant to be plain rather than quick. The array knows
neither rows of elements nor skew: a vector goes in, all of its sums are computed at once, and they
come out ROWS+1 cycles later.

Ports have the names and the bit patterns of the Verilog, except for the clock: one call of `step`
is one cycle. The first must be a reset; what stands on the outputs before it, nobody knows.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from ..errors import HwsimError
from .family import Integers

ELEMENT, ARRAY = "mac", "mac_array"
"""Modules: the processing element, and the array of them."""

SIGNED_TOP = "mul_signed"
"""The multiplier in an element; a family that it does not know has no MAC."""

_SIDES = range(1, 65)

Product = Callable[[Integers, Integers], Integers]
"""Signed operands, broadcast against each other, to signed products."""


def check(*, width: int, acc_bits: int, rows: int = 1, cols: int = 1) -> None:
    """Refuses parameters that the Verilog would refuse.

    Raises:
        HwsimError: a sentence with the legal range.
    """
    if not 2 * width <= acc_bits <= 64:
        raise HwsimError(
            f"expected an accumulator of {2 * width} to 64 bits for products of {2 * width} bits, "
            f"got {acc_bits}"
        )
    if rows not in _SIDES or cols not in _SIDES:
        raise HwsimError(f"expected 1 to 64 rows and columns, got {rows} and {cols}")


class CycleModel(Protocol):
    """A clocked module, cycle by cycle."""

    @property
    def inputs(self) -> Mapping[str, int]:
        """Bits of every input by port, without the clock."""
        ...

    @property
    def outputs(self) -> Mapping[str, int]:
        """Bits of every output by port."""
        ...

    def step(self, given: Mapping[str, int]) -> dict[str, int]:
        """One cycle: what stands on the outputs before the clock edge; then the edge.

        Args:
            given: bit pattern of every input.

        Returns:
            Bit pattern of every output.
        """
        ...


def accumulate(acc: int, product: int, *, bits: int, saturate: bool) -> int:
    """One addition in an accumulator of `bits` bits, two's complement."""
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    total = acc + product
    if saturate:
        return min(max(total, low), high)
    return (total - low) % (1 << bits) + low


def signed(pattern: int, bits: int) -> int:
    """The value of a two's complement bit pattern."""
    return pattern - 2**bits if pattern >= 2 ** (bits - 1) else pattern


def unpack(pattern: int, bits: int, count: int) -> list[int]:
    """The signed elements of a packed vector, element 0 lowest."""
    return [signed(pattern >> bits * i & (2**bits - 1), bits) for i in range(count)]


def pack(values: list[int], bits: int) -> int:
    """A packed vector of two's complement elements, element 0 lowest."""
    return sum((value & (2**bits - 1)) << bits * i for i, value in enumerate(values))


class MacModel:
    """The processing element.

    Args:
        product: of the multiplier.
        width: operand bits.
        acc_bits: accumulator bits.
        saturate: what overflows is clipped; it wraps around otherwise.

    Attributes:
        arriving: the product between the stages, None when there is none.
        acc: the value on acc_o.
    """

    def __init__(self, product: Product, *, width: int, acc_bits: int, saturate: bool) -> None:
        self.product, self.width = product, width
        self.acc_bits, self.saturate = acc_bits, saturate
        self.inputs = {"rst_ni": 1, "en_i": 1, "valid_i": 1, "a_i": width, "b_i": width,
                       "acc_i": acc_bits}  # fmt: skip
        self.outputs = {"valid_o": 1, "acc_o": acc_bits}
        self.arriving: int | None = None
        self.acc = 0
        self._valid = 0

    def step(self, given: Mapping[str, int]) -> dict[str, int]:
        """As in `CycleModel`."""
        seen = {"valid_o": self._valid, "acc_o": pack([self.acc], self.acc_bits)}
        if not given["rst_ni"]:
            self.arriving, self._valid, self.acc = None, 0, 0
        elif given["en_i"]:
            self._valid = int(self.arriving is not None)
            if self.arriving is not None:
                acc = signed(given["acc_i"], self.acc_bits)
                self.acc = accumulate(
                    acc, self.arriving, bits=self.acc_bits, saturate=self.saturate
                )
            self.arriving = None
            if given["valid_i"]:
                a, b = (signed(given[port], self.width) for port in ("a_i", "b_i"))
                self.arriving = int(self.product(np.array(a), np.array(b)))
        return seen


class MacArrayModel:
    """The weight-stationary array.

    Args:
        product: of the multiplier.
        width: operand bits.
        acc_bits: accumulator bits.
        saturate: what overflows is clipped, after every addition; it wraps around otherwise.
        rows: activations of a vector.
        cols: sums of a vector.
    """

    def __init__(
        self, product: Product, *, width: int, acc_bits: int, saturate: bool, rows: int, cols: int
    ) -> None:
        self.product, self.width = product, width
        self.acc_bits, self.saturate = acc_bits, saturate
        self.rows, self.cols = rows, cols
        self.inputs = {
            "rst_ni": 1,
            "w_valid_i": 1,
            "w_row_i": max((rows - 1).bit_length(), 1),
            "w_i": cols * width,
            "valid_i": 1,
            "a_i": rows * width,
            "acc_i": cols * acc_bits,
            "ready_i": 1,
        }
        self.outputs = {"w_ready_o": 1, "ready_o": 1, "valid_o": 1, "acc_o": cols * acc_bits}
        self._reset()

    def _reset(self) -> None:
        self._weights = np.zeros((self.rows, self.cols), np.int64)
        # Sums on their way, those that come out next first; None where no vector is.
        self._pipeline: list[list[int] | None] = [None] * (self.rows + 1)
        self._sums = [0] * self.cols

    def products(self, activations: list[int]) -> list[list[int]]:
        """A vector's products with the weights, by row and column."""
        a = np.array(activations)[:, None]
        products: list[list[int]] = self.product(a, self._weights).tolist()
        return products

    def _sum(self, activations: list[int], sums: list[int]) -> list[int]:
        for row in self.products(activations):
            sums = [
                accumulate(acc, product, bits=self.acc_bits, saturate=self.saturate)
                for acc, product in zip(sums, row, strict=True)
            ]
        return sums

    def step(self, given: Mapping[str, int]) -> dict[str, int]:
        """As in `CycleModel`."""
        valid = self._pipeline[0] is not None
        idle = all(sums is None for sums in self._pipeline)
        moves = bool(given["ready_i"]) or not valid
        loads = idle and bool(given["w_valid_i"])
        ready = moves and not loads
        seen = {
            "w_ready_o": int(idle),
            "ready_o": int(ready),
            "valid_o": int(valid),
            "acc_o": pack(self._sums, self.acc_bits),
        }
        if not given["rst_ni"]:
            self._reset()
            return seen
        if loads and given["w_row_i"] < self.rows:
            self._weights[given["w_row_i"]] = unpack(given["w_i"], self.width, self.cols)
        if moves:
            entering = None
            if given["valid_i"] and ready:
                activations = unpack(given["a_i"], self.width, self.rows)
                entering = self._sum(activations, unpack(given["acc_i"], self.acc_bits, self.cols))
            self._pipeline = [*self._pipeline[1:], entering]
            # What came out last stays where it is until the next sums come.
            self._sums = self._pipeline[0] or self._sums
        return seen
