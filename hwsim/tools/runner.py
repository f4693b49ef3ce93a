# SPDX-License-Identifier: Apache-2.0
"""A harness built and run by Icarus Verilog with a cocotb bench inside, in a folder of its own."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import HwsimError
from .logs import first_error, how_it_ended
from .simulators import SIMULATORS

_BUILD_LOG, _RUN_LOG, _RESULTS, _FAILURE = "build.log", "run.log", "results.xml", "failure.txt"


class Icarus:
    """One compiled harness.

    Args:
        folder: where to build and run; it must hold `<top>.v`, and nothing built before.
        top: the harness' module.
        sources: every other Verilog file.
        name: what is simulated, for messages.
        includes: folders of included files.
    """

    def __init__(
        self,
        folder: Path,
        top: str,
        sources: Iterable[Path],
        *,
        name: str,
        includes: Iterable[Path] = (),
    ) -> None:
        self._includes = [*includes]
        self.folder, self._top, self._name = folder, top, name
        from cocotb_tools.runner import Verilog  # noqa: PLC0415  (only for simulating)

        files = [*dict.fromkeys(sources), folder / f"{top}.v"]
        self._sources = [Verilog(str(path.resolve())) for path in files]
        self._runner: Any = None

    def build(self) -> None:
        """Compile.

        Raises:
            HwsimError: the Verilog does not compile; the compiler's first error.
        """
        from cocotb_tools.runner import get_runner  # noqa: PLC0415  (only for simulating)

        self._runner = get_runner("icarus")
        # The runner announces each command; what matters is in the log files.
        logging.getLogger(type(self._runner).__name__).setLevel(logging.CRITICAL)
        try:
            self._runner.build(
                sources=self._sources,
                hdl_toplevel=self._top,
                includes=self._includes,
                build_dir=self.folder,
                always=True,
                timescale=("1ns", "1ns"),  # Timer(1, "ns") needs it
                log_file=self.folder / _BUILD_LOG,
            )
        except (RuntimeError, SystemExit) as error:
            found = first_error(self._read(_BUILD_LOG))
            raise HwsimError(f"{self._name}: the Verilog does not compile: {found}") from error

    def run(self, bench: str) -> None:
        """Run the one cocotb test of a bench, to its end.

        Args:
            bench: module of this package; it runs inside the simulator, in `folder`.

        Raises:
            HwsimError: the test failed, or the simulation ended before it; see `failure`.
        """
        from cocotb_tools.check_results import get_results  # noqa: PLC0415  (only for simulating)

        assert self._runner is not None
        try:
            self._runner.test(
                test_module=f"axhil.hwsim.simulation.{bench}",
                hdl_toplevel=self._top,
                test_dir=self.folder,
                test_args=SIMULATORS["icarus"].test_args,
                results_xml=str(self.folder / _RESULTS),
                log_file=self.folder / _RUN_LOG,
            )
            tests, failures = get_results(self.folder / _RESULTS)
        except (RuntimeError, SystemExit) as error:
            raise HwsimError(self.failure()) from error
        # Outside pytest the runner does not raise for a failed test: the results file decides.
        if tests != 1 or failures:
            raise HwsimError(self.failure())

    def failure(self) -> str:
        """The most telling sentence about a run that failed."""
        if (self.folder / _FAILURE).is_file():
            return self._read(_FAILURE)
        return f"{self._name}: {how_it_ended(self._read(_RUN_LOG))}"

    def _read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
