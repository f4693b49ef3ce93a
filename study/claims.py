# SPDX-License-Identifier: Apache-2.0
"""The paper's claims, each held against the data at hand.

A claim about a size is judged by intervals that hold for all its comparisons together, not by the
largest difference seen: the largest of many is large by chance too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from . import paper
from .comparisons import LEVEL, Comparison, difference_interval, fewest_changed
from .page_findings import plural, points, where
from .results import Results
from .statistics import PairedDifference, holm, paired_difference

Outcome = Literal["holds", "does not hold", "cannot be told"]

# The paper's sizes are whole points: its 7 is 7.38 in its own Table III.
_ROUNDING = 0.5
# Points: the furthest that a scaleTRIM of Table III is from the accurate model is 1.06.
_NEAR = 1.0 + _ROUNDING


@dataclass(frozen=True)
class Verdict:
    """One claim against one set of results.

    Attributes:
        claim: what the paper says.
        outcome: what these data say to that.
        evidence: the numbers.
    """

    claim: str
    outcome: Outcome
    evidence: str


def one_image(samples: int) -> str:
    """State what a single image is worth."""
    return f"one image out of {samples:,} is {100 / samples:.3g} %"


def judge(results: Results) -> list[Verdict]:
    """Judge every claim that these results can speak to; none without an accurate multiplier.

    Args:
        results: of one network under one threat model.

    Returns:
        The verdicts, in the order of the paper's claims.
    """
    if not results.comparisons:
        return []
    clean = [c for c in results.comparisons if c.clean]
    attacked = [c for c in results.comparisons if not c.clean]
    verdicts: list[Verdict] = []
    if clean:
        verdicts.append(_clean_loss(clean))
    if attacked:
        verdicts += [_any_gain(attacked, len(results.comparisons)), _gain_size(attacked)]
    if paper.WORST in results.clean and len(results.clean) > 2:
        verdicts.append(_worst(results))
    near = [c for c in clean if c.record.cell.label in paper.NEAR]
    if near:
        verdicts.append(_near(near, attacked))
    return verdicts


def _in_points(difference: PairedDifference, family: int) -> tuple[float, float]:
    low, high = difference_interval(difference, family=family)
    return 100 * low, 100 * high


def _images(difference: PairedDifference) -> str:
    return f"{difference.gained} gained and {difference.lost} lost of {difference.samples:,}"


def _sentence(text: str, samples: int) -> str:
    return f"{text[0].upper()}{text[1:]}; {one_image(samples)}."


def _clean_loss(clean: Sequence[Comparison]) -> Verdict:
    limit = paper.LARGEST_CLEAN_LOSS + _ROUNDING
    intervals = [_in_points(c.difference, len(clean)) for c in clean]
    # A loss is a negative difference.
    surely = max(-high for _, high in intervals)
    at_most = max(-low for low, _ in intervals)
    outcome: Outcome = "cannot be told"
    if at_most < limit:
        outcome = "holds"
    elif surely > limit:
        outcome = "does not hold"
    worst, (low, high) = min(
        zip(clean, intervals, strict=True), key=lambda pair: pair[0].difference.value
    )
    who = worst.record.cell.label
    text = (
        f"the largest change for the worse is {who}'s, {points(worst.difference.value)} points "
        f"({_images(worst.difference)}; between {low:+.1f} and {high:+.1f})"
        if worst.difference.value < 0
        else f"no multiplier has fewer images right; the losses may be up to {at_most:.1f} points"
    )
    return Verdict(
        f"Approximate multipliers cost up to {paper.LARGEST_CLEAN_LOSS:g} points of clean accuracy",
        outcome,
        _sentence(text, worst.difference.samples),
    )


def _any_gain(attacked: Sequence[Comparison], family: int) -> Verdict:
    samples = attacked[0].difference.samples
    gains = [c for c in attacked if c.difference.value > 0]
    surviving = [c for c in gains if c.survives]
    if surviving:
        who = list(dict.fromkeys(c.record.cell.label for c in surviving))
        text = (
            f"under attack {len(surviving):,} of {len(attacked):,} comparisons are gains that "
            f"survive ({', '.join(who)})"
        )
    else:
        first = fewest_changed(family)
        text = (
            f"under attack {len(gains):,} of {len(attacked):,} comparisons are gains and none "
            f"survives; in this family of {family:,} that takes a net gain of "
            f"{plural(first, 'image')} ({100 * first / samples:.1f} points) or more"
        )
    return Verdict(
        "An approximate multiplier can be more robust than the accurate one",
        "holds" if surviving else "cannot be told",
        _sentence(text, samples),
    )


def _gain_size(attacked: Sequence[Comparison]) -> Verdict:
    limit = paper.LARGEST_ROBUST_GAIN - _ROUNDING
    intervals = [_in_points(c.difference, len(attacked)) for c in attacked]
    best, (lowest, highest) = max(
        zip(attacked, intervals, strict=True), key=lambda pair: pair[0].difference.value
    )
    outcome: Outcome = "cannot be told"
    if max(low for low, _ in intervals) > limit:
        outcome = "holds"
    elif max(high for _, high in intervals) < limit:
        outcome = "does not hold"
    text = (
        f"the largest difference in favour is {best.record.cell.label}'s at {where(best.record)}: "
        f"{points(best.difference.value)} points ({_images(best.difference)}; between "
        f"{lowest:+.1f} and {highest:+.1f}; Holm p {best.adjusted:.2g})"
    )
    return Verdict(
        f"The gain in robust accuracy reaches {paper.LARGEST_ROBUST_GAIN:g} points",
        outcome,
        _sentence(text, best.difference.samples),
    )


def _worst(results: Results) -> Verdict:
    """Compare DR3's clean flags with every other multiplier's."""
    own = results.clean[paper.WORST]
    others = {label: r for label, r in results.clean.items() if label != paper.WORST}
    found = {label: paired_difference(r.correct, own.correct) for label, r in others.items()}
    adjusted = dict(zip(found, holm([one.p_value for one in found.values()]), strict=True))
    below = [label for label in found if found[label].value < 0 and adjusted[label] < LEVEL]
    above = [label for label in found if found[label].value > 0 and adjusted[label] < LEVEL]
    outcome: Outcome = "cannot be told"
    if len(below) == len(found):
        outcome = "holds"
    elif above:
        outcome = "does not hold"
    text = (
        f"clean, {paper.WORST} gets {100 * own.accuracy.value:.2f} % right, the others "
        f"{100 * min(r.accuracy.value for r in others.values()):.2f} to "
        f"{100 * max(r.accuracy.value for r in others.values()):.2f} %; it is below {len(below)} "
        f"of {len(found)} of them, and above {len(above)}, by more than chance explains"
    )
    lowest = settings = 0
    points_of: dict[tuple[str, str, float], dict[str, int]] = {}
    for record in results.records:
        if record.eps > 0:
            key = (record.cell.settings.attack, record.cell.settings.norm, record.eps)
            points_of.setdefault(key, {})[record.cell.label] = record.accuracy.count
    for counts in points_of.values():
        if paper.WORST in counts and len(counts) > 1:
            settings += 1
            rest = (count for label, count in counts.items() if label != paper.WORST)
            lowest += counts[paper.WORST] < min(rest)
    if settings:
        text += (
            f"; under attack it has the lowest accuracy alone at {lowest} of {settings} settings"
        )
    return Verdict(
        f"{paper.WORST} is the worst multiplier", outcome, _sentence(text, own.accuracy.samples)
    )


def _near(near: Sequence[Comparison], attacked: Sequence[Comparison]) -> Verdict:
    intervals = [_in_points(c.difference, len(near)) for c in near]
    outcome: Outcome = "cannot be told"
    if all(low > -_NEAR and high < _NEAR for low, high in intervals):
        outcome = "holds"
    elif any(high < -_NEAR or low > _NEAR for low, high in intervals):
        outcome = "does not hold"
    least, most = min(low for low, _ in intervals), max(high for _, high in intervals)
    listed = ", ".join(f"{c.record.cell.label} {points(c.difference.value)}" for c in near)
    text = (
        f"clean, in points: {listed}; their intervals reach from {least:+.1f} to {most:+.1f}, "
        f"and near means within {_NEAR:g}"
    )
    own = [c for c in attacked if c.record.cell.label in paper.NEAR]
    if own:
        count = sum(c.survives for c in own)
        text += f"; under attack {count} of {plural(len(own), 'difference')} survive"
    return Verdict(
        "scaleTRIM stays near the accurate model",
        outcome,
        _sentence(text, near[0].difference.samples),
    )
