# SPDX-License-Identifier: Apache-2.0
"""`axhil eval`: from a request to a table on screen, records and a figure in a folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from emulation import Images, Settings
from emulation.data import load
from emulation.gradient import Precision

from .cells import Cell, CellStore
from .console import notice, out, progress
from .experiment import Grid, cross_checks, run, total_rows
from .figure import robustness_figure, save_figure
from .multipliers import NamedLut, resolve
from .output import ready_folder
from .page import write_page
from .records import records_of, write_records
from .subject import load_subject, set_threads
from .tables import robust_accuracy_tables, summarised_warnings

# Sized for `make eval` on two cores; see the README for the time it takes.
DEFAULT_IMAGES = 200
PAPER_IMAGES = {"lenet5": 64}
PAPER_BUDGETS = tuple(float(eps) for eps in np.round(np.linspace(0.0, 2.0, 100), 6))


@dataclass(frozen=True, kw_only=True)
class EvalRequest:
    """The options of `axhil eval`; None is the default of the network or of the project."""

    network: str
    data: str | None
    multipliers: Sequence[str] | None
    luts: Path | None
    attacks: tuple[str, ...]
    norms: tuple[str, ...]
    budgets: tuple[float, ...] | None
    images: int | None
    seed: int
    full: bool
    threat_model: str
    gradient: Precision
    batch: int
    weights: Path | None
    settings: Settings
    data_dir: Path | None
    download: bool
    threads: int | None
    jobs: int | None
    device: str
    out: Path

    def grid(self) -> Grid:
        """The experiment's grid."""
        return Grid(
            attacks=self.attacks,
            norms=self.norms,
            budgets=self.budgets or (PAPER_BUDGETS if self.full else None),
            threat_model=self.threat_model,
            gradient=self.gradient,
            seed=self.seed,
            batch=self.batch,
        )

    def image_count(self) -> int:
        """How many images to attack."""
        if self.images is not None:
            return self.images
        return PAPER_IMAGES.get(self.network, 50) if self.full else DEFAULT_IMAGES


def run_eval(request: EvalRequest) -> list[Cell]:
    """Run the grid, print the tables, write cells, records, the figure and the report.

    Returns:
        The finished cells.
    """
    began = time.perf_counter()
    set_threads(request.threads)
    ready_folder(request.out)
    grid = request.grid()
    multipliers = resolve(request.multipliers, folder=request.luts)
    subject = load_subject(
        request.network,
        weights=request.weights,
        root=request.data_dir,
        data=request.data,
        settings=request.settings,
        device=request.device,
    )
    everything = load(
        request.data or subject.network.data, root=request.data_dir, download=request.download
    )
    images = everything.select(request.image_count())
    total = total_rows(images, multipliers, grid)
    counts = {len(grid.budgets_for(norm)) for norm in grid.norms}
    notice(
        f"{request.network} on {len(images)} images of {images.name}, {grid.threat_model}: "
        f"{len(multipliers)} multipliers x {len(grid.attacks)} attacks x {len(grid.norms)} norms "
        f"x {' or '.join(map(str, sorted(counts)))} budgets"
    )
    store = CellStore(request.out / "cells")
    with progress("attacking", total=total, unit="images") as tick:
        cells = run(
            subject,
            images,
            multipliers,
            grid,
            store,
            jobs=request.jobs or _jobs(request),
            device=request.device,
            progress=tick,
        )
    _present(request, images, cells, multipliers, seconds=time.perf_counter() - began)
    return cells


def _jobs(request: EvalRequest) -> int:
    """One cell per core for a small network, whose layers are too short to split."""
    small = request.network == "lenet5" and request.device == "cpu"
    return torch.get_num_threads() if small else 1


def _present(
    request: EvalRequest,
    images: Images,
    cells: Sequence[Cell],
    multipliers: Sequence[NamedLut],
    *,
    seconds: float,
) -> None:
    records = records_of(cells)
    for table in robust_accuracy_tables(records):
        out.print(table)
    for warning in [*summarised_warnings(cells), *cross_checks(cells)]:
        out.print(f"warning: {warning}", soft_wrap=True)
    title = (
        f"{request.network}, {len(images)} images of {images.name}, "
        f"{request.threat_model}; bands: Wilson 95 %"
    )
    paths = write_records(records, request.out)
    paths += save_figure(robustness_figure(records, title=title), request.out / "robustness")
    evaluations = sum(len(cell.settings.budgets) for cell in cells)
    computed = sum(cell.seconds for cell in cells)
    out.print(
        f"{evaluations} evaluations of {len(images)} images, {computed / evaluations:.2f} s each "
        f"({computed:.0f} s in all, {seconds:.0f} s this run); "
        f"± is the longer side of the Wilson 95 % interval",
        soft_wrap=True,
    )
    out.print("written: " + "  ".join(str(path) for path in paths), soft_wrap=True)
    page = write_page(cells, request.out / "report.html", tables=multipliers)
    out.print(f"look at it in a browser: {page}", soft_wrap=True)
