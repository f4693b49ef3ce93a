# SPDX-License-Identifier: Apache-2.0
"""Cells on a Ray cluster: the same records, and a killed worker costs a retry and nothing else."""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import torch

from axhil.study.assignments import network_assignments
from axhil.study.engine.cluster import RayCluster
from axhil.study.engine.experiment import Experiment, Grid, run
from axhil.study.errors import StudyError
from axhil.study.storage.store import TIMES, CellStore, rows_of
from axhil.study.subject import load_subject
from axhil.zoo.data import embedded_split

pytest.importorskip("ray", reason="the extra axhil[cluster] is not installed")

GRID = Grid(attacks=("fgsm", "pgd"), norms=("linf",), budgets={"linf": (0.0, 0.1, 0.2)}, batch=64)
NAMES = ["exact", "drum(3)", "scaletrim(4,8)"]


@pytest.fixture(scope="module")
def experiment():
    images = embedded_split("evaluation").select(40)
    return Experiment(load_subject("lenet5"), images, network_assignments(NAMES), GRID)


@pytest.fixture(scope="module")
def alone(experiment, tmp_path_factory):
    """The rows that this process computes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    cells = run(experiment, CellStore(tmp_path_factory.mktemp("alone")))
    torch.set_num_threads(before)
    return timeless(cells)


def timeless(cells):
    return [
        {key: value for key, value in row.items() if key not in TIMES}
        for cell in cells
        for row in rows_of(cell)
    ]


def workers() -> list[int]:
    """Process numbers of the actors of this machine's Ray."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"ray::_Actor" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


@pytest.mark.slow
def test_a_cluster_gives_the_same_records_although_its_workers_are_killed(
    experiment, alone, tmp_path
):
    store, killed, done = CellStore(tmp_path), [], threading.Event()

    def kill_some() -> None:
        """Kill a worker as soon as one is there, and another once a cell is finished."""
        for when in (lambda: True, lambda: bool(list(store.records.glob("*.parquet")))):
            while not done.is_set():
                victims = [pid for pid in workers() if pid not in killed]
                if victims and when():
                    time.sleep(0.2)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(victims[0], signal.SIGKILL)
                        killed.append(victims[0])
                    break
                time.sleep(0.02)

    killer = threading.Thread(target=kill_some)
    killer.start()
    seen = []
    try:
        engine = RayCluster(address=None, jobs=2, device="cpu")
        cells = run(experiment, store, engine=engine, progress=lambda *now: seen.append(now))
    finally:
        done.set()
        killer.join()
    assert killed
    assert timeless(cells) == alone
    assert seen == sorted(seen, key=lambda told: told[0])
    # What the store has is not computed again: no cluster is even started.
    again = run(experiment, store, engine=RayCluster(address="nowhere:1", jobs=1, device="cpu"))
    assert again == cells


def test_without_ray_there_is_a_sentence_with_the_remedy(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(StudyError, match=r"needs Ray: pip install 'axhil\[cluster\]'"):
        RayCluster(address=None, jobs=1, device="cpu")
