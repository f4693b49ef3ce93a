# SPDX-License-Identifier: Apache-2.0
"""A multiplier's gates as a function of two arrays, as `simulation.live` has its simulation."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .evaluation import matmul, multiply, table
from .program import Program


class LiveGates:
    """The gates of a multiplier behind a call.

    Every product is computed, however often its operands come.

    Args:
        program: evaluates them.
        threads: None is one per processor core.
        progress: called with the number of products finished so far.
    """

    def __init__(
        self,
        program: Program,
        *,
        threads: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._program, self._threads, self._progress = program, threads, progress
        self._served = 0

    def __call__(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.int64]:
        """(N,) activations and (N,) weights to (N,) products."""
        made = multiply(self._program, a, b, threads=self._threads)
        self._count(len(made))
        return made

    def sums(
        self, x: NDArray[Any], w: NDArray[Any], expected: NDArray[np.int32]
    ) -> tuple[NDArray[np.int64], int]:
        """Sums of products, each of which is held against a table.

        Args:
            x: (R, K) activations.
            w: (O, K) weights.
            expected: (2^a, 2^w) the table.

        Returns:
            (R, O) sums over K, and how many products are not the table's.
        """
        made = matmul(self._program, x, w, table=expected, threads=self._threads)
        self._count(len(x) * w.size)
        return made

    def unlike(self, expected: NDArray[np.int32]) -> NDArray[np.bool_]:
        """(2^a, 2^w): where the gates' products are not a table's."""
        different: NDArray[np.bool_] = table(self._program) != expected
        return different

    def _count(self, products: int) -> None:
        self._served += products
        if self._progress is not None:
            self._progress(self._served)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing is left running."""
