# SPDX-License-Identifier: Apache-2.0
"""The claims of three papers, network by network, each by the best evidence on record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import study_sections as sections
from robust_sections import pairs_of, results_of, under_suites

from axhil.attacks import Norm, attack_title
from axhil.report.claims import GAIN, ROBUST, judge, judge_clean
from axhil.report.markdown import markdown_table, plain
from axhil.report.table import Entry, Table, rows_of
from axhil.report.titles import network_title
from axhil.study.comparisons import LEVEL
from axhil.study.results import Results
from axhil.study.statistics import Proportion, holm, paired_difference, proportion
from axhil.study.storage.cells import Cell
from axhil.study.verdicts import VerdictName, verdicts

ALMOST = 0.01
"""A loss of accuracy that counts as almost none: the 0.06 % of the paper is less than one image."""


FIFTY_THREE = 0.525
"""And what the paper's 53 % is at least."""
LEAST_IMAGES = 100
"""Fewer are looked at under suites alone."""
Loss = tuple[float, float, str, str]
"""A multiplier's loss, the accurate one's, whose it is and where."""


@dataclass(frozen=True)
class Judged:
    """A claim on one network: what the best evidence at hand says, and the numbers."""

    claim: str
    outcome: str
    evidence: str
    least: float = 0.0  # of shares, where the claim is about one


def _losses(results: Results) -> tuple[Loss | None, Loss | None]:
    """Losses of an approximate multiplier: furthest from ACC's, and largest beside a small one."""
    clean = {label: record.correct for label, record in results.clean.items()}
    losses: list[Loss] = []
    points: dict[tuple[str, str, float], dict[str, str]] = {}
    for record in results.records:
        key = (record.cell.settings.attack, record.cell.settings.norm, record.eps)
        points.setdefault(key, {})[record.cell.label] = record.correct
    for (attack, norm, eps), flags in points.items():
        if eps == 0 or "ACC" not in flags:
            continue
        loss = {
            label: (clean[label].count("1") - one.count("1")) / len(one)
            for label, one in flags.items()
            if label in clean
        }
        where = f"{attack_title(attack, norm)}, eps {eps:.3g}"
        losses += [
            (value, loss["ACC"], label, where) for label, value in loss.items() if label != "ACC"
        ]
    if not losses:
        return None, None
    most = max(losses, key=lambda one: one[0] - one[1])
    spared = [one for one in losses if one[1] <= ALMOST]
    least = max(spared, key=lambda one: one[0]) if spared else None
    return most, least


def _said(one: Loss) -> str:
    own, exact, label, where = one
    return f"{label} loses {100 * own:.1f} points and ACC {100 * exact:.1f} ({where})"


def universal() -> list[tuple[str, Judged]]:
    """An approximate network loses 53 % where the accurate one loses 0.06 %, by network."""
    claim = (
        "An attack can take 53 points from an approximate network and 0.06 from the accurate one"
    )
    found = []
    names = (*sections.WHITE_BOX, *sections.STRONGEST[1:], sections.TRANSFERS[1])
    studied = {**sections.studies(names), **sections.studies(sections.UNDER_SUITES)}
    for network in sections.NETWORKS:
        own = [one for parts in studied.values() for one in parts if one.network == network]
        own = [one for one in own if one.images >= LEAST_IMAGES or _has_suite(one)]
        texts = []
        seen = False
        for one in own:
            most, spared = _losses(one)
            if most:
                threat = sections.gradient_of(one).replace("whitebox", "white box")
                tail = f"; where ACC loses a point at most, {_said(spared)}" if spared else ""
                texts.append(
                    f"{threat}, {one.images:,} images: at the furthest apart, {_said(most)}{tail}"
                )
                seen |= spared is not None and spared[0] >= FIFTY_THREE
        if texts:
            found.append(
                (network, Judged(claim, "holds" if seen else "not seen", f"{'; '.join(texts)}."))
            )
    return found


def _has_suite(one: Results) -> bool:
    return any(cell.broken_by for cell in one.cells)


