# SPDX-License-Identifier: Apache-2.0
"""The smallest budget that breaks each image: of a staircase, one budget alone says little.

Codes of a perturbation collapse on plateaus, so a difference between two networks at one eps can
change its sign at the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, wilcoxon

from axhil.attacks import Suite, parse_attack

from .errors import StudyError
from .storage.cells import Cell

SMALLEST_BUDGETS = {
    "linf": tuple(step / 200 for step in range(101)),
    "l2": tuple(step / 25 for step in range(101)),
}
"""Where to look for the smallest that breaks an image, by norm: to 0.5 and to 4."""


def bisected(attacks: Sequence[str]) -> list[str]:
    """Suites that look for the smallest breaking budget.

    >>> bisected(["autoattack"])
    ['autoattack(bisection=true)']

    Args:
        attacks: their spellings.

    Raises:
        StudyError: one is no suite: it may be weaker at a larger budget.
        AttackError: one is unknown.
    """
    for name in attacks:
        if not isinstance(parse_attack(name), Suite):
            raise StudyError(f"--smallest: expected suites, adaptive or autoattack, got {name}")
    return [f"{name.partition('(')[0]}(bisection=true)" for name in attacks]


def smallest_budgets(cell: Cell) -> NDArray[np.float64]:
    """The smallest of a cell's budgets at which each image is broken.

    Args:
        cell: budgets in any order; on a fine list of them the answer is as fine.

    Returns:
        (N,) float64, infinite where the image survives them all.
    """
    found = np.full(cell.settings.images, np.inf)
    for eps, flags in sorted(zip(cell.settings.budgets, cell.correct, strict=True), reverse=True):
        found[np.frombuffer(flags.encode(), np.uint8) == ord("0")] = eps
    return found


def mean_budget(cell: Cell) -> float:
    """Mean over the images of the smallest breaking budget.

    What survives all budgets counts as broken one step beyond the last, so it is a lower bound.
    """
    return float(np.minimum(smallest_budgets(cell), _beyond(cell)).mean())


def _beyond(cell: Cell) -> float:
    """One step beyond the last budget, the least that an image that survives them all can bear."""
    budgets = sorted(cell.settings.budgets)
    return budgets[-1] + (budgets[-1] - budgets[-2] if len(budgets) > 1 else 1.0)


def median_budget(cell: Cell) -> float:
    """Median over the images of the smallest breaking budget; infinite where half survive all."""
    ranked = np.sort(smallest_budgets(cell))
    return float(ranked[(len(ranked) - 1) // 2])


def area_under_curve(cell: Cell) -> float:
    """Area under robust accuracy over eps by the trapezoidal rule, in units of eps.

    From the first budget to the last: the mean over the images of how much budget they bear, as
    far as the budgets reach.
    """
    points = sorted(zip(cell.settings.budgets, cell.correct, strict=True))
    eps = np.array([budget for budget, _ in points])
    accuracy = np.array([flags.count("1") / len(flags) for _, flags in points])
    return float(np.sum(np.diff(eps) * (accuracy[1:] + accuracy[:-1]) / 2))


@dataclass(frozen=True)
class PairedBudgets:
    """Smallest breaking budgets of two networks on the same images.

    Attributes:
        larger: images that the second bears more on.
        smaller: images that it bears less on.
        samples: images in all.
        rank_p: two-sided Wilcoxon signed-rank test of the differences (F. Wilcoxon, Biometrics
            Bulletin 1, 1945), equal ones left out.
        rank_sign: 1 where the signed ranks speak for the second, -1 for the first, else 0.
        sign_p: exact two-sided sign test that larger and smaller are equally likely.
    """

    larger: int
    smaller: int
    samples: int
    rank_p: float
    rank_sign: int
    sign_p: float


def paired_budgets(first: Cell, second: Cell) -> PairedBudgets:
    """Compare two cells of the same images and budgets.

    What survives all budgets counts as broken one step beyond the last, which is the least that
    its rank can be.

    Raises:
        StudyError: images or budgets differ.
    """
    budgets = sorted(first.settings.budgets)
    if budgets != sorted(second.settings.budgets) or (
        first.settings.data_sha256 != second.settings.data_sha256
    ):
        raise StudyError("expected two cells of the same images and budgets")
    a, b = (np.minimum(smallest_budgets(cell), _beyond(cell)) for cell in (first, second))
    change = np.round(b - a, 9)
    changed = change[change != 0]
    larger, smaller = int((changed > 0).sum()), int((changed < 0).sum())
    if len(changed) == 0:
        return PairedBudgets(0, 0, len(change), 1.0, 0, 1.0)
    size = np.abs(changed)
    ranks = np.searchsorted(np.sort(size), size, "left") + np.searchsorted(
        np.sort(size), size, "right"
    )  # twice the mean rank, less one
    return PairedBudgets(
        larger=larger,
        smaller=smaller,
        samples=len(change),
        rank_p=float(wilcoxon(changed).pvalue),
        rank_sign=int(np.sign(np.sum(np.sign(changed) * (ranks + 1)))),
        sign_p=float(binomtest(larger, larger + smaller).pvalue),
    )
