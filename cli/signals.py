# SPDX-License-Identifier: Apache-2.0
"""Signals that end a command: Ctrl-C, SIGTERM, a terminal that hangs up, a reader that went away.

The first one unwinds the command, so that processes end and temporary folders go; the second one
ends it at once. Either way the exit code is the one of shells, 128 and the signal's number.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE = 1.0  # seconds for threads to finish the file that they write


class Stopped(BaseException):
    """A signal ends the command. Not an exception that a library might turn into another.

    Args:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        self.number = signal.Signals(number)
        super().__init__(f"stopped by {self.number.name}")

    @property
    def sentence(self) -> str:
        """For a person, with the notes of whoever could say what this means."""
        return "; ".join([str(self), *getattr(self, "__notes__", ())])


def _stop(number: int, _: FrameType | None) -> NoReturn:
    for one in _ENDING:
        if signal.getsignal(one) is _stop:
            signal.signal(one, lambda number, _: os._exit(128 + number))
    raise Stopped(number)


@contextmanager
def stoppable() -> Iterator[None]:
    """A block in which such a signal raises `Stopped`; one that is ignored (nohup) stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {one: signal.getsignal(one) for one in _ENDING}
    for one, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(one, _stop)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def end(number: int) -> NoReturn:
    """End the process, without waiting for what its threads compute."""
    deadline = time.monotonic() + _GRACE
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
    os._exit(128 + number)
