# SPDX-License-Identifier: Apache-2.0
"""Threads that each run a network of their own, instead of many threads inside one layer.

The layers of these networks are short: split over threads they spend their time waiting for each
other, above all where another process takes a core away.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def shared_out(workers: int) -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """Run `workers` threads, with torch's threads shared out among them.

    When the block raises, what has not begun is not begun; what is at work is waited for, unless
    it is the whole process that is to end.

    Yields:
        The pool, and how many torch threads each worker has. torch's setting is put back after.
    """
    total = torch.get_num_threads()
    threads = max(1, total // workers)
    # The number is the process's, but OpenMP also keeps one for each thread.
    torch.set_num_threads(threads)
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(threads,))
    try:
        yield pool, threads
    except BaseException as error:
        pool.shutdown(wait=isinstance(error, Exception), cancel_futures=True)
        raise
    else:
        pool.shutdown()
    finally:
        torch.set_num_threads(total)
