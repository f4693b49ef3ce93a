# SPDX-License-Identifier: Apache-2.0
"""What a bundle of wires means: so many bits, two's complement or not; and a multiplier's two."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import HwsimError

MAX_BITS = 12
"""Widest operands of a complete table: 2^24 products, 64 MiB."""

_CODE = re.compile(r"([su])([1-9]\d?)", re.ASCII)
_MOST_BITS = 64
_T = TypeVar("_T")


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

    @property
    def ascending(self) -> NDArray[np.int64]:
        """(2^bits,) the bit patterns from the smallest value to the largest."""
        return self.pattern(np.arange(self.minimum, self.maximum + 1))

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


class Operands(NamedTuple):
    """The two operands of a multiplier, each of its own bits and sign.

    >>> pair = Operands.parse("u8xs4")
    >>> print(pair)
    unsigned 8-bit x signed 4-bit operands
    >>> pair.shape, pair.product.code
    ((256, 16), 's12')
    >>> Operands.parse("s8") == Operands.both(8, signed=True)
    True

    Attributes:
        activation: the first, a table's row.
        weight: the second, a table's column.
    """

    activation: Operand
    weight: Operand

    def __str__(self) -> str:
        one = f"{self.activation}" if self.equal else f"{self.activation} x {self.weight}"
        return f"{one} operands"

    @classmethod
    def both(cls, bits: int, signed: bool) -> Self:
        """Two equal operands."""
        return cls(Operand(bits, signed), Operand(bits, signed))

    @classmethod
    def parse(cls, code: str) -> Self:
        """Reads `u8xs4`, or `s8` for two equal ones.

        Raises:
            HwsimError: anything else.
        """
        first, times, second = code.partition("x")
        try:
            activation = Operand.parse(first)
            return cls(activation, Operand.parse(second) if times else activation)
        except HwsimError as error:
            raise HwsimError(
                f"expected operands such as s8, or u8xs4 where they differ, got {code!r}"
            ) from error

    @property
    def code(self) -> str:
        """The short spelling: `s8`, or `u8xs4` where they differ."""
        return self.weight.code if self.equal else f"{self.activation.code}x{self.weight.code}"

    @property
    def equal(self) -> bool:
        """Both are of the same bits and sign, so that exchanging them means something."""
        return self.activation == self.weight

    @property
    def bits(self) -> tuple[int, int]:
        """Of either operand."""
        return self.activation.bits, self.weight.bits

    @property
    def signs(self) -> tuple[bool, bool]:
        """Whether either operand is signed."""
        return self.activation.signed, self.weight.signed

    @property
    def shape(self) -> tuple[int, int]:
        """Of a table: values of the activation, values of the weight."""
        return self.activation.count, self.weight.count

    def as_signed(self) -> Self:
        """The same bits in two's complement."""
        activation, weight = (Operand(bits, signed=True) for bits in self.bits)
        return type(self)(activation, weight)

    @property
    def product(self) -> Operand:
        """What a product is: as many bits as both together, signed if either is.

        Raises:
            HwsimError: more than 64 bits together.
        """
        return Operand(sum(self.bits), any(self.signs))

    def require_table(self) -> Self:
        """These operands, if a complete table of them is not too large.

        Raises:
            HwsimError: more than 12 bits.
        """
        if max(self.bits) > MAX_BITS:
            raise HwsimError(f"expected operands of 1..{MAX_BITS} bits, got {max(self.bits)}")
        return self


class UnknownOperandsError(HwsimError):
    """Neither the source nor the user says what the operands are."""

    code = "unknown-operands"


@dataclass(frozen=True)
class Asked:
    """What is known of the operands before a source is read.

    Attributes:
        width: requested bits of both operands; None where nothing is requested.
        signed: requested sign of both operands; likewise.
        operands: both requested in full, in place of `width` and `signed`.
        default: used for what neither the user nor the source says, e.g. the operands of the table
            that this one is compared with.

    Raises:
        HwsimError: the operands are requested twice.
    """

    width: int | None = None
    signed: bool | None = None
    operands: Operands | None = None
    default: Operands | None = None

    def __post_init__(self) -> None:
        if self.operands is not None and (self.width, self.signed) != (None, None):
            raise HwsimError(
                f"expected either operands such as {self.operands.code} or a width and a sign, "
                "got both"
            )

    @property
    def bits(self) -> tuple[int | None, int | None]:
        """Requested bits of either operand."""
        return (self.width, self.width) if self.operands is None else self.operands.bits

    @property
    def signs(self) -> tuple[bool | None, bool | None]:
        """Requested sign of either operand."""
        return (self.signed, self.signed) if self.operands is None else self.operands.signs

    def settle(
        self,
        *,
        bits: tuple[int | None, int | None] = (None, None),
        signs: tuple[bool | None, bool | None] = (None, None),
        table: bool = True,
    ) -> Operands:
        """The operands of a source, from what it implies and what is requested.

        Args:
            bits: of either operand, as the source implies; None where it implies nothing.
            signs: likewise.
            table: all products are wanted as a table.

        Raises:
            UnknownOperandsError: nobody says.
            HwsimError: the source and the user contradict each other, or more than 12 bits for a
                table.
        """
        if _contradict(bits, self.bits):
            requested = f"--width {self.width}" if self.operands is None else self.operands.code
            sizes = " x ".join(dict.fromkeys(f"{size}-bit" for size in bits))
            raise HwsimError(f"it is of {sizes} operands, but {requested} was given")
        if _contradict(signs, self.signs):
            kinds = " x ".join(dict.fromkeys(_SIGNS[sign] for sign in signs))
            raise HwsimError(f"it is of {kinds} operands, but {self.sign_words} was given")
        default = self.default
        bits = _filled(_filled(bits, self.bits), default.bits if default else (None, None))
        signs = _filled(_filled(signs, self.signs), default.signs if default else (None, None))
        if None in bits:
            raise UnknownOperandsError(
                "it does not say what its operands are: add --signed or --unsigned, and --width "
                "unless they have 8 bits"
            )
        if None in signs:
            raise UnknownOperandsError(
                "it does not say whether its operands are signed: add --signed or --unsigned"
            )
        activation, weight = (
            Operand(size or 0, bool(sign)) for size, sign in zip(bits, signs, strict=True)
        )
        settled = Operands(activation, weight)
        return settled.require_table() if table else settled

    @property
    def sign_words(self) -> str:
        """How the signs were requested, for messages."""
        if self.operands is not None:
            return self.operands.code
        return "--signed" if self.signed else "--unsigned"


_SIGNS = {True: "signed", False: "unsigned", None: "undeclared"}


def _contradict(
    implied: tuple[int | None, int | None], requested: tuple[int | None, int | None]
) -> bool:
    pairs = zip(implied, requested, strict=True)
    return any(None not in pair and pair[0] != pair[1] for pair in pairs)


def _filled(
    known: tuple[_T | None, _T | None], otherwise: tuple[_T | None, _T | None]
) -> tuple[_T | None, _T | None]:
    first, second = (b if a is None else a for a, b in zip(known, otherwise, strict=True))
    return first, second
