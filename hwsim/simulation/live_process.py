# SPDX-License-Identifier: Apache-2.0
"""One simulator process kept alive: a batch of operand pairs in, their products out."""

import contextlib
import json
import math
import os
import select
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..files import read_bytes
from ..tools.runner import Simulation
from ..tools.scratch import scratch
from ..tools.simulators import SIMULATORS
from ..verilog.circuit import Circuit
from ..verilog.compiled.program import read_program
from ..verilog.compiled.state import read_compiled
from .live_harness import OPERANDS, PRODUCTS, TOP, VCD, Window, live_harness

_BENCH = Path(__file__).with_name("live_bench.py")
_POLL = 0.2  # seconds between looks at whether the process still lives
_FAREWELL = 10.0  # seconds that a simulator without work may take to end


class LiveProcess:
    """One simulator process.

    Args:
        circuit: the multiplier.
        instances: of it side by side in the simulation.
        batch: most pairs sent at once; a multiple of `instances`.
        patience: seconds that a batch may take.
        window: the products to trace.
    """

    def __init__(
        self,
        circuit: Circuit,
        *,
        instances: int,
        batch: int,
        patience: float,
        window: Window | None = None,
    ) -> None:
        self._circuit, self._instances, self._patience = circuit, instances, patience
        self._window = window
        self._scratch = contextlib.ExitStack()
        self._folder = self._scratch.enter_context(scratch("live"))
        self._simulation = Simulation(
            self._folder,
            TOP,
            circuit.place(self._folder),
            bench=_BENCH,
            name=circuit.name,
            simulator=SIMULATORS["icarus"],
        )
        self._pending: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
        self._busy = False  # with something that only its end or a kill can end
        self._deadline = 0.0
        self._unread = b""
        self._served = 0
        self._batch = batch
        self._write_harness(step=1)
        for fifo in ("commands", "answers"):
            os.mkfifo(self._folder / fifo)
        # Both ways, so that opening does not wait for the simulator; its own end closes alone.
        self._commands = os.open(self._folder / "commands", os.O_RDWR)
        self._answers = os.open(self._folder / "answers", os.O_RDONLY | os.O_NONBLOCK)

    def start(self) -> None:
        """Compile and run; returns once the simulator waits for its first batch.

        Raises:
            HwsimError: the Verilog does not compile, or stops the simulation.
        """
        self._simulation.build()
        if (step := self._step()) > 1:
            self._write_harness(step=step)
            self._simulation.build()
        self._simulation.start(dump=self._window is not None)
        self._deadline, self._busy = time.monotonic() + self._patience, True
        while self._answer() is None:
            select.select([self._answers], [], [], _POLL)
        self._busy = False

    def _write_harness(self, *, step: int) -> None:
        text = live_harness(
            self._circuit,
            instances=self._instances,
            batch=self._batch,
            window=self._window,
            step=step,
        )
        (self._folder / f"{TOP}.v").write_text(text)

    def _step(self) -> int:
        """Nanoseconds that a product may take: twice what all delays take together."""
        text = self._simulation.program
        assert text is not None, "the live simulator is Icarus"
        delay = read_compiled(read_program(text), "u_0", self._circuit.roles.product).delay
        return max(1, math.ceil(2 * delay))

    @property
    def pid(self) -> int | None:
        """Process id of the simulator; None before it has one."""
        return self._simulation.pid

    @property
    def fileno(self) -> int:
        """What becomes readable when a batch is finished or the simulator dies."""
        return self._answers

    def send(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> None:
        """Hand a batch over; `receive` returns its products.

        Args:
            a: (N,) first operands, values or two's complement bit patterns.
            b: (N,) second operands.
        """
        assert self._pending is None
        count = len(a)
        padding = -count % self._instances
        activation, weight = self._circuit.operands
        pairs = np.stack([activation.pattern(a), weight.pattern(b)], axis=1)
        # Every instance needs as many pairs: the last one is repeated.
        pairs = np.pad(pairs, ((0, padding), (0, 0)), mode="edge")
        # $fread fills a word from its top byte: the first operand stands in the upper half.
        self._replace(OPERANDS, pairs.astype(">u2").tobytes())
        self._pending, self._busy = (a, b), True
        self._deadline = time.monotonic() + self._patience
        os.write(self._commands, json.dumps({"count": count + padding}).encode() + b"\n")

    def _replace(self, name: str, data: bytes) -> None:
        """Puts a file into the folder, in place of a link too: others can write there."""
        fresh = self._folder / f"{name}.{os.urandom(8).hex()}"
        with fresh.open("xb") as file:
            file.write(data)
        fresh.replace(self._folder / name)

    def receive(self) -> NDArray[np.int64] | None:
        """Products of the batch that was sent, signed where the circuit is; None: not yet.

        Raises:
            HwsimError: the simulator died, took too long, or a product has X or Z bits.
        """
        assert self._pending is not None
        answer = self._answer()
        if answer is None:
            return None
        self._busy = False
        (a, b), roles = self._pending, self._circuit.roles
        if "bad" in answer:
            # An index beyond the pairs is the padding, which repeats the last pair.
            first = min(int(answer["bad"]), len(a) - 1)
            shown = str(answer["product"])[-roles.product_bits :]
            raise HwsimError(
                f"{self._circuit.name}: expected 0 and 1 only on {roles.product}, got {shown} for "
                f"{roles.activation}={a[first]}, {roles.weight}={b[first]}"
            )
        size = 4 * (len(a) + self._instances)
        data = read_bytes(self._folder / PRODUCTS, limit=size)
        words = np.frombuffer(data[: len(data) // 4 * 4], dtype=np.uint32)[: len(a)]
        products = self._circuit.products(words)
        if len(products) != len(a):
            raise HwsimError(
                f"{self._circuit.name}: expected {len(a)} products from the simulator, got "
                f"{len(products)}; is the disk under {tempfile.gettempdir()} full?"
            )
        self._pending = None
        self._served += len(a)
        return products

    def _answer(self) -> dict[str, Any] | None:
        """The next answer; None where there is none yet."""
        # Asked before reading, so that a last word of a process that ended is still read.
        alive = self._simulation.running
        with contextlib.suppress(BlockingIOError):
            self._unread += os.read(self._answers, 65536)
        line, newline, rest = self._unread.partition(b"\n")
        if newline:
            self._unread = rest
            answer: dict[str, Any] = json.loads(line)
            return answer
        if not alive:
            raise HwsimError(self._death())
        if time.monotonic() > self._deadline:
            raise HwsimError(
                f"{self._circuit.name}: the simulator has not answered for {self._patience:g} s, "
                f"after {self._served:,} products; does the Verilog settle?"
            )
        return None

    def _death(self) -> str:
        reason = self._simulation.failure() or "the bench ended by itself"
        if "stopped the simulation" in reason:
            return reason
        return (
            f"{self._circuit.name}: the simulator died after {self._served:,} products "
            f"({reason.removeprefix(f'{self._circuit.name}: ')})"
        )

    def close(self, *, trace: Path | None = None) -> None:
        """End the simulator and remove its folder. Does nothing when called again.

        Args:
            trace: where to put the VCD.

        Raises:
            HwsimError: the VCD cannot be written.
        """
        if self._commands < 0:
            return
        os.close(self._commands)  # the bench reads the end of its commands
        self._commands = -1
        # In the middle of something that nobody waits for any more, there is no point in waiting.
        if not self._busy:
            self._simulation.wait(_FAREWELL)
        self._simulation.kill()
        os.close(self._answers)
        try:
            if trace is not None:
                self._keep(trace)
        finally:
            self._scratch.close()

    def _keep(self, trace: Path) -> None:
        try:
            if (self._folder / VCD).is_symlink():
                raise OSError("the simulator put a link in its place")
            shutil.move(self._folder / VCD, trace)
        except OSError as error:
            raise HwsimError(
                f"cannot write the trace {trace}: {error.strerror or error}"
            ) from error
