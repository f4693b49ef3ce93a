# SPDX-License-Identifier: Apache-2.0
"""What every multiplier has, wherever it comes from, and a table that is made once and kept."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

from ..lut import Lut
from ..operands import Operands
from ..tools.pool import together
from ..verilog.circuit import Circuit

Progress = Callable[[int, int], None]
"""Called with (products so far, products in all)."""


@runtime_checkable
class Multiplier(Protocol):
    """A multiplier: of the catalogue, Verilog, a table, a model."""

    @property
    def name(self) -> str:
        """Canonical spelling without folders, e.g. `scaletrim(4,8)`, `mul.v[K=3]`."""

    @property
    def label(self) -> str:
        """Short form for figures, e.g. `sT(4,8)`, `mul K=3`."""

    @property
    def operands(self) -> Operands:
        """Activation (row) and weight (column).

        Raises:
            HwsimError: it cannot be read, or nothing says what they are.
        """

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what was assumed, and, once there is a table, where it was taken from."""

    def table(self, *, jobs: int | None = None, progress: Progress | None = None) -> Lut:
        """All products; made at the first call and kept.

        Args:
            jobs: simulators at a time; None is one per processor core.
            progress: told how far a simulation is.

        Raises:
            HwsimError: one sentence about why there is none.
        """

    def circuit(self) -> Circuit | None:
        """What a simulator sees; None where there is only a table or a model."""


class KeptTable(ABC):
    """A multiplier's table, made once; for frozen dataclasses that say how in `_make`."""

    @abstractmethod
    def _make(self, jobs: int | None, progress: Progress | None) -> tuple[Lut, tuple[str, ...]]:
        """The table, and notes on how it came about."""

    def _made(
        self, jobs: int | None = None, progress: Progress | None = None
    ) -> tuple[Lut, tuple[str, ...]]:
        # Beside the fields, which alone make a multiplier equal to another.
        if "made" not in self.__dict__:
            self.__dict__["made"] = self._make(jobs, progress)
        made: tuple[Lut, tuple[str, ...]] = self.__dict__["made"]
        return made

    def table(self, *, jobs: int | None = None, progress: Progress | None = None) -> Lut:
        """All products; see `Multiplier`."""
        return self._made(jobs, progress)[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """Of the table, once it is made."""
        return self._made()[1] if "made" in self.__dict__ else ()


def make_tables(
    multipliers: Sequence[Multiplier],
    *,
    jobs: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    make: Callable[..., object] | None = None,
) -> None:
    """Makes the tables of several multipliers, some at a time.

    Args:
        multipliers: each once.
        make: makes something else of one and of `jobs`, e.g. `computed`.
        jobs: simulators at a time; None is one per processor core.
        progress: called with (tables made, tables in all, name of the last).

    Raises:
        HwsimError: one cannot be made.
    """
    each = max(1, (jobs or os.cpu_count() or 1) // max(len(multipliers), 1))
    together(
        {
            number: partial(make, one, jobs=each) if make else partial(one.table, jobs=each)
            for number, one in enumerate(multipliers)
        },
        jobs=jobs,
        finished=lambda number, _, made: (
            progress(made, len(multipliers), multipliers[number].name) if progress else None
        ),
    )
