# SPDX-License-Identifier: Apache-2.0
"""The first section of docs/results.md: what all the records come to, in a few sentences."""

from __future__ import annotations

import json

import study_sections as sections
from claim_sections import plainly
from robust_sections import under_suite

from axhil.attacks import attack_title
from axhil.report.markdown import plain
from axhil.report.titles import network_title
from axhil.study.paper import EVALUATIONS, HOURS, NEAR, WORST
from axhil.study.results import Results
from axhil.study.statistics import holm, paired_difference

REFERENCE = "ACC"


def in_short() -> str:
    """What is true of robustness first, then clean accuracy, time and reproducibility."""
    bullets = (plainly(), _clean(), _robust(), _worst_under_attack(), _time(), _reproducible())
    return "\n".join(f"* {bullet}" for bullet in bullets if bullet)


def _clean() -> str:
    parts = []
    for path in sections.TEST_SETS:
        if not path.is_file():
            continue
        body = json.loads(path.read_text())
        flags = {r["label"]: r["correct"] for r in body["rows"] if r["lut_sha256"]}
        labels = [label for label in flags if label != REFERENCE]
        found = [paired_difference(flags[REFERENCE], flags[label]) for label in labels]
        surviving = sum(p < 0.05 for p in holm([one.p_value for one in found]))
        by_label = dict(zip(labels, found, strict=True))
        near = min(by_label[label].value for label in NEAR)
        parts.append(
            f"on {network_title(body['network'])} {WORST} {100 * by_label[WORST].value:+.1f} "
            f"points, the scaleTRIMs down to {100 * near:+.1f}, {surviving} of {len(labels)} "
            f"differences from {REFERENCE} more than chance"
        )
    return f"**Clean accuracy**, 10,000 test images: {'; '.join(parts)}." if parts else ""


def _robust() -> str:
    every = [one for results in sections.studies().values() for one in results]
    parts = []
    for few in (True, False):
        attacked = [
            c for one in every for c in one.comparisons if not c.clean and (one.images < 100) == few
        ]
        if attacked:
            survive = sum(c.survives for c in attacked)
            who = "the paper's 64 and 50 images" if few else "1,000 images"
            parts.append(f"at {who} {survive:,} of {len(attacked):,}")
    return (
        f"**Single attacks**, which support no claim of robustness: of the differences from "
        f"{REFERENCE} under one, "
        f"{' and '.join(parts)} are more than chance explains."
        if parts
        else ""
    )


def _worst_under_attack() -> str:
    parts = []
    for one in (
        one for results in sections.studies().values() for one in results if one.images >= 1000
    ):
        own = [c for c in one.comparisons if not c.clean and c.record.cell.label == WORST]
        more = sum(c.survives and c.difference.value > 0 for c in own)
        fewer = sum(c.survives and c.difference.value < 0 for c in own)
        parts.append(
            f"more images right at {more} and fewer at {fewer} of {len(own)} settings on "
            f"{network_title(one.network)}{_which(one)}"
        )
    found = sections.gradients()
    if not parts or found is None:
        return ""
    own_pairs = [i for i, (label, _) in enumerate(found.pairs) if label == WORST]
    best = max(own_pairs, key=lambda i: found.strong[i].value)
    _, attack, norm, eps = found.pairs[best][1]
    return (
        f"**{WORST}**, the coarsest: {'; '.join(parts)}. On LeNet-5 a gain of "
        f"{100 * found.white[best].value:.1f} points ({plain(attack_title(attack, norm))}, eps "
        f"{eps:g}) is still {100 * found.strong[best].value:.1f} where an image has to survive "
        f"four different gradients{_left(norm, eps)}."
    )


def _left(norm: str, eps: float) -> str:
    """What the adaptive suite leaves of a gain."""
    difference = under_suite(WORST, eps) if norm == "linf" else None
    if difference is None:
        return ""
    return f", and {100 * difference.value:+.1f} where it has to survive the adaptive suite"


def _which(one: Results) -> str:
    attacks = {cell.settings.attack for cell in one.cells}
    return " (single step)" if attacks == {"fgsm"} else ""


def _time() -> str:
    runs = json.loads(sections.RUNS.read_text())["runs"] if sections.RUNS.is_file() else []
    minutes = [r["minutes"] for r in runs if r["command"] == "axhil study run paper_lenet5"]
    if not minutes:
        return ""
    return (
        f"**Time**: the paper's {EVALUATIONS:,} evaluations of LeNet-5 take {min(minutes):.1f} "
        f"minutes on two cores, {HOURS['lenet5']} hours there."
    )


def _reproducible() -> str:
    path = sections.DOCS / "records" / "reproducibility.json"
    if not path.is_file():
        return ""
    rows = json.loads(path.read_text())["comparisons"]
    changed, flags = sum(r["changed"] for r in rows), sum(r["flags"] for r in rows)
    return (
        f"**Reproducible**: jobs, threads and batch size changed {changed} of {flags:,} flags that "
        "were compared."
    )
