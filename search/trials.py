# SPDX-License-Identifier: Apache-2.0
"""Trials of assignments: cells of a study, by its engine, in its store.

So a search writes nothing of its own while it runs. A rerun asks the same questions, and finds in
the store the answers that were there before it was stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from axhil.hwsim.multipliers import Assignment
from axhil.study.engine.experiment import Engine, Experiment, Grid, run
from axhil.study.spec import ACCURACIES, Measure, StudySpec
from axhil.study.statistics import Proportion, proportion
from axhil.study.storage.cells import Cell
from axhil.study.storage.store import CellStore
from axhil.study.subject import Subject
from axhil.zoo import Images

from .values import Values

WITHOUT_ATTACK = "square"
"""The attack of a search that looks at clean images alone: one that takes no gradient of them."""


@dataclass(frozen=True)
class Trial:
    """One assignment on some images.

    Attributes:
        assignment: what was tried.
        cell: its cell.
    """

    assignment: Assignment
    cell: Cell

    @property
    def flags(self) -> dict[Measure, str]:
        """By accuracy, a digit 0 or 1 for each image."""
        return dict(zip(ACCURACIES, self.cell.correct, strict=False))

    def accuracy(self, measure: Measure) -> Proportion:
        """The share of images that are right, with its interval."""
        flags = self.flags[measure]
        return proportion(flags.count("1"), len(flags))


@dataclass(frozen=True)
class Trials:
    """Evaluates assignments on one set of images, each once.

    Attributes:
        subject: the network.
        images: to evaluate on.
        grid: one attack at the budgets 0 and, where there is an attack, another.
        store: where results are, and go.
        engine: who computes.
        finished: called with the rows through the network of trials that are done.
        cells: of all trials so far, by the assignment's name.
    """

    subject: Subject
    images: Images
    grid: Grid
    store: CellStore
    engine: Engine
    finished: Callable[[int, str], None]
    cells: dict[str, Cell] = field(default_factory=dict)

    def __call__(self, assignments: Sequence[Assignment]) -> list[Trial]:
        """Try assignments, those that were tried before from memory.

        Raises:
            EmulationError, AttackError, StudyError: what does not fit, or is damaged in the store.
        """
        new = {one.name: one for one in assignments if one.name not in self.cells}
        if new:
            experiment = Experiment(self.subject, self.images, list(new.values()), self.grid)
            before = 0

            def tell(done: int, _total: int, title: str) -> None:
                nonlocal before
                self.finished(done - before, title)
                before = done

            cells = run(experiment, self.store, engine=self.engine, progress=tell)
            self.cells.update(zip(new, cells, strict=True))
        return [Trial(one, self.cells[one.name]) for one in assignments]

    @property
    def rows(self) -> int:
        """Rows through the network of one trial."""
        exact = Assignment.parse("exact")
        return sum(
            one.rows for one in Experiment(self.subject, self.images, [exact], self.grid).units
        )


def grid_of(spec: StudySpec) -> Grid:
    """The attack and budgets of a search, with the study's threat model, gradient, seed, batch."""
    assert spec.search is not None
    wanted, grid = spec.search, spec.grid(spec.threat_models[0])
    attack, budgets = wanted.attack, (0.0, *filter(None, [wanted.eps]))
    if wanted.eps is None:
        attack, grid = WITHOUT_ATTACK, replace(grid, worst_iterate=False)
    return replace(grid, attacks=(attack,), norms=(wanted.norm,), budgets={wanted.norm: budgets})


def accuracies(trials: Sequence[Trial]) -> dict[Measure, Values]:
    """(N,) shares of right images, by measure."""
    return {
        measure: np.array([one.accuracy(measure).value for one in trials])
        for measure in trials[0].flags
    }
