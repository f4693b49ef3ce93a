# SPDX-License-Identifier: Apache-2.0
"""A table as a value: what it says, and nothing of how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # tables alone need neither scipy nor torch
    from axhil.study.statistics import Proportion

Mark = Literal["", "gain", "loss", "strong", "faint"]
"""Gain and loss: a difference that survives the correction. Strong and faint: of weight alone."""


@dataclass(frozen=True)
class Entry:
    """What stands in one place of a table.

    >>> Entry("98.4", value=98.4, interval=(95.2, 99.6)).half_width
    3.2

    Attributes:
        text: as shown, without any markup.
        value: the number that it is, to sort by; None for words.
        interval: of the value, in its unit.
        detail: in small beside or below the text; Markdown leaves it out.
        mark: what a reader should notice, with or without colours.
        code: whether to set it in a fixed pitch, as it would be typed.
    """

    text: str
    value: float | None = None
    interval: tuple[float, float] | None = None
    detail: str = ""
    mark: Mark = ""
    code: bool = False

    @property
    def half_width(self) -> float:
        """The longer side of the interval, 0 where there is none."""
        if self.interval is None or self.value is None:
            return 0.0
        return round(max(self.value - self.interval[0], self.interval[1] - self.value), 9)


NONE = Entry("–", mark="faint")
"""There is no such number."""


@dataclass(frozen=True)
class Table:
    """Rows under headings.

    Attributes:
        title: what it is about.
        headings: one per column.
        rows: of entries, each as long as the headings; the first of each names its row.
        subject: what its numbers are, where the title does not say it.
        align: a letter per column, l or r; empty: the first left, the others right.
        total: a last row, set apart; empty for none.
        multipliers: whether each row is of a multiplier, named by its label.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    subject: str = ""
    align: str = ""
    total: tuple[Entry, ...] = ()
    multipliers: bool = False

    def __post_init__(self) -> None:
        columns = len(self.headings)
        object.__setattr__(self, "align", self.align or "l" + "r" * (columns - 1))
        for row in (self.align, *self.rows, *([self.total] if self.total else [])):
            if len(row) != columns:
                raise ValueError(f"{self.title}: expected {columns} columns, got {len(row)}")

    def beside(self, headings: Sequence[str], columns: Sequence[Sequence[Entry]]) -> Table:
        """The same table with more columns at its right.

        Args:
            headings: of them.
            columns: entries for each row, as many as headings.
        """
        return replace(
            self,
            headings=(*self.headings, *headings),
            rows=tuple((*row, *more) for row, more in zip(self.rows, columns, strict=True)),
            align=self.align + "r" * len(headings),
        )

    @property
    def full_title(self) -> str:
        """Title and subject."""
        return ": ".join(filter(None, (self.title, self.subject)))


def rows_of(rows: Sequence[Sequence[Entry | str]]) -> tuple[tuple[Entry, ...], ...]:
    """Rows of a table; plain words become entries."""
    return tuple(
        tuple(Entry(entry) if isinstance(entry, str) else entry for entry in row) for row in rows
    )


def number(value: float, form: str = "", *, mark: Mark = "", detail: str = "") -> Entry:
    """A number as `form` formats it."""
    return Entry(f"{value:{form}}", value=value, mark=mark, detail=detail)


def percent(share: Proportion, *, digits: int = 1, mark: Mark = "") -> Entry:
    """A share of images in percent, with its interval."""
    value = 100 * share.value
    interval = (100 * share.low, 100 * share.high)
    return Entry(f"{value:.{digits}f}", value=value, interval=interval, mark=mark)


def visible(text: str) -> str:
    r"""Text with what a terminal would obey, or nobody would see, written out.

    >>> print(visible("\x1b[31mred"))
    \x1b[31mred
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape").decode()
        for sign in text
    )
