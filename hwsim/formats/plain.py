# SPDX-License-Identifier: Apache-2.0
"""Tables without a tool of their own: NumPy, Verilog's `$readmemh`, CSV.

Row = first operand port `a_i` = activation, column = second port `b_i` = weight in all three; NumPy
and `$readmemh` in the order of bit patterns, CSV by its labels.
"""

import csv
import io
import re

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..lut import Lut
from .format import (
    Asked,
    Format,
    Kind,
    integers,
    numeric_order,
    require_range,
    square,
    table_of,
    text_of,
    values_of,
    width_of_side,
)

_HEX_TITLE = re.compile(r"//\s*axhil: (signed|unsigned) (\d+)-bit operands")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_LONG = {("a", "b", "p"), ("a", "b", "product"), ("x", "y", "p"), ("a_i", "b_i", "p_o")}


def _read_npy(data: bytes, asked: Asked) -> Lut:
    """Reads a (2^w, 2^w) or flat array of integers; an unsigned dtype means unsigned operands."""
    try:
        array: NDArray[np.generic] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise HwsimError(f"it is no NumPy array, or cut ({error})") from error
    if array.dtype.kind not in "iu":
        raise HwsimError(f"expected an array of integers, got {array.dtype}")
    if array.ndim == 1:
        side = int(np.sqrt(array.size))
        array = array.reshape(side, side) if side * side == array.size else array
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise HwsimError(f"expected a square array, one row per activation, got {array.shape}")
    unsigned = array.dtype.kind == "u"
    kind = asked.settle(width=width_of_side(len(array)), signed=False if unsigned else None)
    return table_of(array, kind)


def _write_npy(lut: Lut) -> bytes:
    """Writes a (2^w, 2^w) array of little-endian int32, which holds every table."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, lut.table.astype("<i4"), version=(1, 0))
    return buffer.getvalue()


def _read_hex(data: bytes, asked: Asked) -> Lut:
    """Reads words at address {a, b}; `@` addresses, comments and `_` as `$readmemh` has them."""
    text = text_of(data)
    title = _HEX_TITLE.search(text)
    words: dict[int, int] = {}
    address = 0
    for token in _COMMENT.sub(" ", text).split():
        digits = token.lstrip("@").replace("_", "")
        if not re.fullmatch(r"[0-9a-fA-F]{1,15}", digits):
            raise HwsimError(f"expected hexadecimal words, got {token[:40]!r}")
        if token[0] == "@":
            address = int(digits, 16)
            continue
        words[address] = int(digits, 16)
        address += 1
    side = int(np.sqrt(len(words)))
    if not words or side * side != len(words) or max(words) != len(words) - 1:
        raise HwsimError(
            f"expected one word for every address {{a, b}} from 0, 65,536 for 8-bit operands, got "
            f"{len(words):,} words up to address {max(words, default=0):,}"
        )
    signed = None if title is None else title[1] == "signed"
    kind = asked.settle(width=width_of_side(side), signed=signed)
    bits = 2 * kind.width
    table = np.array([words[index] for index in range(side * side)], dtype=np.int64)
    if table.max() >= 2**bits:
        raise HwsimError(f"the word {int(table.max()):x} has more than the product's {bits} bits")
    if kind.signed:
        table -= (table >> (bits - 1)) << bits
    return table_of(table.reshape(side, side), kind)


def _write_hex(lut: Lut) -> bytes:
    """Writes words of 2w bits, one a line; refuses products that need more bits."""
    bits = 2 * lut.width
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if lut.signed else (0, 2**bits - 1)
    require_range(lut, low, high, what=f"a word of {bits} bits")
    digits = -(-bits // 4)
    words = (lut.table.astype(np.int64) & (2**bits - 1)).ravel().tolist()
    title = f"// axhil: {Kind.of(lut)}, {bits}-bit products, address = {{a, b}}"
    return "\n".join([title, *(f"{word:0{digits}x}" for word in words), ""]).encode()


def _read_csv(data: bytes, asked: Asked) -> Lut:
    """Reads a labelled matrix, rows `a,b,p`, or a bare matrix in the order of bit patterns."""
    rows = [row for row in csv.reader(io.StringIO(text_of(data))) if any(map(str.strip, row))]
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
    table = square([integers(map(str.strip, row), line=n) for n, row in enumerate(rows, 1)])
    kind = asked.settle(width=width_of_side(len(rows)))
    return table_of(table, kind)


def _labelled(products: dict[tuple[int, int], int], count: int, asked: Asked) -> Lut:
    if len(products) != count:
        raise HwsimError(f"{count - len(products):,} operand pair(s) stand twice")
    side = int(np.sqrt(count))
    width = width_of_side(side)
    kind = asked.settle(width=width, signed=any(min(pair) < 0 for pair in products))
    values = values_of(kind).tolist()
    missing = next(((a, b) for a in values for b in values if (a, b) not in products), None)
    if count != side * side or missing is not None:
        raise HwsimError(
            f"expected every pair of {kind}, got {count:,} products"
            + ("" if missing is None else f" and none of {missing[0]} x {missing[1]}")
        )
    table = np.array([[products[a, b] for b in values] for a in values], dtype=np.int64)
    return table_of(table, kind)


def _write_csv(lut: Lut) -> bytes:
    r"""Writes a matrix with labels, `a\b` in the corner, from the smallest operand up."""
    order = numeric_order(Kind.of(lut))
    labels = lut.operands[order].tolist()
    lines = [",".join(["a\\b", *map(str, labels)])]
    for a, row in zip(labels, lut.table[np.ix_(order, order)].tolist(), strict=True):
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
    order="word at address {a, b} = a * 2^width + b, bit patterns",
    encoding="two's complement words of 2 * width bits, hexadecimal, one a line",
    roles="a = activation, b = weight",
    source="IEEE 1364-2005, 17.2.9",
    read=_read_hex,
    write=_write_hex,
)
CSV = Format(
    name="csv",
    suffixes=(".csv",),
    order="labelled matrix: row = a, column = b, from the smallest value up; or rows `a,b,p`",
    encoding="decimal integers; the labels tell whether operands are signed",
    roles="a = activation, b = weight",
    source="axhil",
    read=_read_csv,
    write=_write_csv,
)
