# SPDX-License-Identifier: Apache-2.0
"""Every bit of an elaborated design, and the bits that it is computed from.

A set of bits is an integer with one binary digit a bit, so a union is one `|`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

HOLD = 1
"""The digit that is no bit of the design: a variable that keeps its value on some path."""


@dataclass
class BitGraph:
    """Bits and their direct sources.

    Attributes:
        names: of each bit, as `u_core.x[3]`; the first is the hold mark.
        internal: bits of function variables, which are no wires.
        sources: what drives a bit, through logic.
        registered: what drives a bit at a clock's edge.
        latched: bits that keep their value on some path.
        conflicts: bits with more than one driver.
        sensed: bits whose edges a block waits for.
    """

    names: list[str] = field(default_factory=lambda: [""])
    internal: int = 0
    sources: dict[int, int] = field(default_factory=dict)
    registered: dict[int, int] = field(default_factory=dict)
    latched: set[int] = field(default_factory=set)
    conflicts: set[int] = field(default_factory=set)
    sensed: int = 0

    def allocate(self, name: str, lsb: int, width: int, *, internal: bool = False) -> list[int]:
        """New bits of a net, least significant first."""
        first = len(self.names)
        if width == 1 and lsb == 0:
            self.names.append(name)
        else:
            self.names += [f"{name}[{lsb + i}]" for i in range(width)]
        bits = list(range(first, len(self.names)))
        if internal:
            self.internal |= sum(1 << bit for bit in bits)
        return bits

    def drive(self, bit: int, mask: int, *, clocked: bool) -> None:
        """One driver of a bit; `mask` may hold the hold mark."""
        if bit in self.sources or bit in self.registered:
            self.conflicts.add(bit)
        clean = mask & ~HOLD & ~self.internal
        if mask & HOLD and not clocked:
            self.latched.add(bit)
            clean &= ~(1 << bit)  # a latch keeps its value, which is no loop of gates
        drivers = self.registered if clocked else self.sources
        drivers[bit] = drivers.get(bit, 0) | clean

    def used(self) -> int:
        """Every bit that something is computed from, or waits for."""
        mask = self.sensed
        for drivers in (self.sources, self.registered):
            for one in drivers.values():
                mask |= one
        return mask

    def driven(self) -> int:
        """Every bit that has a driver."""
        return sum(1 << bit for bit in self.sources.keys() | self.registered.keys())

    def loops(self) -> list[list[int]]:
        """Sets of bits that depend on themselves through logic alone."""
        return [
            sorted(component)
            for component in _components(self.sources)
            if len(component) > 1 or self.sources.get(component[0], 0) >> component[0] & 1
        ]

    def reach(self, inputs: int) -> dict[int, int]:
        """The inputs that each driven bit depends on, through logic and registers.

        Args:
            inputs: set of bits.
        """
        both = {
            bit: self.sources.get(bit, 0) | self.registered.get(bit, 0)
            for bit in self.sources.keys() | self.registered.keys()
        }
        found: dict[int, int] = {}
        # Components come sources first.
        for component in _components(both):
            mask = 0
            for bit in component:
                mask |= both.get(bit, 0) | (1 << bit if inputs >> bit & 1 else 0)
            seen = mask & inputs
            for source in bits_of(mask):
                seen |= found.get(source, 0)
            for bit in component:
                found[bit] = seen
        return found


def bits_of(mask: int) -> Iterator[int]:
    """The bits of a set, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _components(drivers: dict[int, int]) -> Iterable[list[int]]:
    """Strongly connected components, sources first: Tarjan's algorithm without recursion."""
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    waiting: set[int] = set()
    for root, first in drivers.items():
        if root in order:
            continue
        work: list[tuple[int, Iterator[int]]] = [(root, bits_of(first))]
        order[root] = low[root] = len(order)
        stack.append(root)
        waiting.add(root)
        while work:
            bit, sources = work[-1]
            for source in sources:
                if source not in order:
                    order[source] = low[source] = len(order)
                    stack.append(source)
                    waiting.add(source)
                    work.append((source, bits_of(drivers.get(source, 0))))
                    break
                if source in waiting:
                    low[bit] = min(low[bit], order[source])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[bit])
                if low[bit] == order[bit]:
                    component = []
                    while True:
                        member = stack.pop()
                        waiting.discard(member)
                        component.append(member)
                        if member == bit:
                            break
                    yield component


_INDEXED = re.compile(r"(.*)\[(-?\d+)\]")


def ranges(names: Iterable[str]) -> list[str]:
    """Names of bits with runs of one net joined: `n[0]`, `n[1]` become `n[1:0]`."""
    indexes: dict[str, list[int]] = {}
    whole: dict[str, None] = {}
    for name in names:
        match = _INDEXED.fullmatch(name)
        if match is None:
            whole[name] = None
        else:
            indexes.setdefault(match[1], []).append(int(match[2]))
    found = list(whole)
    for net, numbers in indexes.items():
        found += [
            f"{net}[{low}]" if low == high else f"{net}[{high}:{low}]"
            for low, high in _runs(sorted(numbers))
        ]
    return found


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    start = previous = numbers[0]
    for number in numbers[1:]:
        if number > previous + 1:
            yield start, previous
            start = number
        previous = number
    yield start, previous
