# SPDX-License-Identifier: Apache-2.0
"""`make bench`: kernels, networks, memory and growth in one run; tables, and JSON."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.console import Console

from axhil.emulation import native
from axhil.hwsim.files import write_atomically

from . import growth, kernel, networks
from .processor import processor

T = TypeVar("T")


HELD = {
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
    "scalar": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    },
}
"""What holds torch to an instruction set; the others are the best of their machine."""


def _with(isa: str, measure: Callable[..., T], *args: Any, **options: Any) -> T:
    """The result of a process whose kernels, and torch's, use one instruction set."""
    before = dict(os.environ)
    os.environ.update({"AXHIL_ISA": isa, **HELD.get(isa, {})})
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
            return apart.submit(measure, *args, **options).result()
    finally:
        os.environ.clear()
        os.environ.update(before)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/bench.json"))
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--networks", default="lenet5,resnet50,vgg19")
    parser.add_argument("--no-kernel", action="store_true", help="whole networks only")
    parser.add_argument("--no-growth", action="store_true", help="no store of 10,000 cells")
    options = parser.parse_args()
    console = Console(width=130)
    names = tuple(filter(None, options.networks.split(",")))
    body: dict[str, Any] = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "isa": native.isa() if native.available() else native.unavailable_reason(),
        "load_before": os.getloadavg()[0],
    }
    if native.available() and not options.no_kernel:
        body["kernel"] = []
        for isa in native.supported_isas():
            records = _with(isa, kernel.run, threads=1, repeats=options.repeats)
            kernel.show(records, console)
            body["kernel"] += records
    body["networks"] = []
    for isa in native.supported_isas() if native.available() else ("none",):
        rows = _with(isa, networks.run, names, repeats=options.repeats, threads=options.threads)
        console.print(networks.table(rows))
        body["networks"] += rows
    memory = {}
    for name in names:
        try:
            memory[name] = networks.peak_memory(name, networks.EVALUATED[name])
        except subprocess.CalledProcessError:
            console.print(f"peak memory of {name}: not measured, it needs its weights and data")
            continue
        console.print(
            f"peak memory of `axhil accuracy {name} --batch {networks.EVALUATED[name]}`: "
            f"{memory[name] / 2**20:,.0f} MiB"
        )
    body["peak_bytes"] = memory
    if not options.no_growth:
        grown = growth.run()
        console.print(growth.table(grown))
        body["growth"] = grown
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(options.out, (json.dumps(body, indent=1) + "\n").encode())
    console.print(f"written: {options.out}")


if __name__ == "__main__":
    main()
