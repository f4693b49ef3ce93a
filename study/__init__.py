# SPDX-License-Identifier: Apache-2.0
"""The experiment: multipliers x networks x attacks, its cells, their store and statistics.

    spec = read_spec("quick")
    for results in run_study(spec, Path("out/quick")):
        print(results.title, results.comparisons)

A finished cell is kept in the folder, so that the same call goes on from where it was stopped.
`storage.cells` is where a new setting goes. What is named here is imported on use: the command line
must start before torch does.
"""

from __future__ import annotations

if __name__ != "axhil.study":
    raise ImportError("expected: import axhil.study")

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .engine.experiment import Experiment, Grid, Progress
    from .engine.run import Machine, experiments_of, run_study
    from .errors import StudyError
    from .results import Results
    from .spec import StudySpec, read_spec
    from .storage.cells import Cell, CellSettings
    from .storage.records import write_records
    from .storage.store import CellStore, read_cells, write_cells

_HOMES = {
    "storage.cells": ("Cell", "CellSettings"),
    "errors": ("StudyError",),
    "engine.experiment": ("Experiment", "Grid", "Progress"),
    "storage.records": ("write_records",),
    "results": ("Results",),
    "spec": ("StudySpec", "read_spec"),
    "storage.store": ("CellStore", "read_cells", "write_cells"),
    "engine.run": ("Machine", "experiments_of", "run_study"),
}

__all__ = [
    "Cell",
    "CellSettings",
    "CellStore",
    "Experiment",
    "Grid",
    "Machine",
    "Progress",
    "Results",
    "StudyError",
    "StudySpec",
    "experiments_of",
    "read_cells",
    "read_spec",
    "run_study",
    "write_cells",
    "write_records",
]


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
