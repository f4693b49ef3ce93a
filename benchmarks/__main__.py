# SPDX-License-Identifier: Apache-2.0
"""`make bench`: kernels, networks, memory and growth in one run; tables, and JSON."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from axhil.emulation import native
from axhil.hwsim.files import write_atomically

from . import growth, kernel, networks
from .processor import processor


@contextmanager
def forced(isa: str) -> Iterator[None]:
    """Kernels made inside use this instruction set."""
    before = os.environ.get("AXHIL_ISA")
    os.environ["AXHIL_ISA"] = isa
    try:
        yield
    finally:
        del os.environ["AXHIL_ISA"]
        if before is not None:
            os.environ["AXHIL_ISA"] = before


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
        torch.set_num_threads(1)
        body["kernel"] = []
        for isa in native.supported_isas():
            with forced(isa):
                records = kernel.run(threads=1, repeats=options.repeats)
            kernel.show(records, console)
            body["kernel"] += records
    body["networks"] = []
    for isa in native.supported_isas() if native.available() else ("none",):
        with forced(isa):
            rows = networks.run(names, repeats=options.repeats, threads=options.threads)
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


main()
