# SPDX-License-Identifier: Apache-2.0
"""The folder that results go to, and the names of files in it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

_SCRATCH = 1 << 20  # bytes that a small simulation or a compiler needs

Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where results go.")]
OutFile = Annotated[
    Path | None, typer.Option("--out-file", metavar="FILE", help="Also write the result here.")
]


_LONGEST = 100  # characters of a part of a file's name, which has 255 bytes in all


def slug(text: str) -> str:
    """A multiplier's name as that of a file: `drum_4`, `mul_K_3`."""
    return re.sub(r"[^A-Za-z0-9]+", "_", Path(text).name).strip("_")[:_LONGEST] or "table"


def part(text: str) -> str:
    """A network or a data set in a file's name: `torchvision_resnet18`, `mnist_test`."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", text)[:_LONGEST]


def ready_folder(folder: Path) -> Path:
    """Make the folder, and find out before the work whether its results can be written.

    Returns:
        The folder.

    Raises:
        OSError: it is a file, read-only, or on a full disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _probe(folder, size=8)
    except OSError as error:
        error.filename = str(folder)  # not the probe's
        raise
    return folder


def temporary_trouble() -> str:
    """What is wrong with the folder of temporary files and what to do, or "".

    Simulators and compilers work there. Where its disk is full they say many things, but seldom
    that.
    """
    try:
        place = tempfile.gettempdir()
        _probe(Path(place), size=_SCRATCH)
    except FileNotFoundError:
        return "there is no folder for temporary files: set TMPDIR to one that can be written"
    except OSError as error:
        reason = error.strerror
        return f"temporary files cannot be written in {place}, {reason}: make room or set TMPDIR"
    return ""


def _probe(folder: Path, *, size: int) -> None:
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(bytes(size))


@contextmanager
def results_folder(folder: Path) -> Iterator[None]:
    """A folder that is ready for results, and gone again if it was new and none came.

    Raises:
        OSError: as `ready_folder`.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        ready_folder(folder)
        yield
    except BaseException:
        for path in new:  # the deepest first
            with suppress(OSError):  # not made, or no longer empty
                path.rmdir()
        raise
