# SPDX-License-Identifier: Apache-2.0
"""The grid of multipliers, attacks and norms over one network, cell by cell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields, replace
from typing import Protocol

import numpy as np
import torch

from axhil.attacks import (
    Attack,
    AttackError,
    Norm,
    SteppedAttack,
    Suite,
    canonical,
    network_rows,
    parse_attack,
)
from axhil.attacks.checks import iterated_weaker
from axhil.emulation import Settings
from axhil.emulation.gradients.gradient import parse_gradient
from axhil.hwsim.multipliers import Assignment
from axhil.zoo import Images

from ..errors import StudyError
from ..storage.cells import THREAT_MODELS, WHITEBOX, Cell, CellSettings
from ..storage.store import CellStore
from ..subject import Subject
from .worker import CellWorker
from .workers import shared_out

Progress = Callable[[int, int, str], None]
"""Called with (network rows done, rows in all, what is at work)."""

# Between 0 and 2 as in the paper, dense where LeNet-5's curves fall.
DEFAULT_BUDGETS = {
    "linf": (0.0, 0.05, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3, 0.5, 1.0, 2.0),
    "l2": (0.0, 0.5, 0.75, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0),
}
# How often to look whether another run has finished a cell that it holds, and to tell it that this
# one is at work on its own.
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Grid:
    """What to run.

    Attributes:
        attacks: their spellings, see `attacks.registry`; they become canonical.
        norms: see `attacks.Norm`.
        budgets: eps values of each norm, 0 or more, ascending.
        threat_model: who computes the gradient.
        worst_iterate: whether any misclassified iterate breaks an image, or the last alone.
        gradient: how the attacked network is differentiated, see `emulation.gradients`.
        seed: of random starts.
        batch: rows per pass through a network.
    """

    attacks: tuple[str, ...] = ("fgsm", "bim", "pgd")
    norms: tuple[str, ...] = tuple(map(str, Norm))
    budgets: dict[str, tuple[float, ...]] = field(default_factory=lambda: dict(DEFAULT_BUDGETS))
    threat_model: str = WHITEBOX
    worst_iterate: bool = False
    gradient: str = "float32"
    seed: int = 0
    batch: int = 512

    def __post_init__(self) -> None:
        if not (self.attacks and self.norms and all(self.budgets.get(n) for n in self.norms)):
            raise StudyError("expected at least one attack, one norm and one budget of each norm")
        if self.threat_model not in THREAT_MODELS:
            raise StudyError(
                f"unknown threat model {self.threat_model!r}: expected {', '.join(THREAT_MODELS)}"
            )
        if self.gradient != "float32" and self.threat_model != WHITEBOX:
            raise StudyError(
                f"gradient {self.gradient} is of the attacked network, but under "
                f"{self.threat_model} another one is differentiated, in float32: expected "
                f"gradient float32, or the threat model {WHITEBOX}"
            )
        parse_gradient(self.gradient)
        object.__setattr__(self, "attacks", tuple(map(canonical, self.attacks)))
        for attack in self.attacks:
            for norm in self.norms:
                found = parse_attack(attack, norm)  # refuses arguments that do not fit
                if self.worst_iterate and not isinstance(found, SteppedAttack):
                    raise StudyError(
                        f"{attack} shows no iterates, and counts every image that it comes past "
                        "anyway: expected worst_iterate false, or attacks such as pgd"
                    )
                several = isinstance(found, Suite) and found.sources != ("own",)
                if several and self.threat_model != WHITEBOX:
                    raise StudyError(
                        f"{attack} takes its gradients of several networks, the attacked one "
                        f"among them: expected the threat model {WHITEBOX}, got "
                        f"{self.threat_model}"
                    )


@dataclass(frozen=True)
class Unit:
    """A cell to be computed.

    Attributes:
        multiplier: or several, layer by layer.
        settings: its settings.
    """

    multiplier: Assignment
    settings: CellSettings

    @property
    def title(self) -> str:
        """How progress calls it."""
        return f"{self.multiplier.label} {self.settings.attack} {self.settings.norm}"

    @property
    def rows(self) -> int:
        """Network rows of the whole cell."""
        return network_rows(
            parse_attack(self.settings.attack, self.settings.norm),
            budgets=self.settings.budgets,
            samples=self.settings.images,
            worst_iterate=self.settings.worst_iterate,
        )


@dataclass(frozen=True)
class Experiment:
    """One grid over one network: what `run` runs.

    Attributes:
        subject: the network.
        images: what it is evaluated on.
        multipliers: to build it from.
        grid: attacks, norms, budgets.
    """

    subject: Subject
    images: Images
    multipliers: Sequence[Assignment]
    grid: Grid

    @property
    def units(self) -> list[Unit]:
        """The cells, multiplier by multiplier."""
        digest = self.images.sha256
        found = []
        for multiplier in self.multipliers:
            for norm in self.grid.norms:
                for name in self.grid.attacks:
                    found.append(Unit(multiplier, self._settings(multiplier, norm, name, digest)))
        return found

    def _settings(self, multiplier: Assignment, norm: str, name: str, digest: str) -> CellSettings:
        grid, subject = self.grid, self.subject
        return CellSettings(
            network=subject.network.name,
            weights_sha256=subject.weights_sha256,
            calibration=subject.calibration,
            quantisation=quantisation_of(subject.prepared.settings),
            layers=subject.network.approximate,
            data=self.images.name,
            data_sha256=digest,
            images=len(self.images),
            multiplier=multiplier.name,
            lut_sha256=multiplier.digest,
            attack=name,
            norm=norm,
            budgets=grid.budgets[norm],
            threat_model=grid.threat_model,
            worst_iterate=grid.worst_iterate,
            gradient=grid.gradient,
            seed=grid.seed,
            batch=grid.batch,
            float_share=subject.prepared.float_share(multiplier.mapping()),
        )


# Fields of `Settings` that every record has; another is written where it is not at its default.
_RECORDED = ("weights", "activations", "batch_norm")


def quantisation_of(settings: Settings) -> dict[str, str]:
    """How a network is quantised, as records have it."""
    values = ((one, getattr(settings, one.name)) for one in fields(settings))
    return {
        one.name: str(value)
        for one, value in values
        if one.name in _RECORDED or value != one.default
    }


def attack_of(settings: CellSettings) -> Attack | None:
    """The attack of a record; None: it was made elsewhere, by an attack that is not known here."""
    try:
        return parse_attack(settings.attack, settings.norm)
    except AttackError:
        return None


class Meter:
    """Adds up the rows of cells that run side by side, and tells whoever watches."""

    def __init__(self, report: Progress | None, total: int) -> None:
        self._report, self._total = report, total
        self._lock = threading.Lock()
        self._rows: dict[str, int] = {}
        self._done = 0

    def tell(self, unit: Unit, done: int) -> None:
        """So many rows of this cell are done."""
        key = unit.settings.key
        with self._lock:
            self._done += done - self._rows.get(key, 0)
            self._rows[key] = done
            if self._report is not None:
                self._report(self._done, self._total, unit.title)


class Engine(Protocol):
    """Computes units somewhere; this process's threads and a Ray cluster are two."""

    def __call__(
        self, experiment: Experiment, units: Sequence[Unit], store: CellStore, meter: Meter
    ) -> None:
        """Compute what the store lacks of these units, and put it there."""

    def ready(self) -> AbstractContextManager[None]:
        """Around several calls: what they need alike is started once."""


