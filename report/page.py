# SPDX-License-Identifier: Apache-2.0
"""The report: one HTML file that needs nothing else, not even a network.

Everything that comes from records or tables is escaped, and the page's own policy lets nothing
run but the script it carries. The bytes depend on the cells and tables alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from axhil.hwsim.files import write_atomically
from axhil.hwsim.multipliers import Multiplier
from axhil.study.cells import Cell
from axhil.study.comparisons import Comparison, accurate_multiplier, compare
from axhil.study.errors import StudyError
from axhil.study.paper import TITLES
from axhil.study.records import Record, records_of

from .page_charts import chart_panels, legend, symbols
from .page_findings import caution, finding, plural
from .page_sections import multiplier_section, provenance_section, warning_section
from .page_tables import accuracy_section, difference_section, verdict_table

# What has to be the same for flags to be compared image by image.
_COMMON = (
    "network",
    "weights_sha256",
    "data_sha256",
    "quantisation",
    "layers",
    "threat_model",
    "worst_iterate",
    "gradient",
)


def write_page(
    cells: Sequence[Cell],
    path: Path,
    *,
    tables: Sequence[Multiplier] = (),
    pictures: Mapping[str, bytes] | None = None,
) -> Path:
    """Write the report atomically.

    Args:
        cells: of one network, on the same images.
        path: of the HTML file.
        tables: the multipliers' tables, where they are at hand; those whose hash is not in a
            cell are left out.
        pictures: PNG files by their captions, to stand in the page.

    Returns:
        The path.

    Raises:
        StudyError: see `report_page`.
        HwsimError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, report_page(cells, tables=tables, pictures=pictures).encode())
    return path


def report_page(
    cells: Sequence[Cell],
    *,
    tables: Sequence[Multiplier] = (),
    pictures: Mapping[str, bytes] | None = None,
) -> str:
    """Build the report.

    Args:
        cells: of one network, on the same images.
        tables: see `write_page`.
        pictures: see `write_page`.

    Returns:
        The HTML document.

    Raises:
        StudyError: no cells, cells whose images or networks differ, or two of one curve.
    """
    _check(cells)
    records = records_of(cells)
    used = {(cell.settings.multiplier, cell.settings.lut_sha256) for cell in cells}
    tables = [one for one in tables if (one.name, one.table().sha256) in used]
    labels = list(dict.fromkeys(record.cell.label for record in records))
    reference = accurate_multiplier(records, tables)
    comparisons = [] if reference is None else compare(records, reference)
    figures, panels = chart_panels(records, labels)
    data = {
        "samples": cells[0].settings.images,
        "labels": labels,
        "panels": panels,
    }
    body = "".join(
        (
            symbols(),
            _head(cells, records, comparisons, reference, labels),
            _section("Verdict", "verdict", verdict_table(records, comparisons, reference, tables)),
            _section(
                "Robust accuracy over eps",
                "curves",
                '<p class="note">Percent of images still classified correctly; bands are Wilson '
                '95 % intervals.<span class="script"> Point at a panel, or focus it and use the '
                "arrow keys, to read it; click a multiplier to hide it, double-click to see it "
                f"alone.</span></p>{legend(labels)}"
                f'<div class="panels">{"".join(figures)}</div>',
            ),
            difference_section(comparisons, labels, reference),
            _examples(pictures or {}),
            accuracy_section(records, comparisons, labels),
            warning_section(cells),
            multiplier_section(tables, labels),
            provenance_section(cells),
        )
    )
    return _document(f"axhil: {_title(cells, labels)}", body, data)


def _examples(pictures: Mapping[str, bytes]) -> str:
    figures = "".join(
        f'<figure class="picture"><img alt="{escape(caption)}" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, png in pictures.items()
    )
    return _section("Adversarial examples", "examples", figures) if figures else ""


def _check(cells: Sequence[Cell]) -> None:
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


def _title(cells: Sequence[Cell], labels: Sequence[str]) -> str:
    network = cells[0].settings.network
    return f"{TITLES.get(network, network)} built from {plural(len(labels), 'multiplier')}"


def _head(
    cells: Sequence[Cell],
    records: Sequence[Record],
    comparisons: Sequence[Comparison],
    reference: str | None,
    labels: Sequence[str],
) -> str:
    settings = cells[0].settings
    evaluations = len(records)
    seconds = sum(sum(cell.seconds) for cell in cells)
    warned = sum(1 for cell in cells if cell.warnings)
    facts = [
        f"{plural(settings.images, 'image')} of {settings.data}",
        settings.threat_model,
        plural(evaluations, "evaluation"),
        f"{seconds / evaluations:.2f} s each",
    ]
    if settings.worst_iterate:
        facts.insert(2, "worst iterate")
    if settings.gradient != "float32":
        facts.insert(2, f"gradient {settings.gradient}")
    chips = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    if warned:
        chips += (
            f'<li class="warn"><a href="#warnings">{plural(warned, "cell")} of {len(cells)} '
            "with warnings</a></li>"
        )
    return (
        f'<header><p class="brand">axhil report</p><h1>{escape(_title(cells, labels))}</h1>'
        f'<p class="finding">{escape(finding(comparisons, reference))}</p>'
        f'<p class="caution">{escape(caution(records, comparisons))}</p>'
        f'<ul class="facts">{chips}</ul></header>'
    )


def _section(title: str, name: str, content: str) -> str:
    return f'<section id="{name}"><h2>{title}</h2>{content}</section>'


def _document(title: str, body: str, data: dict[str, object]) -> str:
    folder = files("axhil.report")
    style = folder.joinpath("page.css").read_text(encoding="utf-8")
    script = folder.joinpath("page.js").read_text(encoding="utf-8")
    # The policy names the script by its hash: a script that slipped in through a record is dead.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    # "<" ends a script element wherever it stands, in a string too.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<main>{body}</main>\n"
        '<div id="tip" role="status" aria-live="polite" hidden></div>\n'
        f'<script type="application/json" id="data">{text}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )
