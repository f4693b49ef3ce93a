# SPDX-License-Identifier: Apache-2.0
"""TFApprox's binary table: 65,536 little-endian unsigned 16-bit products, nothing else.

Entry (p << 8) | q, p = quantised input (activation), q = quantised filter (weight), both 0..255:
TFApprox quantises to unsigned 8 bits with an offset and takes no signed tables. The file is read in
the machine's byte order, which is little-endian wherever the tool runs.
Sources: `LoadLookupTable` in tf-approximate's `tf2/src/approx_ops_types.h`, and the fetch in
`tf2/src/cuda/approx_nn_conv_kernels.cu`.
"""

import numpy as np

from ..errors import HwsimError
from ..lut import Lut
from ..operands import Asked, Operands
from .format import Format, require_range

_SIDE = 256
_U8 = Operands.both(8, signed=False)
_BYTES = 2 * _SIDE * _SIDE


def _read(data: bytes, asked: Asked) -> Lut:
    """Reads 131,072 bytes: row p = activation, column q = weight."""
    if len(data) != _BYTES:
        raise HwsimError(
            f"expected {_BYTES:,} bytes, one 16-bit product for each of 65,536 operand pairs, "
            f"got {len(data):,}"
        )
    operands = asked.settle(bits=_U8.bits, signs=_U8.signs)
    table = np.frombuffer(data, dtype="<u2").reshape(_SIDE, _SIDE).astype(np.int32)
    return Lut(table, *operands)


def _write(lut: Lut) -> bytes:
    """Writes 131,072 bytes; refuses signed tables and products beyond 16 bits."""
    if lut.operands != _U8:
        raise HwsimError(
            "TFApprox takes unsigned 8-bit tables only; `axhil lut --unsigned` makes one"
        )
    require_range(lut, 0, 2**16 - 1, what="an unsigned 16-bit entry")
    return lut.table.astype("<u2").tobytes()


TFAPPROX = Format(
    name="tfapprox",
    suffixes=(".bin",),
    order="entry p * 256 + q, p = first operand port, q = second, 0..255",
    encoding="unsigned 16-bit little-endian products of unsigned 8-bit operands",
    roles="p = activation, q = weight",
    source="tf-approximate, tf2/src/approx_ops_types.h and approx_nn_conv_kernels.cu",
    read=_read,
    write=_write,
)
