# SPDX-License-Identifier: Apache-2.0
"""A search from its file to its front.

First every multiplier in every layer alone, then rounds: estimates from all trials so far, NSGA-II
on the estimates, trials of what it proposes. At the end the best go to images that no trial saw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from axhil.attacks import attack_title
from axhil.hwsim.multipliers import Assignment
from axhil.hwsim.tools.yosys import require_yosys
from axhil.study.engine.experiment import Experiment, quantisation_of
from axhil.study.engine.run import Machine, experiments_of
from axhil.study.errors import StudyError
from axhil.study.spec import ACCURACIES, Cost, Measure, StudySpec
from axhil.study.storage.store import CellStore
from axhil.zoo import Images

from .errors import SearchError
from .evolution import evolved
from .front import Found, Point
from .measures import Judge
from .prices import kept_prices
from .sensitivity import Sensitivity
from .space import EXACT, Genes, Space
from .trials import Trial, Trials, accuracies, grid_of
from .values import non_dominated, spread

Progress = Callable[[int, int, str], None]
"""Called with (done, in all, of what), each of several steps from 0."""


def search(
    spec: StudySpec,
    folder: Path,
    machine: Machine | None = None,
    *,
    experiment: Experiment | None = None,
    pricing: Progress | None = None,
    progress: Progress | None = None,
) -> Found:
    """Run a study's search, or what is left of it.

    Args:
        spec: a study with a section `search`.
        folder: of the store, and of what multipliers take; made where it is missing.
        machine: where to run; None: this one, as `Machine` has it.
        experiment: `searched` of the study, where it is at hand already.
        pricing: told of gates and energies.
        progress: told of rows through the network; where proposals run out, not all are needed.

    Returns:
        What it found: the same for a seed, wherever it ran and however often it was stopped.

    Raises:
        EmulationError, HwsimError, StudyError, AttackError, SearchError: what is missing or does
            not fit.
    """
    machine = machine or Machine()
    experiment = experiment or searched(spec, machine)
    assert spec.search is not None  # as `searched` has made sure
    wanted, subject = spec.search, experiment.subject
    space = Space.of(subject, experiment.multipliers)
    rest = np.arange(spec.images, len(experiment.images))
    held_out = experiment.images.subset(np.arange(spec.images))
    images = experiment.images.subset(rest)
    prices = None
    if wanted.priced:
        energy = "energy" in wanted.measures
        cost = spec.cost or Cost()
        prices = kept_prices(
            folder, space, cost, subject, images, energy=energy, jobs=machine.jobs, progress=pricing
        )
    store, engine = CellStore(folder), machine.build(subject.network.name)
    meter = _Meter(progress)
    grid = grid_of(spec)
    trials = Trials(subject, images, grid, store, engine, meter.add)
    final = Trials(subject, held_out, grid, store, engine, meter.add)
    alone = len(space.layers) * (len(space.choices) - (space.exact is not None))
    meter.total = trials.rows * (
        1 + len(space.choices) + alone + wanted.rounds * wanted.proposals
    ) + final.rows * (1 + len(space.choices) + wanted.finalists)

    with engine.ready():
        (exact,) = trials([Assignment.parse(EXACT)])
        judge = Judge(
            space,
            wanted.objectives,
            wanted.limits,
            {measure: exact.accuracy(measure).value for measure in exact.flags},
            prices,
        )
        sensitivity = Sensitivity.measured(space, trials, judge.exact)
        tried = _rounds(judge, sensitivity, trials, spec)
        finalists = _finalists(judge, tried, wanted.finalists)
        points = _points(judge, tried, finalists, final)
    facts = {
        **_facts(spec, final, trials),
        "assignments": space.size,
        "trials": len(trials.cells),
        "target": None if prices is None else prices.target,
    }
    return Found(_title(spec, held_out), judge, sensitivity, points, facts)


def searched(spec: StudySpec, machine: Machine) -> Experiment:
    """The experiment of a search: network, multipliers, and all of its images, held-out ones first.

    Raises:
        EmulationError, HwsimError, StudyError: see `experiments_of`; or the study has no search.
        SearchError: energy is an objective, and there is no library.
    """
    if spec.search is None:
        raise StudyError(f"{spec.name}: expected a section [search] of objectives, found none")
    if "energy" in spec.search.measures and not (spec.cost and spec.cost.liberty):
        raise SearchError(
            "the objective energy: expected a library, whose cells take some: the option --liberty "
            "FILE, or in a study file liberty in the section [cost]"
        )
    if spec.search.priced:
        require_yosys()
    images = spec.images + spec.search.images
    (experiment,) = experiments_of(spec.model_copy(update={"images": images}), machine)
    return experiment


def _rounds(
    judge: Judge, table: Sensitivity, trials: Trials, spec: StudySpec
) -> dict[Genes, Trial]:
    """Trials of uniform assignments, then of what estimates propose, round after round."""
    assert spec.search is not None
    space, tried = judge.space, dict[Genes, Trial]()

    def attempt(genes: Sequence[Genes]) -> None:
        tried.update(zip(genes, trials(list(map(space.assignment, genes))), strict=True))

    attempt(space.uniform)
    prices = None
    if judge.prices is not None and judge.prices.energies:
        prices = np.asarray(judge.prices.energies)
    for number in range(spec.search.rounds):
        fitted = table.corrected(list(tried), accuracies(list(tried.values())))
        start = [*tried]
        for measure in fitted.changes:
            start += fitted.cheaper(measure, prices)
        seed = int(np.random.SeedSequence([spec.seed, number]).generate_state(1)[0])
        new = [one for one in evolved(judge, fitted, start, seed=seed) if one not in tried]
        if not new:
            break
        values = judge.values(new, fitted.estimate(new))
        attempt([new[row] for row in spread(values, spec.search.proposals)])
    return tried


def _finalists(judge: Judge, tried: Mapping[Genes, Trial], most: int) -> list[Genes]:
    """Of the assignments of several multipliers, those that no trial dominates."""
    genes = list(tried)
    known = accuracies(list(tried.values()))
    values = judge.values(genes, known)
    kept = np.flatnonzero((judge.excess(genes, known) <= 0).all(1))
    best = [int(kept[row]) for row in non_dominated(values[kept])]
    mixed = [row for row in best if len(set(genes[row])) > 1]
    tag = judge.objectives.index(judge.price_tag)
    taken = [mixed[row] for row in spread(values[mixed], most)]
    return [genes[row] for row in sorted(taken, key=lambda row: (values[row][tag], genes[row]))]


def _points(
    judge: Judge, tried: Mapping[Genes, Trial], finalists: Sequence[Genes], final: Trials
) -> tuple[Point, ...]:
    space = judge.space
    labels = [choice.label for choice in space.choices]

    def point(label: str, genes: Genes, trial: Trial) -> Point:
        return Point(
            label=label,
            assignment=trial.assignment,
            layers={layer: labels[one] for layer, one in zip(space.layers, genes, strict=True)},
            held_out=trial,
            searched={each: tried[genes].accuracy(each).value for each in trial.flags},
            prices={each: float(judge.price(each, [genes])[0]) for each in _priced(judge)},
            uniform=len(set(genes)) == 1,
        )

    every = [*space.uniform, *finalists]
    names = [*labels, *(f"S{number}" for number in range(1, len(finalists) + 1))]
    exact, *trials = final([Assignment.parse(EXACT), *map(space.assignment, every)])
    points = [point(*row) for row in zip(names, every, trials, strict=True)]
    if space.exact is not None:
        points.insert(0, points.pop(space.exact))
        return tuple(points)
    prices = judge.prices
    alone = Point(
        label=exact.assignment.label,
        assignment=exact.assignment,
        layers=dict.fromkeys(space.layers, exact.assignment.label),
        held_out=exact,
        searched=judge.exact,
        prices={each: prices.exact(each) for each in _priced(judge)} if prices else {},
        uniform=True,
    )
    return (alone, *points)


def _title(spec: StudySpec, images: Images) -> str:
    assert spec.search is not None
    wanted, name = spec.search, spec.networks[0]
    title = f"{name}, {len(images):,} held-out images of {images.name}"
    if wanted.eps is None:
        return title
    return f"{title}, {attack_title(wanted.attack, wanted.norm)} at eps {wanted.eps:g}"


def _facts(spec: StudySpec, held_out: Trials, searched_on: Trials) -> dict[str, Any]:
    """What was evaluated, for the record."""
    assert spec.search is not None
    wanted, subject = spec.search, held_out.subject
    attacked = wanted.eps is not None
    return {
        "network": subject.network.name,
        "weights_sha256": subject.weights_sha256,
        "calibration": subject.calibration,
        "quantisation": quantisation_of(subject.prepared.settings),
        "data": held_out.images.name,
        "images": len(held_out.images),
        "data_sha256": held_out.images.sha256,
        "search_images": len(searched_on.images),
        "search_data_sha256": searched_on.images.sha256,
        "attack": wanted.attack if attacked else None,
        "norm": wanted.norm if attacked else None,
        "eps": wanted.eps,
        "threat_model": held_out.grid.threat_model,
        "seed": spec.seed,
    }


def _priced(judge: Judge) -> list[Measure]:
    measures = dict.fromkeys((*judge.objectives, *judge.limits))
    return [one for one in measures if one not in ACCURACIES]


@dataclass
class _Meter:
    """Adds up the rows of trials, one after another."""

    report: Progress | None
    total: int = 0
    done: int = field(default=0, init=False)

    def add(self, rows: int, title: str) -> None:
        self.done += rows
        if self.report is not None:
            self.report(min(self.done, self.total), self.total, title)
