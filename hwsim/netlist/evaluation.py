# SPDX-License-Identifier: Apache-2.0
"""Products of gates: of given operand pairs, or of all, held against what they should be.

The compiled kernel and NumPy give the same integers. Sums are exact; those of relative errors are
of float64, and agree to rounding.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from . import native
from .netlist import Kind
from .program import MEASURED_BITS, Program

Words = NDArray[np.uint64]
Rows = Callable[[int, int], NDArray[Any]]
"""First row and number of rows to their products, (rows, weights) integers."""

_CHUNK, _LANES = 1 << 22, 1 << 11
"""Products of a thread at a time, about; of a matrix, so many sums or a multiple."""

_COUNTS, _RATIOS = 6, 2


@dataclass(frozen=True)
class Measured:
    """Every product p of some rows against an expected one e; sides are the halves of a row.

    Weights of one side have one sign, if they are signed. The size of a difference is |p - e|.

    Attributes:
        first: number of the first row.
        wrong: (rows, 2) products that differ.
        sum: (rows, 2) of sizes.
        above: (rows, 2) of sizes where p > e.
        worst: (rows, 2) largest size.
        square: (rows, 2) sums of squared sizes, Python integers.
        relative: (rows, 2) sums of size / |e| over the products with e != 0.
        relative_worst: (rows, 2) largest size / |e|.
    """

    first: int
    wrong: NDArray[np.uint64]
    sum: NDArray[np.uint64]
    above: NDArray[np.uint64]
    worst: NDArray[np.uint64]
    square: NDArray[np.object_]
    relative: NDArray[np.float64]
    relative_worst: NDArray[np.float64]

    @classmethod
    def of(cls, first: int, counts: NDArray[np.uint64], ratios: NDArray[np.float64]) -> "Measured":
        """From the kernel's arrays, (rows, 2, 6) and (rows, 2, 2)."""
        wrong, total, above, worst, low, high = np.moveaxis(counts, 2, 0)
        square = low.astype(object) + (high.astype(object) << 32)
        return cls(first, wrong, total, above, worst, square, ratios[..., 0], ratios[..., 1])


def products(
    program: Program, a: NDArray[np.integer], b: NDArray[np.integer], *, threads: int | None = None
) -> Words:
    """Products of operand pairs.

    Args:
        program: the gates.
        a: (N,) bit patterns of the activation.
        b: (N,) of the weight.
        threads: None is one per processor core.

    Returns:
        (N,) bit patterns.
    """
    x, y = (np.ascontiguousarray(one, np.uint32) for one in (a, b))
    out = np.empty(len(x), np.uint64)
    p = program.p[: program.product.bits]
    kernel, run = native.module(), _numpy_products

    def part(start: int) -> int:
        span = slice(start, start + _CHUNK)
        if kernel is None:
            out[span] = run(program, p, x[span], y[span])
        else:
            kernel.products(
                native.isa(), program.gates, program.slots, program.a, program.b, p,
                x[span], y[span], out[span],
            )  # fmt: skip
        return 0

    _on_threads(part, range(0, len(x), _CHUNK), threads)
    return out


def multiply(
    program: Program, a: NDArray[np.integer], b: NDArray[np.integer], *, threads: int | None = None
) -> NDArray[np.int64]:
    """As `products`, from operand values to values of at most 63 bits."""
    patterns = (one.pattern(x) for one, x in zip(program.operands, (a, b), strict=True))
    return program.product.value(products(program, *patterns, threads=threads))


