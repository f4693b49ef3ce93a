# SPDX-License-Identifier: Apache-2.0
"""What a study's multipliers cost: a record for each network, beside the study's results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from axhil.emulation.streams import workload
from axhil.hwsim.cost import (
    Cells,
    CostRecord,
    Costs,
    Library,
    Target,
    Transistors,
    costs,
    exact_inferences,
    inference,
    on_workloads,
    record_body,
)
from axhil.hwsim.files import write_atomically
from axhil.zoo import Images

from .assignments import distinct
from .engine.experiment import Experiment
from .spec import Cost
from .subject import Subject

_MOST_IMAGES = 100
"""To take operands from."""

Progress = Callable[[int, int, str], None]
"""Called with (done, in all, of what), each of several steps from 0."""


def write_costs(
    wanted: Cost,
    experiments: Sequence[Experiment],
    folder: Path,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Finds out what multipliers cost, and writes a record for each network, atomically.

    Args:
        wanted: by the study.
        experiments: of it, with the same multipliers.
        folder: of the study's results.
        jobs: of Yosys at a time; None is one per processor core.
        progress: see `Progress`.

    Raises:
        HwsimError: there is no Yosys, or no library; a multiplier's cost cannot be known.
    """
    # Of a table or a model there is no hardware.
    assigned = [
        one
        for one in experiments[0].multipliers
        if all(each.circuit() is not None for each in one.multipliers)
    ]
    made = costs(distinct(assigned), target_of(wanted), jobs=jobs, progress=progress)
    for name, experiment in {one.subject.network.name: one for one in experiments}.items():
        body = record_body([made])
        if wanted.operands == "network":
            under, images = on_network(
                made, experiment.subject, experiment.images, jobs=jobs, progress=progress
            )
            rows = [*exact_inferences(under), *(inference(under, one) for one in assigned)]
            body = record_body([under], network=name, images=images, inferences=rows)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(_path(folder, name), (json.dumps(body, indent=1) + "\n").encode())


def target_of(wanted: Cost) -> Target:
    """What a study puts its multipliers into.

    Raises:
        HwsimError: the library cannot be read.
    """
    if not wanted.liberty:
        return Transistors()
    return Cells(Library(Path(wanted.liberty)), avoided=wanted.dont_use)


def operand_images(images: Images) -> Images:
    """Those of a set that operands are taken from: the first of each class, a hundred at most."""
    return images.select(min(_MOST_IMAGES, len(images)))


def on_network(
    made: Costs,
    subject: Subject,
    images: Images,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> tuple[Costs, int]:
    """The same costs with energies on a network's operands, and of how many images these are.

    Args:
        made: in the cells of a library.
        subject: the network.
        images: to take operands from, the first of each class.
        jobs: threads; None is one per processor core.
        progress: see `Progress`.
    """
    pixels, _ = operand_images(images).batch()
    name = subject.network.name
    loads = {
        code: workload(
            subject.prepared,
            pixels,
            cost.operands,
            network=name,
            progress=_images(progress, f"operands of {name}", len(pixels)),
        )
        for code, cost in made.exact.items()
    }
    under = on_workloads(made, loads, jobs=jobs, progress=_counter(progress, f"energy of {name}"))
    return under, len(pixels)


def read_costs(folder: Path, network: str) -> CostRecord | None:
    """What was written for a network; None where nothing was.

    Raises:
        HwsimError: the file is damaged.
    """
    path = _path(folder, network)
    return CostRecord.from_file(path) if path.exists() else None


def _path(folder: Path, network: str) -> Path:
    return folder / f"cost_{re.sub(r'[^A-Za-z0-9.-]+', '_', network)}.json"


def _counter(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(done, total, name)


def _images(progress: Progress | None, name: str, total: int) -> Callable[[int], None] | None:
    return None if progress is None else lambda done: progress(done, total, name)
