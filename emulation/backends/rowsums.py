# SPDX-License-Identifier: Apache-2.0
"""The portable path: torch's `embedding_bag` sums whole rows of products.

For tap k and activation step a, the products with all M weights of that tap stand side by side,
`rows[k * 256 + a, m] = lut[a, w[m, k]]`. A window of steps then picks one row for each tap, and the
sum of its rows is its M accumulators: additions of whole vectors, where a gather would look every
product up on its own. It was 10 to 60 times faster than `gather` on one thread.

Sums are float32 and exact: the taps are summed in runs short enough that no sum can reach 2**24.
Rows of a large layer are made for every batch; for few windows it gathers instead.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.nn import functional as F

from .backend import FLOAT32_EXACT, Backend, Computation, backend
from .gather import Gather

# Rows of a layer that are kept, or of a run of taps that are made at a time, in float32 values.
_KEPT = 2**24
# Making rows costs as much as gathering for about so many windows.
_WORTH_MAKING = 1024


@backend
class RowSums(Backend):
    """Any table, any device, one group; see the module."""

    name: ClassVar[str] = "row sums"

    @classmethod
    def supports(cls, computation: Computation, device: torch.device) -> str | None:
        """See `Backend.supports`."""
        del device
        if computation.refusal is None:
            if computation.geometry.groups > 1:
                return "several groups"
            if _largest(computation) >= FLOAT32_EXACT:
                return "products beyond 2**24"
        return computation.refusal

    @classmethod
    def cost(cls, computation: Computation) -> float:
        """See `Backend.cost`."""
        del computation
        return 20.0

    def _prepare(self, codes: torch.Tensor) -> None:
        table = self.computation.table
        self._side = len(table)
        self._gather = Gather(self.computation, codes)
        # (K, M) column of the table for each tap and output
        self._columns = self.computation.columns(codes).flatten(1).t().contiguous()
        self._by_step = torch.from_numpy(table.copy()).to(codes.device, torch.float32)
        taps, outputs = self._columns.shape
        self._run = min(
            taps,
            (FLOAT32_EXACT - 1) // _largest(self.computation),
            max(1, _KEPT // (self._side * outputs)),
        )
        self.keeps = taps * self._side * outputs <= _KEPT
        self._kept: dict[int, torch.Tensor] = {}

    def _rows(self, start: int) -> torch.Tensor:
        """(run * side, M) float32: the products of taps `start` and following."""
        rows = self._kept.get(start)
        if rows is None:
            columns = self._columns[start : start + self._run]  # (run, M)
            rows = self._by_step[:, columns].transpose(0, 1).reshape(-1, columns.shape[1])
            if self.keeps:
                self._kept[start] = rows
        return rows

    def accumulate(self, steps: torch.Tensor) -> torch.Tensor:
        """See `Backend.accumulate`."""
        return self.over_windows(steps, self._matmul)

    def _matmul(self, windows: torch.Tensor) -> torch.Tensor:
        if not self.keeps and windows.shape[1] < _WORTH_MAKING:
            return self._gather.matmul(windows)
        index = windows[0].to(torch.int32) & (self._side - 1)  # (R, K)
        taps, outputs = self._columns.shape
        acc = torch.zeros(len(index), outputs, dtype=torch.int32, device=index.device)
        for start in range(0, taps, self._run):
            part = index[:, start : start + self._run]
            part = part + self._side * torch.arange(
                part.shape[1], dtype=torch.int32, device=index.device
            )
            acc += F.embedding_bag(part, self._rows(start), mode="sum").to(torch.int32)
        return acc


def _largest(computation: Computation) -> int:
    return max(1, int(abs(computation.table.astype("int64")).max()))
