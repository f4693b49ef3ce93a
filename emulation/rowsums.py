# SPDX-License-Identifier: Apache-2.0
"""The portable path: torch's `embedding_bag` sums whole rows of products.

For tap k and activation code a, the products with all M weights of that tap stand side by side,
`rows[k * 256 + a, m] = lut[a, w[m, k]]`. A window of codes then picks one row for each tap, and the
sum of its rows is its M accumulators: additions of whole vectors, where a gather would look every
product up on its own. It was 10 to 60 times faster than `paths.GatherPath` on one thread.

Sums are float32 and exact: the taps are summed in runs short enough that no sum can reach 2**24.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from axhil.hwsim.lut import Lut

from .geometry import Geometry
from .paths import FLOAT32_EXACT, GatherPath, Path, window_rows

# Rows of a layer that are kept, or of a run of taps that are made at a time, in float32 values.
_KEPT = 2**24
# Making rows costs as much as gathering for about so many windows.
_WORTH_MAKING = 1024


class RowSumPath(Path):
    """Any table, any device; see the module."""

    name = "row sums"
    _columns: torch.Tensor
    _by_code: torch.Tensor

    def __init__(self, lut: Lut, weight: torch.Tensor, geometry: Geometry) -> None:
        super().__init__()
        self._geometry = geometry
        self._kernel = (weight.shape[2], weight.shape[3])
        self._side = len(lut.table)
        self._gather = GatherPath(lut, weight, geometry)
        # (K, M) column of the table for each tap and output
        self._keep(
            "_columns", (weight.flatten(1).to(torch.int64) & (self._side - 1)).t().contiguous()
        )
        self._keep("_by_code", torch.from_numpy(lut.table.copy()).to(torch.float32))
        taps, outputs = self._columns.shape
        largest = max(1, int(abs(lut.table.astype("int64")).max()))
        self._run = min(
            taps, (FLOAT32_EXACT - 1) // largest, max(1, _KEPT // (self._side * outputs))
        )
        self._keeps = taps * self._side * outputs <= _KEPT
        self._kept: dict[tuple[torch.device, int], torch.Tensor] = {}

    def _rows(self, start: int) -> torch.Tensor:
        """(run * side, M) float32: the products of taps `start` and following."""
        key = (self._columns.device, start)
        rows = self._kept.get(key)
        if rows is None:
            columns = self._columns[start : start + self._run]  # (run, M)
            rows = self._by_code[:, columns].transpose(0, 1).reshape(-1, columns.shape[1])
            if self._keeps:
                self._kept[key] = rows
        return rows

    def accumulate(self, codes: torch.Tensor) -> torch.Tensor:
        """See `Path.accumulate`."""
        n, _, h, w = codes.shape
        oh, ow = self._geometry.output_size(h, w, self._kernel)
        making = not self._keeps and n * oh * ow < _WORTH_MAKING
        if self._geometry.groups > 1 or self._run < 1 or making:
            return self._gather.accumulate(codes)
        (windows,) = window_rows(codes, self._kernel, self._geometry)  # (R, K)
        index = windows.to(torch.int32) & (self._side - 1)
        taps, outputs = self._columns.shape
        acc = torch.zeros(len(index), outputs, dtype=torch.int32, device=codes.device)
        for start in range(0, taps, self._run):
            part = index[:, start : start + self._run]
            part = part + self._side * torch.arange(
                part.shape[1], dtype=torch.int32, device=codes.device
            )
            acc += F.embedding_bag(part, self._rows(start), mode="sum").to(torch.int32)
        return acc.view(n, oh * ow, outputs).transpose(1, 2).reshape(n, outputs, oh, ow)
