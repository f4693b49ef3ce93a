# SPDX-License-Identifier: Apache-2.0
"""NSGA-II over assignments, on estimates: whole generations take milliseconds.

K. Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE Transactions on
Evolutionary Computation 6(2), 2002, by pymoo.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.config import Config
from pymoo.core.mutation import Mutation
from pymoo.core.problem import Problem
from pymoo.operators.crossover.ux import UniformCrossover
from pymoo.optimize import minimize

from .measures import Judge
from .sensitivity import Sensitivity
from .space import Genes

GENERATIONS, POPULATION = 120, 100

Config.warnings["not_compiled"] = False  # a notice of its own, on stdout


class _Estimates(Problem):  # type: ignore[misc]  # pymoo has no types
    """Assignments judged by estimates of their accuracy."""

    def __init__(self, judge: Judge, sensitivity: Sensitivity) -> None:
        space = judge.space
        self._judge, self._sensitivity = judge, sensitivity
        super().__init__(
            n_var=len(space.layers),
            n_obj=len(judge.objectives),
            n_ieq_constr=len(judge.limits),
            xl=0,
            xu=len(space.choices) - 1,
            vtype=int,
        )

    def _evaluate(self, x: NDArray[np.int64], out: dict[str, Any], *_: Any, **__: Any) -> None:
        genes = [tuple(row) for row in x.tolist()]
        accuracies = self._sensitivity.estimate(genes)
        out["F"] = self._judge.values(genes, accuracies)
        if self._judge.limits:
            out["G"] = self._judge.excess(genes, accuracies)


class _Redrawn(Mutation):  # type: ignore[misc]  # likewise
    """One layer of an assignment, on average, gets any multiplier."""

    def _do(
        self, problem: Problem, x: NDArray[np.int64], *_: Any, random_state: Any, **__: Any
    ) -> NDArray[np.int64]:
        drawn = random_state.integers(0, problem.xu + 1, size=x.shape)
        return np.where(random_state.random(x.shape) < 1 / problem.n_var, drawn, x)


def evolved(
    judge: Judge, sensitivity: Sensitivity, start: Sequence[Genes], *, seed: int
) -> list[Genes]:
    """The estimated front: assignments that no other found dominates, within the limits.

    Args:
        judge: of assignments.
        sensitivity: what estimates their accuracy.
        start: of the first population; the rest of it is drawn.
        seed: of all that is drawn.

    Returns:
        Each once, in an order that depends on the arguments alone; empty where all that was found
        exceeds a limit.
    """
    space = judge.space
    rng = np.random.default_rng(seed)
    first = list(dict.fromkeys(start))
    drawn = rng.integers(0, len(space.choices), (POPULATION, len(space.layers)))
    while len(first) > POPULATION:
        first.pop(int(rng.integers(len(first))))
    population = np.array([*first, *map(tuple, drawn.tolist())][:POPULATION])
    algorithm = NSGA2(
        pop_size=POPULATION,
        sampling=population,
        crossover=UniformCrossover(prob=0.9),
        mutation=_Redrawn(prob=1.0),
        eliminate_duplicates=True,
    )
    result = minimize(
        _Estimates(judge, sensitivity), algorithm, ("n_gen", GENERATIONS), seed=seed, verbose=False
    )
    if result.X is None:
        return []
    rows = np.atleast_2d(result.X).astype(np.int64).tolist()
    return sorted({tuple(map(int, row)) for row in rows})