def run(
    experiment: Experiment,
    store: CellStore,
    *,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> list[Cell]:
    """Run the cells that are not finished yet, and return all of them.

    Args:
        experiment: what to run.
        store: where finished cells are, and go.
        engine: who computes; None for one thread of this process.
        progress: see `Progress`.

    Returns:
        The cells in the order of `Experiment.units`.
    """
    units = experiment.units
    meter = Meter(progress, sum(unit.rows for unit in units))
    todo = []
    for unit in units:
        if store.missing(unit.settings):
            todo.append(unit)
        else:
            meter.tell(unit, unit.rows)
    if todo:
        (engine or Threads())(experiment, todo, store, meter)
    cells = []
    for unit in units:
        cell = store.get(unit.settings)
        assert cell is not None, f"the engine left out {unit.title}"
        cells.append(cell)
    return cells


class _StoppedError(Exception):
    """A cell was given up because another one failed, or the process is to end."""


class Threads:
    """Cells side by side in this process, each with its part of torch's threads.

    A small network on one thread each is faster than one cell on all threads, whose layers are
    too short to split.

    Args:
        jobs: cells at a time.
        device: where to run.
    """

    def __init__(self, jobs: int = 1, device: str = "cpu") -> None:
        self._jobs, self._device = jobs, device

    def ready(self) -> AbstractContextManager[None]:
        """See `Engine`: threads start with each call."""
        return nullcontext()

    def __call__(
        self, experiment: Experiment, units: Sequence[Unit], store: CellStore, meter: Meter
    ) -> None:
        """See `Engine`; raises what a cell raised, when those at work came to their next step."""
        own = threading.local()
        stop = threading.Event()

        def tell(unit: Unit, done: int) -> None:
            if stop.is_set():
                raise _StoppedError
            meter.tell(unit, done)

        def one(unit: Unit, *, wait: bool) -> Unit | None:
            """Compute a unit; the unit itself when another run is at it."""
            while not stop.is_set():
                with store.claim(unit.settings) as mine:
                    if mine:
                        missing = store.missing(unit.settings)
                        if missing:
                            if not hasattr(own, "worker"):
                                own.worker = CellWorker(
                                    experiment.subject, experiment.images, self._device
                                )
                            settings = replace(unit.settings, budgets=missing)
                            cell = own.worker.compute(
                                unit.multiplier, settings, lambda done, _: tell(unit, done)
                            )
                            store.put(cell)
                        meter.tell(unit, unit.rows)
                        return None
                if not wait:
                    return unit
                stop.wait(_POLL_SECONDS)
            return None

        def guarded(unit: Unit, *, wait: bool) -> Unit | None:
            try:
                return one(unit, wait=wait)
            except _StoppedError:
                return None  # what stopped the run is raised where it happened
            except BaseException:
                stop.set()
                raise

        def result(future: Future[Unit | None]) -> Unit | None:
            while wait_for([future], _POLL_SECONDS).not_done:
                store.beat()
            return future.result()

        with shared_out(self._jobs) as (pool, _):
            left = list(units)
            # Cells that another run holds come last: mostly it will have finished them by then.
            for wait in (False, True):
                futures = [pool.submit(guarded, unit, wait=wait) for unit in left]
                try:
                    left = [unit for future in futures if (unit := result(future)) is not None]
                except BaseException:
                    stop.set()
                    raise


def total_rows(experiment: Experiment) -> int:
    """Network rows of a whole experiment."""
    return sum(unit.rows for unit in experiment.units)


def cross_checks(cells: Sequence[Cell]) -> list[str]:
    """Compare the attacks on each multiplier with each other.

    Returns:
        A sentence for each iterated attack that leaves more images correct than the single step
        does in the same norm: a sign of masked gradients, not of robustness.
    """
    found = []
    iterated: dict[tuple[object, ...], list[Cell]] = {}
    for cell in cells:
        if _gradients(cell.settings) > 1:
            iterated.setdefault(_curve(cell.settings), []).append(cell)
    for single in cells:
        if _gradients(single.settings) != 1:
            continue
        for many in iterated.get(_curve(single.settings), []):
            warning = iterated_weaker(
                single.settings.budgets,
                _flags(single),
                _flags(many),
                single_name=single.settings.attack,
                iterated_name=many.settings.attack,
            )
            if warning is not None:
                found.append(f"{single.label} {single.settings.norm}: {warning}")
    return found


def _curve(settings: CellSettings) -> tuple[object, ...]:
    """What two attacks have in common whose curves are compared."""
    return settings.multiplier, settings.norm, settings.budgets


def _gradients(settings: CellSettings) -> int:
    """Gradients that an attack follows; 0 for one that needs none, or is not known here."""
    attack = attack_of(settings)
    return attack.steps if attack is not None and attack.needs_gradient else 0


def _flags(cell: Cell) -> torch.Tensor:
    """(budgets, N) bool."""
    digits = np.frombuffer("".join(cell.correct).encode(), np.uint8)
    return torch.from_numpy(digits == ord("1")).reshape(len(cell.correct), -1)
