# SPDX-License-Identifier: Apache-2.0
"""Runs inside the simulator: streams vectors through MAC arrays and records their sums.

`mac.json`, `activations.npy` (N, K) and `weights.npy` (M, K) are what goes in; `sums.npy` gets
(arrays, N, M) int64. Every array has the same clock, operands and handshakes, and its own sums.
"""

import json
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge
from numpy.typing import NDArray

# Cycles without any handshake after which the arrays are taken to be stuck.
_STUCK = 1000


class MacError(Exception):
    """What the arrays did wrong, also written to `failure.txt`."""

    def __init__(self, message: str) -> None:
        Path("failure.txt").write_text(message)
        super().__init__(message)


@cocotb.test()
async def stream(dut: Any) -> None:
    """Computes activations @ weights.T tile by tile on every array."""
    settings = json.loads(Path("mac.json").read_text())
    x, w = np.load("activations.npy"), np.load("weights.npy")
    bench = _Bench(dut, settings)
    rows, cols = settings["rows"], settings["cols"]
    (n, taps), outputs = x.shape, len(w)
    x = np.pad(x, ((0, 0), (0, -taps % rows)))
    w = np.pad(w, ((0, -outputs % cols), (0, -taps % rows)))
    sums = np.zeros((len(settings["names"]), n, len(w)), np.int64)

    Clock(dut.clk, 2, unit="ns").start()
    await bench.reset()
    for o in range(0, len(w), cols):
        for k in range(0, w.shape[1], rows):
            await bench.load(w[o : o + cols, k : k + rows])
            tile = await bench.multiply(x[:, k : k + rows], sums[:, :, o : o + cols])
            sums[:, :, o : o + cols] = tile
    np.save("sums.npy", sums[:, :, :outputs])


class _Bench:
    """Drives after the rising edge, looks at the falling one."""

    def __init__(self, dut: Any, settings: dict[str, Any]) -> None:
        self._dut, self._width = dut, settings["width"]
        self._names, self._bits = settings["names"], settings["acc_bits"]
        self._stalls, self._random = settings["stalls"], random.Random(settings["seed"])
        self._acc_i = [getattr(dut, f"acc_i_{i}") for i in range(len(self._names))]
        self._acc_o = [getattr(dut, f"acc_o_{i}") for i in range(len(self._names))]
        self._received, self._said = 0, time.monotonic()

    async def reset(self) -> None:
        dut = self._dut
        for signal in (dut.rst_n, dut.w_valid, dut.valid_i, dut.ready_i, dut.w_row, dut.w, dut.a):
            signal.value = 0
        for signal in self._acc_i:
            signal.value = 0
        await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
        dut.rst_n.value = 1

    async def load(self, weights: NDArray[np.int64]) -> None:
        """Writes the (cols, rows) weights of a tile, a row at a time."""
        dut = self._dut
        for row, values in enumerate(weights.T):
            dut.w_valid.value, dut.w_row.value = 1, row
            dut.w.value = _pack(values, self._width)
            for _ in range(_STUCK):
                await FallingEdge(dut.clk)
                taken = self._all("w_ready")
                await RisingEdge(dut.clk)
                if taken:
                    break
            else:
                raise MacError(f"{self._names[0]}: w_ready_o has been low for {_STUCK} cycles")
        dut.w_valid.value = 0

    async def multiply(self, x: NDArray[np.int64], sums: NDArray[np.int64]) -> NDArray[np.int64]:
        """Streams (N, rows) vectors with (arrays, N, cols) sums; returns the new sums."""
        dut, n, cols = self._dut, len(x), sums.shape[2]
        out = np.empty_like(sums)
        sent = received = quiet = 0
        while received < n:
            offered = sent < n and self._random.random() >= self._stalls
            taking = self._random.random() >= self._stalls
            dut.valid_i.value, dut.ready_i.value = int(offered), int(taking)
            if offered:
                dut.a.value = _pack(x[sent], self._width)
                for signal, bits, acc in zip(self._acc_i, self._bits, sums, strict=True):
                    signal.value = _pack(acc[sent], bits)
            await FallingEdge(dut.clk)
            if offered and self._all("ready_o"):
                sent, quiet = sent + 1, 0
            if self._all("valid_o") and taking:
                for i, (signal, bits) in enumerate(zip(self._acc_o, self._bits, strict=True)):
                    out[i, received] = list(self._unpack(str(signal.value), bits, cols, i))
                received, quiet = received + 1, 0
                self._report()
            quiet += 1
            if quiet > _STUCK:
                raise MacError(f"{self._names[0]}: no handshake for {_STUCK} cycles")
            await RisingEdge(dut.clk)
        dut.valid_i.value = dut.ready_i.value = 0
        return out

    def _report(self) -> None:
        """A sign of life, now and then."""
        self._received += 1
        if time.monotonic() - self._said > 0.5:
            self._said = time.monotonic()
            Path("progress").write_text(str(self._received))

    def _all(self, name: str) -> bool:
        """Whether the arrays' handshake is 1; they all must agree, being driven alike."""
        bits = str(getattr(self._dut, name).value)
        if set(bits) not in ({"0"}, {"1"}):
            raise MacError(f"expected the same {name} of every array, 0 or 1, got {bits}")
        return bits[0] == "1"

    def _unpack(self, text: str, bits: int, count: int, array: int) -> Iterator[int]:
        if set(text) - {"0", "1"}:
            raise MacError(f"{self._names[array]}: expected 0 and 1 only on acc_o, got {text}")
        packed = int(text, 2)
        for i in range(count):
            value = packed >> (bits * i) & (1 << bits) - 1
            yield value - (value >> (bits - 1) << bits)


def _pack(values: Sequence[int] | NDArray[np.int64], bits: int) -> int:
    packed = 0
    for i, value in enumerate(values):
        packed |= (int(value) & (1 << bits) - 1) << (bits * i)
    return packed
