# SPDX-License-Identifier: Apache-2.0
"""Measure what jobs, threads and batch size change in the flags: docs/records/reproducibility.json.

python scripts/measure_reproducibility.py [NETWORK ...]
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from axhil.report.titles import plural
from axhil.study.assignments import network_assignments
from axhil.study.engine.experiment import Experiment, Grid, Threads, run
from axhil.study.storage.difference import difference
from axhil.study.storage.store import CellStore
from axhil.study.subject import load_subject, set_threads
from axhil.zoo.data import load

TARGET = Path(__file__).parent.parent / "docs" / "records" / "reproducibility.json"
MULTIPLIERS = ("exact", "drum(3)", "scaletrim(4,8)")
# By network: images, and budgets where its curves fall.
SIZES: dict[str, tuple[int, dict[str, tuple[float, ...]]]] = {
    "lenet5": (200, {"linf": (0.0, 0.1, 0.15, 0.2), "l2": (0.0, 1.2, 1.6, 2.0)}),
    "resnet50": (8, {"linf": (0.0, 0.005), "l2": (0.0, 0.2)}),
    "vgg19": (8, {"linf": (0.0, 0.005), "l2": (0.0, 0.2)}),
}
# (jobs, threads, batch) of the first run, then of those it is compared with.
FIRST = (1, 2, 128)
OTHERS = ((2, 2, 128), (1, 1, 128), (1, 2, 16), (2, 2, 16))


def measure(network: str) -> list[dict[str, object]]:
    """Run one network in every way and compare each with the first."""
    count, budgets = SIZES[network]
    subject = load_subject(network)
    images = load(subject.network.data).select(count)
    found = {}
    for jobs, threads, batch in (FIRST, *OTHERS):
        set_threads(threads)
        grid = replace(Grid(budgets=budgets), batch=batch)
        with tempfile.TemporaryDirectory() as folder:
            experiment = Experiment(subject, images, network_assignments(MULTIPLIERS), grid)
            found[jobs, threads, batch] = run(
                experiment, CellStore(Path(folder)), engine=Threads(jobs)
            )
        sys.stderr.write(f"{network}: {_words((jobs, threads, batch))}\n")
    rows = []
    for other in OTHERS:
        result = difference(found[FIRST], found[other])
        rows.append(
            {
                "network": network,
                "first": _words(FIRST),
                "second": _words(other),
                "evaluations": result.common,
                "flags": result.flags,
                "changed": sum(one.flags for one in result.changed),
            }
        )
    return rows


def _words(how: tuple[int, int, int]) -> str:
    jobs, threads, batch = how
    return f"{plural(jobs, 'job')}, {plural(threads, 'thread')}, batch {batch}"


if __name__ == "__main__":
    networks = sys.argv[1:] or list(SIZES)
    old = json.loads(TARGET.read_text())["comparisons"] if TARGET.is_file() else []
    rows = [row for row in old if row["network"] not in networks]
    for name in networks:
        rows += measure(name)
    rows.sort(key=lambda row: list(SIZES).index(str(row["network"])))
    what = (
        f"Multipliers {', '.join(MULTIPLIERS)}; FGSM, BIM and PGD in both norms; several budgets "
        "where the curves fall. Jobs share the threads."
    )
    TARGET.write_text(json.dumps({"what": what, "comparisons": rows}, indent=1) + "\n")