def transferred() -> str:
    """How many adversarial images of the accurate network fool the others too."""
    tables = []
    for one in _from_exact():
        rows: list[list[Entry | str]] = []
        for label in one.labels[1:]:
            shares = [proportion(fooled, broken) for _, broken, fooled in _transfers(one, label)]
            rows.append([label, *(_interval(share) for share in shares)])
        budgets = [f"eps {eps:g}" for eps, _, _ in _transfers(one, one.labels[1])]
        title = f"{network_title(one.network)}, {one.images:,} images"
        tables.append(markdown_table(Table("", (title, *budgets), rows_of(rows))))
    return "\n\n".join(tables)


def _interval(share: Proportion) -> str:
    return f"{100 * share.value:.0f} ({100 * share.low:.0f} to {100 * share.high:.0f})"


def _from_exact() -> list[Results]:
    """Attacks made on the network in exact arithmetic, by network."""
    found = sections.studies(sections.TRANSFERS)
    return [
        one for parts in found.values() for one in parts if one.threat_model == "transfer:exact"
    ]


def _transfers(results: Results, label: str) -> list[tuple[float, int, int]]:
    """Per budget: images that PGD breaks on the accurate network, and of these on another."""
    cells: dict[str, Cell] = {
        cell.label: cell
        for cell in results.cells
        if (cell.settings.attack, cell.settings.norm) == ("pgd", "linf")
    }
    exact, own = cells["ACC"], cells[label]
    clean = [cell.correct[cell.settings.budgets.index(0.0)] for cell in (exact, own)]
    found = []
    for eps, first, second in zip(exact.settings.budgets, exact.correct, own.correct, strict=True):
        broken = [
            i for i in range(len(first)) if first[i] == "0" and clean[0][i] == clean[1][i] == "1"
        ]
        if eps > 0 and broken:
            found.append((eps, len(broken), sum(second[i] == "0" for i in broken)))
    return found


def transfer_claims() -> list[tuple[str, Judged]]:
    """Attacks made for the accurate network fail against the approximate one, by network."""
    claim = "Adversarial images of the accurate network hardly fool the approximate one"
    judged = []
    for one in _from_exact():
        rates = [
            (proportion(fooled, broken), label, eps)
            for label in one.labels[1:]
            for eps, broken, fooled in _transfers(one, label)
        ]
        least, label, eps = min(rates, key=lambda rate: rate[0].value)
        outcome = "does not hold" if least.low > 0.5 else "cannot be told"
        text = (
            f"of {network_title(one.network)}'s images that PGD (L∞) breaks on ACC the least that "
            f"fool another multiplier are "
            f"{100 * least.value:.0f} % ({label}, eps {eps:g}; {100 * least.low:.0f} to "
            f"{100 * least.high:.0f} %)."
        )
        judged.append((one.network, Judged(claim, outcome, text, least.value)))
    return judged


def _under_suite() -> list[tuple[str, Judged]]:
    """The claims of robustness, by verdicts under suites alone."""
    found = []
    for results in (*under_suites(), *filter(None, [results_of("lenet5_smallest")])):
        for one in judge(results):
            if one.claim in (ROBUST, GAIN):
                outcome: str = one.outcome
                if (one.claim, outcome) == (ROBUST, "holds"):
                    outcome = f"holds for {', '.join(_more_robust(results))}"
                found.append((results.network, Judged(one.claim, outcome, one.evidence)))
    return found


def _more_robust(results: Results) -> list[str]:
    judged = verdicts(results.cells, results.reference)
    return [one.cell.label for one in judged if one.name == "more robust"]


def _clean() -> list[tuple[str, Judged]]:
    found = []
    for path in sections.TEST_SETS:
        if path.is_file():
            body = json.loads(path.read_text())
            flags = {r["label"]: r["correct"] for r in body["rows"] if r["lut_sha256"]}
            found += [
                (body["network"], Judged(one.claim, one.outcome, one.evidence))
                for one in judge_clean(flags)
            ]
    return found


