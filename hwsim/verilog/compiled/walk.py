# SPDX-License-Identifier: Apache-2.0
"""All ways through the code of a block: what each of them reads and surely writes.

Loops that count are followed round by round, so that what each round writes is known.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from .counters import Machine
from .program import Program, Step

_VALUES = {"$signed", "$unsigned", "$clog2", "$bits", "$countones", "$rtoi", "$itor", "$pow", "$ln"}
_SPECIAL = ("%force", "%cassign", "%deassign", "%release", "%event", "%join/")
_DEPTH = 50  # of calls inside calls
_MOST_STATES = 200_000

Made = Mapping[tuple[str, bool], int]
"""Bits by (variable, whether they are there at once)."""


class UnclearError(Exception):
    """Code that is not followed; the message says what it does."""


@dataclass(frozen=True)
class State:
    """What is known at some place.

    Attributes:
        made: bits, or words of a memory, that were written on every way there.
        known: values of counters.
    """

    made: Made = field(default_factory=dict)
    known: Mapping[str, int] = field(default_factory=dict)

    def joined(self, other: "State | None") -> "State":
        """What holds on either way."""
        if other is None:
            return self
        return State(
            {k: bits & other.made[k] for k, bits in self.made.items() if k in other.made},
            {k: value for k, value in self.known.items() if other.known.get(k) == value},
        )


class Walk:
    """The ways through one block or function.

    Args:
        program: the compiled design.
        start: where the block begins again; -1 for a function.
        counted: variables that code counts with.
    """

    def __init__(self, program: Program, start: int, counted: Collection[str]) -> None:
        self._program, self._start = program, start
        self._joins = {*program.places.values()}
        self._counted = counted
        self._states = 0
        self.reads: dict[str, int] = {}
        self.writes: set[str] = set()
        self.ends = False

    def through(self, entry: int, scope: str | None, state: State, *, depth: int = 0) -> State:
        """What is written on every way from an instruction to the end of its block.

        Args:
            entry: first instruction.
            scope: whose end is looked for; None for the block's own, which begins again.
            state: at the beginning.
            depth: of calls.

        Raises:
            UnclearError: code that is not followed.
        """
        if depth > _DEPTH:
            raise UnclearError("its functions call themselves")
        states: dict[tuple[int, frozenset[tuple[str, int]]], State] = {}
        left, end = [(entry, state)], None
        while left:
            here, state = left.pop()
            key = (here, frozenset(state.known.items()))
            joined = state.joined(states.get(key))
            if states.get(key) == joined:
                continue
            states[key] = joined
            self._states += 1
            if self._states > _MOST_STATES:
                raise UnclearError("it takes too many ways to follow")
            targets, after = self._straight(here, scope, joined, depth=depth)
            for place in targets:
                if place is None or (place == self._start and scope is None):
                    end = after.joined(end)
                else:
                    left.append((place, after))
        return end or State()

    def _straight(
        self, here: int, scope: str | None, state: State, *, depth: int
    ) -> tuple[list[int | None], State]:
        """Goes on to the next branch: where it may lead, None for the end, and what holds there."""
        code, places = self._program.code, self._program.places
        made, machine = dict(state.made), Machine(self._program, state.known)
        while True:
            step, targets = code[here], list[int | None]()
            if step.op.startswith("%jmp"):
                taken = True if _is_last_of_all(code, here) else machine.takes(step)
                targets += [places[step.args[0]]] if taken is not False else []
                targets += [here + 1] if taken is not True else []
            elif step.op == "%end" or step.op.startswith("%disable"):
                if step.op != "%end" and step.args[0] != scope:
                    raise UnclearError("it leaves more than one block at a time")
                self.ends |= scope is None
                targets = [None]
            elif step.op == "%fork" or step.op.startswith("%callf"):
                called, inner = places[step.args[0]], step.args[1]
                before = State(made, machine.known)
                after = self.through(called, inner, before, depth=depth + 1)
                return [here + 1], after
            else:
                self._one(here, made, machine)
                if here + 1 in self._joins:
                    targets = [here + 1]
            if targets:
                return targets, State(made, machine.known)
            here += 1

    def _one(self, here: int, made: dict[tuple[str, bool], int], machine: Machine) -> None:
        """An instruction that goes on to the next."""
        step = self._program.code[here]
        if step.op.startswith(("%wait", "%delay")):
            raise UnclearError("it waits in the middle")
        if step.op.startswith(_SPECIAL):
            raise UnclearError(f"it uses {step.op.removeprefix('%')}")
        if step.op.startswith("%vpi_func"):
            called = next((word for arg in step.args for word in arg.split('"') if "$" in word), "")
            if called not in _VALUES:
                raise UnclearError(f"it calls {called}")
        labels = known_labels(self._program, step)
        if step.op.startswith("%vpi_call"):
            self.writes.update(labels if reads_file(step) else ())
        elif step.op.startswith(("%store", "%assign")):
            self._write(here, labels, made, machine)
        else:
            for label in labels:
                self._read(label, self._loaded(here, label, machine), made)
        machine.step(step, self._counted)

    def _write(
        self, here: int, labels: list[str], made: dict[tuple[str, bool], int], machine: Machine
    ) -> None:
        step, (label, *others) = self._program.code[here], labels
        self.writes.add(label)
        for other in others:
            self._read(other, every(self._program, other), made)
        # What is assigned for later is not there yet for whoever reads on.
        key = (label, not step.op.startswith("%assign"))
        made[key] = made.get(key, 0) | self._stored(step, label, machine)

    def _read(self, label: str, bits: int, made: Made) -> None:
        if missing := bits & ~made.get((label, True), 0):
            self.reads[label] = self.reads.get(label, 0) | missing

    def _loaded(self, here: int, label: str, machine: Machine) -> int:
        """Bits, or words of a memory, that an instruction reads."""
        step, after = self._program.code[here : here + 2]
        whole = every(self._program, label)
        if step.op == "%load/vec4" and after.op.startswith("%parti"):
            return whole & _bits(int(after.args[1]), int(after.args[0]))
        if step.op == "%load/vec4a":
            word = machine.registers.get(step.args[1])
            return whole if word is None else whole & _bits(word, 1)
        return whole

    def _stored(self, step: Step, label: str, machine: Machine) -> int:
        """Bits, or words of a memory, that an instruction surely writes."""
        whole = every(self._program, label)
        if step.op in {"%assign/vec4", "%store/real", "%store/str"}:
            return whole
        if step.op == "%store/vec4":
            base = 0 if step.args[1] == "0" else machine.registers.get(step.args[1])
            return 0 if base is None else whole & _bits(base, int(step.args[2]))
        if step.op in {"%store/vec4a", "%assign/vec4/a/d"}:
            # The last number is a place in the word: 0 for all of it.
            word = machine.registers.get(step.args[1])
            return 0 if word is None or step.args[2] != "0" else whole & _bits(word, 1)
        return 0


def every(program: Program, label: str) -> int:
    """All bits of a variable, or words of a memory."""
    return (1 << program.declared[label].width) - 1


def known_labels(program: Program, step: Step) -> list[str]:
    """The variables and nets that an instruction names."""
    return [label for label in step.names if label in program.declared]


def reads_file(step: Step) -> bool:
    """Whether an instruction fills a memory from a file."""
    return step.op.startswith("%vpi_call") and any('"$readmem' in arg for arg in step.args)


def _bits(base: int, width: int) -> int:
    return (((1 << width) - 1) << base) if base >= 0 else 0


def _is_last_of_all(code: Sequence[Step], here: int) -> bool:
    """Whether a branch is the last of a `case` whose arms are all values there are."""
    values, width = set[str](), 0
    if code[here + 1].op != "%jmp":  # to what comes behind all arms
        return False
    while here >= 3 and code[here].op == "%jmp/1":
        copied, pushed, compared = code[here - 3 : here]
        if (copied.op, pushed.op, compared.op) != ("%dup/vec4", "%pushi/vec4", "%cmp/u"):
            break
        if pushed.args[1] != "0":  # X or Z bits
            break
        values.add(pushed.args[0])
        width, here = int(pushed.args[2]), here - 4
    return width > 0 and len(values) == 1 << width
