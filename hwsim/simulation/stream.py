# SPDX-License-Identifier: Apache-2.0
"""One simulation of multipliers, watched: operand pairs in, one output of each a cycle out."""

import contextlib
import json
import logging
import os
import re
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..tools.logs import first_error, how_it_ended
from ..tools.simulators import Simulator
from ..verilog.circuit import Circuit
from ..verilog.roles import Roles
from ..verilog.syntax import without_comments
from .stream_harness import (
    OPERANDS,
    PRODUCTS,
    TOP,
    UNKNOWN,
    operand_bytes,
    product_words,
    stream_harness,
)

_POLL = 0.1  # seconds between looks at the progress


@dataclass(frozen=True)
class Outputs:
    """What a stream gave.

    Attributes:
        words: (cycles,) uint64, the output's bits at the end of each cycle.
        unknown: X and Z by cycle, as the simulator shows the bits; the first few thousand.
    """

    words: NDArray[np.uint64]
    unknown: Mapping[int, str]


def run_stream(
    circuits: Sequence[Circuit],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    *,
    simulator: Simulator,
    limit: float,
    progress: Callable[[int], None] | None = None,
) -> list[Outputs]:
    """Sends operand pairs through circuits side by side, one a cycle.

    Args:
        circuits: of equal operands, all combinational if there are several.
        a: (N,) first operands, bit patterns.
        b: (N,) second operands, bit patterns.
        simulator: to run it on.
        limit: seconds without a sign of life after which it is ended.
        progress: told the number of finished cycles, from another thread's point of view late.

    Returns:
        What each circuit gave.

    Raises:
        HwsimError: the Verilog does not compile, stops the simulation or never settles.
    """
    width = circuits[0].roles.width
    assert all(circuit.roles.width == width for circuit in circuits)
    assert len(circuits) == 1 or all(circuit.roles.clock is None for circuit in circuits)
    with tempfile.TemporaryDirectory(prefix="axhil-stream-") as scratch:
        folder = Path(scratch)
        pairs = np.stack([a, b], axis=1).astype(f">u{operand_bytes(width)}")
        (folder / OPERANDS).write_bytes(pairs.tobytes())
        said = [{"name": circuit.name, "ports": _ports(circuit.roles)} for circuit in circuits]
        settings = {"cycles": len(a), "circuits": said}
        (folder / "stream.json").write_text(json.dumps(settings))
        (folder / f"{TOP}.v").write_text(stream_harness(circuits))
        _Run(folder, circuits, simulator, limit).run(progress)
        return _read(folder, circuits, cycles=len(a))


def _ports(roles: Roles) -> dict[str, int]:
    operands = {roles.activation: roles.width, roles.weight: roles.width}
    return {**operands, roles.product: roles.product_width}


def _read(folder: Path, circuits: Sequence[Circuit], *, cycles: int) -> list[Outputs]:
    counts = [product_words(circuit.roles.product_width) for circuit in circuits]
    raw = np.fromfile(folder / PRODUCTS, dtype="<u4")
    if len(raw) != cycles * sum(counts):
        raise HwsimError(
            f"{circuits[0].name}: expected {cycles} products from the simulator, got "
            f"{len(raw) // sum(counts)}; is the disk under {tempfile.gettempdir()} full?"
        )
    lanes = np.split(raw.reshape(cycles, -1), np.cumsum(counts)[:-1], axis=1)
    unknown: list[dict[int, str]] = [{} for _ in circuits]
    for line in (folder / UNKNOWN).read_text().splitlines():
        circuit, cycle, bits = line.split()
        unknown[int(circuit)][int(cycle)] = bits.upper()
    return [
        Outputs(np.ascontiguousarray(lane).view(f"<u{4 * count}").ravel().astype(np.uint64), bits)
        for lane, count, bits in zip(lanes, counts, unknown, strict=True)
    ]


