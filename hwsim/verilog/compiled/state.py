# SPDX-License-Identifier: Apache-2.0
"""Whether a compiled circuit can keep anything of earlier operands, how slow it is, what is open.

A circuit whose gates are in no loop and whose blocks keep nothing is a function of its operands.
All others may be one too: they have to show it, see `multipliers.tabulating.visits`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .blocks import Block, waiting
from .design import NO_GATES, Design
from .opens import outside, undriven, unwritten
from .program import Program

_GATES = (
    "functor", "part", "part/v", "part/pv", "concat", "concat8", "repeat", "resolv", "udp", "delay",
    "array/port", "substitute",
)  # fmt: skip
_OPERATORS = ("arith/", "cmp/", "reduce/", "shift/", "extend/", "cast/", "ufunc")

_COMPUTED = 1_000_000.0
"""Nanoseconds to begin with where a delay is computed."""


@dataclass(frozen=True)
class Compiled:
    """What is known of one circuit from its compiled program.

    Attributes:
        keeps: how it may keep earlier operands, as a clause; None: it cannot.
        delay: nanoseconds of all delays together, more than any path needs.
        undriven: nets and ports that the product depends on and nothing drives.
        unwritten: registers and memories that it depends on and nothing writes.
        outside: variables that are none of its own and that it writes.
    """

    keeps: str | None = None
    delay: float = 0.0
    undriven: tuple[str, ...] = ()
    unwritten: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()


UNREAD = Compiled(keeps="a latch, or the time of the simulation", delay=1.0)
"""Of a circuit in a simulator whose program is not read: it has to show that it settles too."""


def read_compiled(
    program: Program, instance: str, product: str, *, clocked: bool = False
) -> Compiled:
    """Judges one instance of a compiled program.

    Args:
        program: the harness and all that is in it.
        instance: name of the circuit's instance in the harness.
        product: its output port.
        clocked: registers are what it is made of.
    """
    scope = next(
        label
        for label, one in program.scopes.items()
        if one.name == instance and one.parent and program.scopes[one.parent].parent is None
    )
    design = Design(program, scope)
    cone = design.cone(product)
    return Compiled(
        keeps=_keeps(design, clocked=clocked),
        delay=_delay(design),
        undriven=tuple(undriven(design, cone)),
        unwritten=tuple(unwritten(design, cone)),
        outside=tuple(outside(design)),
    )


def _keeps(design: Design, *, clocked: bool) -> str | None:
    """How it may keep earlier operands."""
    for block in design.blocks:
        if reason := _block_keeps(design, block, clocked=clocked):
            return reason
    if name := _written_twice(design):
        return f"{name} is written by two blocks, the last of which counts"
    for _, function in design.functions:
        if reason := _function_keeps(design, function):
            return reason
    for node in design.nodes.values():
        if node.kind == "udp" and _is_sequential(design, node.text.partition(",")[0]):
            return f"a primitive of {design.module(node.scope)} has a state"
        known = node.kind in _GATES or node.kind.startswith(_OPERATORS)
        if not known and not node.kind.startswith(NO_GATES):
            return f"{design.module(node.scope)} has a part of the kind {node.kind}"
    loop = _loop(design.edges)
    return None if loop is None else f"{design.named(loop)} depends on itself, in a loop"


def _block_keeps(design: Design, block: Block, *, clocked: bool) -> str | None:
    module = design.module(block.scope)
    if block.unclear:
        return f"a block of {module} is not combinational: {block.unclear}"
    if block.starts:
        return None
    # A clock comes from outside; an operand's edge, or one that a gate makes, is another thing.
    if block.edge and not (clocked and design.edges.keys().isdisjoint(block.wakes)):
        return f"a block of {module} waits for an edge"
    if kept := [label for label in block.partly if label in design.used]:
        name = design.program.declared[kept[0]].name
        return f"{name} in {module} keeps its value on some way through its block"
    return None if block.edge else _asleep(design, block)


def _written_twice(design: Design) -> str | None:
    """A variable whose value depends on which of two blocks ran last."""
    seen: set[str] = set()
    for block in design.blocks:
        for label in block.writes:
            if label in seen and label in design.used:
                return design.named(label)
        seen.update(() if block.starts else block.writes)
    return None


def _asleep(design: Design, block: Block) -> str | None:
    """Whether a block sleeps while something changes that it reads."""
    for label, bits in block.reads.items():
        driver = design.program.driver(label)
        node = design.program.nodes.get(driver)
        still = label in design.fixed if driver == label else node and not node.inputs
        unheard = bits & ~block.wakes.get(driver, 0)
        if (unheard and not still) or label in block.writes:
            name = design.program.declared[label].name
            module = design.module(block.scope)
            return f"a block of {module} reads {name} without running when it changes"
    return None


def _function_keeps(design: Design, function: Block) -> str | None:
    module = design.module(function.scope)
    if function.unclear:
        return f"a function of {module} is not followed: {function.unclear}"
    fixed = design.fixed
    for label in function.reads:
        if label not in fixed or design.program.declared[label].driver is not None:
            name = design.program.declared[label].name
            return f"a function of {module} reads {name}, which is none of its arguments"
    return None


def _is_sequential(design: Design, name: str) -> bool:
    node = design.program.nodes.get(name.strip())
    return node is None or node.kind != "udp/comb"


def _delay(design: Design) -> float:
    """Nanoseconds of all delays together."""
    # Functions and tasks stand outside of the blocks; those of other circuits do no harm.
    foreign = {
        place
        for start, end, scope in design.program.threads
        if scope not in design.inner
        for place in range(start, end)
    }
    steps = [step for place, step in enumerate(design.program.code) if place not in foreign]
    units, computed = waiting(steps)
    for node in design.nodes.values():
        if node.kind != "delay":
            continue
        times = node.text.partition("(")[2].partition(")")[0].split(",")
        if all(time.strip().isdigit() for time in times):
            units += max(map(int, times))
        else:
            computed = True
    total: float = units * 10.0 ** (design.program.precision + 9)
    return total + (_COMPUTED if computed else 0.0)


def _loop(edges: Mapping[str, set[str]]) -> str | None:
    """A label that depends on itself; None where nothing does."""
    done: set[str] = set()
    for root in edges:
        if root in done:
            continue
        path, left = {root}, [(root, iter(edges[root]))]
        while left:
            label, inputs = left[-1]
            following = next(inputs, None)
            if following is None:
                left.pop()
                path.discard(label)
                done.add(label)
            elif following in path:
                return following
            elif following in edges and following not in done:
                path.add(following)
                left.append((following, iter(edges[following])))
    return None
