# SPDX-License-Identifier: Apache-2.0
"""The ways to accumulate a layer's products, all equal to `definition` to the last bit.

A path is built once per layer from its weight codes and the table, and maps activation codes to
int32 accumulators. Which path a layer gets is decided in `plan`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from axhil.hwsim.lut import Lut

from .definition import lut_conv2d
from .factorise import Term
from .geometry import Geometry
from .native import LutKernel, ProductKernel
from .quantize import code_limit, quantize

# Below this bound every partial sum of integers is itself an integer that float32 holds exactly,
# in whatever order a library adds.
FLOAT32_EXACT = 2**24
# Table look-ups held in memory at once by the gather, as (rows, outputs, taps).
_GATHER_ELEMENTS = 2**21


class Path(nn.Module, ABC):
    """Activation codes in, accumulators out; a module, so that it follows its layer's device."""

    name: str

    @abstractmethod
    def accumulate(self, codes: torch.Tensor) -> torch.Tensor:
        """Map (N, C, H, W) integer-valued float32 codes to (N, O, OH, OW) int32."""

    def run(
        self,
        x: torch.Tensor,
        *,
        inv_scale: torch.Tensor,
        limit: int,
        out_scale: torch.Tensor,
        bias: torch.Tensor,
    ) -> torch.Tensor:
        """Quantise, accumulate, dequantise; see `layers` for the arithmetic.

        Args:
            x: (N, C, H, W) float32.
            inv_scale: () float32 reciprocal of the activation scale.
            limit: codes lie in [-limit, limit].
            out_scale: (O,) float32.
            bias: (O,) float32.

        Returns:
            (N, O, OH, OW) float32.
        """
        acc = self.accumulate(quantize(x, inv_scale, limit=limit)).to(torch.float32)
        return acc.mul_(out_scale.view(-1, 1, 1)).add_(bias.view(-1, 1, 1))

    def _keep(self, name: str, tensor: torch.Tensor) -> None:
        # Derived from the codes, which the layer itself keeps in its state.
        self.register_buffer(name, tensor, persistent=False)


def window_rows(x: torch.Tensor, kernel: tuple[int, int], geometry: Geometry) -> torch.Tensor:
    """Lay the windows of (N, C, H, W) out as (groups, N * OH * OW, K), channel-major taps."""
    n, c, h, w = x.shape
    if kernel == (1, 1) and geometry == Geometry(groups=geometry.groups):
        columns = x.reshape(n, c, h * w)
    else:
        columns = F.unfold(x, kernel, geometry.dilation, geometry.padding, geometry.stride)
    taps = columns.shape[1] // geometry.groups
    columns = columns.view(n, geometry.groups, taps, -1)  # (N, groups, K, OH * OW)
    return columns.permute(1, 0, 3, 2).reshape(geometry.groups, -1, taps)


class DefinitionPath(Path):
    """The definition itself, in NumPy. For checking the others."""

    name = "definition"

    def __init__(self, lut: Lut, weight: torch.Tensor, geometry: Geometry) -> None:
        super().__init__()
        self._table, self._weight, self._geometry = lut.table, weight.cpu().numpy(), geometry

    def accumulate(self, codes: torch.Tensor) -> torch.Tensor:
        """See `Path.accumulate`."""
        x = codes.to(torch.int8).cpu().numpy()
        return torch.from_numpy(lut_conv2d(x, self._weight, self._table, self._geometry)).to(
            codes.device
        )


