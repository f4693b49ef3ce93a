# SPDX-License-Identifier: Apache-2.0
"""Any table on a GPU: rows of products in shared memory, one per tap and step.

A block of threads takes 64 outputs and up to 512 windows. For a few taps at a time it lays out
`rows[tap][step][output] = lut[step, w[output, tap]]` in shared memory as int16, and each window
then adds the row of its step: eight neighbouring threads read the 128 bytes of a row in one go,
without a bank conflict, whatever the steps are. The sums stay in registers.

Bounds on an H100 (132 multiprocessors, 1.7 GHz): reading, 128 bytes a cycle and multiprocessor, so
64 products or 14e12/s; adding, one `dp2a` a product, the same; laying out, for 256 steps and 512
windows once more the same, for 128 steps half.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import numpy as np
import torch
from torch.utils import cpp_extension

from .backend import Backend, Computation, backend, padded

_OUTPUTS, _THREADS = 64, 1024
# Windows of a block: many share what is laid out, few keep every multiprocessor at work.
_WINDOWS = (512, 256, 128)
# Of shared memory for the rows of a few taps; the first-level cache keeps what is left.
_SHARED = 2**17

_SOURCE = r"""
// x: (windows, taps) steps from 0; w: (taps, outputs) columns; table: (columns, STEPS) products.
extern "C" __global__ void __launch_bounds__(THREADS)
rows(const unsigned char* x, const unsigned short* w, const short* table, int* out,
     int windows, int taps, int outputs) {
  extern __shared__ uint4 lut[];  // [TAPS][STEPS][8] of eight outputs, swizzled by the step
  const int octet = threadIdx.x & 7, lane = threadIdx.x >> 3;
  const int output = blockIdx.y * 64, window = blockIdx.x * WINDOWS + lane;
  int acc[WINDOWS * 8 / THREADS][8] = {};
  for (int first = 0; first < taps; first += TAPS) {
    __syncthreads();
    for (int i = threadIdx.x; i < TAPS * 8 * STEPS / 2; i += THREADS) {
      const int step = i % (STEPS / 2) * 2, o = i / (STEPS / 2) & 7, tap = i / (STEPS / 2) >> 3;
      const unsigned short* columns = w + (size_t)(first + tap) * outputs + output + o * 8;
      unsigned pair[8];  // products of two steps
#pragma unroll
      for (int m = 0; m < 8; ++m)
        pair[m] = *reinterpret_cast<const unsigned*>(table + columns[m] * STEPS + step);
      uint4 low, high;
      low.x = __byte_perm(pair[0], pair[1], 0x5410);
      low.y = __byte_perm(pair[2], pair[3], 0x5410);
      low.z = __byte_perm(pair[4], pair[5], 0x5410);
      low.w = __byte_perm(pair[6], pair[7], 0x5410);
      high.x = __byte_perm(pair[0], pair[1], 0x7632);
      high.y = __byte_perm(pair[2], pair[3], 0x7632);
      high.z = __byte_perm(pair[4], pair[5], 0x7632);
      high.w = __byte_perm(pair[6], pair[7], 0x7632);
      uint4* row = lut + (tap * STEPS + step) * 8 + (o ^ (step >> 1 & 7));
      row[0] = low;
      row[8] = high;
    }
    __syncthreads();
#pragma unroll
    for (int j = 0; j < WINDOWS * 8 / THREADS; ++j) {
      const int p = min(window + j * (THREADS / 8), windows - 1);
      union { WORD word; unsigned char step[TAPS]; } codes;
      codes.word = *reinterpret_cast<const WORD*>(x + (size_t)p * taps + first);
#pragma unroll
      for (int tap = 0; tap < TAPS; ++tap) {
        const int step = codes.step[tap];
        const uint4 row = lut[(tap * STEPS + step) * 8 + (octet ^ (step >> 1 & 7))];
        acc[j][0] = __dp2a_lo((int)row.x, 0x0001, acc[j][0]);
        acc[j][1] = __dp2a_lo((int)row.x, 0x0100, acc[j][1]);
        acc[j][2] = __dp2a_lo((int)row.y, 0x0001, acc[j][2]);
        acc[j][3] = __dp2a_lo((int)row.y, 0x0100, acc[j][3]);
        acc[j][4] = __dp2a_lo((int)row.z, 0x0001, acc[j][4]);
        acc[j][5] = __dp2a_lo((int)row.z, 0x0100, acc[j][5]);
        acc[j][6] = __dp2a_lo((int)row.w, 0x0001, acc[j][6]);
        acc[j][7] = __dp2a_lo((int)row.w, 0x0100, acc[j][7]);
      }
    }
  }
#pragma unroll
  for (int j = 0; j < WINDOWS * 8 / THREADS; ++j) {
    const int p = window + j * (THREADS / 8);
    if (p < windows) {
      int4* to = reinterpret_cast<int4*>(out + (size_t)p * outputs + output + octet * 8);
      to[0] = make_int4(acc[j][0], acc[j][1], acc[j][2], acc[j][3]);
      to[1] = make_int4(acc[j][4], acc[j][5], acc[j][6], acc[j][7]);
    }
  }
}
"""


@backend
class CudaRows(Backend):
    """Tables of products of 16 bits and up to 256 steps, on CUDA; see the module."""

    name: ClassVar[str] = "product rows"
    only_on: ClassVar[str | None] = "cuda"

    @classmethod
    def supports(cls, computation: Computation, device: torch.device) -> str | None:
        """See `Backend.supports`."""
        del device
        if computation.refusal is not None:
            return computation.refusal
        if torch.cuda.is_available() and _missing():
            return _missing()
        table, word = computation.table, np.iinfo(np.int16)
        if len(computation.steps) > 256:
            return "steps of more than 8 bits"
        fits = word.min <= table.min() and table.max() <= word.max
        return None if fits else "products of more than 16 bits"

    @classmethod
    def cost(cls, computation: Computation) -> float:
        """See `Backend.cost`."""
        del computation
        return 0.05

    def _prepare(self, codes: torch.Tensor) -> None:
        computation = self.computation
        steps = computation.steps
        self._first, count = int(steps[0]), len(steps)
        self._steps = 128 if count <= 128 else 256
        self._taps = _SHARED // (self._steps * _OUTPUTS * 2)
        # A step's products by the column of the weight, and a last column of zeros for what pads.
        table = computation.table[computation.patterns_in_use].T
        wider = np.pad(table, ((0, 1), (0, self._steps - count)))
        self._table = torch.from_numpy(np.ascontiguousarray(wider, np.int16)).to(codes.device)
        columns = self.grouped(computation.columns(codes)).transpose(1, 2)  # (groups, K, O)
        self._outputs = columns.shape[2]
        padding = (0, -self._outputs % _OUTPUTS, 0, -columns.shape[1] % self._taps)
        columns = padded(columns, padding, len(table))
        self._columns = columns.to(torch.uint16).contiguous()

    def accumulate(self, steps: torch.Tensor) -> torch.Tensor:
        """See `Backend.accumulate`."""
        (ph, pw), zero = self.computation.geometry.padding, -self._first
        x = padded((steps + zero).to(torch.uint8), (pw, pw, ph, ph), zero)
        return self.over_windows(x, self._matmul, (0, 0))

    def _matmul(self, windows: torch.Tensor) -> torch.Tensor:
        """(groups, R, K) steps from the first one to (groups, R, O / groups) int32."""
        groups, rows, taps = windows.shape
        x = padded(windows, (0, -taps % self._taps))
        outputs, device = self._columns.shape[2], windows.device
        out = torch.empty(groups, rows, outputs, dtype=torch.int32, device=device)
        busy = torch.cuda.get_device_properties(device).multi_processor_count * _OUTPUTS
        sizes = [size for size in _WINDOWS if rows * outputs >= busy * size]
        size = sizes[0] if sizes else _WINDOWS[-1]
        with torch.cuda.device(device):
            kernel = _kernel(self._steps, self._taps, size, device.index)
            for group in range(groups):
                kernel(
                    grid=(-(-rows // size), outputs // _OUTPUTS, 1),
                    block=(_THREADS, 1, 1),
                    args=[x[group], self._columns[group], self._table, out[group], rows,
                          x.shape[2], outputs],
                    shared_mem=_SHARED,
                )  # fmt: skip
        return out[:, :, : self._outputs]


@cache
def _missing() -> str | None:
    """Why no kernel can be compiled here, in a few words; None where one can."""
    if not hasattr(torch.cuda, "_compile_kernel"):
        return "torch before 2.9 compiles no CUDA"
    if cpp_extension.CUDA_HOME is None:
        return "no CUDA toolkit (CUDA_HOME)"
    properties: Any = torch.cuda.get_device_properties()  # torch's stub lacks this one
    if properties.shared_memory_per_block_optin < _SHARED:
        return f"less than {_SHARED // 1024} KiB of shared memory"
    return None


@cache
def _kernel(steps: int, taps: int, windows: int, device: int) -> Any:
    """The kernel compiled for this device."""
    del device  # of the key
    word = {4: "unsigned", 8: "uint2"}[taps]
    values = {"STEPS": steps, "TAPS": taps, "WORD": word, "THREADS": _THREADS, "WINDOWS": windows}
    defines = [f"-D{name}={value}" for name, value in values.items()]
    kernel = torch.cuda._compile_kernel(_SOURCE, "rows", nvcc_options=defines)
    kernel.set_shared_memory_config(_SHARED)
    return kernel
