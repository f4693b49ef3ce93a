# SPDX-License-Identifier: Apache-2.0
"""Processes that end at their limit, and with whoever waits for them.

Each is the head of a process group of its own, which is killed whole: a compiler's or a model's
children must not outlive it. One in a box ends with us even when we are killed.
"""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import IO, Self

from .box import Box
from .box_process import NO_BOX, REFUSED

_POLL = 0.2  # seconds between looks at whether somebody still waits
_FAREWELL = 2.0  # seconds that a box may take to end what is in it
_MOST_PRINTED = 1 << 20
"""Bytes at the beginning, and at the end, of what a process prints that are kept."""

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


def _go_on() -> None:
    if any(stop.is_set() for stop in STOPS.get()):
        raise StoppedError


def _file(log: Path | None) -> IO[bytes]:
    """Its log, or a file without a name; whoever gets it closes it."""
    return tempfile.TemporaryFile() if log is None else log.open("w+b")


def printed(file: IO[bytes]) -> str:
    """What a file of printed text has, or the two ends of a flood."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    text = file.read(_MOST_PRINTED)
    if size > 2 * _MOST_PRINTED:
        file.seek(size - _MOST_PRINTED)
        text += b"\n...\n"
    return (text + file.read(_MOST_PRINTED)).decode(errors="replace")


class Process:
    """One process that is running, or has ended; the end of a `with` block kills it.

    Args:
        command: program and arguments.
        box: to run in; None for a program that reads nothing but its arguments.
        env: its environment; None for ours.
        log: gets all that it prints; None: `wait` returns it.
        out: gets what it prints on stdout, which may be long, while `wait` returns the rest.
        quiet: what it prints on stdout is of no interest.

    Raises:
        StoppedError: nobody waits for the result any more.
        OSError: there is no such program.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        box: Box | None = None,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        out: Path | None = None,
        quiet: bool = False,
    ) -> None:
        _go_on()
        env = os.environ if env is None else env
        if box is not None:
            if shutil.which(command[0], path=env.get("PATH")) is None:
                raise FileNotFoundError(2, "no such program", command[0])
            command, env = box.command(command), box.environment(env)
        # Files, as the one who floods a pipe waits for its reader or fills its memory.
        self._kept, self._boxed = log is None, box is not None
        self._stderr = _file(log)
        self._stdout = _file(out) if log is None else self._stderr
        self._popen = subprocess.Popen(
            command,
            cwd=None if box is None else box.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if quiet else self._stdout,
            stderr=self._stderr,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Process id; of the box that it is in, if it is in one."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    def wait(self, seconds: float | None = None) -> Done | None:
        """Its end; None if it has not ended in time.

        Raises:
            StoppedError: nobody waits for the result any more.
            OSError: it was not started, as its box could not be made.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while not self._ended(_POLL if until is None else min(_POLL, until - time.monotonic())):
            _go_on()
            if until is not None and time.monotonic() >= until:
                return None
        out, err = (printed(x) if self._kept else "" for x in (self._stdout, self._stderr))
        said = printed(self._stderr) if self._popen.returncode == REFUSED else ""
        if self._boxed and said.startswith(NO_BOX):
            raise OSError(said.strip())
        return Done(self._popen.returncode, out, err)

    def _ended(self, seconds: float) -> bool:
        """Whether it has ended after some seconds, or as soon as it has."""
        if self.running and seconds > 0:
            try:
                handle = os.pidfd_open(self.pid)
            except (AttributeError, OSError):  # no such call here
                time.sleep(min(seconds, 0.01))
            else:
                select.select([handle], [], [], seconds)
                os.close(handle)
        return not self.running

    def kill(self) -> None:
        """Ends it and all that it started; does nothing when it has ended."""
        if self.running and self._boxed:
            # The process around it ends what has left the process group, too.
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                self._popen.terminate()
                self._popen.wait(_FAREWELL)
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        for file in (self._stdout, self._stderr):
            file.close()

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
    box: Box | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float | None = None,
    log: Path | None = None,
    out: Path | None = None,
    quiet: bool = False,
) -> Done:
    """Runs a command to its end.

    Args:
        command: program and arguments.
        box: to run in; None for a program that reads nothing but its arguments.
        env: its environment; None for ours.
        seconds: it may take.
        log: gets all that it prints; it is returned otherwise.
        out: gets what it prints on stdout, all of it, while the rest is returned.
        quiet: what it prints on stdout is of no interest.

    Raises:
        OverLimitError: it took too long, and was killed.
        OSError: there is no such program, or no box for it.
    """
    with Process(command, box=box, env=env, log=log, out=out, quiet=quiet) as process:
        done = process.wait(seconds)
    # The limit of processor time ends in one signal or the other.
    over = {-signal.SIGXCPU, -signal.SIGKILL} if box is not None and box.seconds else set()
    if done is None or done.code in over:
        raise OverLimitError
    return done
