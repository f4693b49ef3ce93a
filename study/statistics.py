# SPDX-License-Identifier: Apache-2.0
"""Honest uncertainty of an accuracy measured on few images."""

from __future__ import annotations

from dataclasses import dataclass

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


def proportion(count: int, samples: int) -> Proportion:
    """Wilson 95 % interval of `count` successes in `samples` trials.

    Raises:
        StudyError: no samples, or a count outside 0..samples.
    """
    if samples < 1 or not 0 <= count <= samples:
        raise StudyError(f"expected 0 <= count <= samples and samples >= 1, got {count}, {samples}")
    interval = binomtest(count, samples).proportion_ci(CONFIDENCE, method="wilson")
    return Proportion(count, samples, float(interval.low), float(interval.high))
