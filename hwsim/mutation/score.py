# SPDX-License-Identifier: Apache-2.0
"""How good is the gate? Every small change of a design must be noticed, or change nothing."""

import random
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from ..designs.sources import sha256
from ..errors import HwsimError
from ..files import read_text
from ..netlist.equivalence import Proof
from ..tools.pool import together
from ..tools.scratch import scratch
from ..tools.simulators import require_simulator, simulator_version
from ..tools.yosys import find_abc, find_yosys
from .gate import gate
from .mutants import Mutant, mutants
from .prover import Prover
from .runner import Kill, Killer, Runner

Progress = Callable[["Verdict", int, int], None]
"""Called with (verdict just reached, how many are reached, how many in all)."""


class Outcome(StrEnum):
    """What became of a mutant."""

    killed = "killed"
    """The gate tells it from the design."""
    equivalent = "equivalent"
    """Its gates are proved to be the design's; without gates, no simulation tells them apart."""
    survived = "survived"
    """The gate lets it pass, and the proof shows that it is another design."""


SIMULATION = "simulation"
"""Where gates do not say: what "equivalent" rests on."""


@dataclass(frozen=True)
class Verdict:
    """One mutant and what became of it.

    Attributes:
        mutant: the change.
        outcome: killed, equivalent or survived.
        kill: what told it from the design; None if equivalent.
        proof: what the outcome rests on where the gate let it pass: a kind of `Proof`, or
            SIMULATION; empty where it did not.
    """

    mutant: Mutant
    outcome: Outcome
    kill: Kill | None
    proof: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        body: dict[str, Any] = {
            "number": self.mutant.number,
            "line": self.mutant.line,
            "column": self.mutant.column,
            "change": str(self.mutant.change),
            "before": self.mutant.before,
            "after": self.mutant.after,
            "outcome": str(self.outcome),
        }
        if self.kill is not None:
            body |= {"by": str(self.kill.by), "where": self.kill.check}
            body |= {"wrong": self.kill.wrong, "total": self.kill.total, "detail": self.kill.detail}
        return body | ({"proof": self.proof} if self.proof else {})


@dataclass(frozen=True)
class MutationReport:
    """The score of one file.

    Attributes:
        module: the file's module.
        sha256: of the file.
        available: mutants that the file has.
        seed: of the choice among them.
        basis: what "equivalent" rests on.
        verdicts: in the order of the text.
        seconds: wall time.
    """

    module: str
    sha256: str
    available: int
    seed: int
    basis: str
    verdicts: tuple[Verdict, ...]
    seconds: float

    def count(self, outcome: Outcome) -> int:
        """Mutants with this outcome."""
        return sum(verdict.outcome == outcome for verdict in self.verdicts)

    @property
    def killers(self) -> dict[Killer, int]:
        """Killed mutants by what killed them."""
        killed = [v.kill.by for v in self.verdicts if v.kill and v.outcome == Outcome.killed]
        counts = Counter(killed)
        return {killer: counts[killer] for killer in Killer if counts[killer]}

    @property
    def proofs(self) -> dict[str, int]:
        """Equivalent mutants by what proves it."""
        return dict(Counter(v.proof for v in self.verdicts if v.outcome == Outcome.equivalent))

    @property
    def survivors(self) -> list[Verdict]:
        """What the gate should have noticed."""
        return [v for v in self.verdicts if v.outcome == Outcome.survived]

    def sentence(self) -> str:
        """One line for a person."""
        killed, equivalent = (
            f" ({', '.join(f'{name} {count}' for name, count in counts.items())})" if counts else ""
            for counts in (self.killers, self.proofs)
        )
        return (
            f"{self.module}: {len(self.verdicts)} of {self.available} mutants: "
            f"{self.count(Outcome.killed)} killed{killed}, "
            f"{self.count(Outcome.equivalent)} equivalent{equivalent}, "
            f"{self.count(Outcome.survived)} survived"
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "module": self.module,
            "sha256": self.sha256,
            "available": self.available,
            "judged": len(self.verdicts),
            "seed": self.seed,
            "killed": self.count(Outcome.killed),
            "killed_by": {str(killer): count for killer, count in self.killers.items()},
            "equivalent": self.count(Outcome.equivalent),
            "proved_by": self.proofs,
            "equivalent_rests_on": self.basis,
            "survived": self.count(Outcome.survived),
            "simulator": f"Icarus Verilog {simulator_version()}",
            "seconds": round(self.seconds, 1),
            "mutants": [verdict.as_dict() for verdict in self.verdicts],
        }


