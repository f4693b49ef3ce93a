# SPDX-License-Identifier: Apache-2.0
"""The claims of three papers, network by network, each by the best evidence on record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import study_sections as sections
from robust_sections import pairs_of, results_of

from axhil.attacks import attack_title
from axhil.report.claims import judge_clean
from axhil.report.markdown import markdown_table, plain
from axhil.report.table import Entry, Table, rows_of
from axhil.report.titles import network_title
from axhil.study import paper
from axhil.study.comparisons import difference_interval
from axhil.study.results import Results
from axhil.study.statistics import holm, paired_difference, proportion
from axhil.study.storage.cells import Cell
from axhil.study.verdicts import verdicts

ALMOST = 0.01
"""A loss of accuracy that counts as almost none: the 0.06 % of the paper is less than one image."""


@dataclass(frozen=True)
class Judged:
    """A claim on one network: what the best evidence at hand says, and the numbers."""

    claim: str
    outcome: str
    evidence: str


def _losses(results: Results) -> tuple[str, str]:
    """Losses of an approximate multiplier: furthest from ACC's, and largest beside a small one."""
    clean = {label: record.correct for label, record in results.clean.items()}
    losses: list[tuple[float, float, str, str]] = []
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
        return "", ""
    most = max(losses, key=lambda one: one[0] - one[1])
    spared = [one for one in losses if one[1] <= ALMOST]
    least = max(spared, key=lambda one: one[0]) if spared else None
    return _loss(most), _loss(least) if least else ""


def _loss(one: tuple[float, float, str, str]) -> str:
    own, exact, label, where = one
    return f"{label} loses {100 * own:.1f} points and ACC {100 * exact:.1f} ({where})"


def universal() -> list[tuple[str, Judged]]:
    """An approximate network loses 53 % where the accurate one loses 0.06 %, by network."""
    claim = (
        "An attack can take 53 points from an approximate network and 0.06 from the accurate one"
    )
    found = []
    studied = {**sections.studies(), **sections.studies(sections.STRONGEST[1:])}
    for network in ("lenet5", "resnet50", "vgg19"):
        own = [one for parts in studied.values() for one in parts if one.network == network]
        own = [one for one in own if one.images >= 1000]
        texts = []
        for one in own:
            most, spared = _losses(one)
            if most:
                threat = sections.gradient_of(one).replace("whitebox", "white box")
                tail = f"; where ACC loses a point at most, {spared}" if spared else ""
                texts.append(f"{threat}: at the furthest apart, {most}{tail}")
        if texts:
            found.append((network, Judged(claim, "not seen", f"{'; '.join(texts)}.")))
    return found


def transferred() -> str:
    """How many adversarial images of the accurate network fool the others too."""
    results = {
        one.threat_model: one for one in sections.studies(("lenet5_transfer",))["lenet5_transfer"]
    }
    one = results["transfer:exact"]
    rows: list[list[Entry | str]] = []
    for label in one.labels[1:]:
        row: list[Entry | str] = [label]
        for eps, broken, fooled in _transfers(one, label):
            share = proportion(fooled, broken)
            row.append(f"{100 * share.value:.0f} ({100 * share.low:.0f} to {100 * share.high:.0f})")
            del eps
        rows.append(row)
    budgets = [f"eps {eps:g}" for eps, _, _ in _transfers(one, one.labels[1])]
    return markdown_table(Table("", ("PGD L∞, %", *budgets), rows_of(rows)))


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


def transfer_claim() -> Judged | None:
    """Attacks made for the accurate network fail against the approximate one."""
    found = sections.studies(("lenet5_transfer",)).get("lenet5_transfer")
    one = next((r for r in found or [] if r.threat_model == "transfer:exact"), None)
    if one is None:
        return None
    rates = [
        (proportion(fooled, broken), label, eps)
        for label in one.labels[1:]
        for eps, broken, fooled in _transfers(one, label)
    ]
    least, label, eps = min(rates, key=lambda rate: rate[0].value)
    return Judged(
        "Adversarial images of the accurate network hardly fool the approximate one",
        "does not hold" if least.low > 0.5 else "cannot be told",
        f"of the images that PGD (L∞) breaks on ACC the least that fool another multiplier are "
        f"{100 * least.value:.0f} % ({label}, eps {eps:g}; {100 * least.low:.0f} to "
        f"{100 * least.high:.0f} %).",
    )


_ROBUST = "An approximate multiplier can be more robust than the accurate one"
_GAIN = f"The gain in robust accuracy reaches {paper.LARGEST_ROBUST_GAIN:g} points"
_NO_SUITE = "no suite was run on it: single-step attacks support no claim of robustness."


