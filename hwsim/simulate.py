# SPDX-License-Identifier: Apache-2.0
"""Designs on Icarus Verilog, driven by cocotb: operands in, products out.

Every simulation builds in a folder of its own that did not exist before, so neither a build of
other parameters or older sources nor another process can ever be met.
"""

import json
import logging
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .design import Design
from .errors import HwsimError
from .harness import OPERAND_BITS, TOP, harness
from .ports import check_ports
from .syntax import UnreadableVerilogError

_BUILD_LOG, _RUN_LOG, _RESULTS = "build.log", "run.log", "results.xml"


def simulate(
    designs: Sequence[Design], a: ArrayLike, b: ArrayLike, *, batch: int = 256
) -> NDArray[np.int64]:
    """Products of designs for given operand pairs, all in one simulation.

    Args:
        designs: of equal width and signedness.
        a: (N,) first operands, values or two's complement bit patterns.
        b: (N,) second operands.
        batch: pairs handed to the simulator at a time; only the time depends on it.

    Returns:
        (len(designs), N) products, signed where the designs are.

    Raises:
        HwsimError: no simulator, Verilog that does not compile, wrong ports, illegal parameters,
            X or Z on an output.
    """
    require_simulator()
    width, signed = designs[0].width, designs[0].signed
    assert all((d.width, d.signed) == (width, signed) for d in designs)
    for design in designs:
        _check(design)

    count = np.size(a)
    batches = -(-count // batch)
    with tempfile.TemporaryDirectory(prefix="axhil-sim-") as scratch:
        folder = Path(scratch)
        for name, operand in (("a", a), ("b", b)):
            patterns = np.asarray(operand, np.int64).ravel() & (2**width - 1)
            # The last batch is filled up with its last pair.
            full = np.pad(patterns, (0, batches * batch - count), mode="edge")
            assert OPERAND_BITS == 16
            (folder / f"operands_{name}.bin").write_bytes(full.astype("<u2").tobytes())
        settings = {
            "pairs": batch,
            "width": width,
            "signed": signed,
            "names": [design.name for design in designs],
        }
        (folder / "sweep.json").write_text(json.dumps(settings))
        (folder / f"{TOP}.v").write_text(harness(designs, pairs=batch))
        _run(folder, designs)
        products = np.stack(
            [
                np.fromfile(folder / f"products_{d}.bin", dtype="<u4")[:count].astype(np.int64)
                for d in range(len(designs))
            ]
        )
    if signed:
        products = np.where(products >= 2 ** (2 * width - 1), products - 4**width, products)
    return products


def require_simulator() -> None:
    """Refuses to go on without Icarus Verilog.

    Raises:
        HwsimError: `iverilog` or `vvp` is not on PATH.
    """
    for program in ("iverilog", "vvp"):
        if shutil.which(program) is None:
            raise HwsimError(f"{program} not found on PATH (Debian: apt-get install iverilog)")


@cache
def simulator_version() -> str:
    """Icarus' version, such as `11.0 (stable)`.

    Raises:
        HwsimError: no simulator, or one that does not say its version.
    """
    require_simulator()
    shown = subprocess.run(["iverilog", "-V"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"Icarus Verilog version (.+?)\s*(?:\(\)|\(v.*\))?$", shown, re.MULTILINE)
    if match is None:
        raise HwsimError(f"expected `iverilog -V` to print a version, got {shown[:80]!r}")
    return match[1]


def _check(design: Design) -> None:
    try:
        check_ports(design)
    except UnreadableVerilogError:
        # Verilog with an error in it has a better message from the compiler.
        sources = [str(path) for path in design.sources]
        command = ["iverilog", "-g2012", "-t", "null", "-s", design.top, *sources]
        compiled = subprocess.run(command, capture_output=True, text=True, check=False)
        if compiled.returncode != 0:
            raise _does_not_compile([design], compiled.stderr) from None
        raise


def _run(folder: Path, designs: Sequence[Design]) -> None:
    """Builds and runs the harness in `folder`; all noise goes to log files there."""
    from cocotb_tools.check_results import get_results  # noqa: PLC0415  (only for simulating)
    from cocotb_tools.runner import get_runner  # noqa: PLC0415  (only for simulating)

    sources = dict.fromkeys(path for design in designs for path in design.sources)
    runner = get_runner("icarus")
    # The runner announces each command; what matters is in the log files.
    logging.getLogger(type(runner).__name__).setLevel(logging.CRITICAL)
    try:
        runner.build(
            sources=[*sources, folder / f"{TOP}.v"],
            hdl_toplevel=TOP,
            build_dir=folder,
            always=True,
            timescale=("1ns", "1ns"),  # Timer(1, "ns") needs it
            log_file=folder / _BUILD_LOG,
        )
    except (RuntimeError, SystemExit) as error:
        raise _does_not_compile(designs, _read(folder / _BUILD_LOG)) from error
    try:
        runner.test(
            test_module=f"{__package__}.sweep_bench",
            hdl_toplevel=TOP,
            test_dir=folder,
            test_args=["-n"],  # $stop ends the simulation instead of waiting for a person
            results_xml=str(folder / _RESULTS),
            log_file=folder / _RUN_LOG,
        )
        tests, failures = get_results(folder / _RESULTS)
    except (RuntimeError, SystemExit) as error:
        raise _did_not_finish(folder, designs) from error
    # Outside pytest the runner does not raise for a failed test: the results file decides.
    if tests != 1 or failures:
        raise _did_not_finish(folder, designs)


def _names(designs: Sequence[Design]) -> str:
    shown = ", ".join(design.name for design in designs[:3])
    return shown if len(designs) <= 3 else f"{shown} and {len(designs) - 3} more"


def _does_not_compile(designs: Sequence[Design], log: str) -> HwsimError:
    lines = [line for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"error|sorry|No such", line)]
    first = (errors or lines or ["iverilog said nothing"])[0]
    return HwsimError(f"{_names(designs)}: the Verilog does not compile: {first}")


def _did_not_finish(folder: Path, designs: Sequence[Design]) -> HwsimError:
    """The most telling sentence of a failed run."""
    failure = folder / "failure.txt"
    if failure.is_file():
        return HwsimError(_read(failure))
    log = _read(folder / _RUN_LOG)
    # $fatal of the Verilog: FATAL: file:line: sentence
    fatal = re.search(r"^FATAL: .*?:\d+: (.+)$", log, re.MULTILINE)
    if fatal is not None:
        return HwsimError(f"{_names(designs)}: the Verilog stopped the simulation: {fatal[1]}")
    tail = " | ".join(line.strip() for line in log.splitlines()[-8:] if line.strip())
    return HwsimError(f"{_names(designs)}: the simulation failed; its log ends: {tail}")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
