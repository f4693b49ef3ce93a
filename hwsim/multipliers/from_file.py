# SPDX-License-Identifier: Apache-2.0
"""A multiplier of which there is a table: in a file of any format, or in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from ..formats import NPZ, read_table
from ..lut import Lut
from ..operands import Asked, Operands, UnknownOperandsError
from .multiplier import KeptTable, Progress

_T = TypeVar("_T")


@dataclass(frozen=True)
class FromFile(KeptTable):
    """A table in a file: axhil's own or another tool's.

    Attributes:
        path: the file.
        form: its format; None goes by suffix and content.
        requested: what the user or the context says of its operands.
    """

    path: Path
    form: str | None = None
    requested: Asked = field(default_factory=Asked)

    @property
    def name(self) -> str:
        """The file's name; axhil's own tables go by their stem."""
        return self.path.stem if self.path.suffix.lower() == f".{NPZ}" else self.path.name

    @property
    def label(self) -> str:
        """The file's stem."""
        return self.path.stem

    @property
    def operands(self) -> Operands:
        """Of the table."""
        return self.table().operands

    def circuit(self) -> None:
        """There is none."""

    def _make(self, _jobs: int | None, _progress: Progress | None) -> tuple[Lut, tuple[str, ...]]:
        return with_default(
            lambda asked: read_table(self.path, form=self.form, asked=asked),
            self.requested,
            name=self.name,
        )


@dataclass(frozen=True)
class Tabulated:
    """A table in memory.

    Attributes:
        name: what to call it.
        label: for figures.
        lut: the table.
        notes: on where it comes from.
    """

    name: str
    label: str
    lut: Lut
    notes: tuple[str, ...] = ()

    @property
    def operands(self) -> Operands:
        """Of the table."""
        return self.lut.operands

    def table(self, *, jobs: int | None = None, progress: Progress | None = None) -> Lut:
        """The table."""
        return self.lut

    def circuit(self) -> None:
        """There is none."""


def with_default(
    read: Callable[[Asked], _T], requested: Asked, *, name: str
) -> tuple[_T, tuple[str, ...]]:
    """Reads a table, and says where nothing but the default told what its operands are.

    Args:
        read: from what is known of the operands to the table.
        requested: with the default.
        name: for the note.

    Raises:
        UnknownOperandsError: there is no default either.
    """
    try:
        return read(replace(requested, default=None)), ()
    except UnknownOperandsError:
        if requested.default is None:
            raise
    note = f"{name}: taken as of {requested.default}, since it does not say what it is of"
    return read(requested), (note,)
