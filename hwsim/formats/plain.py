# SPDX-License-Identifier: Apache-2.0
"""Tables without a tool of their own: NumPy, Verilog's `$readmemh`, CSV.

Row = first operand port `a_i` = activation, column = second port `b_i` = weight in all three; NumPy
and `$readmemh` in the order of bit patterns, CSV by its labels.
"""

import csv
import io
import re
from math import isqrt

import numpy as np

from ..errors import HwsimError
from ..files import array_of, text_of
from ..lut import Lut
from ..operands import Asked, Operand, Operands
from .format import (
    Format,
    bits_of,
    integers,
    require_range,
    table_of,
    without_c_comments,
)

_HEX_TITLE = re.compile(
    r"//\s*axhil: (signed|unsigned) (\d{1,2})-bit(?: x (signed|unsigned) (\d{1,2})-bit)? operands"
)
_LONG = {("a", "b", "p"), ("a", "b", "product"), ("x", "y", "p"), ("a_i", "b_i", "p_o")}


def _read_npy(data: bytes, asked: Asked) -> Lut:
    """Reads an (activations, weights) or flat array; an unsigned dtype means unsigned operands."""
    array = array_of(data)
    if array.ndim == 1:
        array = array.reshape(_sides(array.size, asked) or array.shape)
    if array.ndim != 2:
        raise HwsimError(
            f"expected a row for each activation, a column for each weight, got {array.shape}"
        )
    signed = False if array.dtype.kind == "u" else None
    return table_of(array, asked.settle(bits=bits_of(*array.shape), signs=(signed, signed)))


def _sides(count: int, asked: Asked) -> tuple[int, int] | None:
    """Rows and columns of so many products: as requested, else a square; None: neither."""
    sides = asked.operands.shape if asked.operands else (isqrt(count), isqrt(count))
    return sides if sides[0] * sides[1] == count else None


