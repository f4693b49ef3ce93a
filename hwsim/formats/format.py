# SPDX-License-Identifier: Apache-2.0
"""What a table format is, and the operand kind that a file, a user or another table tells."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..lut import MAX_WIDTH, Lut

_T = TypeVar("_T")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


class UnknownKindError(HwsimError):
    """Neither the file nor the user says what the operands are."""


@dataclass(frozen=True)
class Kind:
    """What the operands of a complete table are.

    Attributes:
        width: bits of each operand, 1..12.
        signed: two's complement.
    """

    width: int
    signed: bool

    def __str__(self) -> str:
        return f"{'signed' if self.signed else 'unsigned'} {self.width}-bit operands"

    @classmethod
    def of(cls, lut: Lut) -> "Kind":
        """The kind of a table."""
        return cls(lut.width, lut.signed)


@dataclass(frozen=True)
class Asked:
    """What is known of the operands before a source is read.

    Attributes:
        width: the user's word; None where there is none.
        signed: the user's word; None where there is none.
        default: used for what neither the user nor the source says, e.g. the kind of the table
            that this one is compared with.
    """

    width: int | None = None
    signed: bool | None = None
    default: Kind | None = None

    def settle(self, *, width: int | None = None, signed: bool | None = None) -> Kind:
        """The kind, from what the source implies and what is asked.

        Args:
            width: what the source implies; None if nothing.
            signed: likewise.

        Raises:
            UnknownKindError: nobody says.
            HwsimError: the source and the user contradict each other, or a width beyond 12 bits.
        """
        if width is not None and self.width not in {None, width}:
            raise HwsimError(f"it is of {width}-bit operands, but --width {self.width} was given")
        if signed is not None and self.signed not in {None, signed}:
            has, given = ("signed", "--unsigned") if signed else ("unsigned", "--signed")
            raise HwsimError(f"it is of {has} operands, but {given} was given")
        default = self.default
        width = _first(width, self.width, default.width if default else None)
        signed = _first(signed, self.signed, default.signed if default else None)
        if width is None:
            raise UnknownKindError(
                "it does not say what its operands are: add --signed or --unsigned, and --width "
                "unless they have 8 bits"
            )
        if signed is None:
            raise UnknownKindError(
                "it does not say whether its operands are signed: add --signed or --unsigned"
            )
        if not 1 <= width <= MAX_WIDTH:
            raise HwsimError(f"expected operands of 1..{MAX_WIDTH} bits, got {width}")
        return Kind(width, signed)


@dataclass(frozen=True)
class Format:
    """One file format of complete tables.

    Attributes:
        name: as `--from` and `--to` take it.
        suffixes: file suffixes that mean it, lower case.
        order: where the product of operands (a, b) stands in the file.
        encoding: how operands and products are encoded.
        roles: which operand its tool takes as activation and which as weight.
        source: where that is written down.
        read: from the file's bytes and what is asked to a table.
        write: from a table to the file's bytes; refuses what does not fit.
        sniff: whether bytes look like this format, for suffixes that several formats share; None
            where any bytes may.
        usual: suffixes that several formats share and that mean this one when a file is written.
    """

    name: str
    suffixes: tuple[str, ...]
    order: str
    encoding: str
    roles: str
    source: str
    read: Callable[[bytes, Asked], Lut]
    write: Callable[[Lut], bytes]
    sniff: Callable[[bytes], bool] | None = None
    usual: tuple[str, ...] = ()


def numeric_order(kind: Kind) -> NDArray[np.int64]:
    """(2^width,) indices of the bit patterns, from the smallest operand value to the largest.

    For signed 8-bit operands 128..255, 0..127, that is -128..-1, 0..127.
    """
    side = 2**kind.width
    return np.roll(np.arange(side), side // 2) if kind.signed else np.arange(side)


def values_of(kind: Kind) -> NDArray[np.int64]:
    """(2^width,) operand value of every bit pattern."""
    values = np.arange(2**kind.width, dtype=np.int64)
    if kind.signed:
        values[2 ** (kind.width - 1) :] -= 2**kind.width
    return values


def width_of_side(side: int) -> int:
    """Operand bits of a table with `side` rows.

    Raises:
        HwsimError: not a power of two, or beyond 12 bits.
    """
    width = side.bit_length() - 1
    if side != 2**width or not 1 <= width <= MAX_WIDTH:
        raise HwsimError(
            f"expected as many rows as a multiplier has operand values, a power of two up to "
            f"{2**MAX_WIDTH}, got {side}"
        )
    return width


def table_of(products: NDArray[Any], kind: Kind) -> Lut:
    """A table from integers of any type.

    Args:
        products: (2^width, 2^width), row = first operand's bit pattern.
        kind: of the operands.

    Raises:
        HwsimError: a product that 32 bits do not hold.
    """
    return Lut(products, width=kind.width, signed=kind.signed)


def text_of(data: bytes) -> str:
    """The file's text.

    Raises:
        HwsimError: it is no text.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HwsimError(f"it is no text: byte {error.start} is not UTF-8") from error


def integers(tokens: Iterable[str], *, line: int) -> list[int]:
    """Decimal integers of one line of a text file.

    Args:
        tokens: what should be integers.
        line: its number in the file, from 1, for the message.

    Raises:
        HwsimError: one is not.
    """
    found = []
    for token in tokens:
        if not _INTEGER.fullmatch(token):
            raise HwsimError(f"expected integers in line {line}, got {token[:40]!r}")
        found.append(int(token))
    return found


def require_range(lut: Lut, low: int, high: int, *, what: str) -> None:
    """Refuses products that a format's type cannot hold.

    Args:
        lut: the table to write.
        low: smallest product that fits.
        high: largest product that fits.
        what: the format's element, for the message.

    Raises:
        HwsimError: names the first operands whose product does not fit.
    """
    outside = (lut.table < low) | (lut.table > high)
    if outside.any():
        i, j = (int(index) for index in np.argwhere(outside)[0])
        a, b = int(lut.operands[i]), int(lut.operands[j])
        raise HwsimError(
            f"{what} holds {low}..{high}, but {a} x {b} = {int(lut.table[i, j])}, and "
            f"{int(outside.sum()):,} product(s) do not fit"
        )


def square(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """(2^width, 2^width) table from rows of equal length.

    Raises:
        HwsimError: a row has another length than there are rows; it names the row.
    """
    side = len(rows)
    width_of_side(side)
    for number, row in enumerate(rows):
        if len(row) != side:
            raise HwsimError(
                f"row {number} has {len(row):,} entries, expected {side:,} as there are rows"
            )
    return np.array(rows, dtype=np.int64)


def _first(*options: _T | None) -> _T | None:
    return next((option for option in options if option is not None), None)
