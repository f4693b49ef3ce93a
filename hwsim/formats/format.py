# SPDX-License-Identifier: Apache-2.0
"""What a table format is, and what several of them share."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..lut import Lut
from ..operands import MAX_BITS, Asked, Operands

_C_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|//[^\n]*", re.DOTALL)
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


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


def bits_of(rows: int, columns: int | None = None) -> tuple[int, int]:
    """Bits of either operand of a table with so many rows and columns; None: as many as rows.

    Raises:
        HwsimError: not a power of two, or beyond 12 bits.
    """
    sides = (rows, rows if columns is None else columns)
    for side, word in zip(sides, ("rows", "columns"), strict=True):
        if side < 2 or side.bit_count() != 1 or side > 2**MAX_BITS:
            raise HwsimError(
                f"expected as many {word} as a multiplier has operand values, a power of two up to "
                f"{2**MAX_BITS}, got {side}"
            )
    return sides[0].bit_length() - 1, sides[1].bit_length() - 1


def require_equal(operands: Operands, *, tool: str) -> None:
    """Refuses operands that differ in bits or sign, for a tool that has one kind of them.

    Raises:
        HwsimError: they differ.
    """
    if not operands.equal:
        raise HwsimError(f"{tool} takes tables of two equal operands, this one is of {operands}")


def table_of(products: NDArray[Any], operands: Operands) -> Lut:
    """A table from integers of any type.

    Raises:
        HwsimError: a product that 32 bits do not hold.
    """
    return Lut(products, *operands)


def without_c_comments(text: str) -> str:
    """The text with a space for every comment of C; one without an end goes to the file's."""
    return _C_COMMENT.sub(" ", text)


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
        a, b = int(lut.activation.values[i]), int(lut.weight.values[j])
        raise HwsimError(
            f"{what} holds {low}..{high}, but {a} x {b} = {int(lut.table[i, j])}, and "
            f"{int(outside.sum()):,} product(s) do not fit"
        )


def square(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """(2^bits, 2^bits) table from rows of equal length.

    Raises:
        HwsimError: a row has another length than there are rows; it names the row.
    """
    bits_of(len(rows))
    for number, row in enumerate(rows):
        if len(row) != len(rows):
            raise HwsimError(
                f"row {number} has {len(row):,} entries, expected {len(rows):,} as there are rows"
            )
    return np.array(rows, dtype=np.int64)
