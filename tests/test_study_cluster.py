# SPDX-License-Identifier: Apache-2.0
"""Cells on a Ray cluster: the same records, and a killed worker costs a retry and nothing else."""

import contextlib
import importlib.util
import os
import re
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

# Not imported here: it is the engine that says where Ray may listen, before it is loaded.
if importlib.util.find_spec("ray") is None:
    pytest.skip("the extra axhil[cluster] is not installed", allow_module_level=True)

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


def processes() -> dict[int, str]:
    """Ray's processes on this machine by number, and what they are called."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name = (folder / "cmdline").read_bytes().decode(errors="replace")
            if re.match(r"ray::|\S*/(?:gcs_server|raylet)\0", name):
                found[int(folder.name)] = name
    return found


def addresses(pids) -> set[str]:
    """Addresses, as the kernel writes them, that these processes listen at."""
    sockets = set()
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").glob("*"):
            with contextlib.suppress(OSError):
                sockets.add(str(handle.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in sockets:
                found.add(local.partition(":")[0])
    return found


@pytest.mark.slow
def test_a_cluster_of_this_machine_listens_to_it_alone_and_a_dead_head_is_a_sentence(
    experiment, alone, tmp_path
):
    store, before, seen = CellStore(tmp_path), set(processes()), []
    handler = signal.getsignal(signal.SIGTERM)

    def kill_head() -> None:
        while not list(store.records.glob("*.parquet")):
            time.sleep(0.02)
        mine = {pid: name for pid, name in processes().items() if pid not in before}
        seen.append(addresses([*mine, os.getpid()]))
        (head,) = (pid for pid, name in mine.items() if "gcs_server" in name.partition("\0")[0])
        os.kill(head, signal.SIGKILL)

    killer = threading.Thread(target=kill_head, daemon=True)
    killer.start()
    with pytest.raises(
        StudyError, match=r"^the head of the Ray cluster on this machine is gone \(.*\); finished"
    ):
        run(experiment, store, engine=RayCluster(address=None, jobs=1, device="cpu"))
    killer.join()
    assert seen[0] <= {"0100007F", "0000000000000000FFFF00000100007F"}
    assert seen[0]
    deadline = time.monotonic() + 5
    while set(processes()) - before and time.monotonic() < deadline:
        time.sleep(0.05)  # killed, but not yet gone
    assert set(processes()) <= before
    assert signal.getsignal(signal.SIGTERM) == handler
    assert timeless(run(experiment, store)) == alone


def test_an_address_where_nobody_listens_is_a_sentence_at_once(experiment, tmp_path):
    for address in ("127.0.0.1:1", "ray://127.0.0.1:1"):
        engine = RayCluster(address=address, jobs=1, device="cpu")
        with pytest.raises(
            StudyError, match=rf"cannot reach the Ray cluster {address}: Connection"
        ):
            run(experiment, CellStore(tmp_path), engine=engine)


def test_without_ray_there_is_a_sentence_with_the_remedy(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(StudyError, match=r"needs Ray: pip install 'axhil\[cluster\]'"):
        RayCluster(address=None, jobs=1, device="cpu")
