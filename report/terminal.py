# SPDX-License-Identifier: Apache-2.0
"""Tables and sentences on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column
from rich.table import Table as RichTable
from rich.text import Text, TextType

from .table import Entry, Table, visible


def terminal_table(table: Table) -> Fitted:
    """Lay a table out; nothing in it is taken for markup or obeyed by the terminal.

    An interval is shown by its longer side. Which differences survive is not marked here: it
    would widen every column, and stands in tables of its own.
    """
    title = visible(table.full_title)
    laid_out = RichTable(
        title=Text(title),
        min_width=len(title) + 2,  # else a title wraps above a narrow table
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for number, (heading, align) in enumerate(zip(table.headings, table.align, strict=True)):
        laid_out.add_column(
            Text(visible(heading)),
            style="" if number else "bold",
            justify="right" if align == "r" else "left",
            no_wrap=align == "r",
        )
    for row in table.rows:
        laid_out.add_row(*map(_entry, row))
    if table.total:
        laid_out.add_section()
        laid_out.add_row(*map(_entry, table.total))
    return Fitted(laid_out)


def _entry(entry: Entry) -> Text:
    weight = {"strong": "bold", "faint": "dim"}.get(entry.mark, "")
    text = Text(visible(entry.text), style=weight)
    if entry.interval is not None:
        text.append(f"±{entry.half_width:.0f}", style="dim")
    if entry.detail and entry.detail != entry.text:
        text.append(f"  {visible(entry.detail)}", style="not bold dim")
    return text


class Fitted:
    """A table that loses nothing on a narrow terminal: columns that do not fit go below.

    Where the longest words of all columns do not stand side by side, the table comes in parts,
    each with the first column, which names the rows, in front.

    Args:
        table: as it is laid out where there is room.
    """

    def __init__(self, table: RichTable) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the table, or its parts one below the other."""
        least = [_least(column, console, options) for column in self._table.columns]
        _, right, _, left = self._table.padding
        between = right + left + 1
        room = options.max_width - 1 - between  # an edge at the left, and one behind each column
        if sum(least) + between * (len(least) - 1) <= room:
            yield self._table
            return
        first = min(least[0], room // 2)
        parts: list[dict[int, int]] = []
        spare = 0
        for number, width in enumerate(least[1:], start=1):
            if not parts or width + between > spare:
                parts.append({0: first})
                spare = room - first
            parts[-1][number] = max(1, min(width, spare - between))
            spare -= parts[-1][number] + between
        for part in parts:
            yield self._part(part, title=self._table.title if part is parts[0] else None)

    def _part(self, widths: Mapping[int, int], *, title: TextType | None) -> RichTable:
        part = copy(self._table)
        part.columns, part.rows, part.min_width, part.title = [], [], None, title
        for number, width in widths.items():
            column = self._table.columns[number]
            part.add_column(
                column.header,
                header_style=column.header_style,
                style=column.style,
                justify=column.justify,
                overflow="fold",
                width=width,
            )
        cells = zip(*(self._table.columns[number].cells for number in widths), strict=True)
        for row, values in zip(self._table.rows, cells, strict=True):
            part.add_row(*values, style=row.style, end_section=row.end_section)
        return part


def _least(column: Column, console: Console, options: ConsoleOptions) -> int:
    """Width of a column's longest word, or of its longest line where it may not wrap."""
    wide = options.update(width=10**6)
    sizes = [Measurement.get(console, wide, cell) for cell in (column.header, *column.cells)]
    return max(size.maximum if column.no_wrap else size.minimum for size in sizes)
