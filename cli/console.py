# SPDX-License-Identifier: Apache-2.0
"""Results go to stdout, progress and notices to stderr."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.text import Text

from axhil.report.table import visible

from .streams import StreamConsole, open_closed, write

# Tables are laid out for this many columns where there is no terminal to ask.
_PIPE_WIDTH = 120
# How often progress is told where there is no terminal to redraw.
_LOG_SECONDS = 15


def _width(stream_is_terminal: bool) -> int | None:
    return None if stream_is_terminal else max(_PIPE_WIDTH, shutil.get_terminal_size().columns)


class _Shown:
    """Something to print, with what a terminal would obey written out."""

    def __init__(self, what: RenderableType) -> None:
        self._what = what

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self._what, options):
            text, style, control = segment
            yield segment if control else Segment(visible(text), style)


class _Gate(RenderHook):
    """Of a console: whatever a file or a record is called, it moves no cursor."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Shown(one) for one in renderables]


open_closed()
out = StreamConsole(width=_width(sys.stdout.isatty()), highlight=False)
err = StreamConsole(stderr=True, width=_width(sys.stderr.isatty()), highlight=False)
for _console in (out, err):
    _console.push_render_hook(_Gate())


def _alone(as_json: bool) -> bool:
    out.quiet = as_json
    return as_json


Json = Annotated[
    bool,
    typer.Option(
        "--json", callback=_alone, help="One JSON object on stdout, and nothing else there."
    ),
]
"""Of every command that prints a result: what it prints to `out` is dropped for what it emits."""


def emit(body: Mapping[str, Any]) -> None:
    """Write a command's result as JSON."""
    write(json.dumps(body, indent=2, default=str) + "\n")


class _RateColumn(ProgressColumn):
    """Units a second, over the last seconds."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """Show the speed, or nothing before there is one."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} {self._unit}/s", style="cyan")


@contextmanager
def progress(description: str, *, total: int, unit: str) -> Iterator[Callable[[int, str], None]]:
    """Show a bar with rate and time left on stderr.

    Args:
        description: what is being done.
        total: units in all.
        unit: what is counted, for the rate.

    Yields:
        A function of (units done so far, description of the moment).
    """
    if not err.is_terminal:
        yield _lines(description, total=total, unit=unit)
        return
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        _RateColumn(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    )
    with bar:
        task = bar.add_task(description, total=total)
        yield lambda done, now: bar.update(task, completed=done, description=visible(now))


def _lines(description: str, *, total: int, unit: str) -> Callable[[int, str], None]:
    """Progress for a log file: a line every `_LOG_SECONDS`."""
    began = last = time.monotonic()

    def tell(done: int, now: str) -> None:
        nonlocal last
        moment = time.monotonic()
        if moment - last < _LOG_SECONDS or done == 0:
            return
        last = moment
        rate = done / (moment - began)
        err.print(
            f"{description} {100 * done / total:3.0f} %  {done:,}/{total:,} {unit}  "
            f"{rate:,.0f} {unit}/s  about {(total - done) / rate:,.0f} s left  ({now})",
            markup=False,
        )

    return tell


def notice(text: str) -> None:
    """Say something that is not a result."""
    style = "bold yellow" if text.startswith("warning: ") else "dim"
    err.print(text, style=style, soft_wrap=True, markup=False)
