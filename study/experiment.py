# SPDX-License-Identifier: Apache-2.0
"""The grid of multipliers, attacks and norms over one network, cell by cell."""

from __future__ import annotations

import copy
import platform
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import cast

import torch
from torch import nn

from attacks import Evaluation, evaluate, network_rows, preset
from attacks.checks import iterated_weaker
from emulation import Images
from emulation.gradient import Precision

from .cells import Cell, CellSettings, CellStore
from .errors import StudyError
from .multipliers import NamedLut
from .subject import Subject
from .workers import shared_out

# Between 0 and 2 as in the paper, dense where LeNet-5's curves fall.
DEFAULT_BUDGETS = {
    "linf": (0.0, 0.05, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3, 0.5, 1.0, 2.0),
    "l2": (0.0, 0.5, 0.75, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0),
}
WHITEBOX = "whitebox"
THREAT_MODELS = (WHITEBOX, "transfer:float", "transfer:exact")


@dataclass(frozen=True)
class Grid:
    """What to run.

    Attributes:
        attacks: preset names.
        norms: ``linf``, ``l2``.
        budgets: eps values, each 0 or more, ascending; None is `DEFAULT_BUDGETS` of each norm.
        threat_model: who computes the gradient.
        gradient: precision of straight-through gradients.
        seed: of random starts.
        batch: rows per pass through a network.
    """

    attacks: tuple[str, ...] = ("fgsm", "bim", "pgd")
    norms: tuple[str, ...] = ("linf", "l2")
    budgets: tuple[float, ...] | None = None
    threat_model: str = WHITEBOX
    gradient: Precision = "float32"
    seed: int = 0
    batch: int = 512

    def __post_init__(self) -> None:
        if not (self.attacks and self.norms and self.budgets != ()):
            raise StudyError("expected at least one attack, one norm and one budget")
        if self.threat_model not in THREAT_MODELS:
            raise StudyError(
                f"unknown threat model {self.threat_model!r}: expected {', '.join(THREAT_MODELS)}"
            )

    def budgets_for(self, norm: str) -> tuple[float, ...]:
        """The eps values of a norm."""
        return DEFAULT_BUDGETS[norm] if self.budgets is None else self.budgets


