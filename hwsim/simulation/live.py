# SPDX-License-Identifier: Apache-2.0
"""A multiplier that is really simulated, product by product, as a function of two arrays."""

import os
import select
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import HwsimError
from ..tools.simulators import require_simulator
from ..verilog.circuit import Circuit
from .live_harness import Window
from .live_process import LiveProcess

Served = Callable[[int], None]
"""Called with the number of products finished so far."""


class LiveMultiplier:
    """The RTL of a multiplier behind a call: simulator processes that stay alive between calls.

    Every pair of operands is simulated, however often it comes: nothing is cached, deduplicated
    or looked up. A pair equal to the one before it in the same instance is a step in which no
    wire moves, as in the circuit.

    Args:
        circuit: the multiplier, combinational.
        processes: simulators at a time; None is one per processor core, or one when tracing.
        instances: of the multiplier, side by side in every simulation; 1 when tracing.
        batch: most pairs sent to a process at once; progress is told after each.
        patience: seconds that a batch may take before the simulator is given up.
        progress: told after every batch.
        trace: VCD file to write when closed, with the operands and every wire of the multiplier
            for the products of `window`; one product a nanosecond, or twice its delays.
        window: products to trace.

    Raises:
        HwsimError: no simulator, a clocked circuit, Verilog that does not compile or stops, a
            trace with more than one process or instance.
    """

    def __init__(
        self,
        circuit: Circuit,
        *,
        processes: int | None = None,
        instances: int | None = None,
        batch: int = 2**15,
        patience: float = 120.0,
        progress: Served | None = None,
        trace: Path | None = None,
        window: Window | None = None,
    ) -> None:
        if (trace is None) != (window is None):
            raise HwsimError("expected a trace file and a window of products, or neither")
        if processes is None:
            processes = 1 if trace else os.cpu_count() or 1
        if instances is None:
            instances = 1 if trace else 16
        if processes < 1 or instances < 1:
            raise HwsimError(
                f"expected at least 1 process and 1 instance, got {processes} and {instances}"
            )
        if trace is not None and (processes, instances) != (1, 1):
            raise HwsimError(
                f"a trace is of one multiplier: expected 1 process and 1 instance, got "
                f"{processes} and {instances}"
            )
        if circuit.roles.clock is not None:
            raise HwsimError(
                f"{circuit.name}: expected a combinational multiplier to put under a network, got "
                f"one with the clock {circuit.roles.clock}"
            )
        if circuit.roles.product_bits > 32:
            raise HwsimError(
                f"{circuit.name}: expected a product of at most 32 bits to put under a network, "
                f"got {circuit.roles.product_bits}"
            )
        require_simulator()
        if trace is not None:
            try:  # now, not when hours of simulation are over
                trace.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise HwsimError(f"cannot write the trace {trace}: {error.strerror}") from error
        self._progress, self._trace = progress, trace
        self._batch = max(batch // instances, 1) * instances
        self._served = 0
        self._processes: list[LiveProcess] = []
        try:
            for _ in range(processes):
                process = LiveProcess(
                    circuit,
                    instances=instances,
                    batch=self._batch,
                    patience=patience,
                    window=window,
                )
                self._processes.append(process)
                process.start()
        except BaseException:
            self._abandon()
            raise
        self.circuit = circuit

    @property
    def served(self) -> int:
        """Products simulated so far."""
        return self._served

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the simulators."""
        return tuple(pid for process in self._processes if (pid := process.pid) is not None)

    def __call__(self, a: ArrayLike, b: ArrayLike) -> NDArray[np.int64]:
        """Simulate.

        Args:
            a: (N,) first operands (activations), values or two's complement bit patterns.
            b: (N,) second operands (weights).

        Returns:
            (N,) products, signed where the circuit is.

        Raises:
            HwsimError: the simulator died or took too long, a product has X or Z bits, or this
                was closed. It is closed afterwards.
        """
        if not self._processes:
            raise HwsimError("expected a live simulator, this one is closed")
        first, second = np.asarray(a, np.int64).ravel(), np.asarray(b, np.int64).ravel()
        if first.shape != second.shape:
            raise HwsimError(
                f"expected as many first as second operands, got {first.size} and {second.size}"
            )
        try:
            return self._simulate(first, second)
        except BaseException:
            self._abandon()
            raise

    def _simulate(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
        products = np.empty(len(a), np.int64)
        # A short call is shared too, in stretches that keep their order.
        share = max(min(-(-len(a) // len(self._processes)), self._batch), 1)
        parts = [slice(start, start + share) for start in range(0, len(a), share)][::-1]
        busy: dict[int, tuple[LiveProcess, slice]] = {}
        idle = list(self._processes)
        while parts or busy:
            while parts and idle:
                process, part = idle.pop(0), parts.pop()
                process.send(a[part], b[part])
                busy[process.fileno] = (process, part)
            # Woken by an answer or by a death; the time limit is for what neither tells.
            select.select(list(busy), [], [], 0.2)
            for handle, (process, part) in list(busy.items()):
                found = process.receive()
                if found is not None:
                    products[part] = found
                    del busy[handle]
                    idle.append(process)
                    self._served += len(found)
                    if self._progress is not None:
                        self._progress(self._served)
        return products

    def close(self) -> None:
        """End the simulators, and write the trace. Does nothing when called again.

        Raises:
            HwsimError: the trace cannot be written.
        """
        processes, self._processes = self._processes, []
        for process in processes:
            process.close(trace=self._trace)

    def _abandon(self) -> None:
        """Close after an error, without a trace."""
        processes, self._processes = self._processes, []
        for process in processes:
            process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()
