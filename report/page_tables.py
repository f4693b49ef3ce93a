# SPDX-License-Identifier: Apache-2.0
"""The report's tables of results: verdict, paired differences, accuracies."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from axhil.attacks import attack_title
from axhil.hwsim import error_metrics
from axhil.hwsim.multipliers import Multiplier
from axhil.study.comparisons import Comparison
from axhil.study.records import Record
from axhil.study.statistics import Proportion

from .page_charts import swatch
from .page_findings import panel_title, plural, points, smallest_difference, where
from .tables import panels

_DASH = '<td class="none">–</td>'


def sortable(
    headings: Sequence[str],
    rows: Sequence[str],
    *,
    caption: str,
    tall: bool = False,
    name: str = "",
) -> str:
    """Return a table whose headings are buttons that sort it.

    Args:
        headings: plain text.
        rows: HTML of each row's cells; ``data-v`` overrides what a cell is sorted by.
        caption: for screen readers.
        tall: scroll inside a box of limited height.
        name: id of the table.
    """
    head = "".join(
        f'<th scope="col" aria-sort="none"><button type="button">{escape(heading)}</button></th>'
        for heading in headings
    )
    return (
        f'<div class="scroll{" tall" if tall else ""}" tabindex="0" role="region" '
        f'aria-label="{escape(caption)}"><table class="sortable"{f" id={name}" if name else ""}>'
        f'<caption class="hidden">{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(f'<tr>{row}</tr>' for row in rows)}</tbody></table></div>"
    )


def name_cell(label: str, number: int, detail: str = "") -> str:
    """Row heading of a multiplier: its looks, label and, in small, its name."""
    small = f" <small>{escape(detail)}</small>" if detail and detail != label else ""
    return (
        f'<th scope="row" data-v="{escape(label)}"><span class="name">{swatch(number)}'
        f"{escape(label)}{small}</span></th>"
    )


def number_cell(value: str, *, kind: str = "", small: str = "", sort: float | None = None) -> str:
    """Cell of a number; `kind` is its class, `small` stands below, `sort` is its sorting key."""
    classes = f' class="{kind}"' if kind else ""
    key = "" if sort is None else f' data-v="{sort:.6g}"'
    return f"<td{classes}{key}>{value}{f'<small>{small}</small>' if small else ''}</td>"


def _accuracy(share: Proportion, kind: str = "") -> str:
    return number_cell(
        f"{100 * share.value:.1f}",
        small=f"{100 * share.low:.1f}–{100 * share.high:.1f}",
        kind=kind,
        sort=share.value,
    )


def verdict_table(
    records: Sequence[Record],
    comparisons: Sequence[Comparison],
    reference: str | None,
    tables: Sequence[Multiplier],
) -> str:
    """One row per multiplier: its error, clean accuracy, and what survives under attack."""
    labels = list(dict.fromkeys(r.cell.label for r in records))
    errors = {one.label: error_metrics(one.table()).mre for one in tables}
    rows = []
    for number, label in enumerate(labels):
        own = [r for r in records if r.cell.label == label]
        cells = [name_cell(label, number, own[0].cell.settings.multiplier)]
        cells.append(number_cell(f"{100 * errors[label]:.2f}") if label in errors else _DASH)
        clean = next((r for r in own if r.eps == 0), None)
        cells.append(_DASH if clean is None else _accuracy(clean.accuracy))
        attacked = [r.accuracy.value for r in own if r.eps > 0]
        mean = sum(attacked) / len(attacked) if attacked else None
        cells.append(_DASH if mean is None else number_cell(f"{100 * mean:.1f}"))
        compared = [c for c in comparisons if c.record.cell.label == label]
        if compared:
            cells += _verdict(compared)
        else:
            cells += ['<td class="none">reference</td>' if label == reference else _DASH] * 5
        rows.append("".join(cells))
    headings = (
        "multiplier",
        "MRE %",
        "clean %",
        "mean under attack %",
        "clean vs accurate",
        "more right",
        "fewer right",
        "largest gain",
        "largest loss",
    )
    note = (
        '<p class="note">Mean under attack: over all attack settings of this grid, unweighted. '
        "More and fewer right: attack settings (attack, norm and eps) at which the difference from "
        "the accurate multiplier on the same images survives the correction. Largest gain and loss "
        "in points, significant ones in bold; intervals are Wilson 95 %.</p>"
    )
    return sortable(headings, rows, caption="One row per multiplier") + note


def _verdict(compared: Sequence[Comparison]) -> list[str]:
    """Cells of a multiplier's row that compare it with the accurate one."""
    attacked = [c for c in compared if not c.clean]
    clean = next((c for c in compared if c.clean), None)
    cells = [_DASH]
    if clean is not None:
        kind = _kind(clean)
        small = f"p {clean.adjusted:.2g}"
        value = clean.difference.value
        cells = [number_cell(points(value), kind=kind, small=small, sort=value)]
    for sign, kind in ((1, "better"), (-1, "worse")):
        count = sum(1 for c in attacked if c.survives and sign * c.difference.value > 0)
        cells.append(
            number_cell(f"{count} of {len(attacked)}", kind=kind if count else "", sort=count)
        )
    for sign in (1, -1):
        top = max(attacked, key=lambda c: sign * c.difference.value, default=None)
        if top is None or sign * top.difference.value <= 0:
            cells.append(_DASH)
        else:
            cells.append(
                number_cell(
                    points(top.difference.value),
                    kind=_kind(top),
                    small=escape(where(top.record)),
                    sort=top.difference.value,
                )
            )
    return cells


