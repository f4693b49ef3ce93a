# SPDX-License-Identifier: Apache-2.0
"""How much each layer alone minds each multiplier, and what follows for any assignment.

The accuracy of an assignment is estimated as that of the exact network and the sum of what its
layers lose. The losses of layers alone are a first guess; every trial of a whole assignment then
corrects them, by least squares with the guess for a prior (ridge regression around the table).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from axhil.study.spec import Measure

from .space import Genes, Space
from .trials import Trials, accuracies
from .values import Values

_PRIOR = 1.0
"""Weight of an entry of the table beside a trial."""

_FAR = 0.05
"""Loss of accuracy at which a trial counts half: far from the exact network they do not add up."""


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Change of accuracy by one layer alone.

    Attributes:
        space: layers and choices.
        exact: accuracies of the exact network by measure, 0 to 1.
        changes: (layers, choices) by measure, in the same units; below 0: a loss.
    """

    space: Space
    exact: Mapping[Measure, float]
    changes: Mapping[Measure, Values]

    @classmethod
    def measured(cls, space: Space, trials: Trials, exact: Mapping[Measure, float]) -> Sensitivity:
        """Try every choice but the exact one in every layer, all other layers exact."""
        places = [
            (row, choice)
            for row in range(len(space.layers))
            for choice in range(len(space.choices))
            if choice != space.exact
        ]
        found = accuracies(trials([space.alone(space.layers[row], one) for row, one in places]))
        changes = {}
        for measure, values in found.items():
            table = np.zeros((len(space.layers), len(space.choices)))
            table[tuple(np.transpose(places))] = values - exact[measure]
            changes[measure] = table
        return cls(space, exact, changes)

    def estimate(self, genes: Sequence[Genes]) -> dict[Measure, Values]:
        """(N,) accuracies by measure, 0 to 1, as the table has them add up."""
        chosen = np.asarray(genes, np.int64)
        layers = np.arange(chosen.shape[1])
        return {
            measure: np.clip(self.exact[measure] + table[layers, chosen].sum(1), 0, 1)
            for measure, table in self.changes.items()
        }

    def corrected(self, genes: Sequence[Genes], known: Mapping[Measure, Values]) -> Sensitivity:
        """The table that fits trials of whole assignments too.

        Args:
            genes: N assignments.
            known: (N,) their accuracies by measure.
        """
        choices = len(self.space.choices)
        chosen = np.asarray(genes, np.int64)
        design = (chosen[:, :, None] == np.arange(choices)).astype(np.float64)
        if self.space.exact is not None:
            design[:, :, self.space.exact] = 0.0  # loses nothing
        design = design.reshape(len(genes), -1)
        changes = {}
        for measure, table in self.changes.items():
            change = np.asarray(known[measure]) - self.exact[measure]
            weight = 1 / (1 + (change / _FAR) ** 2)
            missed = change - design @ table.ravel()
            inner = design.T @ (weight[:, None] * design) + _PRIOR * np.eye(design.shape[1])
            step = np.linalg.solve(inner, design.T @ (weight * missed))
            changes[measure] = table + step.reshape(table.shape)
        return Sensitivity(self.space, self.exact, changes)

    def cheaper(self, measure: Measure, prices: Values | None) -> list[Genes]:
        """Assignments on the way from exact to cheap, one layer after another.

        From the choice of least loss in every layer, the change is made again and again that
        saves most for what it loses.

        Args:
            measure: whose losses count.
            prices: (layers, choices) what each takes; None: there is no such figure.
        """
        losses = -self.changes[measure]
        if prices is None:
            return [tuple(int(one) for one in losses.argmin(1))]
        genes = [int(one) for one in losses.argmin(1)]
        found = [tuple(genes)]
        while True:
            here = np.arange(len(genes)), np.asarray(genes)
            saved = prices[here][:, None] - prices
            lost = losses - losses[here][:, None]
            useful = saved > 0
            if not useful.any():
                return found
            rate = np.where(useful, np.maximum(lost, 0) / np.where(useful, saved, 1), np.inf)
            row, choice = np.unravel_index(int(rate.argmin()), rate.shape)
            genes[int(row)] = int(choice)
            found.append(tuple(genes))
