# SPDX-License-Identifier: Apache-2.0
"""Whether a compiled circuit can keep anything of earlier operands, how slow it is, what is open.

A circuit whose gates are in no loop and whose blocks keep nothing is a function of its operands.
All others may be one too: they have to show it, see `multipliers.visits`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from .blocks import Block, read_block, read_function, waiting
from .counters import counters
from .program import Program

_GATES = (
    "functor", "part", "part/v", "part/pv", "concat", "concat8", "repeat", "resolv", "udp", "delay",
    "array/port", "substitute",
)  # fmt: skip
_OPERATORS = ("arith/", "cmp/", "reduce/", "shift/", "extend/", "cast/", "ufunc")
_NO_GATES = ("event", "param/", "udp/")  # waited for, constant, a definition
_PLACES = ("module", "generate")

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
    design = _Design(program, scope)
    cone = design.cone(product)
    return Compiled(
        keeps=design.keeps(clocked=clocked),
        delay=design.delay(),
        undriven=tuple(design.undriven(cone)),
        unwritten=tuple(design.unwritten(cone)),
        outside=tuple(design.outside()),
    )


class _Design:
    def __init__(self, program: Program, scope: str) -> None:
        self._program, self._scope = program, scope
        self._inner = program.within(scope)
        self._nodes = {k: node for k, node in program.nodes.items() if node.scope in self._inner}
        self._counted = counters(program)
        self._blocks = [
            read_block(program, start, end, scope, counted=self._counted)
            for start, end, scope in program.threads
            if scope in self._inner
        ]
        self._functions = [
            (label, self._function(label))
            for label, node in self._nodes.items()
            if node.kind.startswith("ufunc")
        ]
        self._edges = dict(self._all_edges())

    def _function(self, label: str) -> Block:
        node = self._nodes[label]
        name = node.text.partition(",")[0].strip()
        arguments = [one for one in node.inputs if one in self._program.declared]
        scope = next(one for one in reversed(node.inputs) if one in self._program.scopes)
        return read_function(self._program, name, arguments, scope, counted=self._counted)

    def _all_edges(self) -> Iterator[tuple[str, set[str]]]:
        """By label, what its value depends on."""
        driver = self._program.driver
        for label in self._nodes:
            yield label, set(self._inputs(label))
        for label, function in self._functions:
            yield label, {*self._inputs(label), *map(driver, function.reads)}
        written: dict[str, set[str]] = {}
        for block in [*self._blocks, *(function for _, function in self._functions)]:
            for label, sources in block.writes.items():
                written.setdefault(label, set()).update(sources)
        yield from written.items()
        yield from self._program.words.items()

    def _inputs(self, label: str) -> Iterator[str]:
        node = self._nodes[label]
        if node.kind.startswith(_NO_GATES):
            return
        if node.kind == "part":
            base, width = (int(word) for word in node.text.rstrip(";").split(",")[1:3])
            yield from self._pieces(self._program.driver(node.inputs[0]), base, width)
            return
        yield from map(self._program.driver, node.inputs)

    def _pieces(self, label: str, base: int, width: int) -> Iterator[str]:
        """What a part of a signal is made of, where that is put together from several."""
        node = self._nodes.get(label)
        if node is None or not node.kind.startswith("concat"):
            yield label
            return
        low = 0
        widths = map(int, node.text[node.text.index("[") + 1 : node.text.index("]")].split())
        for size, piece in zip(widths, node.inputs, strict=False):
            first, last = max(base, low), min(base + width, low + size)
            if first < last:
                yield from self._pieces(self._program.driver(piece), first - low, last - first)
            low += size

    @cached_property
    def _fixed(self) -> set[str]:
        """Variables that stand still once the simulation has begun."""
        changed = {label for block in self._blocks if not block.starts for label in block.writes}
        called = {label for _, function in self._functions for label in function.writes}
        return {*self._program.declared} - changed - called

    @cached_property
    def _used(self) -> set[str]:
        """What is read without being made just before."""
        drivers = {one.driver for one in self._program.declared.values() if one.driver}
        inputs = {label for node in self._program.nodes.values() for label in node.inputs}
        blocks = [*self._blocks, *(function for _, function in self._functions)]
        return drivers | inputs | {label for block in blocks for label in block.reads}

    def keeps(self, *, clocked: bool) -> str | None:
        """How it may keep earlier operands."""
        for block in self._blocks:
            if reason := self._block_keeps(block, clocked=clocked):
                return reason
        for _, function in self._functions:
            if reason := self._function_keeps(function):
                return reason
        for node in self._nodes.values():
            if node.kind == "udp" and self._is_sequential(node.text.partition(",")[0]):
                return f"a primitive of {self._module(node.scope)} has a state"
            known = node.kind in _GATES or node.kind.startswith(_OPERATORS)
            if not known and not node.kind.startswith(_NO_GATES):
                return f"{self._module(node.scope)} has a part of the kind {node.kind}"
        loop = _loop(self._edges)
        return None if loop is None else f"{self._named(loop)} depends on itself, in a loop"

    def _block_keeps(self, block: Block, *, clocked: bool) -> str | None:
        module = self._module(block.scope)
        if block.unclear:
            return f"a block of {module} is not combinational: {block.unclear}"
        if block.starts:
            return None
        if block.edge and not clocked:
            return f"a block of {module} waits for an edge"
        if kept := [label for label in block.partly if label in self._used]:
            name = self._program.declared[kept[0]].name
            return f"{name} in {module} keeps its value on some way through its block"
        return None if block.edge else self._asleep(block)

    def _asleep(self, block: Block) -> str | None:
        """Whether a block sleeps while something changes that it reads."""
        for label, bits in block.reads.items():
            driver = self._program.driver(label)
            node = self._program.nodes.get(driver)
            still = label in self._fixed if driver == label else node and not node.inputs
            unheard = bits & ~block.wakes.get(driver, 0)
            if (unheard and not still) or label in block.writes:
                name = self._program.declared[label].name
                module = self._module(block.scope)
                return f"a block of {module} reads {name} without running when it changes"
        return None

    def _function_keeps(self, function: Block) -> str | None:
        module = self._module(function.scope)
        if function.unclear:
            return f"a function of {module} is not followed: {function.unclear}"
        fixed = self._fixed
        for label in function.reads:
            if label not in fixed or self._program.declared[label].driver is not None:
                name = self._program.declared[label].name
                return f"a function of {module} reads {name}, which is none of its arguments"
        return None

    def _is_sequential(self, name: str) -> bool:
        node = self._program.nodes.get(name.strip())
        return node is None or node.kind != "udp/comb"

    def delay(self) -> float:
        """Nanoseconds of all delays together."""
        steps = [
            step
            for start, end, scope in self._program.threads
            if scope in self._inner
            for step in self._program.code[start:end]
        ]
        units, computed = waiting(steps)
        for node in self._nodes.values():
            if node.kind != "delay":
                continue
            times = node.text.partition("(")[2].partition(")")[0].split(",")
            if all(time.strip().isdigit() for time in times):
                units += max(map(int, times))
            else:
                computed = True
        total = units * 10.0 ** (self._program.precision + 9)
        return total + (_COMPUTED if computed else 0.0)

    def cone(self, product: str) -> set[str]:
        """Labels of all that the product depends on."""
        start = next(
            label
            for label, one in self._program.declared.items()
            if one.name == product and one.scope == self._scope
        )
        found, left = {start}, [start, self._program.driver(start)]
        while left:
            label = left.pop()
            found.add(label)
            left.extend(self._edges.get(label, set()) - found)
        return found

    def undriven(self, cone: set[str]) -> Iterator[str]:
        """Nets, or some of their bits, that the product depends on and nothing drives."""
        seen = set()
        for one in self._program.declared.values():
            driver = one.driver
            if one.kind != "net" or driver not in cone or driver in seen or one.name is None:
                continue
            bits = self._open_bits(driver, one.width)
            if bits and one.scope in self._inner:
                seen.add(driver)
                whole = bits == (1 << one.width) - 1
                path = self._program.path(one.scope, below=self._scope)
                yield f"{path}{one.name}{'' if whole else _range(bits)}"

    def _open_bits(self, driver: str, width: int) -> int:
        node = self._program.nodes.get(driver)
        if node is None:
            return 0
        if "HiZ drive" in node.text:
            return (1 << width) - 1
        parts = [driver] if node.kind == "part/pv" else node.inputs
        if node.kind not in {"part/pv", "resolv"}:
            return 0
        bits = (1 << width) - 1
        for part in parts:
            one = self._program.nodes.get(part)
            if one is None or one.kind != "part/pv":
                return 0
            base, size = (int(word) for word in one.text.rstrip(";").split(",")[1:3])
            bits &= ~(((1 << size) - 1) << base)
        return bits

    def unwritten(self, cone: set[str]) -> Iterator[str]:
        """Registers and memories that the product depends on and nothing writes."""
        written = {label for block in self._blocks for label in block.writes}
        written |= {label for _, function in self._functions for label in function.writes}
        for label in cone:
            one = self._program.declared.get(label)
            if one is None or one.kind == "net" or one.two_state or one.scope not in self._inner:
                continue
            place = self._program.scopes[one.scope].kind
            driven = label in written or label in self._program.words
            if not driven and place.startswith(_PLACES) and one.name is not None:
                yield f"{self._program.path(one.scope, below=self._scope)}{one.name}"

    def outside(self) -> Iterator[str]:
        """Variables of the harness, or of another circuit, that it writes."""
        for block in [*self._blocks, *(function for _, function in self._functions)]:
            for label in block.writes:
                one = self._program.declared[label]
                if one.scope not in self._inner:
                    yield f"{self._program.path(one.scope, below='')}{one.name}"

    def _module(self, scope: str | None) -> str:
        """The module that a scope is in."""
        while scope is not None and self._program.scopes[scope].kind != "module":
            scope = self._program.scopes[scope].parent
        return "the design" if scope is None else self._program.scopes[scope].module

    def _named(self, label: str) -> str:
        """The name of a signal, where it has one."""
        for key, one in self._program.declared.items():
            named = one.name is not None and one.scope in self._inner
            if named and label in {key, one.driver}:
                return f"{self._program.path(one.scope, below=self._scope)}{one.name}"
        return "a signal"


def _range(bits: int) -> str:
    low, high = (bits & -bits).bit_length() - 1, bits.bit_length() - 1
    return f"[{low}]" if low == high else f"[{high}:{low}]"


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
