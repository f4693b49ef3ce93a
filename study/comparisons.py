# SPDX-License-Identifier: Apache-2.0
"""Every multiplier against the accurate one on the same images, and what that could have shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from scipy.stats import beta, norm

from axhil.hwsim import error_metrics
from axhil.hwsim.multipliers import Multiplier

from .statistics import PairedDifference, holm, paired_difference
from .storage.records import Record

LEVEL = 0.05
"""Chance of any false alarm in the whole family."""

POWER = 0.8
"""How often a difference should be found to call it one that the sample can show."""


@dataclass(frozen=True)
class Comparison:
    """One point of a curve against the accurate multiplier's at the same attack, norm and eps.

    Attributes:
        record: the multiplier's point.
        difference: its flags against the accurate multiplier's, image by image.
        adjusted: the exact McNemar p-value after Holm's correction over the family.
    """

    record: Record
    difference: PairedDifference
    adjusted: float

    @property
    def survives(self) -> bool:
        """Whether the difference is more than chance explains, at 5 % for the whole family."""
        return self.adjusted < LEVEL

    @property
    def clean(self) -> bool:
        """Whether it compares without attack."""
        return self.record.eps == 0


def accurate_multiplier(records: Sequence[Record], tables: Sequence[Multiplier] = ()) -> str | None:
    """Return the label of the multiplier that others are compared with.

    Args:
        records: of any multipliers.
        tables: those at hand. A table decides what its multiplier is, its name only where there
            is no table: a file called ``exact`` need not be.

    Returns:
        The label of the first multiplier without errors, or None.
    """
    exact = {one.name: error_metrics(one.table()).ep == 0 for one in tables}
    for record in records:
        name = record.cell.settings.multiplier
        if exact.get(name, name == "exact"):
            return record.cell.label
    return None


def compare(records: Sequence[Record], reference: str) -> list[Comparison]:
    """Test every point against the accurate multiplier's; all of them are one family.

    At eps = 0 nothing is attacked, so that the panels repeat one comparison: it counts once.

    Args:
        records: one network's, on the same images.
        reference: label of the accurate multiplier.

    Returns:
        Comparisons in the records' order; points that the reference lacks are left out.
    """
    by_point = {
        (r.cell.settings.attack, r.cell.settings.norm, r.eps): r.correct
        for r in records
        if r.cell.label == reference
    }
    pairs: list[tuple[Record, PairedDifference]] = []
    clean_seen = set()
    for record in records:
        settings = record.cell.settings
        own = by_point.get((settings.attack, settings.norm, record.eps))
        if own is None or record.cell.label == reference:
            continue
        if record.eps == 0:
            same = (record.cell.label, own, record.correct)
            if same in clean_seen:
                continue
            clean_seen.add(same)
        pairs.append((record, paired_difference(own, record.correct)))
    adjusted = holm([difference.p_value for _, difference in pairs])
    return [
        Comparison(record, difference, p)
        for (record, difference), p in zip(pairs, adjusted, strict=True)
    ]


def fewest_changed(family: int) -> int:
    """Fewest images that must change, all the same way, for a first p-value below the level.

    With d images that differ and all of them on one side, the exact two-sided McNemar test gives
    p = 2^(1-d); Holm multiplies the smallest p of a family by its size.

    Args:
        family: comparisons in the family, 1 for a single one.
    """
    return math.floor(1 + math.log2(family / LEVEL)) + 1


def detectable_difference(samples: int, changed: int) -> float | None:
    """Smallest true difference that at least `changed` of `samples` images show four in five times.

    In the most favourable case: whatever changes, changes the same way, so that the number of
    changed images is binomial. P(Bin(n, x) >= d) is the regularised incomplete beta function
    I_x(d, n - d + 1), whose inverse this is.

    Returns:
        A share of the images, 0 to 1, or None where there are too few images for any.
    """
    if changed > samples:
        return None
    return float(beta.ppf(POWER, changed, samples - changed + 1))


def difference_interval(difference: PairedDifference, *, family: int = 1) -> tuple[float, float]:
    """Interval of a paired difference of accuracies, at 95 % for a whole family at once.

    Half an image is added to each of the four cells of the 2x2 table and Wald's interval taken
    (A. Agresti and Y. Min, Statistics in Medicine 24, 2005), at Bonferroni's level.

    Args:
        difference: gained and lost images.
        family: intervals that are to hold together.

    Returns:
        Lower and upper end, -1 to 1.
    """
    total = difference.samples + 2
    net = difference.gained - difference.lost
    changed = difference.gained + difference.lost + 1
    middle = net / total
    half = _quantile(family) * math.sqrt(changed - net * net / total) / total
    return max(-1.0, middle - half), min(1.0, middle + half)


@lru_cache
def _quantile(family: int) -> float:
    return float(norm.isf(LEVEL / 2 / family))
