# SPDX-License-Identifier: Apache-2.0
"""C headers of AdaPT and TransAxx: `const int16_t lut [256][256] = {...}`.

Both tools index `lut[p][q]` by the operands' bit patterns (an `int8_t` cast to `uint8_t`: 0..127,
then -128..-1). Which operand is p depends on the layer: the convolutions of both pass the weight
first and the activation second, AdaPT's linear layer passes the activation first. A header
therefore keeps the multiplier's port order, p = `a_i`, and `--swap` exchanges the operands for
somebody who runs convolutions and wants `a_i` = activation there.
Sources: AdaPT's `adapt/cpu-kernels/axx_conv2d.cpp`, `axx_linear.cpp` and `tools/LUT_convert.ipynb`;
TransAxx's `ext_modules/include/nn/cuda/adapt_im2col.cuh` and `adapt_convolution_layer.cu`.
"""

import re

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..files import text_of
from ..lut import Lut
from ..operands import Asked, Operands
from .format import Format, bits_of, square, table_of, without_c_comments

_ARRAY = re.compile(
    r"\b(?P<type>u?int(?:8|16|32|64)_t|(?:(?:unsigned|signed|long|short|int|char)\s+){1,4})"
    r"\s*(?P<name>[A-Za-z_]\w*)\s*\[\s*(?P<rows>\d{1,9})\s*\]\s*\[\s*(?P<columns>\d{1,9})\s*\]"
    r"\s*=\s*(?=\{)"
)
_LITERAL = re.compile(r"([+-]?)\s*(0[xX][0-9a-fA-F]+|[0-9]+)[uUlL]*")
_BITS = {"char": 8, "short": 16, "long": 64}


def _read(data: bytes, asked: Asked) -> Lut:
    """Reads a header: row p = first index, column q = second index, bit patterns.

    An unsigned element type means unsigned operands; a signed one means signed operands unless the
    user says otherwise, because both tools take signed operands only.
    """
    text = " ".join(without_c_comments(text_of(data)).split())
    arrays = list(_ARRAY.finditer(text))
    if len(arrays) > 1:
        arrays = [array for array in arrays if array["name"] == "lut"] or arrays
    if len(arrays) != 1:
        raise HwsimError(
            f"expected one array like `const int16_t lut [256][256] = {{...}}`, "
            f"found {len(arrays) or 'none'}"
        )
    (array,) = arrays
    rows, columns = int(array["rows"]), int(array["columns"])
    if rows != columns:
        raise HwsimError(f"expected a square array, got {array['name']}[{rows}][{columns}]")
    bits = bits_of(rows)
    low, high = _range(array["type"])
    table = _entries(text[array.end() :], rows)
    if table.min() < low or table.max() > high:
        wrong = int(table[(table < low) | (table > high)][0])
        raise HwsimError(
            f"the entry {wrong} does not fit its type {array['type'].strip()}; C would wrap it"
        )
    # Signed elements may hold unsigned products; only the user can know that.
    signed = low < 0 and asked.signs != (False, False)
    return table_of(table, asked.settle(bits=bits, signs=(signed, signed)))


def _entries(text: str, side: int) -> NDArray[np.int64]:
    body = _braced(text)
    nested = re.findall(r"\{([^{}]*)\}", body)
    if nested:
        rest = re.sub(r"\{[^{}]*\}", "", body).replace(",", "").strip()
        if rest:
            raise HwsimError(f"expected rows in braces, got {rest[:40]!r} between them")
        rows = [_row(row, number) for number, row in enumerate(nested)]
        if len(rows) != side:
            raise HwsimError(f"expected {side} rows, got {len(rows)}")
        return square(rows)
    flat = _row(body, 0)
    if len(flat) != side * side:
        raise HwsimError(f"expected {side * side:,} entries, got {len(flat):,}")
    return np.array(flat, dtype=np.int64).reshape(side, side)


def _braced(text: str) -> str:
    """What stands between the opening brace at the start and its partner."""
    depth = 0
    for brace in re.finditer(r"[{}]", text):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return text[1 : brace.start()]
    raise HwsimError("the array's closing brace is missing: the file is cut")


def _row(text: str, number: int) -> list[int]:
    tokens = text.split(",")
    if not tokens[-1].strip():  # C allows a trailing comma
        tokens.pop()
    values = []
    for token in tokens:
        literal = _LITERAL.fullmatch(token.strip())
        if literal is None or len(literal[2]) > 18:
            raise HwsimError(f"expected integers in row {number}, got {token.strip()[:40]!r}")
        digits = literal[2]
        octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
        try:
            value = int(digits, 8 if octal else 0)
        except ValueError:
            raise HwsimError(f"expected integers in row {number}, got {digits!r}") from None
        values.append(-value if literal[1] == "-" else value)
    return values


def _range(element: str) -> tuple[int, int]:
    """Smallest and largest value of an integer type of C."""
    fixed = re.fullmatch(r"(u?)int(\d+)_t", element.strip())
    words = element.split()
    bits = int(fixed[2]) if fixed else next((_BITS[w] for w in words if w in _BITS), 32)
    unsigned = bool(fixed[1]) if fixed else "unsigned" in words
    return (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _write(lut: Lut, *, qualifier: str) -> bytes:
    limit = np.iinfo(np.int16)
    fits = lut.table.min() >= limit.min and lut.table.max() <= limit.max
    side = len(lut.table)
    rows = ",\n".join("{" + ", ".join(map(str, row)) + "}" for row in lut.table.tolist())
    element = "int16_t" if fits else "int32_t"
    return (
        f"#include <stdint.h>\n\n{qualifier} {element} lut [{side}][{side}] = {{{rows}}};\n"
    ).encode()


def _write_adapt(lut: Lut) -> bytes:
    """Writes AdaPT's header: signed 8-bit, int16_t, or int32_t where a product needs it."""
    if lut.operands != Operands.parse("s8"):
        raise HwsimError("AdaPT's kernels index by int8 operands: only signed 8-bit tables fit")
    return _write(lut, qualifier="const")


def _write_transaxx(lut: Lut) -> bytes:
    """Writes TransAxx's header: as AdaPT's, in device memory, and up to 8 bits (QUANT_BITS)."""
    if not lut.operands.equal or lut.weight.bits > 8 or not lut.weight.signed:
        raise HwsimError(
            "TransAxx's kernels index by int8 operands: only signed tables of up to 8 bits fit"
        )
    return _write(lut, qualifier="const __device__")


_ORDER = "lut[p][q], p = first operand port, q = second, both as bit patterns (0..127, -128..-1)"
_ENCODING = "decimal C integers, int16_t (int32_t where a product needs it)"

ADAPT = Format(
    name="adapt",
    suffixes=(".h", ".hpp"),
    order=_ORDER,
    encoding=_ENCODING,
    roles="convolution: p = weight, q = activation; linear: p = activation, q = weight",
    source="AdaPT, adapt/cpu-kernels/axx_conv2d.cpp and axx_linear.cpp",
    read=_read,
    write=_write_adapt,
    usual=(".h",),
)
TRANSAXX = Format(
    name="transaxx",
    suffixes=(".h", ".cuh"),
    order=_ORDER,
    encoding=f"{_ENCODING}, `__device__`",
    roles="convolution: p = weight, q = activation",
    source="TransAxx, ext_modules/src/nn/cuda/adapt_convolution_layer.cu",
    read=_read,
    write=_write_transaxx,
    sniff=lambda data: b"__device__" in data,
)
