# SPDX-License-Identifier: Apache-2.0
"""Portable torch: one gather from the flat table per product."""

from __future__ import annotations

from typing import ClassVar

import torch

from .backend import Backend, Computation, backend

# Table look-ups held in memory at once, as (rows, outputs, taps).
_ELEMENTS = 2**21


@backend
class Gather(Backend):
    """Any table, any geometry, any device."""

    name: ClassVar[str] = "gather"

    @classmethod
    def supports(cls, computation: Computation, device: torch.device) -> str | None:
        """See `Backend.supports`."""
        del device
        return computation.refusal

    @classmethod
    def cost(cls, computation: Computation) -> float:
        """See `Backend.cost`."""
        del computation
        return 400.0

    def _prepare(self, codes: torch.Tensor) -> None:
        table = self.computation.table
        self._row = table.shape[1]
        self._table = torch.from_numpy(table.copy()).flatten().to(codes.device)
        self._columns = self.grouped(self.computation.columns(codes))  # (groups, O / groups, K)

    def accumulate(self, steps: torch.Tensor) -> torch.Tensor:
        """See `Backend.accumulate`."""
        return self.over_windows(steps, self.matmul)

    def matmul(self, windows: torch.Tensor) -> torch.Tensor:
        """(1 or groups, R, K) windows of steps to sums of products, int32."""
        rows = self.computation.patterns(windows) * self._row  # (groups, R, K)
        groups, total, taps = rows.shape
        outputs = self._columns.shape[1]
        step = max(1, _ELEMENTS // (outputs * taps))
        out = torch.empty(groups, total, outputs, dtype=torch.int32, device=rows.device)
        for g in range(groups):
            for start in range(0, total, step):
                part = rows[g, start : start + step, None, :] + self._columns[g]
                torch.sum(  # over k of (r, O / groups, K)
                    torch.take(self._table, part),
                    dim=2,
                    dtype=torch.int32,
                    out=out[g, start : start + step],
                )
        return out
