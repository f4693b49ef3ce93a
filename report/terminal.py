# SPDX-License-Identifier: Apache-2.0
"""Tables and sentences on a terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table as RichTable
from rich.text import Text

from .table import Entry, Table, visible


def terminal_table(table: Table) -> RichTable:
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
    return laid_out


def _entry(entry: Entry) -> Text:
    weight = {"strong": "bold", "faint": "dim"}.get(entry.mark, "")
    text = Text(visible(entry.text), style=weight)
    if entry.interval is not None:
        text.append(f"±{entry.half_width:.0f}", style="dim")
    if entry.detail and entry.detail != entry.text:
        text.append(f"  {visible(entry.detail)}", style="not bold dim")
    return text