def every_claim() -> list[tuple[str, str, Judged]]:
    """Paper, network and judgement, each claim's networks together."""
    ours = [("arXiv 2404.11665", *one) for one in (*_clean(), *_under_suite())]
    theirs = [("Siddique and Hoque, DATE 2022", *one) for one in universal()]
    theirs += [("Guesmi et al., ASPLOS 2021", *one) for one in transfer_claims()]
    found = [*ours, *theirs]
    order = list(dict.fromkeys(one.claim for _, _, one in found))
    return sorted(
        found, key=lambda row: (order.index(row[2].claim), sections.NETWORKS.index(row[1]))
    )


def _together(outcomes: Sequence[str]) -> str:
    """What several studies of one network say of a claim: what all say, or any that holds."""
    if not outcomes:
        return "not tried"
    for outcome in outcomes:
        if outcome.startswith("holds"):
            return outcome
    return outcomes[0] if len(set(outcomes)) == 1 else "cannot be told"


def matrix() -> str:
    """Claim by network: what the best evidence at hand says; the numbers below it."""
    found = every_claim()
    rows: list[Sequence[Entry | str]] = []
    for claim in dict.fromkeys(one.claim for _, _, one in found):
        source = next(paper for paper, _, one in found if one.claim == claim)
        cells = (
            _together(
                [one.outcome for _, where, one in found if (one.claim, where) == (claim, network)]
            )
            for network in sections.NETWORKS
        )
        rows.append([claim, source, *(Entry(text, mark="strong") for text in cells)])
    headings = ("claim", "of", *map(network_title, sections.NETWORKS))
    details = [
        [one.claim, network_title(network), Entry(one.outcome, mark="strong"), one.evidence]
        for _, network, one in found
    ]
    below = Table("", ("claim", "network", "here", "evidence"), rows_of(details), align="llll")
    return (
        markdown_table(Table("", headings, rows_of(rows), align="l" * len(headings)))
        + "\n\n"
        + markdown_table(below)
    )


def plainly() -> str:
    """What is true of robustness, in one bullet with one for each multiplier below it."""
    parts: list[str] = []
    names: list[str] = []
    for results in under_suites():
        rows = pairs_of(results)
        found = [paired_difference(one.exact, one.own) for one in rows]
        adjusted = holm([one.p_value for one in found])
        for judged in verdicts(results.cells, results.reference):
            if judged.budgets is None:
                continue
            own = [
                f"{100 * one.value:+.1f} at {row.eps:g}" + ("" if p < LEVEL else " (may be chance)")
                for row, one, p in zip(rows, found, adjusted, strict=True)
                if row.label == judged.cell.label
            ]
            names.append(judged.name)
            parts.append(
                f"**{judged.cell.label}** on {network_title(results.network)} "
                f"({results.images:,} images, {Norm(judged.cell.settings.norm).symbol}): "
                f"{judged.name}; {', '.join(own)}; {judged.budgets.smaller:,} images break at "
                f"smaller budgets and {judged.budgets.larger:,} at larger ones"
            )
    if not parts:
        return ""
    apart = results_of("lenet5_smallest")
    first = ""
    for one in verdicts(apart.cells, "ACC") if apart else ():
        if one.budgets is not None and one.cell.label.startswith("conv1=DR3"):
            first = (
                f" DR3 in LeNet-5's first layer alone: {one.name}; it lets {one.budgets.larger} of "
                f"{one.budgets.samples} images bear more and {one.budgets.smaller} less."
            )
    counted = ", ".join(f"{names.count(name)} {name}" for name in get_args(VerdictName))
    worst = min((one for _, one in transfer_claims()), key=lambda one: one.least, default=None)
    tail = f" Attacks transfer: {plain(worst.evidence)}" if worst else ""
    listed = "".join(f"\n    * {part}." for part in parts)
    return (
        f"**Does an approximate multiplier make a network robust?** Of {len(parts)} networks with "
        "one in every layer, under the adaptive suite, all of which an image has to survive: "
        f"{counted}.{first} Larger gains under PGD or BIM alone are attacks that failed."
        f"{tail} In points against ACC, at each eps:{listed}"
    )
