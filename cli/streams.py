# SPDX-License-Identifier: Apache-2.0
"""stdin, stdout and stderr as a command finds them: closed, full, or without a reader."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from .signals import Stopped


def open_closed() -> None:
    """Give a stream that the caller closed (`>&-`) to nobody.

    Else its number would go to the next file that is opened, and what is printed into that file.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115  (the process has it)


@contextmanager
def _stdout() -> Iterator[None]:
    """What goes wrong in the block does so with stdout."""
    try:
        yield
    except BrokenPipeError as error:
        raise Stopped(signal.SIGPIPE) from error
    except OSError as error:
        error.filename = "stdout"
        raise


def write(text: str) -> None:
    """Write a text that is itself the result, as it is.

    Raises:
        Stopped: nobody reads it any more.
        OSError: it cannot be written.
    """
    with _stdout():
        sys.stdout.write(text)
        sys.stdout.flush()


class StreamConsole(Console):
    """A console on a stream that may be full, or without a reader.

    Of stdout that is an error; what cannot be written to stderr is lost, and the work goes on.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """See `rich.console.Console.print`.

        Raises:
            Stopped: nobody reads stdout any more.
            OSError: stdout cannot be written.
        """
        with suppress(OSError) if self.stderr else _stdout():
            super().print(*objects, **options)

    def on_broken_pipe(self) -> None:
        """Leave the error as it is: rich would end the process."""
        raise  # noqa: PLE0704  (called where the error is handled)
