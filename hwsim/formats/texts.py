# SPDX-License-Identifier: Apache-2.0
"""Text tables of ApproxTorch and of AppMult-Aware-Retraining.

ApproxTorch reads a matrix of whitespace-separated integers: row = feature (activation), column =
weight, and signed operands run from -2^(w-1) up to 2^(w-1) - 1 in both directions, not in the order
of bit patterns. Sources: its README, `example/exact.txt`, `approxtorch/load_lut.py`, and the index
256 * A + B + 32896 in `approx_gemm/csrc/int8_gemm.cu` with A = feature, B = weight.

AppMult-Aware-Retraining reads, below a line `LUT for approximate multiplier:`, one line `a b p` for
each pair of unsigned operands, a = activation, b = weight, p unsigned 16 bits; what stands above is
skipped, and tables of gradients may follow. Sources: `simulator/src/main.cc` and
`init_lookup_tables` in `self_ops/ops_py/approx_ops.py`.
"""

import numpy as np

from ..errors import HwsimError
from ..files import text_of
from ..lut import Lut
from ..operands import Asked
from .format import (
    Format,
    bits_of,
    integers,
    require_equal,
    require_range,
    square,
    table_of,
)

_APPMULT_TITLE = "LUT for approximate multiplier:"
_APPMULT_END = "LUT for the gradient"
_APPMULT_WIDTHS = (4, 6, 7, 8)


def _read_approxtorch(data: bytes, asked: Asked) -> Lut:
    """Reads the matrix; signed unless the user says --unsigned, then 0 comes first."""
    rows = [
        integers(line.split(), line=number)
        for number, line in enumerate(text_of(data).splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    table = square(rows)
    signed = asked.signs != (False, False)
    operands = asked.settle(bits=bits_of(len(rows)), signs=(signed, signed))
    order = operands.activation.ascending
    ours = np.empty_like(table)
    ours[np.ix_(order, order)] = table
    return table_of(ours, operands)


def _write_approxtorch(lut: Lut) -> bytes:
    """Writes the matrix, tabs between entries; ApproxTorch takes 4 and 8 bits."""
    require_equal(lut.operands, tool="ApproxTorch")
    if lut.weight.bits not in {4, 8}:
        raise HwsimError(f"ApproxTorch takes 4-bit and 8-bit tables, this one is of {lut.operands}")
    order = lut.activation.ascending
    rows = lut.table[np.ix_(order, order)].tolist()
    return ("\n".join("\t".join(map(str, row)) for row in rows) + "\n").encode()


def _read_appmult(data: bytes, asked: Asked) -> Lut:
    """Reads the forward table; every operand pair must stand there exactly once."""
    lines = text_of(data).splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith(_APPMULT_TITLE)), None)
    if start is None:
        raise HwsimError(f"expected a line {_APPMULT_TITLE!r}")
    products: dict[tuple[int, int], int] = {}
    for number, line in enumerate(lines[start + 1 :], start + 2):
        if line.startswith(_APPMULT_END):
            break
        if not line.strip():
            continue
        entry = integers(line.split(), line=number)
        if len(entry) != 3:
            raise HwsimError(f"expected `a b product` in line {number}, got {line[:40]!r}")
        a, b, product = entry
        if (a, b) in products:
            raise HwsimError(f"the operands {a} {b} stand twice, the second time in line {number}")
        if min(a, b) < 0:
            raise HwsimError(f"expected unsigned operands in line {number}, got {a} {b}")
        products[a, b] = product
    side = 1 + max((max(pair) for pair in products), default=0)
    if len(products) != side * side:
        raise HwsimError(
            f"expected one line for each of {side * side:,} operand pairs up to {side - 1}, "
            f"got {len(products):,}"
        )
    operands = asked.settle(bits=bits_of(side), signs=(False, False))
    table = np.empty((side, side), dtype=np.int64)
    index = np.array(list(products))
    table[index[:, 0], index[:, 1]] = list(products.values())
    return table_of(table, operands)


def _write_appmult(lut: Lut) -> bytes:
    """Writes the forward table; the gradient tables of retraining are AppMult's own business."""
    require_equal(lut.operands, tool="AppMult")
    if lut.weight.signed or lut.weight.bits not in _APPMULT_WIDTHS:
        raise HwsimError("AppMult takes unsigned tables of 4, 6, 7 or 8 bits")
    require_range(lut, 0, 2**16 - 1, what="an unsigned 16-bit entry")
    lines = [
        f"{a} {b} {product}"
        for a, row in enumerate(lut.table.tolist())
        for b, product in enumerate(row)
    ]
    return "\n".join([_APPMULT_TITLE, *lines, ""]).encode()


APPROXTORCH = Format(
    name="approxtorch",
    suffixes=(".txt",),
    order="row p, column q, p = first operand port, q = second, from the smallest value up",
    encoding="decimal integers between tabs or spaces, no labels; signed unless told otherwise",
    roles="p = activation, q = weight",
    source="ApproxTorch, README, approxtorch/load_lut.py, approx_gemm/csrc/int8_gemm.cu",
    read=_read_approxtorch,
    write=_write_approxtorch,
)
APPMULT = Format(
    name="appmult",
    suffixes=(".txt",),
    order="lines `p q product`, p = first operand port, q = second, 0 upwards",
    encoding="decimal integers; unsigned operands, unsigned 16-bit products",
    roles="p = activation, q = weight",
    source="AppMult-Aware-Retraining, simulator/src/main.cc, self_ops/ops_py/approx_ops.py",
    read=_read_appmult,
    write=_write_appmult,
    sniff=lambda data: _APPMULT_TITLE.encode() in data,
)
