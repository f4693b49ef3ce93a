# SPDX-License-Identifier: Apache-2.0
"""The paper's claims, each held against the data at hand.

A claim about a size is judged by intervals that hold for all its comparisons together, not by the
largest difference seen: the largest of many is large by chance too. A claim of robustness is judged
by a suite of attacks alone: a single attack that fails says nothing of the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from axhil.attacks import attack_title
from axhil.study import paper
from axhil.study.comparisons import LEVEL, Comparison, difference_interval, fewest_changed
from axhil.study.results import Results
from axhil.study.statistics import PairedDifference, holm, paired_difference
from axhil.study.verdicts import verdicts

from .panels import where
from .table import Entry, Table, rows_of
from .titles import few, plural, points

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


def claims_table(parts: Sequence[Results]) -> Table | None:
    """Every claim against each of several results; None where nothing can be judged."""
    rows: list[list[Entry | str]] = [
        [part.title, verdict.claim, Entry(verdict.outcome, mark="strong"), verdict.evidence]
        for part in parts
        for verdict in judge(part)
    ]
    headings = ("results", "the paper says", "here", "the numbers")
    return Table("The paper's claims", headings, rows_of(rows), align="llll") if rows else None


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
    clean = {c.record.cell.label: c.difference for c in results.comparisons if c.clean}
    attacked = [c for c in results.comparisons if not c.clean]
    found: list[Verdict] = []
    if clean:
        found.append(_clean_loss(clean))
    if attacked:
        found += _robust(results, attacked)
    flags = {label: record.correct for label, record in results.clean.items()}
    if paper.WORST in flags and len(flags) > 2:
        found.append(_worst(flags, _lowest_under_attack(results)))
    near = {label: one for label, one in clean.items() if label in paper.NEAR}
    if near:
        own = [c for c in attacked if c.record.cell.label in paper.NEAR]
        count = sum(c.survives for c in own)
        more = f"; under attack {count} of {plural(len(own), 'difference')} survive" if own else ""
        found.append(_near(near, more))
    return found


def judge_clean(correct: Mapping[str, str], reference: str = "ACC") -> list[Verdict]:
    """Judge the claims about clean accuracy, from more images than anybody would attack.

    Args:
        correct: flags of every multiplier on the same images by label, "1" for right.
        reference: label of the accurate multiplier.

    Returns:
        The verdicts, in the order of the paper's claims.
    """
    clean = {
        label: paired_difference(correct[reference], flags)
        for label, flags in correct.items()
        if label != reference
    }
    found = [_clean_loss(clean)]
    if paper.WORST in clean and len(clean) > 1:
        found.append(_worst(correct))
    near = {label: one for label, one in clean.items() if label in paper.NEAR}
    return [*found, _near(near)] if near else found


def _in_points(difference: PairedDifference, family: int) -> tuple[float, float]:
    low, high = difference_interval(difference, family=family)
    return 100 * low, 100 * high


def _images(difference: PairedDifference) -> str:
    return f"{difference.gained} gained and {difference.lost} lost of {difference.samples:,}"


def _sentence(text: str, samples: int) -> str:
    return f"{text[0].upper()}{text[1:]}; {one_image(samples)}."


def _clean_loss(clean: Mapping[str, PairedDifference]) -> Verdict:
    limit = paper.LARGEST_CLEAN_LOSS + _ROUNDING
    intervals = {label: _in_points(one, len(clean)) for label, one in clean.items()}
    # A loss is a negative difference.
    surely = max(-high for _, high in intervals.values())
    at_most = max(-low for low, _ in intervals.values())
    outcome: Outcome = "cannot be told"
    if at_most < limit:
        outcome = "holds"
    elif surely > limit:
        outcome = "does not hold"
    who = min(clean, key=lambda label: clean[label].value)
    worst, (low, high) = clean[who], intervals[who]
    text = (
        f"the largest change for the worse is {who}'s, {points(worst.value)} points "
        f"({_images(worst)}; between {low:+.1f} and {high:+.1f})"
        if worst.value < 0
        else f"no multiplier has fewer images right; the losses may be up to {at_most:.1f} points"
    )
    return Verdict(
        f"Approximate multipliers cost up to {paper.LARGEST_CLEAN_LOSS:g} points of clean accuracy",
        outcome,
        _sentence(text, worst.samples),
    )


ROBUST = "An approximate multiplier can be more robust than the accurate one"
GAIN = f"The gain in robust accuracy reaches {paper.LARGEST_ROBUST_GAIN:g} points"


def _robust(results: Results, attacked: Sequence[Comparison]) -> list[Verdict]:
    """The claims of robustness, by the suite that decides; without one they cannot be told."""
    judged = [one for one in verdicts(results.cells, results.reference) if one.budgets is not None]
    if not judged:
        texts = (_gains(attacked, len(results.comparisons)), _largest(attacked)[0])
        tail = "; no suite of attacks was run, and single ones support no claim of robustness"
        samples = attacked[0].difference.samples
        return [
            Verdict(claim, "cannot be told", _sentence(text + tail, samples))
            for claim, text in zip((ROBUST, GAIN), texts, strict=True)
        ]
    names = {one.name for one in judged}
    outcome: Outcome = "cannot be told"
    if "more robust" in names:
        outcome = "holds"
    elif names == {"less robust"}:
        outcome = "does not hold"
    title = attack_title(judged[0].cell.settings.attack, judged[0].cell.settings.norm)
    said = "; ".join(f"{one.cell.label} {one.name} ({one.reason})" for one in judged)
    samples = judged[0].cell.settings.images
    cells = [one.cell for one in judged]
    own = [c for c in attacked if any(c.record.cell is cell for cell in cells)]
    return [
        Verdict(ROBUST, outcome, _sentence(f"under {title}: {said}", samples)),
        _gain_size(own),
    ]


def _gains(attacked: Sequence[Comparison], family: int) -> str:
    samples = attacked[0].difference.samples
    gains = [c for c in attacked if c.difference.value > 0]
    surviving = [c for c in gains if c.survives]
    if surviving:
        who = list(dict.fromkeys(c.record.cell.label for c in surviving))
        return (
            f"under attack {len(surviving):,} of {len(attacked):,} comparisons are gains that "
            f"survive ({', '.join(few(who))})"
        )
    first = fewest_changed(family)
    return (
        f"under attack {len(gains):,} of {len(attacked):,} comparisons are gains and none "
        f"survives; in this family of {family:,} that takes a net gain of "
        f"{plural(first, 'image')} ({100 * first / samples:.1f} points) or more"
    )


def _largest(attacked: Sequence[Comparison]) -> tuple[str, list[tuple[float, float]]]:
    """The largest difference in favour, in words, and the intervals of all, in points."""
    intervals = [_in_points(c.difference, len(attacked)) for c in attacked]
    best, (lowest, highest) = max(
        zip(attacked, intervals, strict=True), key=lambda pair: pair[0].difference.value
    )
    text = (
        f"the largest difference in favour is {best.record.cell.label}'s at {where(best.record)}: "
        f"{points(best.difference.value)} points ({_images(best.difference)}; between "
        f"{lowest:+.1f} and {highest:+.1f}; Holm p {best.adjusted:.2g})"
    )
    return text, intervals


def _gain_size(attacked: Sequence[Comparison]) -> Verdict:
    limit = paper.LARGEST_ROBUST_GAIN - _ROUNDING
    text, intervals = _largest(attacked)
    outcome: Outcome = "cannot be told"
    if max(low for low, _ in intervals) > limit:
        outcome = "holds"
    elif max(high for _, high in intervals) < limit:
        outcome = "does not hold"
    return Verdict(GAIN, outcome, _sentence(text, attacked[0].difference.samples))


def _worst(correct: Mapping[str, str], more: str = "") -> Verdict:
    """Compare DR3's clean flags with every other multiplier's."""
    own = correct[paper.WORST]
    others = {label: flags for label, flags in correct.items() if label != paper.WORST}
    found = {label: paired_difference(flags, own) for label, flags in others.items()}
    adjusted = dict(zip(found, holm([one.p_value for one in found.values()]), strict=True))
    below = [label for label in found if found[label].value < 0 and adjusted[label] < LEVEL]
    above = [label for label in found if found[label].value > 0 and adjusted[label] < LEVEL]
    outcome: Outcome = "cannot be told"
    if len(below) == len(found):
        outcome = "holds"
    elif above:
        outcome = "does not hold"
    samples = len(own)
    shares = [100 * flags.count("1") / samples for flags in others.values()]
    text = (
        f"clean, {paper.WORST} gets {100 * own.count('1') / samples:.2f} % right, the others "
        f"{min(shares):.2f} to {max(shares):.2f} %; it is below {len(below)} of {len(found)} of "
        f"them, and above {len(above)}, by more than chance explains{more}"
    )
    return Verdict(f"{paper.WORST} is the worst multiplier", outcome, _sentence(text, samples))


def _lowest_under_attack(results: Results) -> str:
    """At how many attack settings DR3 alone has the lowest accuracy."""
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
    if not settings:
        return ""
    return f"; under attack it has the lowest accuracy alone at {lowest} of {settings} settings"


def _near(near: Mapping[str, PairedDifference], more: str = "") -> Verdict:
    intervals = [_in_points(one, len(near)) for one in near.values()]
    outcome: Outcome = "cannot be told"
    if all(low > -_NEAR and high < _NEAR for low, high in intervals):
        outcome = "holds"
    elif any(high < -_NEAR or low > _NEAR for low, high in intervals):
        outcome = "does not hold"
    least, most = min(low for low, _ in intervals), max(high for _, high in intervals)
    listed = ", ".join(f"{label} {points(one.value)}" for label, one in near.items())
    text = (
        f"clean, in points: {listed}; their intervals reach from {least:+.1f} to {most:+.1f}, "
        f"and near means within {_NEAR:g}{more}"
    )
    samples = next(iter(near.values())).samples
    return Verdict("scaleTRIM stays near the accurate model", outcome, _sentence(text, samples))
