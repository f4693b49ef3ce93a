# SPDX-License-Identifier: Apache-2.0
"""One mutant through a gate: compiled and run by Icarus Verilog, a process of its own per check.

The harness compares in Verilog, with `!==`, so an X or Z differs from everything. No cocotb here:
its start-up would cost more than most checks, and a mutant that hangs, stops the simulation or
does not compile takes no other with it.
"""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ..errors import HwsimError
from ..tools.box import Box
from ..tools.logs import first_error
from ..tools.process import Done, OverLimitError, run
from ..tools.scratch import scratch
from ..verilog.parameters import literal
from .check import MARK, TOP, Check, Gate

_PROGRAM = "out.vvp"
_MEMORY = 4 << 30
"""Address space of a compiler or simulator: a mutated width may ask for anything."""
_SECONDS = 5
"""Processor seconds for what takes a hundredth of one."""
_UNKNOWN_SECONDS = 300
"""Processor seconds for a check of a design that nobody has timed yet."""


class Killer(StrEnum):
    """What told a mutant from the design."""

    compile = "compile"
    """It does not compile."""
    ports = "ports"
    """A port has another width."""
    parameters = "parameters"
    """A legal parameter is refused, or an illegal one is not."""
    unknown = "X/Z"
    """An output is X or Z."""
    table = "table"
    """A product differs."""
    trace = "trace"
    """An output differs in some cycle."""
    gates = "gates"
    """Its gates compute something else."""
    timeout = "timeout"
    """It does not end."""


@dataclass(frozen=True)
class Kill:
    """Why a mutant is told from the design.

    Attributes:
        by: kind of evidence.
        check: name of the check, or the parameters that were given.
        wrong: entries that differ, over the instances of the check.
        total: entries in all.
        detail: a sentence.
    """

    by: Killer
    check: str
    wrong: int
    total: int
    detail: str

    def __str__(self) -> str:
        if self.wrong:
            return f"{self.check}: {self.wrong:,} of {self.total:,} entries; {self.detail}"
        return f"{self.check}: {self.detail}"


