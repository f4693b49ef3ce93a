# SPDX-License-Identifier: Apache-2.0
"""Feeds broken and hostile inputs to every command, and reports what is no refusal in a sentence.

    python scripts/fuzz.py [--count 1000] [--seed 0] [--reader tables] [--keep FOLDER]

Each input runs as `axhil` does, in a process of its own forked from one that has imported
everything, within limits on time and memory. Expected of it: exit code 0, 1 or 2; with 2 one
sentence; no traceback, no file outside of `out/`, no process left.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import resource
import shutil
import signal
import stat
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # a fork keeps no threads

from fuzz_case import Case
from fuzz_inputs import READERS, inputs

SECONDS = 10.0
"""That one input may take; simulators are started within."""
MEMORY = 12 << 30
"""Address space of its process, bytes."""


@dataclass(frozen=True)
class Outcome:
    """What one input did.

    Attributes:
        case: the input.
        fault: traceback, hang, crash, sentence, outside or process; empty where all is well.
        code: exit code.
        detail: what shows the fault.
        seconds: that it took.
    """

    case: Case
    fault: str
    code: int
    detail: str
    seconds: float


def ready() -> None:
    """Imports what commands import, so that a fork has it."""
    import importlib

    from axhil.cli.main import COMMANDS

    for modules in COMMANDS.values():
        for module in modules.values():
            importlib.import_module(f"axhil.cli.{module}")
    for name in (
        "axhil.cli.evaluation", "axhil.study.accuracy", "axhil.study.cosim", "axhil.zoo.train",
        "axhil.report.measurements", "axhil.study.storage.difference", "PIL.Image", "pandas",
        "pyarrow.parquet", "pyverilog.vparser.parser", "axhil.report.status",
        "axhil.report.figures.errors",
    ):  # fmt: skip
        importlib.import_module(name)
    from axhil.zoo.torchvision_guard import torchvision

    torchvision("models")


def tried(case: Case, folder: Path) -> Outcome:
    """Runs one input.

    Args:
        case: the input.
        folder: an empty one, which it gets to itself.
    """
    box = folder / "box"
    for path in (box / "in", box / "out", folder / "home", folder / "tmp", folder / "cache"):
        path.mkdir(parents=True)
    case.place(box)
    before = _files(folder)
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        _run(case, folder, box)
    code, hung = _wait(child, began + SECONDS)
    seconds = time.perf_counter() - began
    said = (folder / "stderr").read_text(encoding="utf-8", errors="replace")
    left = _session(child)
    for process in left:
        os.kill(process, signal.SIGKILL)
    own = {folder / "stdout", folder / "stderr"}
    new = [
        str(path.relative_to(folder))
        for path, facts in _files(folder).items()
        if before.get(path) != facts
        and path not in own
        and not path.is_relative_to(box / "out")
        and not path.is_relative_to(folder / "cache")
    ]
    fault, detail = "", said.strip()[-2000:]
    if hung:
        fault = "hang"
    elif "Traceback (most recent call last)" in said:
        fault = "traceback"
    elif code not in (0, 1, 2):
        fault = "crash"
    elif (code == 2 and not re.search(r"(?:\A|\n)axhil: [^\n]+\n\Z", said)) or re.search(
        r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", said
    ):
        fault = "sentence"
    elif new:
        fault, detail = "outside", " ".join(new)
    elif left:
        fault, detail = "process", f"{len(left)} left"
    return Outcome(case, fault, code, detail, seconds)


def _run(case: Case, folder: Path, box: Path) -> None:
    """The forked process: never returns."""
    code = 70
    try:
        os.setsid()
        os.chdir(box)
        for number, name in ((0, os.devnull), (1, folder / "stdout"), (2, folder / "stderr")):
            descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
            os.dup2(descriptor, number)
        os.environ.update(
            HOME=str(folder / "home"),
            TMPDIR=str(folder / "tmp"),
            AXHIL_CACHE=str(folder / "cache"),
        )
        for name in ("AXHIL_DATA", "AXHIL_WEIGHTS"):
            os.environ.pop(name, None)
        tempfile.tempdir = None
        sys.stdin = io.TextIOWrapper(io.BytesIO())
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(io.FileIO(number, "w", closefd=False), encoding="utf-8")
            for number in (1, 2)
        )
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.argv = ["axhil", *case.arguments]
        from axhil.cli import main

        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _wait(child: int, until: float) -> tuple[int, bool]:
    """Exit code, negative for a signal, and whether the time was up."""
    while time.perf_counter() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), False
        time.sleep(0.004)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -signal.SIGKILL, True


def _session(leader: int) -> list[int]:
    """Processes of a session that are still there, given a moment to end."""
    found: list[int] = []
    for _ in range(50):
        found = []
        for path in Path("/proc").iterdir():
            if path.name.isdigit():
                try:
                    fields = (path / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(fields[3]) == leader and fields[0] != "Z":
                    found.append(int(path.name))
        if not found:
            break
        time.sleep(0.02)
    return found


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            facts = path.lstat()
            found[path] = (
                (facts.st_size, facts.st_mtime_ns) if stat.S_ISREG(facts.st_mode) else (0, 0)
            )
    return found


def main() -> int:
    """Runs the fuzzer; 1 if there is any fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", action="append", choices=READERS)
    parser.add_argument("--keep", type=Path, help="keep the inputs with faults here")
    options = parser.parse_args()
    ready()
    faults: Counter[tuple[str, str]] = Counter()
    totals: Counter[str] = Counter()
    slowest: list[tuple[float, str]] = []
    for number, case in enumerate(inputs(options.count, options.seed, options.reader)):
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        outcome = tried(case, folder)
        totals[case.reader] += 1
        slowest.append((outcome.seconds, str(case)))
        if outcome.fault:
            faults[case.reader, outcome.fault] += 1
            last = outcome.detail.strip().splitlines()[-1:] or [""]
            sys.stdout.write(f"{number} {outcome.fault} {outcome.code} {case}: {last[0][:300]!r}\n")
            sys.stdout.flush()
            if options.keep:
                kept = options.keep / f"{number}_{case.reader}_{outcome.fault}"
                shutil.copytree(
                    folder, kept, symlinks=True,
                    ignore=lambda root, names: [n for n in names if not _plain(Path(root, n))],
                )  # fmt: skip
        shutil.rmtree(folder, ignore_errors=True)
    for reader, count in sorted(totals.items()):
        found = {fault: n for (one, fault), n in sorted(faults.items()) if one == reader}
        sys.stdout.write(f"{reader}: {count} inputs, {found or 'no fault'}\n")
    sys.stdout.write(f"{sum(totals.values())} inputs, {sum(faults.values())} faults\n")
    for seconds, case in sorted(slowest)[-3:]:
        sys.stdout.write(f"{seconds:.1f} s: {case}\n")
    return 1 if faults else 0


def _plain(path: Path) -> bool:
    facts = path.lstat()
    return stat.S_ISDIR(facts.st_mode) or (stat.S_ISREG(facts.st_mode) and facts.st_size < 1 << 24)


if __name__ == "__main__":
    sys.exit(main())
