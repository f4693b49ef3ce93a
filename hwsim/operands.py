# SPDX-License-Identifier: Apache-2.0
"""What a bundle of wires means: so many bits, two's complement or not."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import HwsimError

_CODE = re.compile(r"([su])([1-9]\d?)", re.ASCII)
_MOST_BITS = 64


@dataclass(frozen=True, order=True)
class Operand:
    """An integer on wires; every port, table axis and quantiser speaks it.

    >>> weight = Operand(4, signed=True)
    >>> print(weight, weight.code, weight.minimum, weight.maximum)
    signed 4-bit s4 -8 7
    >>> weight.value([0b0111, 0b1000])
    array([ 7, -8])
    >>> weight.pattern([7, -8, -1])
    array([ 7,  8, 15])
    >>> Operand.parse("u8")
    Operand(bits=8, signed=False)

    Attributes:
        bits: width, 1..64.
        signed: two's complement; unsigned otherwise.

    Raises:
        HwsimError: a width beyond these.
    """

    bits: int
    signed: bool

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= _MOST_BITS:
            raise HwsimError(f"expected 1 to {_MOST_BITS} bits, got {self.bits}")

    def __str__(self) -> str:
        return f"{'signed' if self.signed else 'unsigned'} {self.bits}-bit"

    @classmethod
    def parse(cls, code: str) -> Self:
        """Reads `s8` or `u4`.

        Raises:
            HwsimError: anything else.
        """
        match = _CODE.fullmatch(code.strip().lower())
        if match is None:
            raise HwsimError(f"expected operands such as s8 or u4, got {code!r}")
        return cls(int(match[2]), match[1] == "s")

    @property
    def code(self) -> str:
        """The short spelling: `s8`, `u4`."""
        return f"{'s' if self.signed else 'u'}{self.bits}"

    @property
    def count(self) -> int:
        """How many values there are: 2^bits."""
        return 1 << self.bits

    @property
    def minimum(self) -> int:
        """The smallest value."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """The largest value."""
        return self.minimum + self.count - 1

    @cached_property
    def values(self) -> NDArray[np.int64]:
        """(2^bits,) the value of every bit pattern in ascending order of patterns, read-only."""
        values = self.value(np.arange(self.count))
        values.flags.writeable = False
        return values

    def value(self, patterns: ArrayLike) -> NDArray[np.int64]:
        """Bit patterns to the values that they stand for.

        Args:
            patterns: integers; bits above the width are ignored.

        Returns:
            int64 of the same shape; unsigned patterns must be below 2^63.
        """
        spare = 64 - self.bits
        # Up to the sign bit of 64 bits and back again, arithmetically or not: any width alike.
        words = np.asarray(patterns).astype(np.uint64, copy=True) << np.uint64(spare)
        if self.signed:
            return words.view(np.int64) >> np.int64(spare)
        return (words >> np.uint64(spare)).astype(np.int64)

    def pattern(self, values: ArrayLike) -> NDArray[np.int64]:
        """Values to their bit patterns.

        Args:
            values: integers; what is beyond the range is taken modulo 2^bits, as wires do.

        Returns:
            int64 of the same shape, 0..2^bits - 1; at most 63 bits.
        """
        return np.asarray(values, np.int64) & np.int64(self.count - 1)
