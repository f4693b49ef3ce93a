# SPDX-License-Identifier: Apache-2.0
"""The report's other sections: warnings, the multipliers' errors, provenance."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from html import escape

from axhil.attacks import attack_title
from axhil.hwsim import error_metrics
from axhil.hwsim.multipliers import Multiplier
from axhil.study.cells import Cell, CellSettings
from axhil.study.experiment import DEFAULT_BUDGETS, attack_of, cross_checks

from .page_charts import swatch
from .page_findings import plural
from .page_heatmaps import colour_bar, heat_map, relative_error, shared_limit
from .page_tables import name_cell, number_cell, sortable


def warning_section(cells: Sequence[Cell]) -> str:
    """Return reasons to doubt the numbers, cell by cell and across attacks."""
    found = [
        (f"{cell.label}, {attack_title(*key)}", warning)
        for cell in cells
        for key in [(cell.settings.attack, cell.settings.norm)]
        for warning in cell.warnings
    ]
    found += [("across attacks", warning) for warning in cross_checks(cells)]
    if not found:
        text = "<p>None: no check of the attacks found a reason to doubt them.</p>"
    else:
        items = "".join(
            f"<li><b>{escape(place)}</b> {escape(warning)}</li>" for place, warning in found
        )
        text = (
            f"<p>{plural(len(found), 'reason')} to doubt single numbers: an attack that fails "
            f'for its own reasons looks like robustness.</p><ul class="warnings">{items}</ul>'
        )
    return f'<section id="warnings"><h2>Warnings</h2>{text}</section>'


def multiplier_section(tables: Sequence[Multiplier], labels: Sequence[str]) -> str:
    """Error metrics and an error map per multiplier; nothing where no table is at hand."""
    if not tables:
        return ""
    rows, maps = [], []
    errors = [relative_error(one.table()) for one in tables]
    limit = shared_limit(errors)
    for one, error in zip(tables, errors, strict=True):
        m = error_metrics(one.table())
        number = labels.index(one.label)
        rows.append(
            name_cell(one.label, number, one.name)
            + "".join(
                number_cell(value)
                for value in (
                    f"{100 * m.mre:.3f}",
                    f"{m.mae:.2f}",
                    f"{m.wce}",
                    f"{100 * m.wcre:.2f}",
                    f"{100 * m.ep:.2f}",
                    f"{m.mse:.1f}",
                    f"{100 * m.nmed:.4f}",
                    f"{m.bias:+.3f}",
                )
            )
        )
        low, high = int(one.table().operands.min()), int(one.table().operands.max())
        side = 2 ** one.table().width
        maps.append(
            f'<figure class="map"><figcaption>{swatch(number)}{escape(one.label)} '
            f"<small>MRE {100 * m.mre:.2f} %</small></figcaption>"
            f'<div class="frame"><span class="top">{high}</span><span class="up">activation</span>'
            f'<span class="bottom">{low}</span>'
            f'<img src="{heat_map(error, limit=limit)}" width="256" height="256" alt="Relative '
            f"error of all {side}×{side} products of {escape(one.label)}, mean size "
            f'{100 * m.mre:.2f} %"><span class="left">{low}</span><span class="across">weight'
            f'</span><span class="right">{high}</span></div></figure>'
        )
    headings = ("multiplier", "MRE %", "MAE", "WCE", "WCRE %", "EP %", "MSE", "NMED %", "bias")
    return (
        '<section id="multipliers"><h2>The multipliers</h2><p class="note">Errors over all '
        "operand pairs, named as EvoApproxLib names them. The maps show the relative error of "
        "every product on one scale: white is exact.</p>"
        + sortable(headings, rows, caption="Error metrics")
        + f'<div class="key"><span>−{100 * limit:g} % or less: too small</span>'
        f'<i style="background:{colour_bar()}"></i>'
        f"<span>too large: +{100 * limit:g} % or more</span></div>"
        + f'<div class="maps">{"".join(maps)}</div></section>'
    )


def provenance_section(cells: Sequence[Cell]) -> str:
    """All that the numbers depend on, and what they cost."""
    flat = []
    for cell in cells:
        settings = asdict(cell.settings)
        for key, value in sorted(settings.pop("quantisation").items()):
            settings[f"quantisation {key}"] = value
        for key in ("multiplier", "lut_sha256"):
            del settings[key]
        flat.append(settings)
    facts = {key: _distinct([one[key] for one in flat]) for key in flat[0]}
    for key in sorted({key for cell in cells for key in cell.environment}):
        facts[f"run on: {key}"] = _distinct([cell.environment.get(key, "?") for cell in cells])
    items = "".join(
        f"<dt>{escape(key.replace('_', ' '))}</dt><dd>{escape(text)}</dd>"
        for key, text in facts.items()
    )
    hashes = dict.fromkeys((c.label, c.settings.multiplier, c.settings.lut_sha256) for c in cells)
    labels = list(dict.fromkeys(c.label for c in cells))
    rows = [
        name_cell(label, labels.index(label), name) + f"<td><code>{escape(digest)}</code></td>"
        for label, name, digest in hashes
    ]
    times = []
    for attack, norm in dict.fromkeys((c.settings.attack, c.settings.norm) for c in cells):
        own = [c for c in cells if (c.settings.attack, c.settings.norm) == (attack, norm)]
        count = sum(len(c.settings.budgets) for c in own)
        seconds = sum(sum(c.seconds) for c in own)
        title = attack_title(attack, norm)
        known = attack_of(own[0].settings)
        times.append(
            f'<th scope="row">{escape(title)}</th>'
            + number_cell("" if known is None else f"{known.steps}")
            + number_cell(f"{count:,}")
            + number_cell(f"{seconds / count:.3f}")
            + number_cell(f"{seconds:.1f}")
        )
    return (
        '<section id="provenance"><h2>Provenance</h2><h3>The command</h3>'
        f'<pre tabindex="0">{escape(command(cells))}</pre>'
        '<p class="note">Weights, tables and images are fixed by the hashes below; tables that '
        "are not of the catalogue need their files.</p>"
        f'<h3>Settings and versions</h3><dl class="facts-list">{items}</dl>'
        "<h3>Tables (SHA-256, little-endian int32)</h3>"
        + sortable(("multiplier", "table"), rows, caption="Hashes of the tables")
        + "<h3>Seconds per evaluation (one multiplier, attack, norm and budget)</h3>"
        + sortable(
            ("attack", "steps", "evaluations", "seconds each", "seconds in all"),
            times,
            caption="Seconds per evaluation",
        )
        + "</section>"
    )


def _distinct(values: Sequence[object]) -> str:
    return "; ".join(dict.fromkeys(map(_text, values)))


def _text(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(_text, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def command(cells: Sequence[Cell]) -> str:
    """Return the command line that asks for these cells, its defaults left out.

    Norms whose budgets differ, and are not the default ones, take a line each.
    """
    lines: dict[tuple[float, ...] | None, list[CellSettings]] = {}
    for cell in cells:
        budgets = cell.settings.budgets
        default = budgets == DEFAULT_BUDGETS.get(cell.settings.norm)
        lines.setdefault(None if default else budgets, []).append(cell.settings)
    return "\n".join(shlex.join(_words(every, budgets)) for budgets, every in lines.items())


def _words(every: Sequence[CellSettings], budgets: tuple[float, ...] | None) -> list[str]:
    first = every[0]
    # Image sets are named data/split; the split that is evaluated needs no option.
    data = first.data.removesuffix("/test")
    words = ["axhil", "eval", "--network", first.network, "--data", data]
    words += ["--multipliers", ",".join(dict.fromkeys(s.multiplier for s in every))]
    words += [w for attack in dict.fromkeys(s.attack for s in every) for w in ("--attack", attack)]
    words += [w for norm in dict.fromkeys(s.norm for s in every) for w in ("--norm", norm)]
    if budgets is not None:
        words += ["--eps", ",".join(f"{eps:.12g}" for eps in budgets)]
    words += ["--images", str(first.images), "--seed", str(first.seed)]
    words += ["--threat-model", first.threat_model, "--gradient", first.gradient]
    words += ["--worst-iterate"] if first.worst_iterate else []
    words += ["--batch", str(first.batch)]
    for option, key in (
        ("--weight-scales", "weights"),
        ("--activation-range", "activations"),
        ("--batch-norm", "batch_norm"),
    ):
        if key in first.quantisation:
            words += [option, first.quantisation[key]]
    return words
