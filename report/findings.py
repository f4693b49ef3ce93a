# SPDX-License-Identifier: Apache-2.0
"""What the records say, in sentences that claim no more than the tests do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from axhil.attacks import attack_title
from axhil.attacks.checks import WarningCode
from axhil.errors import address
from axhil.study.comparisons import Comparison, detectable_difference, fewest_changed
from axhil.study.engine.experiment import cross_checks
from axhil.study.storage.cells import Cell
from axhil.study.storage.records import Record

from .titles import few, listed, plural, points

_MOST_CROSS_CHECKS = 40  # sentences that compare attacks with each other


def finding(comparisons: Sequence[Comparison], reference: str | None) -> str:
    """One sentence for the head of the page.

    Args:
        comparisons: the whole family.
        reference: label of the accurate multiplier, None where there is none.
    """
    if reference is None:
        return (
            "No multiplier here is exact, so the curves stand alone: add exact to the "
            "multipliers to have each compared with it image by image."
        )
    if not comparisons:
        return f"Only {reference} was run, so there is nothing to compare it with."
    samples = comparisons[0].difference.samples
    labels = list(dict.fromkeys(c.record.cell.label for c in comparisons))
    clauses, different = _clauses(labels, comparisons)
    images = f"the same {plural(samples, 'image')}"
    if not clauses:
        return (
            f"On {images} no difference from the accurate multiplier ({reference}) is more than "
            f"chance explains: {_nothing_seen(samples, len(comparisons))}."
        )
    others = [label for label in labels if label not in different]
    if others:
        who = listed(others) if len(others) <= 4 else f"the other {len(others)}"
        clauses.append(f"{who} show{'s' if len(others) == 1 else ''} no such difference")
    return (
        f"Compared with the accurate multiplier ({reference}) on {images}, and beyond what chance "
        f"explains: {'; '.join(clauses)}."
    )


def _nothing_seen(samples: int, family: int) -> str:
    alone, first = fewest_changed(1), fewest_changed(family)
    if first > samples:
        enough = "not even one comparison alone" if alone > samples else "not so many comparisons"
        return f"{plural(samples, 'image')} cannot show any in a family of {family}, {enough}"
    return f"differences under {100 * first / samples:.1f} points could not have been shown"


def _clauses(
    labels: Sequence[str], comparisons: Sequence[Comparison]
) -> tuple[list[str], set[str]]:
    """What survives, a clause per direction and one for clean accuracy, and for whom."""
    clauses, different = [], set()
    under_attack: dict[str, list[Comparison]] = {label: [] for label in labels}
    for c in comparisons:
        if not c.clean:
            under_attack[c.record.cell.label].append(c)
    for word, sign in (("more", 1), ("fewer", -1)):
        entries: list[str] = []
        for label in labels:
            attacked = under_attack[label]
            found = [c for c in attacked if c.survives and sign * c.difference.value > 0]
            if not found:
                continue
            different.add(label)
            most = max(abs(100 * c.difference.value) for c in found)
            # The first of a direction says what the others' figures are.
            entries.append(
                f"{label} at {len(found)} ({most:.1f})"
                if entries
                else f"{label} gets {word} images right at {len(found)} of {len(attacked)} attack "
                f"settings (by up to {most:.1f} points)"
            )
        if entries:
            clauses.append(listed(entries))
    clean = []
    for c in comparisons:
        if c.clean and c.survives:
            different.add(c.record.cell.label)
            clean.append(f"{c.record.cell.label} {points(c.difference.value)} points")
    if clean:
        clauses.append(f"without attack {listed(clean)}")
    return clauses, different


def caution(records: Sequence[Record], comparisons: Sequence[Comparison]) -> str:
    """What the finding must not be mistaken for."""
    model = records[0].cell.settings.threat_model
    share = records[0].cell.settings.float_share
    gains = any(c.survives and not c.clean and c.difference.value > 0 for c in comparisons)
    more = (
        " An image counts as broken when any iterate of its attack was misclassified."
        if records[0].cell.settings.worst_iterate
        else ""
    )
    if share:
        more += (
            f" {100 * share:.3g} % of the network's multiply-accumulates are in float32, in no "
            "multiplier."
        )
    if model == "whitebox":
        gradient = records[0].cell.settings.gradient
        text = (
            "White-box: each network is attacked through the slope of its own table, over "
            f"{plural(int(gradient.partition(':')[2]), 'code')} to either side."
            if gradient.startswith("slope:")
            else "White-box: each network is attacked through its own straight-through gradient, "
            "which is an approximation where the multiplier is one."
        )
        if gains:
            text += (
                " More images right may therefore mean a less useful gradient rather than a more "
                "robust network; a transfer attack from the exact network can tell the two apart."
            )
        return text + more
    source = model.partition(":")[2]
    return (
        f"Transfer: the adversarial images come from the gradient of the {source} network, not of "
        "the network under attack. A white-box attack is mostly stronger; where it leaves more "
        "images right than this one, its gradient is masked." + more
    )


def smallest_difference(samples: int, family: int) -> str:
    """State the smallest difference that could have shown, and how it is computed."""
    alone, first = fewest_changed(1), fewest_changed(family)
    text = (
        "If d images change and all change the same way, the exact two-sided McNemar test gives "
        f"p = 2^(1-d), the smallest p a net difference of d images can have. Below 5 % takes "
        f"{alone} of {plural(samples, 'image')} ({100 * alone / samples:.1f} points) for one "
        f"comparison alone, and {first} ({100 * first / samples:.1f} points) for the first of "
        f"this family of {family:,}, because {family:,} × 2^-{first - 1} < 0.05; once some "
        "survive, Holm requires a little less of the next."
    )
    true = detectable_difference(samples, first)
    if true is None:
        return text + f" {plural(samples, 'image')} are fewer than that: nothing here can survive."
    return text + (
        f" To be found four times in five, the true difference has to be {100 * true:.1f} points "
        "or more even so (the binomial chance of at least that many changed images), and more "
        "where images change in both directions."
    )


def warnings(cells: Sequence[Cell]) -> list[str]:
    """Reasons to doubt single numbers.

    Returns:
        One sentence for each kind under each attack, with the multipliers it is about; then those
        that only several attacks together show.
    """
    groups: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for cell in cells:
        for warning in cell.warnings:
            code, _, sentence = warning.partition(": ")
            key = (cell.settings.attack, cell.settings.norm, code)
            groups.setdefault(key, []).append((cell.label, sentence))
    return [
        f"{attack_title(attack, norm)}, {code} ({', '.join(few([label for label, _ in found]))}): "
        f"{found[0][1]}{f' (figures of {found[0][0]})' if len(found) > 1 else ''}"
        for (attack, norm, code), found in groups.items()
    ] + [*few(cross_checks(cells), most=_MOST_CROSS_CHECKS)]


def explanations(warned: Sequence[str]) -> dict[str, str]:
    """Where the codes that stand in some warnings are explained."""
    words = {word.strip(",:") for sentence in warned for word in sentence.split()}
    return {code: address(code) for code in get_args(WarningCode) if code in words}
