# SPDX-License-Identifier: Apache-2.0
"""A program in a box that answers requests for as long as somebody has some."""

import contextlib
import fcntl
import os
import select
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from .box import Box
from .process import Done, OverLimitError, Process

_POLL = 0.2  # seconds between looks at whether the program is still there
_PIPE = 1 << 20
"""Bytes that an answer may be ahead of its reader, where the platform grants them."""


class EndedError(Exception):
    """The program ended before it had answered.

    Attributes:
        done: how.
    """

    def __init__(self, done: Done) -> None:
        super().__init__(f"exit code {done.code}")
        self.done = done


class Conversation:
    """A program that reads requests from one pipe and writes answers to another.

    Args:
        command: program and arguments; the paths of both pipes are appended, requests first.
        box: to run in; the pipes are made in its folder.
        name: of the pipes, where several programs share a folder.
        env: its environment; None for ours.
        seconds: it may take for an answer.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        box: Box,
        name: str,
        env: Mapping[str, str] | None = None,
        seconds: float,
    ) -> None:
        self._seconds, self._lock = seconds, threading.Lock()
        paths = [str(box.folder / f"{name}.{way}") for way in ("requests", "answers")]
        for path in paths:
            os.mkfifo(path)
        # Both ends are held here, so that opening and closing wait for nobody.
        self._requests = os.open(paths[0], os.O_RDWR)
        self._answers = os.open(paths[1], os.O_RDWR | os.O_NONBLOCK)
        with contextlib.suppress(AttributeError, OSError):  # another platform, or none left
            fcntl.fcntl(self._answers, fcntl.F_SETPIPE_SZ, _PIPE)
        self._process = Process([*command, *paths], box=box, env=env, quiet=True)

    def ask(self, request: bytes, size: int) -> bytearray:
        """The answer to a request.

        Args:
            request: at most 4,096 bytes.
            size: of the answer, in bytes.

        Raises:
            EndedError: the program has ended.
            OverLimitError: it took too long.
        """
        answer = bytearray(size)
        view, filled = memoryview(answer), 0
        with self._lock:
            os.write(self._requests, request)
            until = time.monotonic() + self._seconds
            while filled < size:
                ended = not self._process.running
                if select.select([self._answers], [], [], 0 if ended else _POLL)[0]:
                    filled += os.readv(self._answers, [view[filled:]])
                    continue
                done = self._process.wait(0)
                if ended and done is not None:
                    raise EndedError(done)
                if time.monotonic() >= until:
                    raise OverLimitError
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        os.close(self._requests)
        os.close(self._answers)