class Runner:
    """Runs mutants of one module.

    Args:
        gate: what judges them.
        original: the file as it is; every check and refusal is first tried on it.
        folder: scratch, for the harnesses that all mutants share.
    """

    def __init__(self, gate: Gate, original: Path, folder: Path) -> None:
        self.gate, self.folder, self._original = gate, folder, original
        self._checks = (*gate.checks, *gate.proof)
        self._locks = [threading.Lock() for _ in self._checks]
        # By check, processor seconds for a compilation or a run: other work does not count.
        self._limits: dict[int, int] = {}
        # By refusal, what the file as it is says.
        self._sentences: list[str] = []

    def control(self) -> None:
        """Put the file as it is through the gate.

        Raises:
            HwsimError: it fails.
        """
        for index, refusal in enumerate(self.gate.refusals):
            said = self._refused(self._original, index)
            if not re.search(rf"(^|; ){self.gate.module}: expected ", said):
                raise HwsimError(f"{self._original}: expected a refusal of {refusal}, got: {said}")
            self._sentences.append(said)
        for index in range(len(self.gate.checks)):
            self._limit(index)

    def _limit(self, index: int) -> int:
        """Make a check ready, once: the harness, the original's pass, and its time as a measure."""
        with self._locks[index]:
            if index not in self._limits:
                self._checks[index].write(*self._harness(index))
                began = time.monotonic()
                found = self._compare(self._original, index, _UNKNOWN_SECONDS)
                if found is not None:
                    raise HwsimError(
                        f"{self._original}: the design as it is fails its own gate: {found}"
                    )
                self._limits[index] = _SECONDS + int(10 * (time.monotonic() - began))
            return self._limits[index]

    def _harness(self, index: int) -> tuple[Path, Path]:
        return self.folder / f"check_{index}.v", self.folder / f"check_{index}.hex"

    def judge(self, path: Path) -> Kill | None:
        """The first thing of the gate that a file fails, or None."""
        return self.judge_quickly(path) or self.judge_further(path)

    def judge_quickly(self, path: Path) -> Kill | None:
        """As `judge`, of the first check and of what must be refused."""
        return self._checked(path, 0) or self._refusals(path)

    def judge_further(self, path: Path) -> Kill | None:
        """As `judge`, of all other checks."""
        rest = range(1, len(self.gate.checks))
        return next(filter(None, (self._checked(path, i) for i in rest)), None)

    def prove(self, path: Path) -> Kill | None:
        """The first check beyond the gate that a file fails, or None."""
        count = len(self.gate.checks)
        indices = range(count, len(self._checks))
        return next(filter(None, (self._checked(path, i) for i in indices)), None)

    def _refusals(self, path: Path) -> Kill | None:
        for i, refusal in enumerate(self.gate.refusals):
            said = self._refused(path, i)
            if said != self._sentences[i]:
                detail = f"expected a refusal ({self._sentences[i]}), got: {said}"
                return Kill(Killer.parameters, str(refusal), 0, 0, detail)
        return None

    def _refused(self, path: Path, index: int) -> str:
        """All sentences that the design stops with, or what happened instead."""
        try:
            with scratch("mutant") as folder:
                refusal = self.gate.refusals[index]
                given = [
                    f"-P{refusal.module}.{name}={literal(value)}"
                    for name, value in refusal.parameters.items()
                ]
                compiled = self._compile(path, folder, refusal.module, *given)
                if compiled.code:
                    return f"it does not compile: {_error(compiled.stderr)}"
                return _fatal(_simulated(folder).stdout) or "it is accepted"
        except OverLimitError:
            return "it does not end"

    def _checked(self, path: Path, index: int) -> Kill | None:
        return self._compare(path, index, self._limit(index))

    def _compare(self, path: Path, index: int, limit: int) -> Kill | None:
        check = self._checks[index]

        def kill(by: Killer, detail: str, wrong: int = 0) -> Kill:
            return Kill(by, check.name, wrong, check.total, detail)

        try:
            with scratch("mutant") as folder:
                harness, _ = self._harness(index)
                compiled = self._compile(path, folder, TOP, str(harness), seconds=limit)
                if compiled.code:
                    return kill(Killer.compile, f"it does not compile: {_error(compiled.stderr)}")
                ports = re.search(
                    r"warning: (Port \d+ \(\w+\) of \w+ expects \d+ bits?, got \d+)",
                    compiled.stderr,
                )
                if ports:
                    return kill(Killer.ports, ports[1])
                text = _simulated(folder, seconds=limit).stdout
        except OverLimitError:
            return kill(Killer.timeout, f"it does not end within {limit} s")
        fatal = _fatal(text)
        if fatal:
            return kill(Killer.parameters, f"legal parameters are refused: {fatal}")
        if f"{MARK} done" not in text:
            lines = text.strip().splitlines() or ["it said nothing"]
            return kill(Killer.compile, f"the simulation stopped: {lines[-1]}")
        return _differences(check, text, kill)

    def _compile(
        self, path: Path, folder: Path, top: str, *more: str, seconds: int = _SECONDS
    ) -> Done:
        sources = [str(file.absolute()) for file in (path, *self.gate.others)]
        options = ("-g2012", "-Wportbind", "-s", top, "-o", _PROGRAM)
        box = Box(folder, starts=True, memory=_MEMORY, seconds=seconds)
        # Wall time in plenty: it is for what neither ends nor works.
        return run(["iverilog", *options, *more, *sources], box=box, seconds=100 * seconds)


def _simulated(folder: Path, *, seconds: int = _SECONDS) -> Done:
    box = Box(folder, memory=_MEMORY, seconds=seconds)
    return run(["vvp", "-n", _PROGRAM], box=box, seconds=100 * seconds)


def _differences(check: Check, text: str, kill: Callable[..., Kill]) -> Kill | None:
    counts = [
        tuple(map(int, m)) for m in re.findall(rf"^{MARK} count (\d+) (\d+) (\d+)$", text, re.M)
    ]
    wrong, unknown = sum(c[1] for c in counts), sum(c[2] for c in counts)
    if not wrong:
        return None
    first = re.search(rf"^{MARK} first (.+)$", text, re.M)
    assert first is not None
    differing = sum(c[1] > 0 for c in counts)
    where = f"{differing} of {len(counts)} instances" if len(counts) > 1 else "its only instance"
    detail = f"{where}, first {check.difference(first[1].split())}"
    return kill(Killer.unknown if unknown == wrong else Killer(check.evidence), detail, wrong)


def _fatal(text: str) -> str:
    """The sentences of every `$fatal`, or nothing: a helper refuses what its caller refuses."""
    found = re.findall(r"^FATAL: .*?:\d+: (.+)$", text, re.MULTILINE)
    return "; ".join(sorted({sentence.strip() for sentence in found}))


def _error(log: str) -> str:
    """The compiler's first error, without the scratch folder's name."""
    return re.sub(r"^\S*/", "", first_error(log))
