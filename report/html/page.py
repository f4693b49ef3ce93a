# SPDX-License-Identifier: Apache-2.0
"""The report: one HTML file that needs nothing else and works offline.

Everything that comes from records or tables is escaped, and the page's own policy lets nothing
run but the script it carries. The bytes depend on the results alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from axhil.errors import DOCS
from axhil.hwsim.files import write_atomically
from axhil.search.front import Found
from axhil.study.errors import StudyError
from axhil.study.results import Results
from axhil.study.verdicts import RULE

from .. import accuracy, cost, differences, findings, measurements, provenance, robustness
from ..claims import claims_table
from ..figures.errors import tables_figure
from ..figures.saving import small_png
from ..fronts import fronts
from ..search import tables as search_tables
from ..search.fronts import front_rows
from ..selection import MOST_ROWS, selection, shown
from ..table import visible
from ..titles import network_title, plural
from .charts import HEIGHT, WIDTH, charts, css_class, front_charts, symbols

_TEMPLATES = Path(__file__).parent / "templates"
# What has to be the same for flags to be compared image by image.
_COMMON = (
    "weights_sha256",
    "data_sha256",
    "quantisation",
    "layers",
    "worst_iterate",
    "gradient",
)


def write_page(
    results: Results, path: Path, *, pictures: Mapping[str, bytes] | None = None
) -> Path:
    """Write the report atomically.

    Args:
        results: with at least one finished cell, all on the same images.
        path: of the HTML file.
        pictures: PNG files by their captions, to stand in the page.

    Returns:
        The path.

    Raises:
        StudyError: see `report_page`.
        HwsimError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, report_page(results, pictures=pictures).encode())
    return path


def report_page(
    results: Results,
    *,
    pictures: Mapping[str, bytes] | None = None,
    records: str = "records.csv",
) -> str:
    """Build the report.

    Args:
        results: see `write_page`.
        pictures: see `write_page`.
        records: the file beside the page that has every record, to link where it is too much.

    Returns:
        The HTML document.

    Raises:
        StudyError: no cells, cells whose images or networks differ, or two of one curve.
    """
    _check(results)
    part = shown(results)
    panels = charts(part.records, part.labels)
    compared = differences.all_differences(results, most=MOST_ROWS)
    script = _asset("page.js")
    # The policy names the script by its hash: a script that slipped in through a record is dead.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _environment().get_template("page.html.j2").render(
        policy=(
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
            f"script-src 'sha256-{digest}'"
        ),
        style=_asset("page.css"),
        script=script,
        data={
            "samples": results.images,
            "labels": part.labels,
            "panels": [{"title": panel.title, "curves": panel.curves} for panel in panels],
        },
        symbols=symbols(),
        looks={label: number for number, label in enumerate(part.labels)},
        plural=plural,
        width=WIDTH,
        height=HEIGHT,
        results=results,
        part=part,
        selection=selection(part),
        records=records,
        compared=compared,
        compared_labels=sorted(
            {row[0].text for row in compared.rows}, key=results.labels.index
        ),
        title=f"{network_title(results.network)} built from "
        f"{plural(len(results.labels), 'multiplier')}",
        facts=_facts(results),
        charts=panels,
        fronts=front_charts(fronts(results, part.labels)),
        claims=claims_table([results]),
        pictures={caption: _inline(png) for caption, png in (pictures or {}).items()},
        error_map=_inline(small_png(tables_figure(part.tables))) if part.tables else "",
        # The template takes its tables and sentences from where they are made.
        accuracy=accuracy,
        cost=cost,
        differences=differences,
        findings=findings,
        measurements=measurements,
        provenance=provenance,
        robustness=robustness,
        rule=RULE,
    )  # fmt: skip


def search_page(found: Found) -> str:
    """Build the page of a search's front: pointing at a point shows its assignment."""
    rows = front_rows(found)
    legend = {
        one.group: one.look
        for fronts in rows
        for front in fronts
        for one in front.choices
        if one.look is not None
    }
    return _environment().get_template("search.html.j2").render(
        style=_asset("page.css"),
        symbols=symbols(),
        looks={point.label: int(not point.uniform) for point in found.points},
        legend=legend,
        width=WIDTH,
        height=HEIGHT,
        found=found,
        title=found.title,
        charts=front_charts(rows),
        tables=search_tables,
    )  # fmt: skip


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    environment.filters["css_class"] = css_class
    environment.globals["docs"] = DOCS
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    return environment


def _asset(name: str) -> str:
    """A file of ours beside the templates, to stand in the page as it is."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _inline(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _check(results: Results) -> None:
    cells = results.cells
    if not cells:
        raise StudyError("expected at least one finished cell to report on, got none")
    for key in _COMMON:
        values = {json.dumps(getattr(cell.settings, key), sort_keys=True) for cell in cells}
        if len(values) > 1:
            raise StudyError(
                f"expected cells of one network on the same images, got {len(values)} values of "
                f"{key} ({', '.join(sorted(values))[:120]}): report on each alone"
            )
    seen = set()
    for cell in cells:
        curve = (cell.label, cell.settings.attack, cell.settings.norm)
        if curve in seen:
            raise StudyError(
                f"expected one cell per multiplier, attack and norm, got two of "
                f"{', '.join(curve)}: report on each alone"
            )
        seen.add(curve)


def _facts(results: Results) -> list[str]:
    """What stands at the top of the page, in a few words each."""
    return [
        f"{plural(results.images, 'image')} of {results.cells[0].settings.data}",
        results.threat_model,
        *([f"gradient {results.gradient}"] if results.gradient != "float32" else []),
        *(["worst iterate"] if results.worst_iterate else []),
        plural(results.evaluations, "evaluation"),
        f"{results.seconds_per_evaluation:.2f} s each",
    ]
