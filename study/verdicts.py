# SPDX-License-Identifier: Apache-2.0
"""More robust, less robust, masked, or unknown: what a suite of attacks says of a multiplier.

A network looks robust where attacks fail for their own reasons. So a gain counts only under a suite
that each image has to survive, and only where the network's own gradient was not the reason for it.
A loss needs no such care: an attack that succeeds has succeeded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from axhil.attacks.suites import hidden

from .comparisons import LEVEL
from .smallest import (
    PairedBudgets,
    area_under_curve,
    mean_budget,
    median_budget,
    paired_budgets,
)
from .statistics import PairedDifference, holm, paired_difference
from .storage.cells import Cell

VerdictName = Literal["more robust", "less robust", "gradient masked", "cannot be told"]

HIDDEN_SHARE = 0.05
"""Share of the images that a network's own gradient may miss at its worst budget, beyond what that
of the accurate network misses at its own worst, before it counts as masked."""

RULE = (
    "A multiplier is more (less) robust than the accurate one if, under a suite of attacks all of "
    "which an image has to survive, it gets more (fewer) images right at some budget, or bears "
    "larger (smaller) budgets image by image, beyond what chance explains, and nowhere the other "
    "way round; tests are exact McNemar at each budget, and Wilcoxon signed-rank and sign over the "
    "smallest breaking budgets, at 5 % for all multipliers together (Holm). It is gradient masked, "
    f"unless less robust, if {100 * HIDDEN_SHARE:.0f} % of the images or more, beyond the share "
    "of the accurate one, have no usable gradient, or survive everything along the network's own "
    "gradient at some budget and are broken there along another's or without any, more of them "
    "than chance explains (exact McNemar, one-sided). It cannot be told if the accurate one is "
    "masked, or signs differ, or nothing is more than chance."
)


@dataclass(frozen=True)
class Verdict:
    """What a suite says of one multiplier under one norm.

    Attributes:
        cell: its cell under the suite.
        name: the verdict.
        reason: what decided, in a few words.
        area: under its robust accuracy over eps, in units of eps.
        median: of the smallest budget that breaks an image; infinite where half survive all.
        mean: of the same, where what survives all counts as broken one step beyond the last.
        hidden: largest share of the images, over the budgets, that only others' gradients or none
            at all break there, 0 to 1.
        budgets: its smallest breaking budgets against the accurate multiplier's; None: it is that.
        adjusted: the p-values of Wilcoxon and sign test after Holm's correction; None likewise.
    """

    cell: Cell
    name: VerdictName | Literal["reference"]
    reason: str
    area: float
    median: float
    mean: float
    hidden: float
    budgets: PairedBudgets | None
    adjusted: tuple[float, float] | None

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "multiplier": self.cell.settings.multiplier,
            "label": self.cell.label,
            "suite": self.cell.settings.attack,
            "norm": self.cell.settings.norm,
            "verdict": self.name,
            "reason": self.reason,
            "area": self.area,
            "median_eps": self.median if math.isfinite(self.median) else None,
            "mean_eps": self.mean,
            "own_gradient_missed": self.hidden,
            "bears_more": self.budgets and self.budgets.larger,
            "bears_less": self.budgets and self.budgets.smaller,
            "p_wilcoxon_holm": self.adjusted and self.adjusted[0],
            "p_sign_holm": self.adjusted and self.adjusted[1],
        }


def suite_cells(cells: Sequence[Cell]) -> list[Cell]:
    """The cells of the suite that decides: one with several sources before one with its own."""
    suites = [cell for cell in cells if cell.broken_by]
    names = dict.fromkeys(cell.settings.attack for cell in suites)
    first = next((name for name in names if name.startswith("adaptive")), next(iter(names), None))
    return [cell for cell in suites if cell.settings.attack == first]


def verdicts(cells: Sequence[Cell], reference: str | None) -> list[Verdict]:
    """Judge every multiplier that a suite was run on.

    Args:
        cells: of one network on the same images.
        reference: label of the accurate multiplier; None: nothing can be told.

    Returns:
        One for each multiplier and norm, in the cells' order; none where no suite was run.
    """
    own = suite_cells(cells)
    exact = {cell.settings.norm: cell for cell in own if cell.label == reference}
    pairs = {
        place: (exact[cell.settings.norm], cell)
        for place, cell in enumerate(own)
        if cell.label != reference
        and cell.settings.norm in exact
        and cell.settings.budgets == exact[cell.settings.norm].settings.budgets
    }
    tests = {place: _Tests.of(*pair) for place, pair in pairs.items()}
    adjusted = iter(holm([p for one in tests.values() for p in one.p_values]))
    found = []
    for place, cell in enumerate(own):
        tested = tests.get(place)
        name: VerdictName | Literal["reference"] = "cannot be told"
        reason = "no accurate multiplier to compare with at these budgets"
        tail: tuple[float, float] | None = None
        if cell.label == reference:
            name, reason = "reference", ""
        elif tested is not None:
            values = [next(adjusted) for _ in tested.p_values]
            tail = values[-2], values[-1]
            name, reason = _judged(tested, values, *pairs[place])
        found.append(
            Verdict(
                cell=cell,
                name=name,
                reason=reason,
                area=area_under_curve(cell),
                median=median_budget(cell),
                mean=mean_budget(cell),
                hidden=hidden_share(cell),
                budgets=None if tested is None else tested.budgets,
                adjusted=tail,
            )
        )
    return found


def missed(cell: Cell) -> tuple[str, float]:
    """Images that the own gradient misses and others break, at the budget where they are most.

    Returns:
        Their flags, a digit 0 or 1 per image, and that budget.
    """
    rows = hidden(cell.broken_by).int().tolist()
    worst = max(zip(rows, cell.settings.budgets, strict=True), key=lambda one: sum(one[0]))
    return "".join(map(str, worst[0])), worst[1]


def hidden_share(cell: Cell) -> float:
    """Share of these images, 0 to 1."""
    flags, _ = missed(cell)
    return flags.count("1") / len(flags)


def masked(cell: Cell, exact: Cell | None = None) -> str:
    """Why a network's gradient counts as masked; empty where it does not.

    Args:
        cell: under a suite.
        exact: that of the accurate multiplier, which it is compared with; None: it is that.
    """
    zero = exact.zero_gradient if exact else 0.0
    if cell.zero_gradient - zero >= HIDDEN_SHARE:
        return f"{cell.zero_gradient:.0%} of the images have no usable gradient"
    flags, eps = missed(cell)
    usual = missed(exact)[0] if exact else "0" * len(flags)
    difference = paired_difference(usual, flags)
    # Half of a two-sided p: only more than usual is masked.
    if difference.value < HIDDEN_SHARE or difference.p_value / 2 >= LEVEL:
        return ""
    beside = f" (of the accurate multiplier {hidden_share(exact):.0%} at most)" if exact else ""
    return (
        f"{hidden_share(cell):.0%} of the images survive the own gradient at eps {eps:g} and fall "
        f"to others{beside}"
    )


@dataclass(frozen=True)
class _Tests:
    """All tests of one multiplier against the accurate one, with the way each points."""

    at_budgets: tuple[tuple[float, PairedDifference], ...]
    budgets: PairedBudgets

    @classmethod
    def of(cls, exact: Cell, cell: Cell) -> _Tests:
        pairs = zip(cell.settings.budgets, exact.correct, cell.correct, strict=True)
        return cls(
            tuple((eps, paired_difference(a, b)) for eps, a, b in pairs if eps > 0),
            paired_budgets(exact, cell),
        )

    @property
    def p_values(self) -> list[float]:
        """McNemar at each budget, then Wilcoxon and sign."""
        return [
            *(difference.p_value for _, difference in self.at_budgets),
            self.budgets.rank_p,
            self.budgets.sign_p,
        ]

    @property
    def signs(self) -> list[float]:
        """Above 0: for the multiplier."""
        return [
            *(difference.value for _, difference in self.at_budgets),
            self.budgets.rank_sign,
            self.budgets.larger - self.budgets.smaller,
        ]


def _judged(
    tests: _Tests, adjusted: Sequence[float], exact: Cell, cell: Cell
) -> tuple[VerdictName, str]:
    where = [*(f"eps {eps:g}" for eps, _ in tests.at_budgets), "smallest budgets", "sign test"]
    decided = [
        (name, sign > 0)
        for name, sign, p in zip(where, tests.signs, adjusted, strict=True)
        if p < LEVEL and sign != 0
    ]
    gains = [name for name, gain in decided if gain]
    losses = [name for name, gain in decided if not gain]
    doubt = masked(exact)
    if losses and not gains and not doubt:
        return "less robust", f"fewer at {', '.join(losses)}"
    if not (losses and not gains) and (why := masked(cell, exact)):
        return "gradient masked", why
    if doubt:
        return "cannot be told", f"of the accurate multiplier {doubt}"
    if gains and not losses:
        return "more robust", f"more at {', '.join(gains)}"
    if gains:
        return "cannot be told", f"more at {', '.join(gains)}, fewer at {', '.join(losses)}"
    return "cannot be told", "no difference is more than chance explains"
