# SPDX-License-Identifier: Apache-2.0
"""What a procedural block wakes up for, reads and writes, and whether it may keep a value.

A block that runs whenever something changes that it reads, and writes its results on every way
through, is a function of what it reads; anything else may be a latch. The judgement errs to one
side: a block that passes keeps nothing, one that does not pass may be harmless.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from .program import Program, Step
from .sources import Sources
from .walk import State, UnclearError, Walk, every, known_labels, reads_file


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


def read_block(
    program: Program, start: int, end: int, scope: str, *, counted: Collection[str]
) -> Block:
    """Follows the code of one block.

    Args:
        program: the compiled design.
        start: its first instruction.
        end: one beyond its last.
        scope: label of its scope.
        counted: variables that code counts with.
    """
    block, first = Block(scope), program.code[start]
    walk = Walk(program, start, counted)
    waits = first.op == "%wait"
    if waits:
        block.wakes = _wakes(program, first.args[0])
        block.edge = _is_edge(program, first.args[0])
    try:
        made = walk.through(start + waits, None, State()).made
        if not waits and not walk.ends:
            raise UnclearError("it runs by itself")
        if waits and walk.ends:
            raise UnclearError("it runs once, when something changes")
    except UnclearError as unclear:
        block.unclear = str(unclear)
        _touch(program, range(start, end), block)
        return block
    block.starts, block.reads = not waits, walk.reads
    block.partly = tuple(
        label
        for label in sorted(walk.writes)
        if every(program, label) & ~(made.get((label, True), 0) | made.get((label, False), 0))
    )
    sources = Sources(program)
    sources.follow(range(start, end))
    clocks = set(block.wakes if block.edge else ())
    block.writes = {label: sources.of(label, block.reads) | clocks for label in walk.writes}
    return block


def read_function(
    program: Program, name: str, arguments: Collection[str], scope: str, *, counted: Collection[str]
) -> Block:
    """Follows the code of a function outside of blocks.

    Args:
        program: the compiled design.
        name: label of its code.
        arguments: labels of the variables that hold its arguments.
        scope: label of its scope.
        counted: variables that code counts with.
    """
    block, body = Block(scope), program.body(name)
    walk = Walk(program, -1, counted)
    given = State({(label, True): every(program, label) for label in arguments})
    try:
        walk.through(body.start, scope, given)
    except UnclearError as unclear:
        block.unclear = str(unclear)
        _touch(program, body, block)
        return block
    block.reads = walk.reads
    everything = {*map(program.driver, walk.reads), *arguments}
    block.writes = dict.fromkeys(walk.writes, everything)
    return block


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
    if node is not None and node.kind == "array/port" and len(node.inputs) == 1:
        word = node.text.rstrip(";").split(",")[1].strip()
        if word.isdigit():
            found[node.inputs[0]] = 1 << int(word)
    if node is not None and node.kind == "part":
        base, width = (int(word) for word in node.text.rstrip(";").split(",")[1:3])
        found[program.driver(node.inputs[0])] = ((1 << width) - 1) << base
    return found


def _touch(program: Program, places: range, block: Block) -> None:
    """Counts all that some code mentions, in whatever order it runs."""
    left, seen, writes = [*places], set[int](), set[str]()
    while left:
        here = left.pop()
        if here in seen:
            continue
        seen.add(here)
        step = program.code[here]
        labels = known_labels(program, step)
        if step.op.startswith(("%store", "%assign", "%force", "%cassign")) or reads_file(step):
            writes.update(labels)
        else:
            block.reads.update((label, every(program, label)) for label in labels)
        if step.op == "%wait":
            block.wakes.update(_wakes(program, step.args[0]))
        if step.op.startswith(("%callf", "%fork")) and step.args[0].startswith("TD_"):
            left.extend(program.body(step.args[0]))
    everything = {*block.wakes, *map(program.driver, block.reads)}
    block.writes = dict.fromkeys(writes, everything)
