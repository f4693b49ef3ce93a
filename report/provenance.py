# SPDX-License-Identifier: Apache-2.0
"""Tables of what the numbers depend on and what they cost, and the command that asks for them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass

from axhil.attacks import Suite, attack_title
from axhil.study import paper
from axhil.study.engine.experiment import DEFAULT_BUDGETS, attack_of
from axhil.study.results import Results
from axhil.study.storage.cells import Cell, CellSettings

from .cost import energy_of_an_image
from .panels import by_panel
from .table import NONE, Entry, Table, number, rows_of

_MOST_BUDGETS = 12


def settings(results: Results) -> Table:
    """All that the numbers depend on but the tables: settings and versions."""
    facts: dict[str, list[object]] = {}
    for cell in results.cells:
        body = cell.settings.written()
        quantisation = body.pop("quantisation")
        for key in ("multiplier", "lut_sha256", "budgets"):
            del body[key]
        body |= {f"quantisation {key}": quantisation[key] for key in sorted(quantisation)}
        for key, value in body.items():
            facts.setdefault(key, []).append(value)
            if key == "norm":
                for name, argument in _arguments(cell.settings).items():
                    facts.setdefault(name, []).append(argument)
    for cell in results.cells:
        norm = f"budgets of {cell.settings.norm}"
        facts.setdefault(norm, []).append(_budgets(cell.settings.budgets))
    for cell in results.cells:
        for key, value in sorted(cell.environment.items()):
            facts.setdefault(f"run on: {key}", []).append(value)
    rows = [
        [Entry(key.replace("_", " ")), Entry(distinct(values), code=True)]
        for key, values in facts.items()
    ]
    return Table("Settings and versions", ("setting", "value"), rows_of(rows), align="ll")


def _arguments(settings: CellSettings) -> dict[str, object]:
    """What an attack's spelling leaves at its default too, where the attack is known here."""
    attack = attack_of(settings)
    if isinstance(attack, Suite):
        return {"suite": ", ".join(member.name for member in attack.members)}
    if attack is None or not is_dataclass(attack) or isinstance(attack, type):
        return {}
    values = asdict(attack)
    return {
        key: value
        for key, value in values.items()
        if isinstance(value, bool | int | float | str) and key not in ("name", "norm")
    }


def tables_used(results: Results) -> Table:
    """The multipliers, and the hashes of their tables."""
    used = dict.fromkeys(
        (cell.label, cell.settings.multiplier, cell.settings.lut_sha256) for cell in results.cells
    )
    rows = [
        [Entry(label), Entry(name, code=True), Entry(sha, code=True)] for label, name, sha in used
    ]
    return Table(
        "Hashes of the tables",
        ("label", "multiplier", "table"),
        rows_of(rows),
        align="lll",
        multipliers=True,
    )


def seconds_by_attack(results: Results) -> Table:
    """What an evaluation cost under each attack."""
    rows: list[list[Entry]] = []
    for panel in by_panel(results.records):
        own = [c for c in results.cells if (c.settings.attack, c.settings.norm) == panel]
        count = sum(len(cell.settings.budgets) for cell in own)
        seconds = sum(sum(cell.seconds) for cell in own)
        known = attack_of(own[0].settings)
        rows.append(
            [
                Entry(attack_title(*panel)),
                NONE if known is None else number(known.steps),
                number(count, ","),
                number(seconds / count, ".3f"),
                number(seconds, ".1f"),
            ]
        )
    headings = ("attack", "steps", "evaluations", "seconds each", "seconds in all")
    return Table("Seconds per evaluation", headings, rows_of(rows))


def seconds_beside_the_papers(parts: Sequence[Results]) -> Table:
    """What an evaluation cost, beside Table IV.

    Args:
        parts: results with at least one finished cell each.
    """
    headings = (
        "results", "device", "threads", "images", "evaluations", "s each", "hours in all",
        "paper: images", "paper: s each", "paper: hours", "paper / here, per image",
    )  # fmt: skip
    rows: list[list[Entry | str]] = []
    for part in parts:
        each = part.seconds_per_evaluation
        assert each is not None, "results without a cell have no timing"
        row: list[Entry | str] = [
            part.title,
            distinct(cell.environment.get("device", "?") for cell in part.cells),
            distinct(cell.environment.get("threads", "?") for cell in part.cells),
            f"{part.images:,}",
            f"{part.evaluations:,}",
            f"{each:.3g}",
            f"{part.seconds / 3600:.3g}",
        ]
        if part.network in paper.SECONDS_PER_EVALUATION:
            seconds, images = paper.SECONDS_PER_EVALUATION[part.network], paper.IMAGES[part.network]
            ratio = seconds / images / (each / part.images) if each else None
            row += [f"{images}", f"{seconds:g}", f"{paper.HOURS[part.network]:g}"]
            row.append(NONE if ratio is None else f"{ratio:.3g} x")
        else:
            row += [NONE] * 4
        rows.append(row)
    table = Table("Seconds per evaluation", headings, rows_of(rows), align="ll" + "r" * 9)
    if not any(map(energy_of_an_image, parts)):
        return table
    columns = [energy_of_an_image(part) or [NONE] * 2 for part in parts]
    return table.beside(("nJ/image, best exact", "nJ/image, least of the others"), columns)


def distinct(values: Iterable[object]) -> str:
    """Every value once."""
    texts = (f"{value:.6g}" if isinstance(value, float) else str(value) for value in values)
    return "; ".join(dict.fromkeys(texts))


def _budgets(budgets: Sequence[float]) -> str:
    if len(budgets) > _MOST_BUDGETS:
        return f"{len(budgets)} from {min(budgets):g} to {max(budgets):g}"
    return ", ".join(f"{eps:g}" for eps in budgets)


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
    words = ["axhil", "eval", first.network, "--data", data]
    for option, key in (("-m", "multiplier"), ("--attack", "attack"), ("--norm", "norm")):
        for value in dict.fromkeys(getattr(one, key) for one in every):
            words += [option, value]
    if budgets is not None:
        words += ["--eps", ",".join(f"{eps:.12g}" for eps in budgets)]
    words += ["--images", str(first.images), "--seed", str(first.seed)]
    words += ["--threat-model", first.threat_model, "--gradient", first.gradient]
    words += ["--worst-iterate"] if first.worst_iterate else []
    words += ["--allow-float"] if first.float_share else []
    words += ["--batch", str(first.batch)]
    for option, key in (
        ("--weight-scales", "weights"),
        ("--activation-range", "activations"),
        ("--batch-norm", "batch_norm"),
    ):
        if key in first.quantisation:
            words += [option, first.quantisation[key]]
    words += ["--bias-correction"] if "bias_correction" in first.quantisation else []
    return words