def mutate(
    path: Path,
    *,
    count: int | None = None,
    seed: int = 0,
    only: Collection[int] | None = None,
    widest: int | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> MutationReport:
    """Mutates a design and puts every mutant through its gate.

    Args:
        path: one of the project's Verilog files, or an edited copy beside the others.
        count: draw this many mutants; None is all.
        seed: of the draw.
        only: these numbers of all mutants, instead of a draw.
        widest: as in `gate`: operand bits of the widest complete sweep.
        jobs: simulators at a time; None is one per processor core.
        progress: told of every verdict.

    Returns:
        The verdicts. They do not depend on `jobs`.

    Raises:
        HwsimError: no such file, no gate for it, no simulator, or the design as it is fails its own
            gate.
    """
    chosen = draw(path, count=count, seed=seed, only=only)
    require_simulator()
    began = time.monotonic()
    text, digest = read_text(path), sha256(path)
    judges = gate(path.stem, rtl=path.parent, widest=widest)
    prover = Prover(judges, path) if find_yosys() and find_abc() else None
    with scratch("mutate") as folder:
        runner = Runner(judges, path, folder)
        runner.control()
        verdicts = together(
            {mutant.number: partial(_verdict, runner, prover, mutant, text) for mutant in chosen},
            jobs=jobs,
            finished=lambda _, verdict, done: (
                progress(verdict, done, len(chosen)) if progress else None
            ),
        )
    simulated = any(verdict.proof == SIMULATION for verdict in verdicts.values())
    bases = [judges.reach] if prover else []
    bases += [judges.basis] if simulated or not prover else []
    return MutationReport(
        module=path.stem,
        sha256=digest,
        available=len(mutants(text, where=str(path))),
        seed=seed,
        basis="; where gates do not say, ".join(bases),
        verdicts=tuple(verdicts.values()),
        seconds=time.monotonic() - began,
    )


def draw(
    path: Path,
    *,
    count: int | None = None,
    seed: int = 0,
    only: Collection[int] | None = None,
) -> tuple[Mutant, ...]:
    """The mutants that `mutate` judges, given the same arguments, in the order of the text.

    Raises:
        HwsimError: no such file, pyverilog cannot read it, or there is nothing to draw.
    """
    if not path.is_file():
        raise HwsimError(f"expected a Verilog file at {path}, but there is none")
    every = mutants(read_text(path), where=str(path))
    if not every:
        raise HwsimError(f"{path}: expected something to mutate, found nothing")
    if only is not None:
        unknown = sorted({*only} - {mutant.number for mutant in every})
        if unknown or count is not None:
            got = "both a count and numbers" if count is not None else unknown[0]
            raise HwsimError(f"expected numbers of mutants from 1 to {len(every)}, got {got}")
        return tuple(mutant for mutant in every if mutant.number in only)
    if count is None or count >= len(every):
        return every
    if count < 1:
        raise HwsimError(f"expected a count of at least 1, got {count}")
    drawn = random.Random(seed).sample(every, count)
    return tuple(sorted(drawn, key=lambda mutant: mutant.number))


def _verdict(runner: Runner, prover: Prover | None, mutant: Mutant, text: str) -> Verdict:
    path = runner.folder / f"mutant_{mutant.number}.v"
    path.write_text(mutant.apply(text), encoding="utf-8")
    kill = runner.judge_quickly(path)
    if kill is not None:
        return Verdict(mutant, Outcome.killed, kill)
    differing = None if prover is None else prover.differing(path)
    if differing == () and runner.gate.whole:
        return Verdict(mutant, Outcome.equivalent, None, Proof.identical)
    kill = runner.judge_further(path)
    if kill is not None:
        return Verdict(mutant, Outcome.killed, kill)
    if differing == ():
        return Verdict(mutant, Outcome.equivalent, None, Proof.identical)
    finding = prover.judge(path, differing) if prover and differing else None
    if finding is None:
        kill, proof = runner.prove(path), SIMULATION
    else:
        where, proof = finding.difference, str(finding.proof)
        kill = Kill(Killer.gates, "gates", 0, 0, where) if where else None
    return Verdict(mutant, Outcome.survived if kill else Outcome.equivalent, kill, proof)