class _Run:
    """Builds and runs in a folder; all noise goes to log files there."""

    def __init__(
        self, folder: Path, circuits: Sequence[Circuit], simulator: Simulator, limit: float
    ) -> None:
        self._folder, self._simulator, self._limit = folder, simulator, limit
        shown = ", ".join(circuit.name for circuit in circuits[:3])
        self._name = shown if len(circuits) <= 3 else f"{shown} and {len(circuits) - 3} more"
        self._sources = [*dict.fromkeys(x for circuit in circuits for x in circuit.place(folder))]
        self._includes = [*dict.fromkeys(x for circuit in circuits for x in circuit.includes)]
        self._over = False

    def run(self, progress: Callable[[int], None] | None) -> None:
        from cocotb_tools.runner import get_runner  # noqa: PLC0415  (only for simulating)

        runner = get_runner(self._simulator.key)
        # The runner announces each command; what matters is in the log files.
        logging.getLogger(type(runner).__name__).setLevel(logging.CRITICAL)
        self._build(runner)
        failed: list[BaseException] = []

        def simulate() -> None:
            try:
                self._test(runner)
            except (RuntimeError, SystemExit, OSError) as error:
                failed.append(error)

        thread = threading.Thread(target=simulate, daemon=True)
        thread.start()
        try:
            self._watch(thread, progress)
        finally:
            if thread.is_alive():
                self._kill()
            thread.join()
        if self._over:
            raise HwsimError(
                f"{self._name}: no sign of life for {self._limit:g} s, after "
                f"{self._done():,} products: a combinational loop that never settles, or a "
                "design that needs a longer --time-limit"
            )
        if failed:
            raise HwsimError(self._failure()) from failed[0]

    def _build(self, runner: Any) -> None:
        try:
            runner.build(
                sources=[*_tagged(self._sources), self._folder / f"{TOP}.v"],
                hdl_toplevel=TOP,
                includes=self._includes,
                build_dir=self._folder,
                build_args=self._simulator.build_args,
                always=True,
                timescale=("1ns", "1ns"),  # for files that say none
                log_file=self._folder / "build.log",
            )
        except (RuntimeError, SystemExit) as error:
            found = first_error(self._log("build.log"), compiler=self._simulator.title)
            found = found.replace(f"{self._folder}/", "")
            raise HwsimError(f"{self._name}: the Verilog does not compile: {found}") from error

    def _test(self, runner: Any) -> None:
        from cocotb_tools.check_results import get_results  # noqa: PLC0415  (only for simulating)

        results = self._folder / "results.xml"
        runner.test(
            test_module=f"{__package__}.stream_bench",
            hdl_toplevel=TOP,
            test_dir=self._folder,
            test_args=self._simulator.test_args,
            results_xml=str(results),
            log_file=self._folder / "run.log",
        )
        # Outside pytest the runner does not raise for a failed test: the results file decides.
        if get_results(results) != (1, 0):
            raise RuntimeError("the bench failed")
        if missing := re.search(r"Unable to open (\S+) for reading", self._log("run.log")):
            raise RuntimeError(f"{missing[1]} is missing")

    def _watch(self, thread: threading.Thread, progress: Callable[[int], None] | None) -> None:
        """Returns when the simulation has ended, or has given no sign of life for too long."""
        seen, last = 0, time.monotonic()
        while thread.is_alive():
            thread.join(_POLL)
            now = self._done()
            if now > seen:
                seen, last = now, time.monotonic()
                if progress is not None:
                    progress(now)
            elif time.monotonic() - last > self._limit:
                self._over = True
                return

    def _done(self) -> int:
        try:
            return int((self._folder / "progress").read_text())
        except (OSError, ValueError):  # not there yet, or just being written
            return 0

    def _kill(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((self._folder / "pid").read_text()), signal.SIGKILL)

    def _failure(self) -> str:
        """The most telling sentence of a run that failed."""
        name = self._name
        if told := self._log("failure.txt"):
            return told
        log = self._log("run.log")
        ended = how_it_ended(log)
        if "stopped the simulation" in ended:
            return f"{name}: {ended}"
        if "ended prematurely" in log and (ender := self._ender()):
            return (
                f"{name}: expected the design to wait for operands, but {ender}, which ends the "
                "simulation; remove it"
            )
        if missing := re.search(r"(\S+): Unable to open (\S+) for reading", log):
            return f"{name}: {missing[1]} needs {missing[2]}, found no such file"
        return f"{name}: {ended}"

    def _ender(self) -> str | None:
        """Where the sources end a simulation: Icarus does not always say who did."""
        for path in self._sources:
            text = without_comments(path.read_text(encoding="utf-8", errors="replace"))
            for number, line in enumerate(text.splitlines(), start=1):
                if task := re.search(r"\$(?:finish|stop)\b", line):
                    return f"{path.name}:{number} calls {task[0]}"
        return None

    def _log(self, name: str) -> str:
        path = self._folder / name
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _tagged(sources: Sequence[Path]) -> list[Any]:
    """Sources whose suffix says nothing to cocotb are Verilog as well."""
    from cocotb_tools.runner import Verilog  # noqa: PLC0415  (only for simulating)

    return [Verilog(str(path.resolve())) for path in sources]
