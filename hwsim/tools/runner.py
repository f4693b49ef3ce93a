# SPDX-License-Identifier: Apache-2.0
"""A harness built and run by a simulator with a cocotb bench inside, watched to its end.

Every simulation has a folder of its own that did not exist before, so neither a build of other
parameters or older sources nor another process can ever be met. The folder is the interface: the
bench writes `progress`, a number that grows, and `failure.txt`, a sentence for the user.
"""

import contextlib
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ..comments import located_lines, without_comments
from ..errors import HwsimError
from ..files import opened, read_text
from .box import Box
from .logs import first_error, how_it_ended
from .process import OverLimitError, Process, printed, run
from .simulators import Simulator

_BUILD_LIMIT = 1800.0  # seconds; Verilator takes minutes for a large netlist
_POLL = 0.02  # seconds between looks at the progress
_MOST_WRITTEN = 1 << 30  # bytes of a file beyond what the bench makes: a log, a memory's image
_MOST_TRACED = 1 << 36  # bytes of a VCD
_PROGRAM = "sim.vvp"
_BUILD_LOG, _RUN_LOG, _RESULTS, _FAILURE = "build.log", "run.log", "results.xml", "failure.txt"


class Simulation:
    """One simulation.

    Args:
        folder: where to build and run; it must hold `<top>.v`, and nothing built before.
        top: the harness' module.
        sources: every other Verilog file, in compilation order.
        bench: the file with the one cocotb test.
        name: what is simulated, for messages.
        simulator: that runs it.
    """

    def __init__(
        self,
        folder: Path,
        top: str,
        sources: Iterable[Path],
        *,
        bench: Path,
        name: str,
        simulator: Simulator,
    ) -> None:
        self.folder, self._top, self._bench, self._name = folder, top, bench, name
        self._sources = [*dict.fromkeys(sources)]
        self._simulator = simulator
        self._runner: Any = None
        self._process: Process | None = None

    def build(self) -> None:
        """Compile.

        Raises:
            HwsimError: the Verilog does not compile, with the compiler's first error, or it has no
                such parameter.
        """
        from cocotb_tools.runner import Verilog, get_runner  # noqa: PLC0415  (only for simulating)

        self._runner = get_runner(self._simulator.key)
        self._runner.log.setLevel(logging.CRITICAL)  # it announces each command
        # A suffix that says nothing to cocotb is Verilog as well.
        files = [Verilog(str(path.resolve())) for path in self._sources]
        commands = self._commands(
            lambda: self._runner.build(
                sources=[*files, self.folder / f"{self._top}.v"],
                hdl_toplevel=self._top,
                build_dir=self.folder,
                build_args=self._simulator.build_args,
                always=True,
                timescale=("1ns", "1ns"),  # Timer(1, "ns") needs it, and files that say none
            )
        )
        for command in commands:
            try:
                done = run(
                    command,
                    box=Box(self.folder, starts=True),
                    env=self._runner.env,
                    seconds=_BUILD_LIMIT,
                    log=self.folder / _BUILD_LOG,
                )
            except OverLimitError:
                raise HwsimError(
                    f"{self._name}: expected the Verilog to compile in {_BUILD_LIMIT:g} s"
                ) from None
            log = re.sub(
                rf"{re.escape(str(self.folder))}/(design/\w+/)?", "", self._read(_BUILD_LOG)
            )
            if done.code:
                found = first_error(log, compiler=self._simulator.title)
                raise HwsimError(f"{self._name}: the Verilog does not compile: {found}")
            # Icarus goes on with the default; what a design gives its own parts is its own affair.
            unknown = rf"warning: parameter (\w+) not found in {self._top}\.\w+\.$"
            if missing := re.search(unknown, log, re.MULTILINE):
                raise HwsimError(f"{self._name}: the Verilog has no parameter {missing[1]}")

    def _commands(self, announce: Callable[[], object]) -> list[list[str]]:
        """What cocotb's runner would run: its own processes could neither be watched nor ended."""
        commands: list[list[str]] = []

        def collect(announced: Sequence[Sequence[str]], *_: object) -> None:
            commands.extend([str(word) for word in command] for command in announced)

        self._runner._execute_cmds = collect
        # Under pytest the runner looks for results at once.
        with contextlib.suppress(SystemExit):
            announce()
        assert commands, "cocotb's runner announces nothing"
        return commands

    def start(self, *, dump: bool = False, writes: int = 0) -> None:
        """Run the bench; returns at once.

        Args:
            dump: let the Verilog write a VCD.
            writes: bytes of the largest file that the bench makes.
        """
        assert self._runner is not None
        # The bench is imported by itself, not as a part of this package, which would be read whole.
        shutil.copyfile(self._bench, self.folder / self._bench.name)
        (command,) = self._commands(
            lambda: self._runner.test(
                test_module=self._bench.stem,
                hdl_toplevel=self._top,
                test_dir=self.folder,
                test_args=self._simulator.test_args,
                results_xml=str(self.folder / _RESULTS),
            )
        )
        if dump:
            command = [*(word for word in command if word != "-none"), "-vcd"]
        env = {**self._runner.env}
        env["PYTHONPATH"] = os.pathsep.join([str(self.folder), env["PYTHONPATH"]])
        box = Box(self.folder, file=_MOST_TRACED if dump else _MOST_WRITTEN + writes)
        self._process = Process(command, box=box, env=env, log=self.folder / _RUN_LOG)

    @property
    def program(self) -> str | None:
        """What Icarus compiled; None of another simulator."""
        path = self.folder / _PROGRAM
        return read_text(path, limit=_MOST_WRITTEN, errors="replace") if path.is_file() else None

    @property
    def build_log(self) -> str:
        """What the compiler printed."""
        return self._read(_BUILD_LOG)

    @property
    def pid(self) -> int | None:
        """Process id of the simulator; None before it has one."""
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        """Whether the simulator has been started and has not ended."""
        return self._process is not None and self._process.running

    def watch(self, *, limit: float | None, progress: Callable[[int], None] | None = None) -> None:
        """Wait for the end of the bench.

        Args:
            limit: seconds without progress after which the simulator is killed; None: any time.
            progress: called with what the bench writes to `progress`.

        Raises:
            HwsimError: the bench failed, the simulation ended before it, or made no progress.
        """
        assert self._process is not None
        seen, last = 0, time.monotonic()
        with self._process:
            while self._process.wait(_POLL) is None:
                now = self._progress()
                if now > seen:
                    seen, last = now, time.monotonic()
                    if progress is not None:
                        progress(now)
                elif limit is not None and time.monotonic() - last > limit:
                    raise HwsimError(
                        f"{self._name}: no sign of life for {limit:g} s, after {seen:,} products: "
                        "a combinational loop that never settles, or a design that needs a longer "
                        "--time-limit"
                    )
        if failure := self.failure():
            raise HwsimError(failure)

    def run(
        self, *, limit: float | None = None, progress: Callable[[int], None] | None = None
    ) -> None:
        """Build, start and watch.

        Raises:
            HwsimError: as `build` and `watch`.
        """
        self.build()
        self.start()
        self.watch(limit=limit, progress=progress)

    def wait(self, seconds: float) -> None:
        """Give the simulator some time to end by itself."""
        if self._process is not None:
            self._process.wait(seconds)

    def kill(self) -> None:
        """End the simulator and all that it started."""
        if self._process is not None:
            self._process.kill()

    def failure(self) -> str | None:
        """The most telling sentence about a simulation that has ended; None if the bench passed."""
        from cocotb_tools.check_results import get_results  # noqa: PLC0415  (only for simulating)

        if sentence := self._read(_FAILURE):
            return sentence
        log = self._read(_RUN_LOG)
        if missing := re.search(r"(\S+): Unable to open (\S+) for reading", log):
            return f"{self._name}: {missing[1]} needs {missing[2]}, found no such file"
        with contextlib.suppress(RuntimeError):  # no results, or unreadable ones
            if get_results(self.folder / _RESULTS) == (1, 0):
                return None
        ended = how_it_ended(log)
        unexplained = "stopped the simulation" not in ended and "ended prematurely" in log
        if unexplained and (ender := self._ender()):
            return (
                f"{self._name}: expected the design to wait for operands, but {ender}, which ends "
                "the simulation; remove it"
            )
        return f"{self._name}: {ended}"

    def _ender(self) -> str | None:
        """Where the sources end a simulation: Icarus does not always say who did."""
        for path in self._sources:
            text = without_comments(read_text(path, errors="replace"))
            for file, number, line in located_lines(text, path.name):
                if task := re.search(r"\$(?:finish|stop)\b", line):
                    return f"{file}:{number} calls {task[0]}"
        return None

    def _progress(self) -> int:
        try:
            return int(self._read("progress"))
        except ValueError:  # not there yet, or just being written
            return 0

    def _read(self, name: str) -> str:
        try:
            with opened(self.folder / name, limit=_MOST_TRACED) as file:
                return printed(file)
        except HwsimError:  # not there, or what no bench makes
            return ""
