# SPDX-License-Identifier: Apache-2.0
"""What a procedural block wakes up for, reads and writes, and whether it may keep a value.

A block that runs whenever something changes that it reads, and writes its results on every way
through, is a function of what it reads; anything else may be a latch. The judgement errs to one
side: a block that passes keeps nothing, one that does not pass may be harmless.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .program import Program, Step

_VALUES = {"$signed", "$unsigned", "$clog2", "$bits", "$countones", "$rtoi", "$itor", "$pow", "$ln"}
_SPECIAL = ("%force", "%cassign", "%deassign", "%release", "%event", "%join/")
_DEPTH = 50  # of calls inside calls

Masks = Mapping[tuple[str, bool], int]
"""Bits by (variable, whether they are there at once)."""


@dataclass
class Block:
    """A block, or a function.

    Attributes:
        scope: label of its scope.
        edge: waits for an edge, as registers do.
        starts: runs once, at the start.
        wakes: bits it runs for, by what drives them.
        reads: bits that it reads without having made them, by label.
        writes: labels that it writes, and what each value comes from.
        partly: of these, what some way through leaves as it was.
        unclear: what it does that is not followed; None: nothing.
    """

    scope: str
    edge: bool = False
    starts: bool = False
    wakes: dict[str, int] = field(default_factory=dict)
    reads: dict[str, int] = field(default_factory=dict)
    writes: dict[str, set[str]] = field(default_factory=dict)
    partly: tuple[str, ...] = ()
    unclear: str | None = None


class _UnclearError(Exception):
    """Code that is not followed; the message says what it does."""


def read_block(program: Program, start: int, end: int, scope: str) -> Block:
    """Follows the code of one block.

    Args:
        program: the compiled design.
        start: its first instruction.
        end: one beyond its last.
        scope: label of its scope.
    """
    block, first = Block(scope), program.code[start]
    walk = _Walk(program, start, block)
    waits = first.op == "%wait"
    if waits:
        block.wakes = _wakes(program, first.args[0])
        block.edge = _is_edge(program, first.args[0])
    try:
        made = walk.through(start + waits, None, {})
        if not waits and not walk.ends:
            raise _UnclearError("it runs by itself")
        if waits and walk.ends:
            raise _UnclearError("it runs once, when something changes")
    except _UnclearError as unclear:
        block.unclear = str(unclear)
        walk.touch(range(start, end))
        everything = {*block.wakes, *map(program.driver, block.reads)}
        block.writes = dict.fromkeys(block.writes, everything)
        return block
    block.starts = not waits
    sources = _Sources(program)
    sources.follow(range(start, end))
    for label in block.writes:
        block.writes[label] = sources.of(label, block.reads) | set(
            block.wakes if block.edge else ()
        )
    block.partly = tuple(
        label
        for label in sorted(block.writes)
        if every(program, label) & ~(made.get((label, True), 0) | made.get((label, False), 0))
    )
    return block


def read_function(program: Program, name: str, arguments: Collection[str], scope: str) -> Block:
    """Follows the code of a function outside of blocks.

    Args:
        program: the compiled design.
        name: label of its code.
        arguments: labels of the variables that hold its arguments.
        scope: label of its scope.
    """
    block = Block(scope)
    start = program.places[name]
    walk = _Walk(program, -1, block)
    try:
        walk.through(start, scope, {(label, True): every(program, label) for label in arguments})
    except _UnclearError as unclear:
        block.unclear = str(unclear)
    sources = set(map(program.driver, block.reads))
    block.writes = {label: {*sources, *arguments} for label in block.writes}
    return block


def every(program: Program, label: str) -> int:
    """All bits of a variable, or words of a memory."""
    return (1 << program.declared[label].width) - 1


def waiting(steps: Iterable[Step]) -> tuple[int, bool]:
    """How long statements wait, all of them together.

    Args:
        steps: instructions.

    Returns:
        Units of time, and whether some wait for a time that is computed.
    """
    units, computed, registers = 0, False, dict[str, int]()
    for step in steps:
        if step.op == "%ix/load":
            registers[step.args[0]] = int(step.args[1])
        elif step.op.startswith("%ix/"):
            registers.pop(step.args[0], None)
        elif step.op == "%delay":
            units += int(step.args[0]) + (int(step.args[1]) << 32)
        elif step.op.startswith("%delay"):
            computed = True
        elif step.op.startswith("%assign") and step.op.endswith("/d"):
            known = registers.get(step.args[-1])
            units, computed = units + (known or 0), computed or known is None
        elif step.op == "%assign/vec4":
            units += int(step.args[1])
    return units, computed


def _is_edge(program: Program, event: str) -> bool:
    node = program.nodes.get(event)
    if node is None:
        return False
    if node.kind == "event/or":
        return any(_is_edge(program, one) for one in node.inputs)
    return node.text.startswith(("posedge", "negedge"))


def _wakes(program: Program, event: str) -> dict[str, int]:
    """Bits by driver that wake a block up; whether by an edge or by any change."""
    node = program.nodes.get(event)
    if node is None or not node.kind.startswith("event"):
        return {}
    if node.kind == "event/or":
        parts = [_wakes(program, one) for one in node.inputs]
    else:
        parts = [_bits(program, program.driver(label)) for label in node.inputs]
    found: dict[str, int] = {}
    for part in parts:
        for label, bits in part.items():
            found[label] = found.get(label, 0) | bits
    return found


def _bits(program: Program, driver: str) -> dict[str, int]:
    """A signal itself, and the bits of another that it is a part of."""
    found, node = {driver: -1}, program.nodes.get(driver)
    if node is not None and node.kind == "part":
        base, width = (int(word) for word in node.text.rstrip(";").split(",")[1:3])
        found[program.driver(node.inputs[0])] = ((1 << width) - 1) << base
    return found


class _Walk:
    """All ways through the code of a block."""

    def __init__(self, program: Program, start: int, block: Block) -> None:
        self._program, self._start, self._block = program, start, block
        self.ends = False

    def through(self, entry: int, scope: str | None, made: Masks, *, depth: int = 0) -> Masks:
        """Bits written on every way from an instruction to the end of its block.

        Args:
            entry: first instruction.
            scope: whose end is looked for; None for the block's own, which begins again.
            made: bits written before.
            depth: of calls.

        Raises:
            _UnclearError: code that is not followed.
        """
        if depth > _DEPTH:
            raise _UnclearError("its functions call themselves")
        code, places = self._program.code, self._program.places
        states: dict[int, Masks] = {entry: made}
        left, end = [entry], None
        while left:
            here = left.pop()
            step, state, following = code[here], states[here], [here + 1]
            if step.op.startswith("%jmp"):
                target = places[step.args[0]]
                following = [target] if step.op == "%jmp" else [target, here + 1]
                if _is_last_of_all(code, here):
                    following = [target]
            elif step.op == "%end" or step.op.startswith("%disable"):
                if step.op != "%end" and step.args[0] != scope:
                    raise _UnclearError("it leaves more than one block at a time")
                self.ends |= scope is None
                end = _both(end, state)
                continue
            elif step.op == "%fork" or step.op.startswith("%callf"):
                called, inner = step.args[:2]
                state = self.through(places[called], inner, state, depth=depth + 1)
            else:
                state = self._one(here, state)
            for place in following:
                if place == self._start and scope is None:
                    end = _both(end, state)
                elif place not in states or _both(states[place], state) != states[place]:
                    states[place] = _both(states.get(place), state)
                    left.append(place)
        return end or {}

    def _one(self, here: int, state: Masks) -> Masks:
        """An instruction that goes on to the next."""
        step = self._program.code[here]
        if step.op.startswith(("%wait", "%delay")):
            raise _UnclearError("it waits in the middle")
        if step.op.startswith(_SPECIAL):
            raise _UnclearError(f"it uses {step.op.removeprefix('%')}")
        if step.op.startswith("%vpi_func"):
            called = next((word for arg in step.args for word in arg.split('"') if "$" in word), "")
            if called not in _VALUES:
                raise _UnclearError(f"it calls {called}")
        if step.op.startswith("%vpi_call"):
            if _reads_file(step):
                self._block.writes.update({label: set() for label in self._known(step)})
            return state
        if step.op.startswith(("%store", "%assign")):
            return self._written(here, state)
        for label in self._known(step):
            bits = every(self._program, label)
            after = self._program.code[here + 1]
            if step.op == "%load/vec4" and after.op.startswith("%parti"):
                bits &= ((1 << int(after.args[0])) - 1) << int(after.args[1])
            if missing := bits & ~state.get((label, True), 0):
                self._block.reads[label] = self._block.reads.get(label, 0) | missing
        return state

    def _written(self, here: int, state: Masks) -> Masks:
        step = self._program.code[here]
        label, *others = self._known(step)
        self._block.writes.setdefault(label, set())
        self._block.reads.update((other, every(self._program, other)) for other in others)
        # What is assigned for later is not there yet for whoever reads on.
        key = (label, not step.op.startswith("%assign"))
        return {**state, key: state.get(key, 0) | self._stored(here, label)}

    def _stored(self, here: int, label: str) -> int:
        """Bits of its variable that an instruction surely writes."""
        step, whole = self._program.code[here], every(self._program, label)
        if step.op in {"%assign/vec4", "%store/real", "%store/str"}:
            return whole
        if step.op != "%store/vec4":
            return 0
        register, width = step.args[1], int(step.args[2])
        base = 0 if register == "0" else None
        for before in self._program.code[max(0, here - 3) : here]:
            if before.op.startswith("%ix/") and before.args[0] == register:
                base = int(before.args[1]) if before.op == "%ix/load" else None
        return 0 if base is None else whole & (((1 << width) - 1) << base)

    def _known(self, step: Step) -> list[str]:
        return [label for label in step.names if label in self._program.declared]

    def touch(self, places: range) -> None:
        """Counts all that some code mentions, in whatever order it runs."""
        code, left, seen = self._program.code, list(places), set[int]()
        while left:
            here = left.pop()
            if here in seen:
                continue
            seen.add(here)
            step, labels = code[here], self._known(code[here])
            stores = step.op.startswith(("%store", "%assign", "%force", "%cassign"))
            if stores or _reads_file(step):
                self._block.writes.update({label: set() for label in labels})
            else:
                self._block.reads.update((label, every(self._program, label)) for label in labels)
            if step.op == "%wait":
                self._block.wakes.update(_wakes(self._program, step.args[0]))
            if step.op.startswith("%callf") or (step.op == "%fork" and "TD_" in step.args[0]):
                left.extend(self._program.body(step.args[0]))


class _Sources:
    """What the values come from that some code stores.

    A branch counts for all that is stored in the block, wherever it leads.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._stored: dict[str, set[str]] = {}
        self._branches: set[str] = set()
        self._seen: set[int] = set()

    def follow(self, places: Iterable[int]) -> None:
        """Collects from instructions, and from the functions that they call."""
        pending: set[str] = set()
        for here in places:
            if here in self._seen:
                continue
            self._seen.add(here)
            step = self._program.code[here]
            known = [label for label in step.names if label in self._program.declared]
            if step.op.startswith(("%store", "%assign")):
                self._stored.setdefault(known[0], set()).update(pending, known[1:])
                pending = set()
            elif step.op.startswith("%ret/"):
                self._stored.setdefault(self._result(here), set()).update(pending)
                pending = set()
            elif step.op.startswith("%jmp"):
                self._branches |= pending
                pending = set()
            elif step.op.startswith(("%callf", "%fork")):
                called = step.args[0]
                if called.startswith("TD_"):
                    pending.add(self._result(self._program.places[called]))
                    self.follow(self._program.body(called))
            else:
                pending |= {*known}
        self._branches |= pending

    def _result(self, place: int) -> str:
        """A name for what the function around an instruction returns."""
        return f"result of {self._program.around(place)}"

    def of(self, label: str, reads: Collection[str]) -> set[str]:
        """Drivers of what a variable comes from, through those that are made in the same code.

        Args:
            label: of the variable.
            reads: labels that are not made there.
        """
        found, seen = set[str](), set[str]()
        left = [*self._stored.get(label, ()), *self._branches]
        while left:
            source = left.pop()
            if source in seen:
                continue
            seen.add(source)
            if source in reads:
                found.add(self._program.driver(source))
            left.extend(self._stored.get(source, ()))
        return found


def _reads_file(step: Step) -> bool:
    return step.op.startswith("%vpi_call") and any('"$readmem' in arg for arg in step.args)


def _is_last_of_all(code: Sequence[Step], here: int) -> bool:
    """Whether a branch is the last of a `case` whose arms are all values there are."""
    values, width = set[str](), 0
    while here >= 3 and code[here].op == "%jmp/1":
        copied, pushed, compared = code[here - 3 : here]
        if (copied.op, pushed.op, compared.op) != ("%dup/vec4", "%pushi/vec4", "%cmp/u"):
            break
        if pushed.args[1] != "0":  # X or Z bits
            break
        values.add(pushed.args[0])
        width, here = int(pushed.args[2]), here - 4
    return width > 0 and len(values) == 1 << width


def _both(first: Masks | None, second: Masks) -> Masks:
    """What is written on either way."""
    if first is None:
        return second
    return {key: bits & second[key] for key, bits in first.items() if key in second}