class GatherPath(Path):
    """Portable torch: one gather from the flat table per product. Any device, any table."""

    name = "gather"
    _table: torch.Tensor
    _columns: torch.Tensor

    def __init__(self, lut: Lut, weight: torch.Tensor, geometry: Geometry) -> None:
        super().__init__()
        self._pattern = len(lut.table) - 1
        self._kernel = (weight.shape[2], weight.shape[3])
        self._geometry = geometry
        self._keep("_table", torch.from_numpy(lut.table.copy()).flatten())
        # (groups, O / groups, K) column indices of the table
        columns = (weight.to(torch.int64) & self._pattern).view(
            geometry.groups, weight.shape[0] // geometry.groups, -1
        )
        self._keep("_columns", columns)

    def accumulate(self, codes: torch.Tensor) -> torch.Tensor:
        """See `Path.accumulate`."""
        n, _, h, w = codes.shape
        oh, ow = self._geometry.output_size(h, w, self._kernel)
        table, columns = self._table, self._columns
        rows = (
            window_rows(codes, self._kernel, self._geometry).to(torch.int64) & self._pattern
        ) * (self._pattern + 1)  # (groups, R, K)
        groups, total, taps = rows.shape
        outputs = columns.shape[1]
        step = max(1, _GATHER_ELEMENTS // (outputs * taps))
        out = torch.empty(groups, total, outputs, dtype=torch.int32, device=codes.device)
        for g in range(groups):
            for start in range(0, total, step):
                part = rows[g, start : start + step, None, :] + columns[g]  # (r, O / groups, K)
                torch.sum(
                    torch.take(table, part),
                    dim=2,
                    dtype=torch.int32,
                    out=out[g, start : start + step],
                )
        # (groups, N, OH * OW, O / groups) -> (N, groups, O / groups, OH * OW)
        return (
            out.view(groups, n, oh * ow, outputs)
            .permute(1, 0, 3, 2)
            .reshape(n, groups * outputs, oh, ow)
        )


class KernelPath(Path):
    """A C++ kernel on the CPU, and a portable path of the same arithmetic elsewhere."""

    def __init__(
        self, kernel: LutKernel | ProductKernel, elsewhere: Callable[[], Path], *, name: str
    ) -> None:
        super().__init__()
        self.name = name
        self._kernel = kernel
        self._elsewhere = elsewhere
        self._portable: Path | None = None

    def _on_device(self, device: torch.device) -> Path:
        if self._portable is None:
            self._portable = self._elsewhere()
        return self._portable.to(device)

    def accumulate(self, codes: torch.Tensor) -> torch.Tensor:
        """See `Path.accumulate`."""
        if codes.device.type != "cpu":
            return self._on_device(codes.device).accumulate(codes)
        threads = torch.get_num_threads()
        return torch.from_numpy(self._kernel.accumulate(codes.to(torch.int8), threads=threads))

    def run(
        self,
        x: torch.Tensor,
        *,
        inv_scale: torch.Tensor,
        limit: int,
        out_scale: torch.Tensor,
        bias: torch.Tensor,
    ) -> torch.Tensor:
        """See `Path.run`; one pass in C++, with the same rounding at each step."""
        if x.device.type != "cpu":
            return super().run(x, inv_scale=inv_scale, limit=limit, out_scale=out_scale, bias=bias)
        y = self._kernel.forward(
            x,
            inv_scale=float(inv_scale),
            qmin=-limit,
            qmax=limit,
            out_scale=out_scale,
            bias=bias,
            threads=torch.get_num_threads(),
        )
        return torch.from_numpy(y)


def table_kernel(lut: Lut, weight: torch.Tensor, geometry: Geometry) -> KernelPath:
    """The native kernel for any table."""
    from .rowsums import RowSumPath  # noqa: PLC0415  (it builds on this module)

    kernel = LutKernel(lut.table, weight, width=lut.width, **_options(geometry))
    return KernelPath(kernel, partial(RowSumPath, lut, weight, geometry), name="table kernel")


def product_kernel(
    term: Term, weight: torch.Tensor, geometry: Geometry, *, width: int
) -> KernelPath | None:
    """The native kernel for one separable term whose factors fit 8 bits; None where they do not.

    A factor is looked at only where there is a code: -2**(width - 1) is none.
    """
    low = 2 ** (width - 1)
    u, v = term.u.copy(), term.v.copy()
    u[low] = v[low] = 0
    fits = min(u.min(), v.min()) >= -128 and max(u.max(), v.max()) <= 127
    if not fits:
        return None
    kernel = ProductKernel(u, v, weight, width=width, **_options(geometry))
    elsewhere = partial(FactorisedPath, (term,), weight, geometry, width=width)
    return KernelPath(kernel, elsewhere, name="product kernel")


def _options(geometry: Geometry) -> dict[str, Any]:
    return {
        "stride": geometry.stride,
        "padding": geometry.padding,
        "dilation": geometry.dilation,
        "groups": geometry.groups,
    }


class FactorisedPath(Path):
    """Ordinary convolutions of remapped operands, one per separable term of the table.

    Float32 is exact while sum over k of |u||v| stays below 2**24 for every output channel; the
    bound is taken from the actual weights and the largest |u|. Above it, float64 is.
    """

    name = "factorised"

    def __init__(
        self, terms: tuple[Term, ...], weight: torch.Tensor, geometry: Geometry, *, width: int
    ) -> None:
        super().__init__()
        self._geometry = geometry
        self._outputs, self._kernel = weight.shape[0], (weight.shape[2], weight.shape[3])
        pattern = 2**width - 1
        codes = weight.to(torch.int64) & pattern
        self._identity: list[bool] = []
        self._padding = [float(term.u[0]) for term in terms]
        self.bound = 0
        signed = np.arange(2**width)
        signed = np.where(signed > pattern // 2, signed - 2**width, signed)
        used = np.abs(signed) <= code_limit(width)  # -2**(width - 1) is no code
        for index, term in enumerate(terms):
            v = torch.from_numpy(term.v)[codes]  # (O, C / groups, kh, kw) int64
            bound = int(v.abs().flatten(1).sum(1).max()) * int(np.abs(term.u[used]).max())
            self.bound = max(self.bound, bound)
            dtype = torch.float32 if bound < FLOAT32_EXACT else torch.float64
            self._identity.append(bool(np.array_equal(term.u, signed)))
            self._keep(f"_u{index}", torch.from_numpy(term.u).to(dtype))
            self._keep(f"_v{index}", v.to(dtype))
        self._pattern = pattern

    def accumulate(self, codes: torch.Tensor) -> torch.Tensor:
        """See `Path.accumulate`."""
        n, _, h, w = codes.shape
        oh, ow = self._geometry.output_size(h, w, self._kernel)
        total = torch.zeros(n, self._outputs, oh, ow, dtype=torch.int32, device=codes.device)
        patterns = None
        for index, identity in enumerate(self._identity):
            u, v = self.get_buffer(f"_u{index}"), self.get_buffer(f"_v{index}")
            if identity:
                x = codes.to(v.dtype)
            else:
                if patterns is None:
                    patterns = codes.to(torch.int64).bitwise_and_(self._pattern)
                x = u[patterns]
            total += self._convolve(x, v, self._padding[index]).to(torch.int32)
        return total

    def _convolve(self, x: torch.Tensor, v: torch.Tensor, padding: float) -> torch.Tensor:
        geometry = self._geometry
        ph, pw = geometry.padding
        if padding and (ph or pw):  # a padded tap is u[0], which is not the 0 that conv2d pads with
            x, ph, pw = F.pad(x, (pw, pw, ph, ph), value=padding), 0, 0
        if x.is_cuda or not _float32_is_ieee():
            # cuDNN may pick TF32, Winograd or an FFT, and a user may have allowed bfloat16 on the
            # CPU: none of them exact. A float64 matrix product is.
            x, v = x.to(torch.float64), v.to(torch.float64)
            unpadded = Geometry(geometry.stride, (ph, pw), geometry.dilation, geometry.groups)
            rows = window_rows(x, self._kernel, unpadded)  # (groups, R, K)
            out = rows @ v.view(geometry.groups, -1, rows.shape[2]).transpose(1, 2)
            n = x.shape[0]
            oh, ow = unpadded.output_size(x.shape[2], x.shape[3], self._kernel)
            return (
                out.view(geometry.groups, n, oh * ow, -1).permute(1, 0, 3, 2).reshape(n, -1, oh, ow)
            )
        return F.conv2d(x, v, None, geometry.stride, (ph, pw), geometry.dilation, geometry.groups)


def _float32_is_ieee() -> bool:
    """Whether float32 convolutions and products on the CPU really compute in float32."""
    backend: Any = torch.backends.mkldnn  # torch's stub lacks the precision settings
    return (
        torch.get_float32_matmul_precision() == "highest"
        and backend.conv.fp32_precision in ("none", "ieee")
        and backend.matmul.fp32_precision in ("none", "ieee")
    )