def environment(device: str) -> dict[str, str | int]:
    """Versions, device and threads: written into every record."""
    name = torch.cuda.get_device_name() if device.startswith("cuda") else platform.machine()
    return {
        "axhil": version("axhil"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": f"{device} ({name})",
        "threads": torch.get_num_threads(),
    }


def plan_cells(
    subject: Subject, images: Images, multipliers: Sequence[NamedLut], grid: Grid
) -> list[tuple[NamedLut, CellSettings]]:
    """List the cells of a grid, multiplier by multiplier."""
    digest = images.sha256
    cells = []
    for multiplier in multipliers:
        for norm in grid.norms:
            for name in grid.attacks:
                attack = preset(name, norm)
                settings = CellSettings(
                    network=subject.network.name,
                    weights_sha256=subject.weights_sha256,
                    calibration=subject.calibration,
                    quantisation=asdict(subject.prepared.settings),
                    layers=subject.network.approximate,
                    data=images.name,
                    data_sha256=digest,
                    images=len(images),
                    multiplier=multiplier.name,
                    lut_sha256=multiplier.lut.sha256,
                    attack=name,
                    norm=norm,
                    steps=attack.steps,
                    rel_step=attack.rel_step,
                    random_start=attack.random_start,
                    budgets=grid.budgets_for(norm),
                    threat_model=grid.threat_model,
                    gradient=grid.gradient,
                    seed=grid.seed,
                    batch=grid.batch,
                )
                cells.append((multiplier, settings))
    return cells


@dataclass
class _Progress:
    """Adds up the rows of cells that run side by side."""

    report: Callable[[int, str], None] | None
    lock: threading.Lock = field(default_factory=threading.Lock)
    rows: dict[str, int] = field(default_factory=dict)

    def cell(self, key: str, description: str) -> Callable[[int, int], None]:
        """The progress of one cell, as `attacks.evaluate` takes it."""

        def tick(done: int, _total: int) -> None:
            with self.lock:
                self.rows[key] = done
                if self.report is not None:
                    self.report(sum(self.rows.values()), description)

        return tick


def run(
    subject: Subject,
    images: Images,
    multipliers: Sequence[NamedLut],
    grid: Grid,
    store: CellStore,
    *,
    jobs: int = 1,
    device: str = "cpu",
    progress: Callable[[int, str], None] | None = None,
) -> list[Cell]:
    """Run the cells that are not finished yet, and return all of them.

    Args:
        subject: the network.
        images: what it is evaluated on.
        multipliers: tables to build it from.
        grid: attacks, norms, budgets.
        store: where finished cells are, and go.
        jobs: cells at a time; the CPU threads are shared out among them. A small network on one
            thread each is faster than one cell on all threads, whose layers are too short to split.
        device: where to run.
        progress: called with (network rows done, description of the moment); `total_rows` is
            the total.

    Returns:
        The cells in the order of `plan_cells`.
    """
    x, y = images.batch(device=device)
    indices = torch.from_numpy(images.indices)
    layers = subject.network.approximate
    meter = _Progress(progress)
    own = threading.local()  # each worker's network: an attack may not share it
    stop = threading.Event()

    def one(multiplier: NamedLut, settings: CellSettings) -> Cell:
        attack = preset(settings.attack, settings.norm)
        tick = meter.cell(settings.key, f"{multiplier.label} {settings.attack} {settings.norm}")
        cell = store.get(settings)
        if cell is None and not stop.is_set():
            if getattr(own, "multiplier", None) != multiplier.name:
                own.network = None  # frees the one before
                own.network = subject.prepared.emulate(
                    multiplier.lut, layers=layers, gradient=grid.gradient
                ).to(device)
                own.multiplier = multiplier.name
            evaluation = evaluate(
                own.network,
                x,
                y,
                attack,
                budgets=settings.budgets,
                gradient_model=_gradient_model(own, subject, grid.threat_model, device),
                gradient_name=grid.threat_model.partition(":")[2],
                seed=grid.seed,
                batch_size=grid.batch,
                indices=indices,
                progress=tick,
            )
            cell = _finish(settings, multiplier.label, evaluation, device, threads)
            store.put(cell)
        assert cell is not None
        rows = network_rows(attack, budgets=settings.budgets, samples=len(images))
        tick(rows, rows)
        return cell

    planned = plan_cells(subject, images, multipliers, grid)
    with shared_out(jobs) as (pool, threads):
        futures = [pool.submit(one, *cell) for cell in planned]
        try:
            return [future.result() for future in futures]
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _gradient_model(
    own: threading.local, subject: Subject, threat_model: str, device: str
) -> nn.Module | None:
    if threat_model == WHITEBOX:
        return None
    if getattr(own, "gradient_model", None) is None:
        own.gradient_model = (
            copy.deepcopy(subject.float_model)
            if threat_model == "transfer:float"
            else subject.prepared.emulate(None, layers=subject.network.approximate).to(device)
        )
    return cast(nn.Module, own.gradient_model)


def total_rows(images: Images, multipliers: Sequence[NamedLut], grid: Grid) -> int:
    """Network rows of a whole grid: the total of `run`'s progress."""
    per_multiplier = sum(
        network_rows(preset(name, norm), budgets=grid.budgets_for(norm), samples=len(images))
        for norm in grid.norms
        for name in grid.attacks
    )
    return per_multiplier * len(multipliers)


def _finish(
    settings: CellSettings, label: str, evaluation: Evaluation, device: str, threads: int
) -> Cell:
    return Cell(
        settings=settings,
        label=label,
        correct=tuple(
            "".join("1" if flag else "0" for flag in row) for row in evaluation.correct.tolist()
        ),
        zero_gradient=float(evaluation.zero_gradient.float().mean()),
        warnings=tuple(str(warning) for warning in evaluation.warnings),
        seconds=round(evaluation.seconds, 3),
        environment={**environment(device), "threads": threads},
    )


def cross_checks(cells: Sequence[Cell]) -> list[str]:
    """Compare the attacks on each multiplier with each other.

    Returns:
        A sentence for each iterated attack that leaves more images correct than the single step
        does in the same norm: a sign of masked gradients, not of robustness.
    """
    found = []
    for single in (cell for cell in cells if cell.settings.steps == 1):
        for many in (cell for cell in cells if cell.settings.steps > 1):
            a, b = single.settings, many.settings
            if (a.multiplier, a.norm, a.budgets) != (b.multiplier, b.norm, b.budgets):
                continue
            warning = iterated_weaker(
                a.budgets,
                _flags(single),
                _flags(many),
                single_name=a.attack,
                iterated_name=b.attack,
            )
            if warning is not None:
                found.append(f"{single.label} {a.norm}: {warning}")
    return found


def _flags(cell: Cell) -> torch.Tensor:
    """(budgets, N) bool."""
    return torch.tensor([[digit == "1" for digit in row] for row in cell.correct])
