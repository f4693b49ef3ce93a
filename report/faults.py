# SPDX-License-Identifier: Apache-2.0
"""Tables of stuck-at faults: the worst, how they are distributed, and the sentence about all."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from axhil.errors import explained

from .table import Entry, Table, number, rows_of
from .titles import listed, plural, points

if TYPE_CHECKING:  # without a network there need not be torch
    from axhil.hwsim import ErrorMetrics
    from axhil.hwsim.faults import Campaign, Effect
    from axhil.study.faults import FaultyNetwork, Outcome

_LOST = (0.5, 1, 2, 5, 10, 20, 50)
"""Percentage points of accuracy, ends of the bars."""
_SHOWN = (0.1, 1, 10, 50)
"""Percent of operand pairs."""
_BAR = 40  # characters of the longest


def worst_errors(campaign: Campaign, *, most: int) -> Table:
    """The faults with the largest mean relative error, without a fault first."""
    effects = sorted(campaign.effects, key=lambda one: -one.metrics.mre)[:most]
    rows = [_row(campaign, None), *(_row(campaign, one) for one in effects)]
    headings = ("fault", "alike", "pairs %", "MRE %", "WCE", "EP %")
    return Table(f"{_title(campaign)}, the largest MRE", headings, rows_of(rows))


def worst_accuracies(network: FaultyNetwork, *, most: int) -> Table:
    """The faults that cost most accuracy, without a fault first."""
    campaign = network.campaign

    def shares(outcome: Outcome | None) -> list[Entry | str]:
        found: list[Entry | str] = []
        own = network.fault_free if outcome is None else outcome.accuracies
        for budget, share in enumerate(own):
            found.append(number(100 * share.value, ".1f"))
            found.append("" if outcome is None else points(outcome.differences[budget].value))
        return found

    outcomes = sorted(
        network.outcomes, key=lambda one: (one.accuracies[0].value, -one.effect.metrics.mre)
    )
    rows = [[*_row(campaign, None), *shares(None)]]
    rows += [[*_row(campaign, one.effect), *shares(one)] for one in outcomes[:most]]
    under = [heading for _ in network.budgets[1:] for heading in ("robust %", "change")]
    headings = ("fault", "alike", "pairs %", "MRE %", "WCE", "EP %", "accuracy %", "change", *under)
    return Table(
        f"{_title(campaign)}, the lowest accuracy", headings, rows_of(rows), subject=_on(network)
    )


def detection(campaign: Campaign) -> Table:
    """How many operand pairs show a fault, over the faults."""
    labels = ["none: harmless", *_between(_SHOWN, "%")]
    counts = [0] * len(labels)
    for one in campaign.effects:
        place = 1 + bisect.bisect_left(_SHOWN, 100 * one.detected / one.pairs)
        counts[0 if one.harmless else place] += len(one.faults)
    return _histogram(f"{_title(campaign)}, over the operand pairs that show one", labels, counts)


def losses(network: FaultyNetwork, *, budget: int = 0) -> Table:
    """How much accuracy is lost, over the faults."""
    labels = ["gained", "unchanged", *_between(_LOST, "points")]
    counts = [0] * len(labels)
    for one in network.outcomes:
        difference = one.differences[budget]
        lost = 100 * (difference.lost - difference.gained) / difference.samples
        place = 2 + bisect.bisect_left(_LOST, lost)
        counts[0 if lost < 0 else 1 if lost == 0 else place] += len(one.effect.faults)
    eps = network.budgets[budget]
    what = "accuracy" if not eps else f"robust accuracy at eps {eps:g}"
    title = f"{_title(network.campaign)}, over the {what} lost"
    return _histogram(title, labels, counts)


def about(campaign: Campaign) -> str:
    """How many faults there are, and which are harmless."""
    cut, harmless = campaign.cut, campaign.harmless
    classes = sum(len(one.classes) for one in campaign.effects)
    of = "" if campaign.seed is None else f" of {campaign.total:,}, drawn at random,"
    names = listed([cut.name(one) for one in harmless], most=8) if harmless else ""
    return (
        f"{plural(len(campaign.faults), 'fault')}{of} in {classes:,} "
        f"class{'es' * (classes != 1)} equivalent by "
        f"structure, with {plural(len(campaign.effects), 'table')}; {len(harmless):,} harmless"
        f"{f': {names}' if names else ''}"
    )


def about_accuracy(network: FaultyNetwork, *, loss: float) -> str:
    """How accuracy is distributed over the faults."""
    campaign, clauses = network.campaign, []
    for budget, eps in enumerate(network.budgets):
        share = network.losing(loss, budget=budget)
        values = [
            100 * one.accuracies[budget].value
            for one in network.outcomes
            for _ in one.effect.faults
        ]
        what = f"robust accuracy at eps {eps:g}" if eps else "accuracy"
        than = f"more than {loss:g} point{'s' * (loss != 1)}"
        lost = f"{share.count:,} of {share.samples:,} faults lose {than}"
        clauses.append(
            f"{what} from {min(values):.1f} to {max(values):.1f} %, median {median(values):.1f} %, "
            f"{100 * network.fault_free[budget].value:.1f} % without a fault; {lost}, "
            f"{100 * share.value:.1f} %"
        )
        if campaign.seed is not None:
            clauses[-1] += (
                f" ({100 * share.low:.1f} to {100 * share.high:.1f} % of all "
                f"{campaign.total:,} faults, Wilson 95 % interval, on these images)"
            )
    tables = sum(not one.harmless for one in campaign.effects)
    clauses.append(
        f"{network.different:,} of {plural(tables, 'faulty table')} differ from the fault-free one "
        "in accuracy beyond chance (exact McNemar tests at 5 %, Holm's correction)"
    )
    if doubtful := network.doubtful:
        clauses.append(
            f"warning: robust accuracy is doubtful for {plural(len(doubtful), 'table')}, first "
            f"{campaign.cut.name(campaign.cut.shown(doubtful[0].effect.faults))}: "
            f"{explained(doubtful[0].cell.warnings[0])}"
        )
    return "\n".join(clauses)


def _title(campaign: Campaign) -> str:
    return f"{campaign.cut.multiplier.name} with a stuck-at fault"


def _on(network: FaultyNetwork) -> str:
    settings = network.reference.settings
    attacked = ""
    if network.budgets[1:]:
        attacked = f", {settings.attack} {settings.norm} eps {network.budgets[1]:g}"
    return f"{settings.network} on {settings.images:,} images of {settings.data}{attacked}"


def _row(campaign: Campaign, effect: Effect | None) -> list[Entry | str]:
    if effect is None:
        return [Entry("none", mark="faint"), "", "", *_errors(campaign.fault_free)]
    shown = campaign.cut.name(campaign.cut.shown(effect.faults))
    return [
        shown,
        number(len(effect.faults)),
        number(100 * effect.detected / effect.pairs, ".2f"),
        *_errors(effect.metrics),
    ]


def _errors(metrics: ErrorMetrics) -> list[Entry]:
    return [
        number(100 * metrics.mre, ",.2f"),
        number(metrics.wce, ","),
        number(100 * metrics.ep, ".2f"),
    ]


def _between(ends: Sequence[float], unit: str) -> list[str]:
    starts = [0.0, *ends]
    return [
        *(f"{low:g} to {high:g} {unit}" for low, high in zip(starts, ends, strict=False)),
        f"more than {ends[-1]:g} {unit}",
    ]


def _histogram(title: str, labels: Sequence[str], counts: Sequence[int]) -> Table:
    total, longest = sum(counts), max(counts)
    rows: list[list[Entry | str]] = [
        [
            label,
            number(count, ","),
            number(100 * count / total, ".1f"),
            "█" * round(_BAR * count / longest) or ("▏" if count else ""),
        ]
        for label, count in zip(labels, counts, strict=True)
    ]
    return Table(title, ("", "faults", "%", ""), rows_of(rows), align="lrrl")
