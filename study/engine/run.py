# SPDX-License-Identifier: Apache-2.0
"""A study as it runs: from its file to finished cells in a folder, and what is still to do.

The folder holds the store (`records/`), and `study.json`: which cells the study asks for, written
before the first is computed. Status and report need that folder alone, neither weights nor data.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from axhil.hwsim import Catalogued, HwsimError, golden
from axhil.hwsim.cost import CostRecord
from axhil.hwsim.files import (
    DATA_LIMIT,
    MissingFileError,
    json_of,
    read_bytes,
    write_atomically,
)
from axhil.hwsim.lut import Lut
from axhil.hwsim.multipliers import NETWORKS, Assignment, Request, Tabulated, make_tables
from axhil.hwsim.multipliers.by_gates import computed

from ..assignments import distinct, network_assignments
from ..costs import read_costs, write_costs
from ..errors import StudyError
from ..results import Results
from ..spec import StudySpec
from ..storage.cells import FORMAT_VERSION, CellSettings, check_version, read_settings, typed
from ..storage.store import CellStore, reading
from ..subject import load_subject, set_threads
from .experiment import Engine, Experiment, Progress, Threads, run, total_rows

_PLAN = "study.json"

EngineName = Literal["local", "ray"]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where and how to run, which no result depends on.

    Attributes:
        request: of multipliers, beyond the study's words: tables to take, time limits.
        data_dir: data folder.
        download: whether to fetch data that is missing.
        weights: of the one network of a study, instead of what its file says.
        threads: of torch; None: all cores.
        jobs: cells at a time; None: one per core for a small network, else one.
        device: where networks run.
        engine: this process, or a Ray cluster.
        address: of the Ray cluster; None: one on this machine, for this run.
    """

    request: Request = NETWORKS
    data_dir: Path | None = None
    download: bool = False
    weights: Path | None = None
    threads: int | None = None
    jobs: int | None = None
    device: str = "cpu"
    engine: EngineName = "local"
    address: str | None = None

    def build(self, network: str) -> Engine:
        """The engine for a network's cells."""
        if self.engine == "ray":
            from .cluster import RayCluster  # noqa: PLC0415  (an extra that need not be installed)

            return RayCluster(address=self.address, jobs=self.jobs, device=self.device)
        small = network == "lenet5" and self.device == "cpu"
        return Threads(self.jobs or (torch.get_num_threads() if small else 1), self.device)


def experiments_of(spec: StudySpec, machine: Machine) -> list[Experiment]:
    """Load networks, images and tables: one experiment per network and threat model.

    Raises:
        EmulationError, HwsimError, StudyError: what is missing or does not fit.
    """
    set_threads(machine.threads)
    multipliers = network_assignments(spec.multipliers, machine.request)
    make_tables(distinct(multipliers), jobs=machine.jobs, make=computed)
    if machine.weights is not None and len(spec.networks) > 1:
        raise StudyError("--weights: the study has several networks; name the files in its file")
    found = []
    for name in spec.networks:
        file = machine.weights or (Path(spec.weights[name]) if name in spec.weights else None)
        subject = load_subject(
            name,
            weights=file,
            root=machine.data_dir,
            data=spec.data,
            settings=spec.settings,
            allow_float=spec.allow_float,
            device=machine.device,
        )
        for one in multipliers:
            subject.prepared.check(one.mapping())
        everything = subject.images(spec.data, root=machine.data_dir, download=machine.download)
        images = everything.select(spec.images)
        found += [
            Experiment(subject, images, multipliers, spec.grid(threat_model))
            for threat_model in spec.threat_models
        ]
    return found


def run_study(
    spec: StudySpec,
    folder: Path,
    machine: Machine | None = None,
    *,
    experiments: Sequence[Experiment] | None = None,
    progress: Progress | None = None,
    costed: bool = False,
) -> list[Results]:
    """Run what is not finished, and return everything.

    Args:
        spec: the study.
        folder: of the store; made where it is missing.
        machine: where to run; None: this one, as `Machine` has it.
        experiments: `experiments_of` the study, where they are at hand already.
        progress: see `experiment.Progress`.
        costed: what multipliers cost is written already, see `costs.write_costs`.

    Returns:
        One `Results` per experiment, complete.

    Raises:
        EmulationError, HwsimError, StudyError, AttackError: what is missing or does not fit.
    """
    machine = machine or Machine()
    experiments = experiments_of(spec, machine) if experiments is None else experiments
    store = CellStore(folder)
    plan = Plan(spec, tuple(_Part.of(one) for one in experiments))
    plan.write(folder)
    if spec.cost is not None and not costed:
        write_costs(spec.cost, experiments, folder, jobs=machine.jobs)
    found, before, total = [], 0, study_rows(experiments)
    for experiment in experiments:
        cells = run(
            experiment,
            store,
            engine=machine.build(experiment.subject.network.name),
            progress=_shifted(progress, before, total),
        )
        before += total_rows(experiment)
        found.append(
            Results(
                network=experiment.subject.network.name,
                threat_model=experiment.grid.threat_model,
                cells=tuple(cells),
                planned=sum(len(cell.settings.budgets) for cell in cells),
                tables=tuple(_tables(experiment.multipliers)),
                costs=plan.costs(folder, experiment.subject.network.name),
            )
        )
    return found


