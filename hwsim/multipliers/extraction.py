# SPDX-License-Identifier: Apache-2.0
"""Tables of many multipliers of the catalogue, several simulators at a time."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace

from ..errors import HwsimError
from ..lut import Lut
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
    if jobs is not None and jobs < 1:
        raise HwsimError(f"expected at least 1 job, got {jobs}")
    chosen()
    workers = jobs or os.cpu_count() or 1
    each = max(1, workers // max(len(wanted), 1))

    tables: dict[Catalogued, Lut] = {}
    # Threads suffice: the work is in the simulator's processes.
    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = {pool.submit(replace(m, simulate=True).table, jobs=each): m for m in wanted}
        try:
            for future in as_completed(futures):
                multiplier = futures[future]
                tables[multiplier] = future.result()
                if progress is not None:
                    progress(multiplier, len(tables), len(wanted))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {m: tables[m] for m in wanted}