def _write_npy(lut: Lut) -> bytes:
    """Writes an (activations, weights) array of little-endian int32, which holds every table."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, lut.table.astype("<i4"), version=(1, 0))
    return buffer.getvalue()


def _read_hex(data: bytes, asked: Asked) -> Lut:
    """Reads words at address {a, b}; `@` addresses, comments and `_` as `$readmemh` has them."""
    text = text_of(data)
    title = _HEX_TITLE.search(text)
    words: dict[int, int] = {}
    address = 0
    for token in without_c_comments(text).split():
        digits = token.lstrip("@").replace("_", "")
        if not re.fullmatch(r"[0-9a-fA-F]{1,15}", digits):
            raise HwsimError(f"expected hexadecimal words, got {token[:40]!r}")
        if token[0] == "@":
            address = int(digits, 16)
            continue
        words[address] = int(digits, 16)
        address += 1
    titled = None if title is None else _titled(title)
    sides = _sides(len(words), asked) if titled is None else titled.shape
    if not words or sides is None or words.keys() != set(range(sides[0] * sides[1])):
        raise HwsimError(
            f"expected one word for every address {{a, b}} from 0, 65,536 for 8-bit operands, got "
            f"{len(words):,} words up to address {max(words, default=0):,}"
        )
    signs = (None, None) if titled is None else titled.signs
    operands = asked.settle(bits=bits_of(*sides), signs=signs)
    product = operands.product
    table = np.array([words[index] for index in range(len(words))], dtype=np.int64)
    if table.max() >= product.count:
        raise HwsimError(
            f"the word {int(table.max()):x} has more than the product's {product.bits} bits"
        )
    return table_of(product.value(table).reshape(operands.shape), operands)


def _titled(title: re.Match[str]) -> Operands:
    activation = Operand(int(title[2]), title[1] == "signed")
    weight = Operand(int(title[4]), title[3] == "signed") if title[3] else activation
    return Operands(activation, weight).require_table()


def _write_hex(lut: Lut) -> bytes:
    """Writes words of the product's bits, one a line; refuses products that need more."""
    product = lut.operands.product
    what = f"a word of {product.bits} bits"
    require_range(lut, product.minimum, product.maximum, what=what)
    digits = -(-product.bits // 4)
    words = product.pattern(lut.table).ravel().tolist()
    title = f"// axhil: {lut.operands}, {product.bits}-bit products, address = {{a, b}}"
    return "\n".join([title, *(f"{word:0{digits}x}" for word in words), ""]).encode()


def _read_csv(data: bytes, asked: Asked) -> Lut:
    """Reads a labelled matrix, rows `a,b,p`, or a bare matrix in the order of bit patterns."""
    try:
        lines = csv.reader(io.StringIO(text_of(data)))
        rows = [row for row in lines if any(map(str.strip, row))]
    except csv.Error as error:
        raise HwsimError(f"it is no CSV: {error}") from error
    if not rows:
        raise HwsimError("it is empty")
    head = tuple(cell.strip().lower() for cell in rows[0])
    if head in _LONG:
        entries = [integers(map(str.strip, row), line=n) for n, row in enumerate(rows[1:], 2)]
        wrong = next((n for n, entry in enumerate(entries, 2) if len(entry) != 3), None)
        if wrong is not None:
            raise HwsimError(f"expected three cells in line {wrong}: a, b and their product")
        return _labelled({(a, b): p for a, b, p in entries}, len(entries), asked)
    if not re.fullmatch(r"[+-]?\d+", head[0]):
        columns = integers(map(str.strip, rows[0][1:]), line=1)
        products = {}
        for number, row in enumerate(rows[1:], 2):
            a, *cells = integers(map(str.strip, row), line=number)
            if len(cells) != len(columns):
                raise HwsimError(
                    f"line {number} has {len(cells)} products, expected {len(columns)} as line 1 "
                    "has labels"
                )
            products.update({(a, b): p for b, p in zip(columns, cells, strict=True)})
        return _labelled(products, (len(rows) - 1) * len(columns), asked)
    entries = [integers(map(str.strip, row), line=n) for n, row in enumerate(rows, 1)]
    bits = bits_of(len(entries), len(entries[0]))
    for number, entry in enumerate(entries, 1):
        if len(entry) != len(entries[0]):
            raise HwsimError(
                f"line {number} has {len(entry):,} products, expected {len(entries[0]):,} as line 1"
            )
    return table_of(np.array(entries), asked.settle(bits=bits))


def _labelled(products: dict[tuple[int, int], int], count: int, asked: Asked) -> Lut:
    if len(products) != count:
        raise HwsimError(f"{count - len(products):,} operand pair(s) stand twice")
    rows, columns = {a for a, _ in products}, {b for _, b in products}
    signs = (min(rows, default=0) < 0, min(columns, default=0) < 0)
    operands = asked.settle(bits=bits_of(len(rows), len(columns)), signs=signs)
    first, second = (operand.values.tolist() for operand in operands)
    missing = next(((a, b) for a in first for b in second if (a, b) not in products), None)
    if missing is not None:
        raise HwsimError(
            f"expected every pair of {operands}, got {count:,} products and none of "
            f"{missing[0]} x {missing[1]}"
        )
    table = np.array([[products[a, b] for b in second] for a in first], dtype=np.int64)
    return table_of(table, operands)


def _write_csv(lut: Lut) -> bytes:
    r"""Writes a matrix with labels, `a\b` in the corner, from the smallest operand up."""
    rows, columns = (operand.ascending for operand in lut.operands)
    lines = [",".join(["a\\b", *map(str, lut.weight.values[columns])])]
    table = lut.table[np.ix_(rows, columns)].tolist()
    for a, row in zip(lut.activation.values[rows].tolist(), table, strict=True):
        lines.append(",".join(map(str, [a, *row])))
    return ("\n".join(lines) + "\n").encode()


NPY = Format(
    name="npy",
    suffixes=(".npy",),
    order="array[a, b] by bit patterns (0..127, -128..-1 where signed)",
    encoding="integers; written as little-endian int32; an unsigned dtype means unsigned operands",
    roles="a = activation, b = weight",
    source="NumPy's .npy format",
    read=_read_npy,
    write=_write_npy,
)
HEX = Format(
    name="hex",
    suffixes=(".hex", ".mem"),
    order="word at address {a, b} = a * 2^(bits of b) + b, bit patterns",
    encoding="words of the operands' bits together, hexadecimal, one a line",
    roles="a = activation, b = weight",
    source="IEEE 1364-2005, 17.2.9",
    read=_read_hex,
    write=_write_hex,
)
CSV = Format(
    name="csv",
    suffixes=(".csv",),
    order="labelled matrix: row = a, column = b, from the smallest value up; or rows `a,b,p`",
    encoding="decimal integers; the labels tell what the operands are",
    roles="a = activation, b = weight",
    source="axhil",
    read=_read_csv,
    write=_write_csv,
)