def _under_suite() -> list[tuple[str, Judged]]:
    """The claims of robustness, by verdicts under suites alone."""
    found = []
    results = results_of("lenet5_adaptive")
    if results is not None:
        judged = [one for one in verdicts(results.cells, "ACC") if one.name != "reference"]
        text = "; ".join(f"{one.cell.label} {one.name}: {one.reason}" for one in judged)
        gains = any(one.name == "more robust" for one in judged)
        losses = all(one.name == "less robust" for one in judged)
        outcome = "holds" if gains else ("does not hold" if losses else "cannot be told")
        found.append(("lenet5", Judged(_ROBUST, outcome, f"{text}.")))
        rows = pairs_of(results)
        pairs = [(paired_difference(one.exact, one.own), one) for one in rows]
        best, row = max(pairs, key=lambda pair: pair[0].value)
        highs = [difference_interval(one, family=len(rows))[1] for one, _ in pairs]
        limit = (paper.LARGEST_ROBUST_GAIN - 0.5) / 100
        outcome = "does not hold" if max(highs) < limit else "cannot be told"
        low, high = difference_interval(best, family=len(rows))
        found.append(
            (
                "lenet5",
                Judged(
                    _GAIN,
                    outcome,
                    f"under the adaptive suite the largest is {row.label}'s at eps {row.eps:g}: "
                    f"{100 * best.value:+.1f} points (between {100 * low:+.1f} and "
                    f"{100 * high:+.1f}).",
                ),
            )
        )
    for network in ("resnet50", "vgg19"):
        found += [
            (network, Judged(claim, "cannot be told", _NO_SUITE)) for claim in (_ROBUST, _GAIN)
        ]
    return found


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
    moved = transfer_claim()
    if moved is not None:
        theirs.append(("Guesmi et al., ASPLOS 2021", "lenet5", moved))
    found = [*ours, *theirs]
    order = list(dict.fromkeys(one.claim for _, _, one in found))
    return sorted(found, key=lambda row: order.index(row[2].claim))


def matrix() -> str:
    """Claim by network: what the best evidence at hand says; the numbers below it."""
    found = every_claim()
    networks = ("lenet5", "resnet50", "vgg19")
    outcomes = {(one.claim, network): one.outcome for _, network, one in found}
    rows: list[Sequence[Entry | str]] = []
    for claim in dict.fromkeys(one.claim for _, _, one in found):
        source = next(paper for paper, _, one in found if one.claim == claim)
        cells = (outcomes.get((claim, network), "not tried") for network in networks)
        rows.append([claim, source, *(Entry(text, mark="strong") for text in cells)])
    headings = ("claim", "of", *map(network_title, networks))
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
    """What is true of robustness, in one bullet."""
    results = results_of("lenet5_adaptive")
    if results is None:
        return ""
    rows = pairs_of(results)
    found = [paired_difference(one.exact, one.own) for one in rows]
    adjusted = holm([one.p_value for one in found])
    parts = [
        f"{100 * one.value:+.1f} at eps {row.eps:g}" + ("" if p < 0.05 else " (may be chance)")
        for row, one, p in zip(rows, found, adjusted, strict=True)
    ]
    judged = [one for one in verdicts(results.cells, "ACC") if one.budgets is not None]
    said = "; ".join(f"{one.cell.label} {one.name} ({one.reason})" for one in judged)
    borne = "; ".join(
        f"{one.budgets.smaller:,} images break at smaller budgets and {one.budgets.larger:,} at "
        "larger ones"
        for one in judged
        if one.budgets is not None
    )
    moved = transfer_claim()
    tail = f" Attacks transfer: {plain(moved.evidence)}" if moved else ""
    apart = results_of("lenet5_smallest")
    for one in verdicts(apart.cells, "ACC") if apart else ():
        if one.budgets is not None and one.cell.label.startswith("conv1=DR3"):
            tail = (
                f" In the first layer alone it lets {one.budgets.larger} of {one.budgets.samples} "
                f"images bear more and {one.budgets.smaller} less, which the rule calls "
                f"{one.name}.{tail}"
            )
    return (
        "**Does an approximate multiplier make a network robust?** Not "
        f"{rows[0].label} on LeNet-5, for which single attacks speak most. "
        "Where an image has to survive every attack of the "
        f"adaptive suite ({results.images:,} images), it has, against ACC, in points: "
        f"{', '.join(parts)}. The sign follows the steps of its codes; {borne}. By the rule: "
        f"{plain(said)}. Larger gains under PGD or BIM alone are attacks that failed.{tail}"
    )
