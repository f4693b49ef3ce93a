# SPDX-License-Identifier: Apache-2.0
"""Gates: every product of 16 bits against its formula, and a network beside its simulation.

python -m benchmarks.gates --out docs/records/gates.json
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from axhil.hwsim import LiveMultiplier
from axhil.hwsim.files import write_atomically
from axhil.hwsim.multipliers import Assignment, Multiplier, Request, find
from axhil.hwsim.multipliers.by_gates import gates_of, program_of
from axhil.hwsim.multipliers.comparing.exhaustive import compare_wide, metrics_of
from axhil.hwsim.netlist import native
from axhil.hwsim.netlist.live import LiveGates
from axhil.hwsim.operands import Asked
from axhil.study.cosim import cosim, multipliers_of
from axhil.study.subject import load_subject

from .processor import processor

WORDS = (*(f"drum({k})" for k in range(3, 9)), "scaletrim(4,8)", "exact")
"""Unsigned, 16 bits."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gates", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/gates.json"))
    parser.add_argument("--images", type=int, default=20)
    options = parser.parse_args()
    body = {
        "command": f"python -m benchmarks.gates --images {options.images}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "isa": native.isa() if native.module() else "NumPy",
        "load_before": os.getloadavg()[0],
        "exhaustive": [_exhaustive(word) for word in WORDS],
        "cosim": _cosim("drum(4)", images=options.images),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(options.out, (json.dumps(body, indent=1) + "\n").encode())
    print(f"written: {options.out}")


def _exhaustive(word: str) -> dict[str, Any]:
    """All products against the formula; and MRE."""
    request = Request(Asked(width=16, signed=False))
    gated, formula = find(word, request), find(f"formula:{word}", request)
    gates = len(gates_of(gated).gates)
    clock, wall = time.process_time(), time.perf_counter()
    comparison = compare_wide(gated, formula, names=(word, formula.name))
    row = {
        "multiplier": word,
        "gates": gates,
        "equal": comparison.equal,
        "products": comparison.total,
        "cpu_seconds": round(time.process_time() - clock, 1),
        "wall_seconds": round(time.perf_counter() - wall, 1),
        "mre": metrics_of(gated).mre,
    }
    print(row, flush=True)
    return row


def _cosim(word: str, *, images: int) -> dict[str, Any]:
    """LeNet-5 with one multiplier in Icarus and by gates, on the same images."""
    torch.set_num_threads(1)  # of what is in float between the layers
    subject = load_subject("lenet5")
    selected = subject.images(root=None).select(images)
    layers = tuple(subject.prepared.layers)
    chosen = multipliers_of(subject, Assignment.parse(word), layers)
    engines: dict[str, Callable[[Multiplier], LiveMultiplier | LiveGates]] = {
        "gates": lambda one: LiveGates(program_of(one)),
        "icarus": lambda one: LiveMultiplier(one.circuit()),
    }
    row: dict[str, Any] = {"multiplier": word, "images": images}
    cosim(subject, selected, chosen, engines["gates"], layers=layers)  # makes the gates
    for name, start in engines.items():
        before = _cpu_seconds()
        report = cosim(subject, selected, chosen, start, layers=layers, batch=256)
        row["products"] = report.products
        row[name] = {
            "equal": report.equal,
            "products_per_second": round(report.rate),
            "products_per_cpu_second": round(report.products / (_cpu_seconds() - before)),
        }
    for per in ("second", "cpu_second"):
        one, other = (row[name][f"products_per_{per}"] for name in engines)
        row[f"ratio_per_{per}"] = round(one / other)
    print(row, flush=True)
    return row


def _cpu_seconds() -> float:
    """Of this process and of those that ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


main()
