# SPDX-License-Identifier: Apache-2.0
"""A study's report as files: Markdown, CSV, figures and HTML pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from axhil.hwsim.files import write_atomically
from axhil.hwsim.multipliers import Multiplier
from axhil.study.errors import StudyError
from axhil.study.results import Results
from axhil.study.storage.records import write_records

from .figures.curves import robustness_figure
from .figures.errors import tables_figure
from .figures.pareto import pareto_figure
from .figures.saving import save_figure
from .fronts import FRONT_NOTE, fronts
from .html.page import write_page
from .markdown import report_markdown
from .selection import shown
from .titles import plural


@dataclass(frozen=True)
class Picture:
    """A figure made elsewhere that is to stand in the report.

    Attributes:
        stem: of its two files, PNG and SVG.
        caption: below it.
        figure: itself.
        network: whose page it belongs on; empty: on none.
    """

    stem: str
    caption: str
    figure: Figure
    network: str = ""


def write_report(
    results: Sequence[Results], folder: Path, *, title: str, pictures: Sequence[Picture] = ()
) -> list[Path]:
    """Write a study's report; every file atomically, its bytes depending on the data alone.

    There is `report.md` and `records.csv` of all results; per network and threat model a figure
    `robustness` (PNG, SVG), one `pareto` where costs are known, and a page `report.html`, which
    carry network and threat model in their names where there are several; `tables` (PNG, SVG) with
    the errors of the multipliers whose tables are at hand; and the pictures given.

    Args:
        results: one per network and threat model, finished or not.
        folder: need not exist.
        title: heading of the report.
        pictures: others to stand in it.

    Returns:
        The paths, the HTML pages last.

    Raises:
        StudyError: no finished cell at all, or results or pictures that share a file name.
        HwsimError: a file cannot be written.
    """
    some = [one for one in results if one.cells]
    parts = [shown(one) for one in some]
    if not some:
        raise StudyError("expected at least one finished cell to report on, got none")
    alone = len(results) == 1
    suffixes = ["" if alone else f"_{one.stem}" for one in some]
    tables = _tables(parts)
    # A case-blind file system takes names that differ in case alone for one.
    names = [f"{stem}{suffix}" for suffix in suffixes for stem in ("robustness", "pareto")]
    names += [one.stem for one in pictures]
    names += ["tables"] if tables else []
    twice = [name for name in names if [n.lower() for n in names].count(name.lower()) > 1]
    if twice:
        raise StudyError(f"expected figures of different names, got {twice[0]} twice")
    figures = [
        Picture(
            f"robustness{suffix}",
            f"{one.title}: robust accuracy over eps, {plural(one.images, 'image')}; bands are "
            "Wilson 95 % intervals",
            robustness_figure(part.records, title=f"{one.title}, {plural(one.images, 'image')}"),
        )
        for one, part, suffix in zip(some, parts, suffixes, strict=True)
    ]
    for result, part, suffix in zip(some, parts, suffixes, strict=True):
        if (rows := fronts(result, part.labels)) and result.costs is not None:
            target = result.costs.target
            heading = f"{result.title}, {plural(result.images, 'image')}; {target}"
            caption = f"{result.title}: accuracy and error over cost in {target}{FRONT_NOTE}"
            figure = pareto_figure(rows, title=heading)
            figures.append(Picture(f"pareto{suffix}", caption, figure))
    figures += pictures
    if tables:
        figures.append(
            Picture("tables", "Error of every product of the multipliers", tables_figure(tables))
        )
    captions = [one.caption for one in figures]
    if len(set(captions)) < len(captions):
        raise StudyError("expected figures of different captions, got one twice")
    paths = [write_records([cell for one in some for cell in one.costed], folder / "records.csv")]
    for one in figures:
        paths += save_figure(one.figure, folder / one.stem)
    text = report_markdown(
        results, title=title, pictures={one.caption: f"{one.stem}.png" for one in figures}
    )
    write_atomically(folder / "report.md", text.encode())
    paths.append(folder / "report.md")
    return paths + [
        write_page(
            one,
            folder / f"report{suffix}.html",
            pictures={
                picture.caption: (folder / f"{picture.stem}.png").read_bytes()
                for picture in pictures
                if picture.network == one.network
            },
        )
        for one, suffix in zip(some, suffixes, strict=True)
    ]


def _tables(some: Sequence[Results]) -> list[Multiplier]:
    """Every table once, by label; another table under a label already taken is left out."""
    found: dict[str, Multiplier] = {}
    for one in some:
        for table in one.tables:
            found.setdefault(table.label, table)
    return list(found.values())
