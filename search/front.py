# SPDX-License-Identifier: Apache-2.0
"""What a search found: assignments on images that it never saw, tested against uniform networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from axhil.hwsim.multipliers import Assignment
from axhil.study.comparisons import LEVEL
from axhil.study.spec import ACCURACIES, Measure
from axhil.study.statistics import PairedDifference, Proportion, holm, paired_difference

from .measures import Judge
from .prices import Prices
from .sensitivity import Sensitivity
from .trials import Trial
from .values import non_dominated


@dataclass(frozen=True)
class Point:
    """An assignment.

    Attributes:
        label: short: `S1`, or that of a multiplier that is in all layers.
        assignment: itself.
        layers: by layer the label of its multiplier.
        held_out: the trial on images that the search never saw.
        searched: accuracies on the images of the search, 0 to 1; empty for the exact network where
            it is no choice.
        prices: energy in nJ of an image and area, where they are known.
        uniform: whether it is one multiplier in all layers.
    """

    label: str
    assignment: Assignment
    layers: Mapping[str, str]
    held_out: Trial
    searched: Mapping[Measure, float]
    prices: Mapping[Measure, float]
    uniform: bool

    def accuracy(self, measure: Measure) -> Proportion:
        """On held-out images, with its interval."""
        return self.held_out.accuracy(measure)

    def value(self, measure: Measure) -> float:
        """Of which less is better: share of wrong held-out images, energy, area."""
        return 1 - self.accuracy(measure).value if measure in ACCURACIES else self.prices[measure]


@dataclass(frozen=True)
class Test:
    """A point against a uniform network on the same held-out images.

    Attributes:
        point: label of it.
        other: label of the uniform network.
        measure: clean or robust.
        difference: image by image, the point's accuracy minus the other's.
        adjusted: exact McNemar p-value after Holm's correction over all tests of the search.
    """

    point: str
    other: str
    measure: Measure
    difference: PairedDifference
    adjusted: float

    @property
    def reversed(self) -> Test:
        """The same from the other's side."""
        lost = self.difference
        difference = replace(lost, gained=lost.lost, lost=lost.gained)
        return replace(self, point=self.other, other=self.point, difference=difference)

    @property
    def real(self) -> bool:
        """Whether chance does not explain it, at 5 % for all tests together."""
        return self.adjusted < LEVEL


@dataclass(frozen=True)
class Found:
    """Everything that a search found.

    Attributes:
        title: network, images, attack.
        judge: objectives and limits.
        sensitivity: of layers alone.
        points: the exact network first, then uniform ones, then what was found, by growing price.
        facts: of the run, JSON-able.
    """

    title: str
    judge: Judge
    sensitivity: Sensitivity
    points: tuple[Point, ...]
    facts: Mapping[str, Any]

    @property
    def objectives(self) -> tuple[Measure, ...]:
        """Those of the search."""
        return self.judge.objectives

    @property
    def prices(self) -> Prices | None:
        """What layers take, where it matters."""
        return self.judge.prices

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Accuracies that are known."""
        return tuple(self.points[0].held_out.flags)

    @property
    def exact(self) -> Point:
        """The network in exact arithmetic."""
        return self.points[0]

    @property
    def uniform(self) -> tuple[Point, ...]:
        """One multiplier in all layers, the exact one among them."""
        return tuple(one for one in self.points if one.uniform)

    @cached_property
    def front(self) -> tuple[Point, ...]:
        """The points that no other dominates on held-out images, by growing price."""
        values = np.array([[one.value(each) for each in self.objectives] for one in self.points])
        best = [self.points[row] for row in non_dominated(values)]
        return tuple(sorted(best, key=lambda one: one.value(self.judge.price_tag)))

    @cached_property
    def tests(self) -> tuple[Test, ...]:
        """Every point that was found against every uniform network: one family."""
        pairs = [
            (one, other, measure)
            for one in self.points
            for other in self.uniform
            for measure in self.measures
            if one is not other and (not one.uniform or other is self.exact)
        ]
        found = [
            paired_difference(other.held_out.flags[measure], one.held_out.flags[measure])
            for one, other, measure in pairs
        ]
        adjusted = holm([one.p_value for one in found])
        return tuple(
            Test(one.label, other.label, measure, difference, p)
            for (one, other, measure), difference, p in zip(pairs, found, adjusted, strict=True)
        )

    def test(self, point: Point, other: Point, measure: Measure) -> Test | None:
        """The one of a point against another, or the other way round; None where there is none."""
        for test in self.tests:
            if test.measure == measure and {test.point, test.other} == {point.label, other.label}:
                return test if test.point == point.label else test.reversed
        return None

    def dominating(self, other: Point) -> Point:
        """The point of the front that is as good as another in everything, and cheapest.

        On the front a point stands for itself, or for what equals it.
        """
        as_good = [
            one
            for one in self.front
            if all(one.value(each) <= other.value(each) for each in self.objectives)
        ]
        return as_good[0]

    @cached_property
    def chosen(self) -> Point:
        """What to take where nothing else is known.

        Of the front the cheapest point that keeps the limits and has no accuracy that is lower than
        the exact network's beyond chance; the exact network where there is none.
        """
        for point in self.front:
            losses = [
                test
                for test in self.tests
                if (test.point, test.other) == (point.label, self.exact.label)
                and test.real
                and test.difference.value < 0
            ]
            if not losses and self._kept(point):
                return point
        return self.exact

    def _kept(self, point: Point) -> bool:
        """Whether a point keeps the limits on held-out images."""
        for measure, most in self.judge.limits.items():
            value, exact = point.value(measure), self.exact.value(measure)
            over = value - exact if measure in ACCURACIES else value / exact
            if round(over - most / 100, 9) > 0:
                return False
        return True

    def as_dict(self) -> dict[str, Any]:
        """JSON-able: sensitivities, points, tests, the front by its labels."""
        space = self.sensitivity.space
        return {
            **dict(self.facts),
            "objectives": list(self.objectives),
            "limits": dict(self.judge.limits),
            "layers": list(space.layers),
            "choices": [one.name for one in space.multipliers],
            "sensitivity": {
                measure: [[round(float(one), 6) for one in row] for row in table]
                for measure, table in self.sensitivity.changes.items()
            },
            "points": [self._point(one) for one in self.points],
            "front": [one.label for one in self.front],
            "chosen": self.chosen.label,
            "tests": [
                {
                    "point": one.point,
                    "against": one.other,
                    "measure": one.measure,
                    "difference": one.difference.value,
                    "gained": one.difference.gained,
                    "lost": one.difference.lost,
                    "p_mcnemar": one.difference.p_value,
                    "p_holm": one.adjusted,
                }
                for one in self.tests
            ],
        }

    def _point(self, point: Point) -> dict[str, Any]:
        body: dict[str, Any] = {"label": point.label, "assignment": point.assignment.name}
        for measure in self.measures:
            share = point.accuracy(measure)
            body[measure] = {
                "accuracy": share.value,
                "low": share.low,
                "high": share.high,
                "searched": point.searched.get(measure),
                "correct": point.held_out.flags[measure],
            }
        return body | dict(point.prices)
