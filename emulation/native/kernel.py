# SPDX-License-Identifier: Apache-2.0
"""Thin, checking wrappers of the extension's layers; numpy arrays and CPU tensors in and out."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import EmulationError
from ..products.geometry import Geometry
from .arrays import (
    Pair,
    aligned_empty,
    check_width,
    checked_array,
    checked_pair,
    checked_threads,
    code_range,
    numpy_view,
)
from .extension import isa, module


class _ConvKernel:
    """What the kernels share: geometry, checks, calls. Immutable; pickled by its arguments."""

    def __init__(
        self,
        weight_codes: ArrayLike,
        *,
        width: int,
        signed: bool,
        stride: Pair | int,
        padding: Pair | int,
        dilation: Pair | int,
        groups: int,
    ) -> None:
        check_width(width)
        codes = np.asarray(
            numpy_view(weight_codes, "weight_codes")
            if hasattr(weight_codes, "detach")
            else weight_codes
        )
        if codes.ndim != 4 or codes.size == 0 or codes.dtype.kind not in "iu":
            raise EmulationError(
                "expected weight_codes as a non-empty (O, C // groups, kh, kw) array of integers; "
                f"got {codes.dtype} of shape {codes.shape}"
            )
        low, high = code_range(width, signed=signed)
        if codes.min() < low or codes.max() > high:
            raise EmulationError(
                f"expected weight codes in [{low}, {high}]; got [{codes.min()}, {codes.max()}]"
            )
        if not isinstance(groups, int) or groups < 1 or codes.shape[0] % groups:
            raise EmulationError(
                f"expected groups to divide the {codes.shape[0]} output channels; got {groups!r}"
            )
        self.width, self.signed, self.groups = width, signed, groups
        self.stride = checked_pair(stride, "stride", 1)
        self.padding = checked_pair(padding, "padding", 0)
        self.dilation = checked_pair(dilation, "dilation", 1)
        self.weight_codes = codes.astype(np.int16)
        self.weight_codes.setflags(write=False)
        self.isa = isa()
        self._layer: Any = None

    @property
    def _patterns(self) -> NDArray[np.uint8]:
        """(O, C // groups, kh, kw) weights as bit patterns of `width` bits."""
        return (self.weight_codes & ((1 << self.width) - 1)).astype(np.uint8)

    @property
    def _geometry(self) -> tuple[int, ...]:
        return (*self.stride, *self.padding, *self.dilation, self.groups)

    @property
    def _options(self) -> dict[str, Any]:
        names = ("width", "signed", "stride", "padding", "dilation", "groups")
        return {name: getattr(self, name) for name in names}

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """(N, O, OH, OW) for inputs of shape (N, C, H, W).

        Raises:
            EmulationError: the shape has other channels or is smaller than the kernel.
        """
        out_channels, C, *kernel = self.weight_codes.shape
        if len(shape) != 4 or shape[1] != C * self.groups:
            raise EmulationError(
                f"expected an input of shape (N, {C * self.groups}, H, W); got {tuple(shape)}"
            )
        geometry = Geometry(self.stride, self.padding, self.dilation, self.groups)
        size = geometry.output_size(shape[2], shape[3], (kernel[0], kernel[1]))
        if min(size) < 1:
            raise EmulationError(
                f"expected an input of at least the kernel's extent; got {shape[2]}x{shape[3]} "
                f"with padding {self.padding} under a {kernel[0]}x{kernel[1]} kernel"
            )
        return shape[0], out_channels, size[0], size[1]

    def _output(self, out: Any, shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
        if out is None:
            return aligned_empty(shape, dtype)
        array = checked_array(out, name="out", dtypes=(dtype,), shape=shape)
        if not np.shares_memory(array, out if isinstance(out, np.ndarray) else out.numpy()) and (
            array.size
        ):
            raise EmulationError("expected out to be C-contiguous")
        return array

    def accumulate(self, codes: Any, *, threads: int = 1, out: Any = None) -> NDArray[np.int32]:
        """Sums of the products of a batch.

        Args:
            codes: (N, C, H, W) int8, or uint8 for unsigned codes; taken modulo 2**width.
            threads: threads to use, 1 or more; the result doesn't depend on it.
            out: (N, O, OH, OW) int32, C-contiguous, to write to.

        Returns:
            (N, O, OH, OW) int32.

        Raises:
            EmulationError: a wrong dtype or shape.
        """
        dtype = np.int8 if self.signed else np.uint8
        x = checked_array(codes, name="codes", dtypes=(dtype,), shape=(None,) * 4)
        result = self._output(out, self.output_shape(x.shape), np.int32)
        self._layer.accumulate(x.view(np.uint8), result, checked_threads(threads))
        return result

    def forward(
        self,
        x: Any,
        *,
        inv_scale: float,
        qmin: int,
        qmax: int,
        out_scale: Any,
        bias: Any,
        relu: bool = False,
        threads: int = 1,
        mask: Any = None,
        out: Any = None,
    ) -> NDArray[np.float32]:
        """Quantises, sums the products and dequantises, every step rounded to float32.

        code = clip(rint(x * inv_scale), qmin, qmax), halves to even, NaN to qmin;
        y = float32(acc) * out_scale[m] + bias[m], rounded after the multiply and after the add.

        Args:
            x: (N, C, H, W) float32.
            inv_scale: float32 reciprocal of the activations' scale.
            qmin: least activation code.
            qmax: greatest activation code.
            out_scale: (O,) float32, activation scale times weight scale.
            bias: (O,) float32.
            relu: whether to replace negative outputs by 0.
            threads: threads to use, 1 or more; the result doesn't depend on it.
            mask: (N, C, H, W) uint8, C-contiguous, to write to: 1 where qmin <= rint(x *
                inv_scale) <= qmax.
            out: (N, O, OH, OW) float32, C-contiguous, to write to.

        Returns:
            (N, O, OH, OW) float32.

        Raises:
            EmulationError: a wrong dtype, shape or range.
        """
        low, high = code_range(self.width, signed=self.signed)
        if not low <= qmin <= qmax <= high:
            raise EmulationError(
                f"expected {low} <= qmin <= qmax <= {high}; got qmin={qmin}, qmax={qmax}"
            )
        values = checked_array(x, name="x", dtypes=(np.float32,), shape=(None,) * 4)
        shape = self.output_shape(values.shape)
        result = self._output(out, shape, np.float32)
        clamp = None
        if mask is not None:
            clamp = checked_array(mask, name="mask", dtypes=(np.uint8,), shape=values.shape)
            if not np.shares_memory(clamp, mask if isinstance(mask, np.ndarray) else mask.numpy()):
                raise EmulationError("expected mask to be C-contiguous")
        self._layer.forward(
            values,
            inv_scale,
            qmin,
            qmax,
            checked_array(out_scale, name="out_scale", dtypes=(np.float32,), shape=(shape[1],)),
            checked_array(bias, name="bias", dtypes=(np.float32,), shape=(shape[1],)),
            relu,
            clamp,
            result,
            checked_threads(threads),
        )
        return result


def _check_sum(K: int, largest: int) -> None:
    if K * largest >= 2**31:
        raise EmulationError(
            f"expected sums of {K} products to fit int32; the largest magnitude is {largest}, "
            f"and {K} x {largest} is not below 2**31"
        )


class LutKernel(_ConvKernel):
    """A convolution in which every product is looked up: acc = sum over k of lut[x_k, w_k].

    Zero padding goes through the table like any other code. A linear layer is a 1x1 convolution
    of (N, K, 1, 1). Symmetric padding only.

    Args:
        table: (2**width, 2**width) integers that fit int32; row = activation, column = weight bit
            pattern.
        weight_codes: (O, C // groups, kh, kw) integer codes.
        width: bits of a code, 2 to 8.
        signed: whether codes are two's complement.
        stride: of the convolution.
        padding: rows above and below, columns left and right.
        dilation: of the kernel.
        groups: of the convolution.

    Raises:
        EmulationError: an argument is out of range, sums may leave int32, or the extension is not
            available.
    """

    def __init__(
        self,
        table: ArrayLike,
        weight_codes: ArrayLike,
        *,
        width: int = 8,
        signed: bool = True,
        stride: Pair | int = (1, 1),
        padding: Pair | int = (0, 0),
        dilation: Pair | int = (1, 1),
        groups: int = 1,
    ) -> None:
        super().__init__(weight_codes, width=width, signed=signed, stride=stride, padding=padding,
                         dilation=dilation, groups=groups)  # fmt: skip
        entries = np.asarray(table)
        size = 1 << width
        if entries.shape != (size, size) or entries.dtype.kind not in "iu":
            raise EmulationError(
                f"expected a table of ({size}, {size}) integers for width {width}; got "
                f"{entries.dtype} of shape {entries.shape}"
            )
        largest = max(abs(int(entries.min())), abs(int(entries.max())))
        _check_sum(int(np.prod(self.weight_codes.shape[1:])), largest)
        self.table = np.ascontiguousarray(entries.astype(np.int32))
        self.table.setflags(write=False)
        self._layer = module().LutLayer(
            self.isa, self.table, width, self._patterns, *self._geometry
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(LutKernel, **self._options), (self.table, self.weight_codes)

    def __deepcopy__(self, memo: dict[int, Any]) -> LutKernel:
        return self


def _factor(value: ArrayLike, name: str, width: int) -> NDArray[np.int32]:
    factor = np.asarray(value)
    if factor.shape != (1 << width,) or factor.dtype.kind not in "iu":
        raise EmulationError(
            f"expected {name} as {1 << width} integers for width {width}; got {factor.dtype} of "
            f"shape {factor.shape}"
        )
    low, high = int(factor.min()), int(factor.max())
    if (low < -128 or high > 127) and not (name == "u" and low >= 0 and high <= 255):
        ranges = "[-128, 127] or [0, 255]" if name == "u" else "[-128, 127]"
        raise EmulationError(f"expected {name} in {ranges}; got [{low}, {high}]")
    copy: NDArray[np.int32] = np.array(factor, np.int32)
    copy.setflags(write=False)
    return copy


class ProductKernel(_ConvKernel):
    """A convolution with a table that factorises: acc = sum over k of u[x_k] * v[w_k].

    Exact integer arithmetic, without a table; otherwise as `LutKernel`.

    Args:
        u: (2**width,) integers in [-128, 127] or in [0, 255], by activation bit pattern.
        v: (2**width,) integers in [-128, 127], by weight bit pattern.
        weight_codes: (O, C // groups, kh, kw) integer codes.
        width: bits of a code, 2 to 8.
        signed: whether codes are two's complement.
        stride: of the convolution.
        padding: rows above and below, columns left and right.
        dilation: of the kernel.
        groups: of the convolution.

    Raises:
        EmulationError: an argument is out of range, sums may leave int32, or the extension is not
            available.
    """

    def __init__(
        self,
        u: ArrayLike,
        v: ArrayLike,
        weight_codes: ArrayLike,
        *,
        width: int = 8,
        signed: bool = True,
        stride: Pair | int = (1, 1),
        padding: Pair | int = (0, 0),
        dilation: Pair | int = (1, 1),
        groups: int = 1,
    ) -> None:
        super().__init__(weight_codes, width=width, signed=signed, stride=stride, padding=padding,
                         dilation=dilation, groups=groups)  # fmt: skip
        self.u, self.v = _factor(u, "u", width), _factor(v, "v", width)
        # 255: what the sums inside are bounded by, before the shift of u is taken back.
        _check_sum(int(np.prod(self.weight_codes.shape[1:])), 255 * int(np.abs(self.v).max()))
        self._layer = module().ProductLayer(
            self.isa, self.u, self.v, width, self._patterns, *self._geometry
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(ProductKernel, **self._options), (self.u, self.v, self.weight_codes)

    def __deepcopy__(self, memo: dict[int, Any]) -> ProductKernel:
        return self


def gather_baseline(
    table: NDArray[np.int32], activations: NDArray[np.uint8], weights: NDArray[np.uint8]
) -> NDArray[np.int32]:
    """The usual emulation, one scalar table load per product, as the benchmarks' baseline.

    Args:
        table: (256, 256) int32.
        activations: (K, P) uint8 bit patterns, one row per tap (im2col).
        weights: (O, K) uint8 bit patterns.

    Returns:
        (O, P) int32 sums, on one thread.
    """
    out = np.empty((len(weights), activations.shape[1]), np.int32)
    module().gather_baseline(table, activations, weights, out)
    return out