def _kind(comparison: Comparison | None) -> str:
    if comparison is None or not comparison.survives:
        return ""
    return "better" if comparison.difference.value > 0 else "worse"


def difference_section(
    comparisons: Sequence[Comparison], labels: Sequence[str], reference: str | None
) -> str:
    """Every paired difference, the family's corrected p-values, and what could have shown."""
    if not comparisons:
        return ""
    samples = comparisons[0].difference.samples
    surviving = sum(1 for c in comparisons if c.survives)
    rows = []
    for c in sorted(comparisons, key=lambda c: (c.adjusted, c.difference.p_value)):
        label, difference = c.record.cell.label, c.difference
        panel = "clean" if c.clean else panel_title(c.record)
        rows.append(
            name_cell(label, labels.index(label))
            + f"<td>{escape(panel)}</td>"
            + number_cell(f"{c.record.eps:g}")
            + number_cell(points(difference.value), kind=_kind(c))
            + number_cell(f"{difference.gained}")
            + number_cell(f"{difference.lost}")
            + number_cell(f"{difference.p_value:.2g}")
            + number_cell(f"{c.adjusted:.2g}")
            + f'<td class="{"yes" if c.survives else "no"}">{"yes" if c.survives else "no"}</td>'
        )
    headings = (
        "multiplier",
        "attack",
        "eps",
        "points",
        "gained",
        "lost",
        "p exact",
        "p Holm",
        "survives 5 %",
    )
    choices = "".join(f"<option>{escape(label)}</option>" for label in labels if label != reference)
    return (
        '<section id="differences"><h2>Paired differences from the accurate multiplier</h2>'
        f"<p>{surviving:,} of {plural(len(comparisons), 'comparison')} survive at 5 %. Gained: "
        f"images that only the approximate network gets right; lost: only the accurate one "
        f"({escape(str(reference))}). Exact two-sided McNemar test, Holm's correction over all "
        f"{len(comparisons):,}; eps 0 counts once per multiplier.</p>"
        '<p class="controls script"><label><input type="checkbox" id="surviving"> only those that '
        'survive</label> <label>multiplier <select id="which"><option value="">all</option>'
        f'{choices}</select></label> <span id="shown" role="status"></span></p>'
        + sortable(headings, rows, caption="Paired differences", tall=True, name="comparisons")
        + '<p class="printed">Printed: the first 40 rows of the order shown.</p>'
        + "<h3>The smallest difference that this sample could have shown</h3>"
        + f"<p>{escape(smallest_difference(samples, len(comparisons)))}</p></section>"
    )


def accuracy_section(
    records: Sequence[Record], comparisons: Sequence[Comparison], labels: Sequence[str]
) -> str:
    """A table per attack and norm: multipliers down, budgets across."""
    found = {(id(c.record)): c for c in comparisons}
    parts = []
    for attack, norm in panels(records):
        chosen = [
            r for r in records if (r.cell.settings.attack, r.cell.settings.norm) == (attack, norm)
        ]
        budgets = sorted({r.eps for r in chosen})
        rows = []
        for number, label in enumerate(labels):
            at = {r.eps: r for r in chosen if r.cell.label == label}
            if at:
                rows.append(
                    name_cell(label, number)
                    + "".join(
                        _accuracy(at[eps].accuracy, _kind(found.get(id(at[eps]))))
                        if eps in at
                        else _DASH
                        for eps in budgets
                    )
                )
        title = attack_title(attack, norm)
        headings = ["eps", *(f"{eps:g}" for eps in budgets)]
        parts.append(
            f"<h3>{escape(title)}</h3>"
            + sortable(headings, rows, caption=f"{title}: robust accuracy by multiplier and eps")
        )
    return (
        '<section id="accuracies"><h2>Robust accuracy, %</h2><p class="note">Below each: its '
        'Wilson 95 % interval. <span class="better">▲</span> and <span class="worse">▼</span> '
        "mark points whose paired difference from the accurate multiplier survives; eps 0, the "
        f"clean accuracy, is marked in the first table.</p>{''.join(parts)}</section>"
    )