def matmul(
    program: Program,
    x: NDArray[np.integer],
    w: NDArray[np.integer],
    *,
    table: NDArray[np.int32] | None = None,
    threads: int | None = None,
) -> tuple[NDArray[np.int64], int]:
    """Sums of products: a matrix product whose every multiplication is done by gates.

    Args:
        program: of operands of at most 16 bits.
        x: (R, K) activations, values or bit patterns.
        w: (O, K) weights.
        table: (2^a, 2^w) what every product is held against; None: nothing.
        threads: None is one per processor core.

    Returns:
        (R, O) sums over K, modulo 2^64; and how many products are not the table's.
    """
    (rows, taps), outputs = x.shape, len(w)
    activations, weights = (
        np.ascontiguousarray(codes.T.astype(np.uint16)) & np.uint16(operand.count - 1)
        for operand, codes in zip(program.operands, (x, w), strict=True)
    )
    expected = None if table is None else np.ascontiguousarray(table).view(np.uint32)
    sums = np.empty(outputs * rows, np.int64)
    bits = program.product.bits + (taps - 1).bit_length() + (not program.product.signed)
    p = program.extended(min(64, bits if table is None else max(bits, MEASURED_BITS)))
    kernel = native.module()
    each = -(-_CHUNK // max(taps, 1) // _LANES) * _LANES

    def part(first: int) -> int:
        out = sums[first : first + each]
        if kernel is None:
            lanes = np.arange(first, first + len(out))
            out[:], count = _numpy_matmul(program, activations, weights, lanes, table)
            return count
        wrong: int = kernel.matmul(
            native.isa(), program.gates, program.slots, program.a, program.b, p,
            activations, weights, first, out, expected,
        )  # fmt: skip
        return wrong

    wrong = sum(_on_threads(part, range(0, len(sums), each), threads))
    return sums.reshape(outputs, rows).T, wrong


def table(program: Program, *, threads: int | None = None) -> NDArray[Any]:
    """All products of operands of at most 12 bits each, as values.

    Returns:
        (activations, weights) by bit pattern, int64 where the product is signed, else uint64.
    """
    rows, columns = program.operands.require_table().shape
    a, b = _all_pairs(0, rows, columns)
    return _values(program, products(program, a, b, threads=threads)).reshape(rows, columns)


def measure(
    program: Program,
    *,
    reference: Rows | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Measured]:
    """Every product against the exact one, that of a second netlist, or any other.

    Args:
        program: of products that fit 32 bits.
        reference: gives what is expected; None: the second netlist, where the program has one, else
            the exact product.
        threads: None is one per processor core.
        progress: called with (products so far, products in all).

    Yields:
        Rows in ascending order of bit patterns.

    Raises:
        HwsimError: the product has more than 32 bits.
    """
    if max(program.product.bits, program.operands.product.bits) > MEASURED_BITS:
        raise HwsimError(
            f"{program.name}: expected products of at most {MEASURED_BITS} bits to compare all, "
            f"got {max(program.product.bits, program.operands.product.bits)}"
        )
    rows, columns = program.operands.shape
    kernel = native.module()
    if kernel is not None and columns // 2 % kernel.BLOCK:
        kernel = None  # rows of less than whole blocks
    each = max(1, _CHUNK // columns)

    def part(first: int) -> Measured:
        count = min(each, rows - first)
        expected = None if reference is None else _patterns(reference(first, count))
        if kernel is None:
            return _numpy_measure(program, first, count, expected)
        counts = np.zeros((count, 2, _COUNTS), np.uint64)
        ratios = np.zeros((count, 2, _RATIOS))
        signs = (*program.operands.signs, program.operands.product.signed)
        q = program.q if expected is None else None
        kernel.measure(
            native.isa(), program.gates, program.slots, program.a, program.b,
            program.p[:MEASURED_BITS], q, expected, *signs, first, counts, ratios,
        )  # fmt: skip
        return Measured.of(first, counts, ratios)

    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        for measured in pool.map(part, range(0, rows, each)):
            if progress is not None:
                done = measured.first + len(measured.wrong)
                progress(done * columns, rows * columns)
            yield measured


def _on_threads(part: Callable[[int], int], starts: range, threads: int | None) -> list[int]:
    """The results of some parts; a single one is not worth a thread."""
    if len(starts) < 2:
        return [part(start) for start in starts]
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        return list(pool.map(part, starts))


def _values(program: Program, words: Words) -> NDArray[Any]:
    return program.product.value(words) if program.product.signed else words


def _all_pairs(
    first: int, rows: int, columns: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Bit patterns of the operands of some rows, one row after another."""
    a = np.arange(first, first + rows, dtype=np.uint32)
    return np.repeat(a, columns), np.tile(np.arange(columns, dtype=np.uint32), rows)


def _patterns(values: NDArray[Any]) -> NDArray[np.uint32]:
    return np.ascontiguousarray(values.astype(np.uint32))


def _numpy_products(
    program: Program, p: NDArray[np.int32], a: NDArray[np.uint32], b: NDArray[np.uint32]
) -> Words:
    """64 pairs a word, a gate at a time."""
    padded = -len(a) % 64
    slots: list[Any] = [None] * program.slots
    slots[0], slots[1] = np.uint64(0), ~np.uint64(0)
    for places, values in ((program.a, a), (program.b, b)):
        bits = np.pad(values, (0, padded)).astype("<u4").view(np.uint8).reshape(-1, 4)
        rows = np.unpackbits(bits, axis=1, bitorder="little").T
        for place, row in zip(places.tolist(), rows, strict=False):
            slots[place] = np.packbits(row, bitorder="little").view("<u8")
    for kind, out, x, y, z in program.gates.tolist():
        slots[out] = FUNCTIONS[kind](slots[x], slots[y], slots[z])
    found = np.zeros(len(a), np.uint64)
    for bit, place in enumerate(p.tolist()):
        word = np.broadcast_to(slots[place], (len(a) + padded) // 64).astype("<u8")
        row = np.unpackbits(word.view(np.uint8), bitorder="little", count=len(a))
        found |= row.astype(np.uint64) << np.uint64(bit)
    return found


def _numpy_matmul(
    program: Program,
    x: NDArray[np.uint16],
    w: NDArray[np.uint16],
    lanes: NDArray[np.int64],
    table: NDArray[np.int32] | None,
) -> tuple[NDArray[np.int64], int]:
    """The same for some lanes, o * R + r each: x (K, R) and w (K, O), bit patterns."""
    output, row = np.divmod(lanes, x.shape[1])
    p = program.p[: program.product.bits]
    sums, wrong = np.zeros(len(lanes), np.int64), 0
    for a, b in zip(x.astype(np.uint32)[:, row], w.astype(np.uint32)[:, output], strict=True):
        found = _values(program, _numpy_products(program, p, a, b)).astype(np.int64)
        sums += found
        if table is not None:
            wrong += int((found.astype(np.int32) != table[a, b]).sum())
    return sums, wrong


FUNCTIONS: dict[int, Callable[[Any, Any, Any], Any]] = {
    Kind.not_: lambda x, _y, _z: ~x,
    Kind.and_: lambda x, y, _z: x & y,
    Kind.or_: lambda x, y, _z: x | y,
    Kind.xor: lambda x, y, _z: x ^ y,
    Kind.mux: lambda x, y, z: x ^ ((x ^ y) & z),
    Kind.nand: lambda x, y, _z: ~(x & y),
    Kind.nor: lambda x, y, _z: ~(x | y),
    Kind.xnor: lambda x, y, _z: ~(x ^ y),
    Kind.andnot: lambda x, y, _z: x & ~y,
    Kind.ornot: lambda x, y, _z: x | ~y,
}


def _numpy_measure(
    program: Program, first: int, rows: int, expected: NDArray[np.uint32] | None
) -> Measured:
    """The same in int64."""
    columns = program.operands.weight.count
    a, b = _all_pairs(first, rows, columns)
    signed = program.operands.product.signed

    def words(places: NDArray[np.int32]) -> NDArray[np.int64]:
        found = _numpy_products(
            program, places[:MEASURED_BITS], *(x.astype(np.uint32) for x in (a, b))
        )
        return _wide(found.astype(np.uint32), signed)

    p = words(program.p)
    if expected is not None:
        e = _wide(expected.ravel(), signed)
    elif program.q is not None:
        e = words(program.q)
    else:
        activation, weight = program.operands
        e = activation.value(a) * weight.value(b)
    size = np.abs(p - e)
    relative = np.divide(size, np.abs(e), out=np.zeros(len(size)), where=e != 0)
    size, above, relative = (
        x.reshape(rows, 2, -1) for x in (size, np.where(p > e, size, 0), relative)
    )
    square = size.astype(np.uint64) ** 2
    counts = np.stack(
        [
            (size != 0).sum(2), size.sum(2), above.sum(2), size.max(2),
            (square & np.uint64(0xFFFFFFFF)).sum(2), (square >> np.uint64(32)).sum(2),
        ],
        axis=2,
    )  # fmt: skip
    ratios = np.stack([relative.sum(2), relative.max(2)], axis=2)
    return Measured.of(first, counts.astype(np.uint64), ratios)


def _wide(words: NDArray[np.uint32], signed: bool) -> NDArray[np.int64]:
    return words.view(np.int32).astype(np.int64) if signed else words.astype(np.int64)
