# SPDX-License-Identifier: Apache-2.0
"""Processes that end at their limit, and with whoever waits for them.

Each is the head of a process group of its own, which is killed whole: a compiler's or a model's
children must not outlive it.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

_POLL = 0.2  # seconds between looks at whether somebody still waits

STOPS: ContextVar[tuple[Event, ...]] = ContextVar("STOPS", default=())
"""When one of them is set, nobody waits any more for the processes of this context."""


class OverLimitError(Exception):
    """A process used up its time."""


class StoppedError(Exception):
    """Nobody waits for the process any more."""


@dataclass(frozen=True)
class Done:
    """A process that has ended.

    Attributes:
        code: exit code; minus the number of the signal that killed it.
        stdout: what it printed, unless that went to a file.
        stderr: likewise.
    """

    code: int
    stdout: str
    stderr: str


class Process:
    """One process that is running, or has ended; the end of a `with` block kills it.

    Args:
        command: program and arguments.
        folder: to run in; None for the current one.
        env: its environment; None for ours.
        log: gets all that it prints; None: `wait` returns it.
        quiet: what it prints on stdout is of no interest.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path | None = None,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        quiet: bool = False,
    ) -> None:
        pipe = subprocess.PIPE
        with contextlib.nullcontext(pipe) if log is None else log.open("wb") as printed:
            self._popen = subprocess.Popen(
                command,
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if quiet else printed,
                stderr=pipe if log is None else subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    def wait(self, seconds: float | None = None) -> Done | None:
        """Its end; None if it has not ended in time.

        Raises:
            StoppedError: nobody waits for the result any more.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            if any(stop.is_set() for stop in STOPS.get()):
                raise StoppedError
            left = _POLL if until is None else until - time.monotonic()
            try:
                out, err = self._popen.communicate(timeout=max(0.0, min(left, _POLL)))
                break
            except subprocess.TimeoutExpired:
                if until is not None and left <= _POLL:
                    return None
        return Done(
            self._popen.returncode, *((x or b"").decode(errors="replace") for x in (out, err))
        )

    def kill(self) -> None:
        """Ends it and all that it started; does nothing when it has ended."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        for pipe in (self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()


def run(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float | None = None,
    processor_seconds: int | None = None,
    memory_kib: int | None = None,
    log: Path | None = None,
    quiet: bool = False,
) -> Done:
    """Runs a command to its end.

    Args:
        command: program and arguments.
        folder: to run in; None for the current one.
        env: its environment; None for ours.
        seconds: it may take.
        processor_seconds: each of its processes may take, which other work does not count to.
        memory_kib: address space that each may have.
        log: gets all that it prints; it is returned otherwise.
        quiet: what it prints on stdout is of no interest.

    Raises:
        OverLimitError: it took too long, and was killed.
        OSError: it cannot be started.
    """
    limits = {"-v": memory_kib, "-t": processor_seconds}
    if any(limits.values()):
        script = "".join(f"ulimit {flag} {value}; " for flag, value in limits.items() if value)
        command = ["sh", "-c", f'{script}exec "$@"', "sh", *command]
    with Process(command, folder=folder, env=env, log=log, quiet=quiet) as process:
        done = process.wait(seconds)
    # The limit of processor time ends in one signal or the other.
    over = {-signal.SIGXCPU, -signal.SIGKILL} if processor_seconds else set()
    if done is None or done.code in over:
        raise OverLimitError
    return done
