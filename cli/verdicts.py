# SPDX-License-Identifier: Apache-2.0
"""What a command leaves for a CI server: a JUnit file of its verdicts, a waveform of a mismatch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from axhil.errors import AxhilError
from axhil.hwsim.files import write_atomically
from axhil.report.junit import Case, Outcome, junit_xml
from axhil.study.errors import StudyError

from .output import results_folder, slug

JUnit = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Also write a JUnit XML file.")
]
Wave = Annotated[
    Path | None,
    typer.Option(
        "--wave", metavar="FILE", help="Where products differ, write a VCD of the first mismatch."
    ),
]


@dataclass
class Verdicts:
    """The cases of one command, in the order in which they were judged."""

    cases: list[Case] = field(default_factory=list)

    def add(
        self,
        name: str,
        outcome: Outcome,
        message: str = "",
        detail: str = "",
        *,
        seconds: float | None = None,
    ) -> None:
        """Adds a case; see `Case`."""
        self.cases.append(Case(name, outcome, message, detail, seconds))


@contextmanager
def verdicts(path: Path | None, *, command: str) -> Iterator[Verdicts]:
    """What a command finds, written at its end, also where a mistake in the input is its end.

    Args:
        path: of the JUnit file; None for none.
        command: name of the command.

    Yields:
        Where the cases go. One more says why the command ended before its end.
    """
    found, began = Verdicts(), time.monotonic()
    with nullcontext() if path is None else results_folder(path.parent):
        try:
            yield found
        except AxhilError as error:
            found.add(command, "error", str(error))
            _write(path, command, found, began)
            raise
        _write(path, command, found, began)


def _write(path: Path | None, command: str, found: Verdicts, began: float) -> None:
    if path is not None:
        seconds = time.monotonic() - began
        write_atomically(path, junit_xml(f"axhil.{command}", found.cases, seconds=seconds))


def require_suffix(option: str, path: Path | None, suffix: str) -> None:
    """Refuses a file of another name.

    Raises:
        StudyError: it does not end so.
    """
    if path is not None and path.suffix.lower() != suffix:
        raise StudyError(f"{option}: expected a file that ends in {suffix}, got {path}")


def one_of(path: Path, name: str) -> Path:
    """The file of one of several multipliers; `name` is empty where there is but one."""
    return path.with_name(f"{path.stem}_{slug(name)}{path.suffix}") if name else path
