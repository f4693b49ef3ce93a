# SPDX-License-Identifier: Apache-2.0
"""Calls side by side whose work is in processes: when one fails, the others' processes end."""

import os
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import copy_context
from threading import Event
from typing import TypeVar

from ..errors import HwsimError
from .process import STOPS

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


def together(
    calls: Mapping[_Key, Callable[[], _Value]],
    *,
    jobs: int | None = None,
    finished: Callable[[_Key, _Value, int], None] | None = None,
) -> dict[_Key, _Value]:
    """Runs calls in threads, which suffice for what waits for processes.

    Args:
        calls: by what to call each.
        jobs: how many at a time; None is one per processor core.
        finished: called with (key, result, results so far) whenever one has finished.

    Returns:
        The results, in the order of the calls.

    Raises:
        HwsimError: fewer than one job, or what a call raises. Then, and when this is interrupted,
            every process that the other calls wait for is killed, and those not begun are not.
    """
    if jobs is not None and jobs < 1:
        raise HwsimError(f"expected at least 1 job, got {jobs}")
    stop, results = Event(), {}
    token = STOPS.set((*STOPS.get(), stop))
    pool = ThreadPoolExecutor(max_workers=jobs or os.cpu_count() or 1)
    try:
        futures = {pool.submit(copy_context().run, call): key for key, call in calls.items()}
        for future in as_completed(futures):
            key = futures[future]
            results[key] = future.result()
            if finished is not None:
                finished(key, results[key], len(results))
    except BaseException:
        stop.set()
        raise
    finally:
        STOPS.reset(token)
        pool.shutdown(cancel_futures=True)
    return {key: results[key] for key in calls}
