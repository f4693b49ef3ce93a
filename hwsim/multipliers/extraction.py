# SPDX-License-Identifier: Apache-2.0
"""Tables of many multipliers of the catalogue, several simulators at a time."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from ..lut import Lut
from ..tools.pool import together
from ..tools.simulators import chosen
from .catalogued import Catalogued

Progress = Callable[[Catalogued, int, int], None]
"""Called with (multiplier just finished, how many are finished, how many in all)."""


def extract(
    multipliers: Iterable[Catalogued],
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> dict[Catalogued, Lut]:
    """Simulates every operand pair of every multiplier, whether or not there is a golden table.

    Args:
        multipliers: which; duplicates are simulated once.
        jobs: simulators at a time; None is one per processor core.
        progress: told whenever a multiplier is finished.

    Returns:
        Tables with a complete manifest, in the order asked for.

    Raises:
        HwsimError: anything that keeps a table from being right; nothing partial is returned.
    """
    wanted = list(dict.fromkeys(multipliers))
    chosen()
    each = max(1, (jobs or os.cpu_count() or 1) // max(len(wanted), 1))
    return together(
        {m: partial(replace(m, simulate=True).table, jobs=each) for m in wanted},
        jobs=jobs,
        finished=lambda m, _, done: progress(m, done, len(wanted)) if progress else None,
    )
