# SPDX-License-Identifier: Apache-2.0
"""Whole networks: images/s forward, and forward plus input gradient, as ratios to float32 torch.

All variants of a network take turns in one run, so a machine that slows down slows all of them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from rich import box
from rich.table import Table
from torch import nn
from torch.nn import functional as F

from axhil.emulation import EmulationError, native, prepare
from axhil.hwsim import Catalogued, Lut, Operands, golden
from axhil.zoo import network
from axhil.zoo.weights import load_state, read_state, weights_path

BATCH = {"lenet5": 512, "resnet50": 8, "vgg19": 8}
"""Of what is timed."""

EVALUATED = {"lenet5": 512, "resnet50": 64, "vgg19": 64}
"""Of the peak memory."""

MULTIPLIERS = ("exact", "drum(3)", "drum(4)", "scaletrim(4,0)", "scaletrim(4,8)")


def _model(name: str) -> tuple[nn.Module, str]:
    torch.manual_seed(0)
    model = network(name).build()
    try:
        load_state(model, read_state(weights_path(name)), source=name)
    except EmulationError:
        return model.eval().requires_grad_(False), "random"
    return model.eval().requires_grad_(False), "trained"


def _gradient(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    z = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)
    return gradient


def _in_turn(
    jobs: dict[str, Callable[[], object]], repeats: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Least seconds of each job; jobs take turns."""
    for job in jobs.values():
        job()
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            began = clock()
            job()
            seconds[name].append(clock() - began)
    return {name: min(values) for name, values in seconds.items()}


def run(names: tuple[str, ...], *, repeats: int, threads: int) -> list[dict[str, Any]]:
    """Measure networks.

    Args:
        names: of the catalogue.
        repeats: rounds; the fastest is reported.
        threads: of torch and of the kernels. Of one the time is the process's own, since the
            backward pass has another thread; of more it is the wall's.

    Returns:
        A row per network and variant, with images/s and ratios to float32.
    """
    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    rows = []
    for name in names:
        model, weights = _model(name)
        shape = (1, 28, 28) if name == "lenet5" else (3, 32, 32)
        batch = BATCH[name]
        x = torch.rand(batch, *shape, generator=torch.Generator().manual_seed(0))
        y = torch.arange(batch) % 10
        prepared = prepare(model, x)
        layers = network(name).approximate
        rng = np.random.default_rng(0)
        random = Lut(rng.integers(-(2**14), 2**14, (256, 256)), *Operands.parse("s8"))
        tables = {m: golden(Catalogued.parse(m)) for m in MULTIPLIERS}
        tables["random full-rank table"] = random
        variants: dict[str, nn.Module] = {"float32 torch": model}
        variants |= {m: prepared.emulate(lut, layers=layers) for m, lut in tables.items()}
        with torch.no_grad():
            forward = _in_turn({v: partial(net, x) for v, net in variants.items()}, repeats, clock)
        both = _in_turn(
            {v: partial(_gradient, net, x, y) for v, net in variants.items()}, repeats, clock
        )
        macs = sum(layer.macs for layer in prepared.emulate(None).plan)
        for variant in variants:
            rows.append(
                {
                    "network": name,
                    "weights": weights,
                    "variant": variant,
                    "batch": batch,
                    "threads": threads,
                    "clock": clock.__name__,
                    "isa": native.isa() if native.available() else "none",
                    "torch_isa": torch.backends.cpu.get_cpu_capability(),
                    "macs": macs,
                    "forward_images_per_s": batch / forward[variant],
                    "forward_ratio": forward["float32 torch"] / forward[variant],
                    "gradient_images_per_s": batch / both[variant],
                    "gradient_ratio": both["float32 torch"] / both[variant],
                }
            )
    return rows


def peak_memory(name: str, batch: int) -> int:
    """Peak resident bytes of `axhil accuracy <name>` in a process of its own."""
    # The child of a child: this process's own children would count otherwise.
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
        "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "axhil", "accuracy", name, "--batch", str(batch)]
        command += ["--images", str(4 * batch), "-m", "exact,scaletrim(4,8)", "--out", folder]
        done = subprocess.run(
            [sys.executable, "-c", code, *command], check=True, capture_output=True, text=True
        )
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024)


def table(rows: list[dict[str, Any]]) -> Table:
    """The rows for a terminal."""
    shown = Table(
        title=f"whole networks, {rows[0]['isa']}", title_justify="left", box=box.SIMPLE_HEAD
    )
    for heading in ("network", "variant"):
        shown.add_column(heading)
    for heading in ("forward images/s", "x float32", "with gradient images/s", "x float32"):
        shown.add_column(heading, justify="right")
    last = ""
    for row in rows:
        first = row["network"] != last
        if first and last:
            shown.add_section()
        last = row["network"]
        title = f"{last} (batch {row['batch']}, threads: {row['threads']}, {row['weights']})"
        shown.add_row(
            title if first else "",
            row["variant"],
            f"{row['forward_images_per_s']:,.0f}",
            f"{row['forward_ratio']:.2f}",
            f"{row['gradient_images_per_s']:,.0f}",
            f"{row['gradient_ratio']:.2f}",
        )
    return shown
