# SPDX-License-Identifier: Apache-2.0
"""The definition of an approximate layer, in NumPy: slow, short, and what all else must equal.

    acc[n, m] = sum over k of lut[x[n, k], w[m, k]]        (row = activation, column = weight)

Codes index the table by their two's complement bit pattern. Zero padding of a convolution is an
activation of the code of 0.0 that goes through the multiplier like any other: lut[0, w] need not be
0.

Where codes stand for (code - zero point) * scale, hardware adds exact integers to the sums of its
multipliers, z of the activations and v of the weights:

    acc[n, m] = sum over k of (lut[x[n, k], w[m, k]] - z w[m, k] - v (x[n, k] - z))

Sums are int32 of tables. Where codes have more than 8 bits there need not be a table: products are
those of a function, and sums int64, as few 16-bit products suffice to leave int32.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .geometry import Geometry

Codes = NDArray[np.integer[Any]]
Products = Callable[[Codes, Codes], NDArray[Any]]
"""Activation codes and weight codes, broadcast against each other, to products."""


def lut_matmul(x: Codes, w: Codes, table: NDArray[np.int32]) -> NDArray[np.int32]:
    """Sum of table look-ups.

    Args:
        x: (N, K) activation codes.
        w: (M, K) weight codes.
        table: (2^a, 2^w) int32 products.

    Returns:
        (N, M) int32.
    """
    rows, columns = (size - 1 for size in table.shape)
    out = np.empty((len(x), len(w)), np.int32)
    for n, row in enumerate(x.astype(np.int64) & rows):
        out[n] = table[row, w.astype(np.int64) & columns].sum(axis=1)  # (M, K) -> (M,)
    return out


def wide_matmul(x: Codes, w: Codes, products: Products) -> NDArray[np.int64]:
    """Sum of a function's products.

    Args:
        x: (N, K) activation codes.
        w: (M, K) weight codes.
        products: of codes in int64.

    Returns:
        (N, M) int64.
    """
    out = np.empty((len(x), len(w)), np.int64)
    for n, row in enumerate(x.astype(np.int64)):
        out[n] = products(row, w.astype(np.int64)).sum(axis=1)  # (M, K) -> (M,)
    return out


def lut_conv2d(
    x: Codes, w: Codes, table: NDArray[np.int32], geometry: Geometry, *, padding_code: int = 0
) -> NDArray[np.int32]:
    """Convolution (cross-correlation, as in deep learning) of codes through a table.

    Args:
        x: (N, C, H, W) activation codes.
        w: (O, C // groups, kh, kw) weight codes.
        table: (2^a, 2^w) int32 products.
        geometry: stride, padding, dilation, groups.
        padding_code: the activation code of 0.0.

    Returns:
        (N, O, OH, OW) int32.
    """
    matmul = partial(lut_matmul, table=table)
    return _conv2d(x, w, matmul, geometry, padding_code).astype(np.int32, copy=False)


def wide_conv2d(
    x: Codes, w: Codes, products: Products, geometry: Geometry, *, padding_code: int = 0
) -> NDArray[np.int64]:
    """As `lut_conv2d` through a function; see `wide_matmul`.

    Returns:
        (N, O, OH, OW) int64.
    """
    return _conv2d(x, w, partial(wide_matmul, products=products), geometry, padding_code)


def activation_sums(x: Codes, w: Codes, geometry: Geometry) -> NDArray[np.int32]:
    """Sums of what weights meet, for the weights' zero point: padding adds 0.

    Args:
        x: (N, C, H, W) activation codes less their zero point.
        w: (O, C // groups, kh, kw) weight codes; their shape alone counts.
        geometry: stride, padding, dilation, groups.

    Returns:
        (N, O, OH, OW) int32.
    """
    return wide_conv2d(x, w, lambda a, b: a + 0 * b, geometry).astype(np.int32)


def _conv2d(
    x: Codes,
    w: Codes,
    matmul: Callable[[Codes, Codes], NDArray[Any]],
    geometry: Geometry,
    padding_code: int,
) -> NDArray[Any]:
    (sh, sw), (ph, pw), (dh, dw) = geometry.stride, geometry.padding, geometry.dilation
    kh, kw = w.shape[2:]
    edges = ((0, 0), (0, 0), (ph, ph), (pw, pw))
    padded = np.pad(x, edges, constant_values=padding_code)
    windows = sliding_window_view(padded, ((kh - 1) * dh + 1, (kw - 1) * dw + 1), axis=(2, 3))
    windows = windows[:, :, ::sh, ::sw, ::dh, ::dw]  # (N, C, OH, OW, kh, kw)
    n, _, oh, ow = windows.shape[:4]
    groups = []
    for xg, wg in zip(
        np.split(windows, geometry.groups, axis=1),
        np.split(w, geometry.groups, axis=0),
        strict=True,
    ):
        rows = xg.transpose(0, 2, 3, 1, 4, 5).reshape(n * oh * ow, -1)  # (N*OH*OW, K)
        groups.append(matmul(rows, wg.reshape(len(wg), -1)))  # (N*OH*OW, O/groups)
    return np.ascontiguousarray(
        np.concatenate(groups, axis=1).reshape(n, oh, ow, -1).transpose(0, 3, 1, 2)
    )