def _shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    """A progress that counts from what was done before."""
    if progress is None:
        return None
    return lambda done, _total, now: progress(before + done, total, now)


def study_rows(experiments: Sequence[Experiment]) -> int:
    """Network rows of a study: the total of its progress."""
    return sum(map(total_rows, experiments))


@dataclass(frozen=True)
class _Part:
    """The cells that one experiment asks for."""

    network: str
    threat_model: str
    cells: tuple[CellSettings, ...]

    @classmethod
    def of(cls, experiment: Experiment) -> _Part:
        return cls(
            experiment.subject.network.name,
            experiment.grid.threat_model,
            tuple(unit.settings for unit in experiment.units),
        )


@dataclass(frozen=True)
class Plan:
    """What a study asks for, cell by cell.

    Attributes:
        spec: the study file's content.
        parts: cells by network and threat model.
    """

    spec: StudySpec
    parts: tuple[_Part, ...]

    def write(self, folder: Path) -> None:
        """Write `study.json`, atomically."""
        body = {
            "format_version": FORMAT_VERSION,
            "study": self.spec.model_dump(mode="json"),
            "parts": [
                {
                    "network": part.network,
                    "threat_model": part.threat_model,
                    "cells": [settings.written() for settings in part.cells],
                }
                for part in self.parts
            ],
        }
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / _PLAN, (json.dumps(body, indent=1) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> Plan:
        """Read it back.

        Raises:
            StudyError: there is none, or it is damaged or newer.
        """
        path = folder / _PLAN
        try:
            content = read_bytes(path, limit=DATA_LIMIT)
        except MissingFileError as error:
            raise StudyError(f"no study was run in {folder}: axhil study run FILE") from error
        with reading(path, "is damaged ({}): run the study again"):
            body = json_of(content)
            version = body["format_version"]
            check_version(version)
            parts = tuple(
                typed(
                    _Part,
                    {
                        **part,
                        "cells": tuple(read_settings(c, version=version) for c in part["cells"]),
                    },
                )
                for part in body["parts"]
            )
            return cls(StudySpec(**_tuples(body["study"])), parts)

    def results(self, store: CellStore) -> list[Results]:
        """What the store has of each part; cells with some of their budgets come with those."""
        golden = _golden_tables(self.parts)
        found = []
        for part in self.parts:
            cells = [cell for one in part.cells if (cell := store.finished(one)) is not None]
            found.append(
                Results(
                    network=part.network,
                    threat_model=part.threat_model,
                    cells=tuple(cells),
                    planned=sum(len(settings.budgets) for settings in part.cells),
                    tables=tuple(golden),
                    costs=self.costs(store.folder, part.network),
                )
            )
        return found

    def costs(self, folder: Path, network: str) -> CostRecord | None:
        """What the multipliers cost, where the study asks for it and it is known already."""
        return None if self.spec.cost is None else read_costs(folder, network)


def _tuples(body: dict[str, Any]) -> dict[str, Any]:
    """Lists of the JSON as the strict model wants them."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in body.items()}


def _golden_tables(parts: Sequence[_Part]) -> list[Tabulated]:
    """The tables of the catalogue that the cells name, for the report's error maps."""
    wanted = dict.fromkeys((s.multiplier, s.lut_sha256) for part in parts for s in part.cells)
    found = []
    for name, digest in wanted:
        try:
            entry = Catalogued.parse(name)
            lut = golden(entry)
        except HwsimError:  # a multiplier of the user's: its file may be anywhere by now
            continue
        if lut.sha256 == digest:
            found.append(Tabulated(str(entry), entry.label, lut))
    return found


def _tables(multipliers: Sequence[Assignment]) -> list[Tabulated]:
    """Those that are alone in all layers and have one, under the labels of their cells."""
    made = [(one, computed(one.single)) for one in multipliers if one.single is not None]
    return [Tabulated(one.name, one.label, lut) for one, lut in made if isinstance(lut, Lut)]
