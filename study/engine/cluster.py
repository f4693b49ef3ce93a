# SPDX-License-Identifier: Apache-2.0
"""Cells on a Ray cluster: the same work as in this process, on machines that may die.

Each worker is an actor with the network, images and tables of the experiment. Ray starts a dead
one anew and repeats what it was at; the store is written here alone, so the machines need no
common disk.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from axhil.zoo import Images

from ..errors import StudyError
from ..storage.cells import Cell
from ..storage.store import CellStore
from ..subject import Subject
from .experiment import Experiment, Meter, Unit
from .worker import CellWorker

# How long to wait for a result before looking whether another run has let go of a cell.
_POLL_SECONDS = 0.5


# How long a head may take to answer at its port.
_ANSWER_SECONDS = 5.0


def _reach(address: str) -> None:
    """Knock at a port: ``host:port``, with or without ``ray://``; any other text is not looked at.

    Raises:
        OSError: nobody listens.
    """
    if match := re.fullmatch(r"(?:ray://)?\[?([^/]+?)\]?:(\d+)", address):
        socket.create_connection((match[1], int(match[2])), timeout=_ANSWER_SECONDS).close()


def _descendants() -> set[int]:
    """Process numbers of all that this process started, and of what that started."""
    children: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            _, parent, *_ = file.read_text(encoding="latin-1").rpartition(")")[2].split()
            children.setdefault(int(parent), []).append(int(file.parent.name))
    found: set[int] = set()
    waiting = [os.getpid()]
    while waiting:
        waiting += (own := children.get(waiting.pop(), []))
        found.update(own)
    return found


class _Actor:
    """A worker with one thread: what a cell computes does not depend on it, only how fast."""

    def __init__(self, subject: Subject, images: Images, device: str) -> None:
        torch.set_num_threads(1)
        self._worker = CellWorker(subject, images, device)

    def compute(self, unit: Unit) -> Cell:
        """See `CellWorker.compute`."""
        return self._worker.compute(unit.multiplier, unit.settings)


class RayCluster:
    """An engine for `experiment.run`.

    Args:
        address: of a running cluster, e.g. ``auto`` or ``ray://head:10001``; None starts one on
            this machine, which no other can reach unless Ray was imported before, and ends it
            afterwards.
        jobs: workers; None: one per CPU (or GPU) of the cluster.
        device: where networks run.

    Raises:
        StudyError: Ray is not installed.
    """

    def __init__(self, *, address: str | None, jobs: int | None, device: str) -> None:
        if address is None:  # Ray looks at this once: ports on loopback, as it is elsewhere
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        try:
            import ray  # noqa: PLC0415  (an extra that need not be installed)
        except ImportError as error:
            raise StudyError("--engine ray needs Ray: pip install 'axhil[cluster]'") from error
        self._ray: Any = ray
        self._address, self._jobs, self._device = address, jobs, device

    def __call__(
        self, experiment: Experiment, units: Sequence[Unit], store: CellStore, meter: Meter
    ) -> None:
        """See `Engine`; what a cell raised is raised here."""
        with self.ready():
            self._work(experiment, units, store, meter)

    @contextmanager
    def ready(self) -> Iterator[None]:
        """See `Engine`; a cluster that is there already stays."""
        ray = self._ray
        if ray.is_initialized():
            yield
            return
        before, handler = _descendants(), signal.getsignal(signal.SIGTERM)
        try:
            self._connect()
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)  # not Ray's, which hides who ended it
            yield
        finally:
            started = _descendants() - before
            ray.shutdown()
            for pid in started:  # agents stay behind whose head died before them
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _connect(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        options: dict[str, Any] = {"address": self._address}
        if self._address is None:
            options |= {"num_cpus": self._jobs, "include_dashboard": False}
        try:
            _reach(self._address or "")
            self._ray.init(logging_level="ERROR", log_to_driver=False, **options)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            text = getattr(error, "strerror", None) or str(error).splitlines()[0]
            raise StudyError(f"cannot reach the Ray cluster {self._address}: {text}") from error

    def _check_head(self) -> None:
        """Refuse to wait for a cluster whose head is dead: Ray itself would do so for minutes.

        Raises:
            StudyError: it is.
        """
        try:
            _reach(self._ray.get_runtime_context().gcs_address)
        except OSError as error:
            raise StudyError(
                f"the head of the Ray cluster {self._address or 'on this machine'} is gone "
                f"({error.strerror or error}); finished cells are kept, and the same command goes "
                "on from there"
            ) from error

    def _work(
        self, experiment: Experiment, units: Sequence[Unit], store: CellStore, meter: Meter
    ) -> None:
        ray = self._ray
        gpu = self._device.startswith("cuda")
        resources = ray.cluster_resources()
        jobs = self._jobs or int(resources.get("GPU" if gpu else "CPU", 1))
        actor = ray.remote(num_cpus=1, num_gpus=int(gpu), max_restarts=-1, max_task_retries=-1)(
            _Actor
        )
        subject, images = ray.put(experiment.subject), ray.put(experiment.images)
        idle = [actor.remote(subject, images, self._device) for _ in range(min(jobs, len(units)))]
        workers = list(idle)
        waiting = list(units)
        running: dict[Any, tuple[Unit, Any, ExitStack]] = {}
        with ExitStack() as held:
            while waiting or running:
                store.beat()
                self._check_head()
                for unit in list(waiting):
                    if not idle:
                        break
                    claim = ExitStack()
                    if not claim.enter_context(store.claim(unit.settings)):
                        claim.close()  # another run is at it: look again later
                        continue
                    waiting.remove(unit)
                    missing = store.missing(unit.settings)
                    if not missing:
                        claim.close()
                        meter.tell(unit, unit.rows)
                        continue
                    held.callback(claim.close)
                    worker = idle.pop(0)
                    part = replace(unit, settings=replace(unit.settings, budgets=missing))
                    running[worker.compute.remote(part)] = (unit, worker, claim)
                if running:
                    ready, _ = ray.wait(list(running), timeout=_POLL_SECONDS)
                    for reference in ready:
                        unit, worker, claim = running.pop(reference)
                        store.put(ray.get(reference))
                        claim.close()
                        meter.tell(unit, unit.rows)
                        idle.append(worker)
                else:
                    time.sleep(_POLL_SECONDS)
        for worker in workers:
            ray.kill(worker)
