# SPDX-License-Identifier: Apache-2.0
"""What assignments are judged by, all as numbers of which less is better.

Accuracies are known by trials; what hardware takes follows from the layers alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from axhil.study.spec import ACCURACIES, Measure

from .prices import Prices
from .space import Genes, Space
from .values import Values


@dataclass(frozen=True)
class Judge:
    """Puts measures of assignments into numbers.

    Attributes:
        space: of the assignments.
        objectives: those that are made as good as can be.
        limits: see `study.spec.Search`.
        exact: accuracies of the exact network by measure, 0 to 1.
        prices: what layers take; None where neither energy nor area matters.
    """

    space: Space
    objectives: tuple[Measure, ...]
    limits: Mapping[Measure, float]
    exact: Mapping[Measure, float]
    prices: Prices | None = None

    @property
    def price_tag(self) -> Measure:
        """The objective that points are put in order by: the first price, else the last."""
        prices = [one for one in self.objectives if one not in ACCURACIES]
        return [*prices, self.objectives[-1]][0]

    def values(self, genes: Sequence[Genes], accuracies: Mapping[Measure, Values]) -> Values:
        """(N, objectives): shares of wrong images, nJ of an image, area.

        Args:
            genes: N assignments.
            accuracies: (N,) of them by measure, 0 to 1.
        """
        return np.stack([self._of(one, genes, accuracies) for one in self.objectives], axis=1)

    def excess(self, genes: Sequence[Genes], accuracies: Mapping[Measure, Values]) -> Values:
        """(N, limits): by how much each limit is exceeded; 0 and less: it is kept."""
        found = [np.zeros((len(genes), 0))]
        for one, most in self.limits.items():
            values = self._of(one, genes, accuracies)
            if one in ACCURACIES:
                over = values - (1 - self.exact[one]) - most / 100
            else:
                assert self.prices is not None
                over = values / self.prices.exact(one) - most / 100
            found.append(np.round(over, 9)[:, None])  # 0.02 - 0.01 is more than 0.01
        return np.concatenate(found, axis=1)

    def price(self, measure: Measure, genes: Sequence[Genes]) -> Values:
        """(N,) energy or area."""
        assert self.prices is not None
        return self.prices.of(measure, genes, exact=self.space.exact)

    def _of(
        self, measure: Measure, genes: Sequence[Genes], accuracies: Mapping[Measure, Values]
    ) -> Values:
        if measure in ACCURACIES:
            return 1 - np.asarray(accuracies[measure], np.float64)
        return self.price(measure, genes)
