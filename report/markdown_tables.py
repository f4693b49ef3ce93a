# SPDX-License-Identifier: Apache-2.0
"""The tables of the Markdown report."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from axhil.attacks import attack_title
from axhil.study import paper
from axhil.study.comparisons import Comparison
from axhil.study.results import Results

from .page_findings import panel_title, points
from .page_sections import command
from .tables import panels

_MOST_BUDGETS = 12
_NONE = "–"


def plain(text: str) -> str:
    """Escape text so that Markdown shows it as it is, on one line."""
    one_line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", one_line)


def code(text: str) -> str:
    """Text as code, in a table too."""
    one_line = " ".join(text.split()).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", one_line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{one_line}{pad}{fence}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """Return a table of finished Markdown; the first `left` columns align left, others right."""
    align = ["---"] * left + ["---:"] * (len(headings) - left)
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, align, *rows))


def spread(budgets: Sequence[float], norm: str, *, most: int = _MOST_BUDGETS) -> list[float]:
    """Some of many budgets: the ends, and those between spread as the figures' axes are.

    Args:
        budgets: ascending.
        norm: L-inf grows as a square root, because curves fall where budgets are small.
        most: how many at most.
    """
    if len(budgets) <= most:
        return list(budgets)
    low, high = (math.sqrt(e) if norm == "linf" else e for e in (budgets[0], budgets[-1]))
    near = set()
    for number in range(most):
        part = low + (high - low) * number / (most - 1)
        wanted = part * part if norm == "linf" else part
        near.add(min(budgets, key=lambda eps: abs(eps - wanted)))
    return sorted(near)


def clean_table(shown: Sequence[Results]) -> str:
    """Clean accuracy of every network, with its interval, beside Table III."""
    labels = list(dict.fromkeys(label for one in shown for label in one.labels))
    headings = ["multiplier"]
    for one in shown:
        headings += [f"{plain(paper.TITLES.get(one.network, one.network))}, %", "95 % interval"]
        headings += ["paper"] if one.network in paper.CLEAN_ACCURACY else []
    rows = []
    for label in labels:
        row = [plain(label)]
        for one in shown:
            record = one.clean.get(label)
            if record is None:
                row += [_NONE, _NONE]
            else:
                share = record.accuracy
                row += [
                    f"{100 * share.value:.2f}",
                    f"{100 * share.low:.2f} to {100 * share.high:.2f}",
                ]
            if one.network in paper.CLEAN_ACCURACY:
                published = paper.CLEAN_ACCURACY[one.network].get(label)
                row.append(_NONE if published is None else f"{published:.2f}")
        rows.append(row)
    return table(headings, rows)


def timing_table(some: Sequence[Results]) -> str:
    """What an evaluation cost, beside Table IV."""
    headings = (
        "results", "device", "threads", "images", "evaluations", "s each", "hours in all",
        "paper: images", "paper: s each", "paper: hours", "paper / here, per image",
    )  # fmt: skip
    rows = []
    for one in some:
        each = one.seconds_per_evaluation
        assert each is not None, "results without a cell have no timing"
        row = [
            plain(one.title),
            plain(_distinct(c.environment.get("device", "?") for c in one.cells)),
            plain(_distinct(c.environment.get("threads", "?") for c in one.cells)),
            f"{one.images:,}",
            f"{one.evaluations:,}",
            f"{each:.3g}",
            f"{one.seconds / 3600:.3g}",
        ]
        if one.network in paper.SECONDS_PER_EVALUATION:
            seconds, images = paper.SECONDS_PER_EVALUATION[one.network], paper.IMAGES[one.network]
            ratio = seconds / images / (each / one.images) if each else None
            row += [f"{images}", f"{seconds:g}", f"{paper.HOURS[one.network]:g}"]
            row.append(_NONE if ratio is None else f"{ratio:.3g} x")
        else:
            row += [_NONE] * 4
        rows.append(row)
    return table(headings, rows, left=2)


def accuracy_tables(one: Results, *, records: str = "records.csv") -> list[str]:
    """Per attack and norm: a heading, and a table with multipliers down and budgets across.

    Args:
        one: the results.
        records: the file that has every budget, where a table shows some of many.
    """
    found = {(id(c.record)): c for c in one.comparisons}
    parts = []
    for attack, norm in panels(one.records):
        chosen = [
            r
            for r in one.records
            if (r.cell.settings.attack, r.cell.settings.norm) == (attack, norm)
        ]
        budgets = sorted({r.eps for r in chosen})
        shown = spread(budgets, norm)
        rows = []
        for label in dict.fromkeys(r.cell.label for r in chosen):
            at = {r.eps: r for r in chosen if r.cell.label == label}
            rows.append(
                [
                    plain(label),
                    *(
                        f"{100 * at[eps].accuracy.value:.1f}{_mark(found.get(id(at[eps])))}"
                        if eps in at
                        else _NONE
                        for eps in shown
                    ),
                ]
            )
        title = attack_title(attack, norm)
        headings = ["eps", *(f"{eps:.4g}" for eps in shown)]
        parts += [f"### {plain(title)}: {plain(one.title)}", table(headings, rows)]
        if len(shown) < len(budgets):
            parts.append(f"{len(shown)} of {len(budgets)} budgets; {records} has all.")
    return parts


def _mark(comparison: Comparison | None) -> str:
    if comparison is None or not comparison.survives:
        return ""
    return " ▲" if comparison.difference.value > 0 else " ▼"


def difference_table(one: Results) -> str:
    """Per multiplier: its clean difference, and its largest gain and loss under attack."""
    headings = (
        "multiplier", "", "attack", "eps", "points", "gained", "lost", "p exact", "p Holm",
        "survives",
    )  # fmt: skip
    rows = []
    for label in dict.fromkeys(c.record.cell.label for c in one.comparisons):
        own = [c for c in one.comparisons if c.record.cell.label == label]
        attacked = [c for c in own if not c.clean]
        rows += [_row(c, "clean") for c in own if c.clean]
        for kind, sign in (("largest gain", 1), ("largest loss", -1)):
            # Of equal differences the one with the smallest p is the strongest statement.
            best = max(
                (c for c in attacked if sign * c.difference.value > 0),
                key=lambda c: (sign * c.difference.value, -c.difference.p_value),
                default=None,
            )
            if best is not None:
                rows.append(_row(best, kind))
            elif attacked:
                rows.append([plain(label), kind, "none", *[_NONE] * 7])
    return table(headings, rows, left=3)


def _row(c: Comparison, kind: str) -> list[str]:
    return [
        plain(c.record.cell.label),
        kind,
        _NONE if c.clean else plain(panel_title(c.record)),
        f"{c.record.eps:.6g}",
        points(c.difference.value),
        f"{c.difference.gained}",
        f"{c.difference.lost}",
        f"{c.difference.p_value:.2g}",
        f"{c.adjusted:.2g}",
        "**yes**" if c.survives else "no",
    ]


def provenance(one: Results) -> str:
    """All that the numbers depend on: settings, versions, hashes and the command."""
    facts: dict[str, list[object]] = {}
    for cell in one.cells:
        settings = asdict(cell.settings)
        quantisation = settings.pop("quantisation")
        for key in ("multiplier", "lut_sha256", "budgets"):
            del settings[key]
        settings |= {f"quantisation {key}": quantisation[key] for key in sorted(quantisation)}
        for key, value in settings.items():
            facts.setdefault(key, []).append(value)
    for cell in one.cells:
        norm = f"budgets of {cell.settings.norm}"
        facts.setdefault(norm, []).append(_budgets(cell.settings.budgets))
    for cell in one.cells:
        for key, value in sorted(cell.environment.items()):
            facts.setdefault(f"run on: {key}", []).append(value)
    rows = [[key.replace("_", " "), code(_distinct(values))] for key, values in facts.items()]
    hashes = dict.fromkeys(
        (c.label, c.settings.multiplier, c.settings.lut_sha256) for c in one.cells
    )
    tables = [[plain(label), code(name), code(digest)] for label, name, digest in hashes]
    return "\n\n".join(
        (
            table(("setting", "value"), rows, left=2),
            "Tables, by the SHA-256 of their little-endian int32:",
            table(("label", "multiplier", "table"), tables, left=3),
            "The command that asks for these cells:",
            "\n".join(f"    {line}" for line in command(one.cells).splitlines()),
        )
    )


def _distinct(values: Iterable[object]) -> str:
    return "; ".join(dict.fromkeys(map(_text, values)))


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _budgets(budgets: Sequence[float]) -> str:
    if len(budgets) > _MOST_BUDGETS:
        return f"{len(budgets)} from {min(budgets):g} to {max(budgets):g}"
    return ", ".join(f"{eps:g}" for eps in budgets)
