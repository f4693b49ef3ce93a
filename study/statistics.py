# SPDX-License-Identifier: Apache-2.0
"""Honest uncertainty of an accuracy measured on few images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from scipy.stats import binomtest

from .errors import StudyError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Proportion:
    """A share of samples with its 95 % interval.

    Attributes:
        count: samples that are correct.
        samples: samples in all.
        low: lower end of the Wilson score interval (E. B. Wilson, JASA 22, 1927), 0 to 1.
        high: upper end.
    """

    count: int
    samples: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself, 0 to 1."""
        return self.count / self.samples

    @property
    def half_width(self) -> float:
        """Distance from the share to the further end of the interval."""
        return max(self.value - self.low, self.high - self.value)


@lru_cache(maxsize=1 << 16)
def proportion(count: int, samples: int) -> Proportion:
    """Wilson 95 % interval of `count` successes in `samples` trials.

    Raises:
        StudyError: no samples, or a count outside 0..samples.
    """
    if samples < 1 or not 0 <= count <= samples:
        raise StudyError(f"expected 0 <= count <= samples and samples >= 1, got {count}, {samples}")
    interval = binomtest(count, samples).proportion_ci(CONFIDENCE, method="wilson")
    return Proportion(count, samples, float(interval.low), float(interval.high))


@dataclass(frozen=True)
class PairedDifference:
    """Two networks on the same images.

    Attributes:
        gained: images that only the second gets right.
        lost: images that only the first gets right.
        samples: images in all.
        p_value: exact two-sided McNemar test that gains and losses are equally likely
            (Q. McNemar, Psychometrika 12, 1947; exact binomial form).
    """

    gained: int
    lost: int
    samples: int
    p_value: float

    @property
    def value(self) -> float:
        """Second accuracy minus the first, -1 to 1."""
        return (self.gained - self.lost) / self.samples


def paired_difference(first: str, second: str) -> PairedDifference:
    """Compare two strings of flags, a digit 0 or 1 per image, image by image.

    Raises:
        StudyError: they are empty or of different lengths.
    """
    if len(first) != len(second) or not first:
        raise StudyError(
            f"expected flags of the same images, got {len(first)} and {len(second)} of them"
        )
    a, b = int(first, 2), int(second, 2)
    gained, lost = (b & ~a).bit_count(), (a & ~b).bit_count()
    return PairedDifference(gained, lost, len(first), _mcnemar(gained, lost))


@lru_cache(maxsize=1 << 16)
def _mcnemar(gained: int, lost: int) -> float:
    return 1.0 if gained + lost == 0 else float(binomtest(gained, gained + lost).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust a family's p-values so that any false alarm in it has the stated probability.

    S. Holm, "A simple sequentially rejective multiple test procedure", 1979.

    Returns:
        Adjusted p-values in the order given.
    """
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted
