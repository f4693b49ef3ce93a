# SPDX-License-Identifier: Apache-2.0
"""Rates of the native kernels on ResNet-50's layer shapes, beside what bounds them.

    python benchmarks/kernel.py [--threads 1] [--repeats 7] [--layers layer1] [--json FILE]

Every layer of ResNet-50 for CIFAR (3x3 stride-1 stem, max-pool kept) at batch 64. Each column is a
whole call, float32 in and out, into an output that exists already, the fastest of several: what
others do to the caches and the clock only adds. Calls are interleaved, so that it meets all
columns alike; on one thread, time is the thread's own (`clock`), since a scheduler takes turns
from calls of 3 and of 40 milliseconds in very different shares.

* native, non-negative / signed: `LutKernel` on a random full-rank signed table and uniform weight
  codes, the hardest case; activations after ReLU, or of both signs.
* native, trained: a table close to the exact product and weight codes as a trained layer has them
  (normal, standard deviation 14), non-negative activations.
* gather: one scalar table load per product, over the whole layer as the kernels do: every pixel
  and output channel, all int32 sums written. Its codes, below 128, are quantised and in im2col
  order before the clock starts; the kernels' columns include both.
* product: `ProductKernel`, 8-bit integer dot products.
* float32: `torch.nn.functional.conv2d` without quantisation; it has no way to name an output, so a
  large one is new memory every time.

The floor. Of a table: a row of 32 products is 3 operations on a vector of 64 bytes (6 of 32, 12 of
16) and 64 bytes of L2, and half of the codes of non-negative activations are 0 and have no row. To
that come the rows themselves, 24 shuffles for 8 codes of 8, 16 or 32 lanes, which is most of the
time where pixels are few. AVX-512 VBMI has byte-wise look-ups besides: 2 to 4 shuffles and 4 to 8
additions or shifts for 64 products. Of products: a dot product for 64 on AVX-512, a multiplication
and an addition for 16 on AVX2. Each record has these operations and the bytes of its float32 input
and output, which bind the 1x1 layers and the stem, where every output has only 27 products:
`floor`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from axhil.emulation import native


@dataclass(frozen=True)
class Layer:
    """A convolution shape and how often ResNet-50 has it."""

    name: str
    inputs: int
    outputs: int
    kernel: int
    stride: int
    size: int  # of the input
    times: int

    @property
    def out_size(self) -> int:
        return (self.size + 2 * (self.kernel // 2) - self.kernel) // self.stride + 1

    def products(self, batch: int) -> int:
        return batch * self.out_size**2 * self.outputs * self.inputs * self.kernel**2


def resnet50() -> list[Layer]:
    """The distinct convolutions of ResNet-50 on 32x32 images, stem 3x3/1 and 3x3/2 max-pool."""
    layers = [Layer("stem", 3, 64, 3, 1, 32, 1)]
    inputs, size = 64, 16
    for stage, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
        stride, outer = (1 if stage == 1 else 2), 4 * width
        small = size // stride
        name = f"layer{stage}"
        layers += [
            Layer(f"{name}.0.conv1", inputs, width, 1, 1, size, 1),
            Layer(f"{name}.0.conv2", width, width, 3, stride, size, 1),
            Layer(f"{name}.0.downsample", inputs, outer, 1, stride, size, 1),
            Layer(f"{name}.n.conv1", outer, width, 1, 1, small, blocks - 1),
            Layer(f"{name}.n.conv2", width, width, 3, 1, small, blocks - 1),
            Layer(f"{name}.n.conv3", width, outer, 1, 1, small, blocks),
        ]
        inputs, size = outer, small
    return layers


def _tables(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    codes = np.arange(256).astype(np.uint8).view(np.int8).astype(np.int64)
    exact = np.outer(codes, codes)
    near = exact + np.rint(exact * rng.uniform(-0.05, 0.05, exact.shape)).astype(np.int64)
    random = rng.integers(-16384, 16384, (256, 256))
    assert np.linalg.matrix_rank(random) == 256
    return random.astype(np.int32), near.astype(np.int32)


def _cases(
    layer: Layer, *, batch: int, threads: int, rng: np.random.Generator
) -> dict[str, tuple[Callable[[], Any], int]]:
    """Name -> (call, products it computes)."""
    table, near = _tables(rng)
    shape = (layer.outputs, layer.inputs, layer.kernel, layer.kernel)
    geometry = {"stride": layer.stride, "padding": layer.kernel // 2}
    uniform = rng.integers(-128, 128, shape).astype(np.int16)
    trained = np.clip(np.rint(rng.normal(0, 14, shape)), -127, 127).astype(np.int16)
    codes = np.arange(256).astype(np.uint8).view(np.int8)
    hard = native.LutKernel(table, uniform, **geometry)
    usual = native.LutKernel(near, trained, **geometry)
    product = native.ProductKernel(codes, codes, trained, **geometry)

    # clone: torch's memory starts on a cache line, numpy's doesn't.
    signed = torch.from_numpy(
        rng.normal(0, 1, (batch, layer.inputs, layer.size, layer.size)).astype(np.float32)
    ).clone()
    positive = signed.relu()
    out = torch.empty(batch, layer.outputs, layer.out_size, layer.out_size)
    ones = np.ones(layer.outputs, np.float32)
    weights = torch.from_numpy(trained.astype(np.float32))

    def forward(kernel: Any, x: torch.Tensor) -> Callable[[], Any]:
        return lambda: kernel.forward(
            x, inv_scale=40.0, qmin=-127, qmax=127, out_scale=ones, bias=ones, out=out,
            threads=threads,
        )  # fmt: skip

    def conv2d() -> torch.Tensor:
        with torch.inference_mode():
            return torch.nn.functional.conv2d(
                positive, weights, stride=layer.stride, padding=layer.kernel // 2
            )

    K = layer.inputs * layer.kernel**2
    pixels = batch * layer.out_size**2
    columns = rng.integers(0, 128, (K, pixels), dtype=np.uint8)
    patterns = uniform.reshape(layer.outputs, K).astype(np.uint8)
    sums = np.zeros((layer.outputs, pixels), np.int32)
    # Not native.gather_baseline, which makes a new output every time.
    gather = importlib.import_module("axhil.emulation.native._kernel").gather_baseline
    total = layer.products(batch)
    return {
        "native_non_negative": (forward(hard, positive), total),
        "native_signed": (forward(hard, signed), total),
        "native_trained": (forward(usual, positive), total),
        "gather": (
            lambda: gather(table, columns, patterns, sums),
            total,
        ),
        "product": (forward(product, positive), total),
        "float32": (conv2d, total),
    }


# Bits of all operands of vector operations per product, without those that don't grow with the
# kernel's size: 3 operations on the 16 bits of an entry, one on 8, two on 16, one on 32.
_ROWS = {"native_non_negative": 24, "native_signed": 48, "native_trained": 24, "float32": 32}
OPERATIONS = {"avx512vbmi": {**_ROWS, "product": 8}}
"""Per instruction set where products differ from `OTHERS`."""
OTHERS = {**_ROWS, "product": 32}
COLUMNS = ("native_non_negative", "native_signed", "native_trained", "gather", "product", "float32")


def run(
    *, batch: int = 64, threads: int = 1, repeats: int = 7, only: str = "", seed: int = 0
) -> list[dict[str, Any]]:
    """Measures every layer whose name contains `only`.

    Returns:
        One record per layer: shape, products, and per column the fastest rate in products per
        second; the last record, "resnet50", weighs the layers as the network has them.
    """
    rng = np.random.default_rng(seed)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    clock = time.thread_time if threads == 1 else time.perf_counter
    records: list[dict[str, Any]] = []
    seconds = dict.fromkeys(COLUMNS, 0.0)
    products = 0
    try:
        for layer in resnet50():
            if only not in layer.name:
                continue
            cases = _cases(layer, batch=batch, threads=threads, rng=rng)
            times: dict[str, list[float]] = {name: [] for name in cases}
            for repeat in range(repeats + 1):
                for name, (call, _) in cases.items():
                    start = clock()
                    call()
                    if repeat:  # the first warms up
                        times[name].append(clock() - start)
            rates = {name: count / min(times[name]) for name, (_, count) in cases.items()}
            total = layer.products(batch)
            records.append({
                "layer": layer.name, "inputs": layer.inputs, "outputs": layer.outputs,
                "kernel": layer.kernel, "stride": layer.stride, "size": layer.size,
                "times": layer.times, "batch": batch, "threads": threads, "products": total,
                "clock": clock.__name__,
                "isa": native.isa(), "products_per_second": rates,
                "floor": {
                    "operand_bits": {
                        n: total * bits
                        for n, bits in OPERATIONS.get(native.isa(), OTHERS).items()
                    },
                    "bytes": 4 * batch * (layer.inputs * layer.size**2
                                          + layer.outputs * layer.out_size**2),
                },
            })  # fmt: skip
            products += layer.times * total
            for name in COLUMNS:
                seconds[name] += layer.times * total / rates[name]
    finally:
        torch.set_num_threads(before)
    records.append({
        "layer": "resnet50", "batch": batch, "threads": threads, "products": products,
        "isa": native.isa(), "machine": platform.machine(), "torch": torch.__version__,
        "torch_isa": torch.backends.cpu.get_cpu_capability(),
        "seconds": seconds,
        "products_per_second": {name: products / seconds[name] for name in COLUMNS},
    })  # fmt: skip
    return records


def show(records: list[dict[str, Any]], console: Console) -> None:
    """Prints rates in 10**9 products per second, and ratios."""
    last = records[-1]
    table = Table(title=f"10^9 products/s, {last['isa']}, batch {last['batch']}, "
                        f"{last['threads']} thread(s)")  # fmt: skip
    table.add_column("layer")
    ratios = ("non-neg./gather", "signed/gather", "trained/float32", "product/float32")
    for heading in ("non-neg.", "signed", "trained", "gather", "product", "float32", *ratios):
        table.add_column(heading, justify="right")
    for record in records:
        rate = record["products_per_second"]
        name = record["layer"]
        if "times" in record:
            name += f" {record['inputs']}>{record['outputs']} {record['kernel']}x{record['kernel']}"
        pairs = [("native_non_negative", "gather"), ("native_signed", "gather"),
                 ("native_trained", "float32"), ("product", "float32")]  # fmt: skip
        if record is last:
            table.add_section()
        table.add_row(
            name,
            *(f"{rate[column] / 1e9:.1f}" for column in COLUMNS),
            *(f"{rate[ours] / rate[base]:.1f}" for ours, base in pairs[:2]),
            *(f"{rate[ours] / rate[base]:.2f}" for ours, base in pairs[2:]),
        )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--layers", default="", help="only layers whose name contains this")
    parser.add_argument("--isa", choices=native.ISAS, help="force an instruction set")
    parser.add_argument("--json", type=Path, help="where to write the records")
    options = parser.parse_args()
    if options.isa:
        os.environ["AXHIL_ISA"] = options.isa
    records = run(
        batch=options.batch, threads=options.threads, repeats=options.repeats, only=options.layers
    )
    show(records, Console(width=150))
    if options.json:
        options.json.write_text(json.dumps(records, indent=1) + "\n")


if __name__ == "__main__":
    main()
