# SPDX-License-Identifier: Apache-2.0
"""What the bits of a module of gates are computed from: cones, loops, depth.

All of it is structural: a bit that depends on no operand bit cannot change with it; one that
depends on it may still not.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from .module import BUFFERS, Bit, Cell, Module

Sources = Mapping[Bit, set[Bit]]
"""By a bit, what it is computed from."""


class Cones:
    """The gates, registers and latches of a module, as a graph of bits.

    Args:
        module: lowered to gates, registers and latches.
        inputs: bits that come from outside.
    """

    def __init__(self, module: Module, inputs: Sequence[Bit]) -> None:
        self._module, self._inputs = module, inputs
        self._gates, self._all = dict[Bit, set[Bit]](), dict[Bit, set[Bit]]()
        for cell in module.cells:
            sources = {bit for bit in cell.reads if not isinstance(bit, str)}
            if _keeps(cell):
                # A clock from outside says when a bit changes, and not to what.
                sources -= {*cell.pins.get("C", ())} & {*inputs}
            # Who drives a constant contradicts it.
            for bit in (bit for bit in cell.drives if not isinstance(bit, str)):
                self._all.setdefault(bit, set()).update(sources)
                if not _keeps(cell):
                    self._gates.setdefault(bit, set()).update(sources)

    @cached_property
    def inputs(self) -> Mapping[Bit, int]:
        """By a bit, the inputs that it depends on through gates, registers and latches.

        Digit k of a mask stands for input k.
        """
        masks = dict[Bit, int]()
        for place, bit in enumerate(self._inputs):
            masks[bit] = masks.get(bit, 0) | 1 << place
        for bits in components(self._all):
            mask = 0
            for bit in bits:
                for source in (bit, *self._all.get(bit, ())):
                    mask |= masks.get(source, 0)
            masks |= dict.fromkeys(bits, mask)
        return masks

    @property
    def loops(self) -> list[list[Bit]]:
        """Sets of bits that depend on themselves through gates alone."""
        return [bits for bits in components(self._gates) if _is_loop(bits, self._gates)]

    @property
    def depth(self) -> int | None:
        """Gates on the longest path between inputs, registers and outputs; None where it loops."""
        level = dict[Bit, int]()
        for bits in components(self._gates):
            if _is_loop(bits, self._gates):
                return None
            sources = self._gates.get(bits[0])
            level[bits[0]] = (
                0 if sources is None else 1 + max((level[one] for one in sources), default=0)
            )
        return max(level.values(), default=0)

    def counts(self, outputs: Sequence[Bit]) -> dict[str, int]:
        """How many gates of each kind some bits depend on."""
        waiting, needed = [*outputs], set[Bit]()
        while waiting:
            bit = waiting.pop()
            if bit not in needed:
                needed.add(bit)
                waiting += self._all.get(bit, ())
        kinds = Counter(
            cell.type.strip("$_").lower()
            for cell in self._module.cells
            if not _keeps(cell) and not needed.isdisjoint(cell.drives)
        )
        return dict(kinds.most_common())

    @property
    def registers(self) -> int:
        """How many bits a clock's edge changes."""
        kept = {bit for cell in self._module.cells if _keeps(cell) for bit in cell.drives}
        return len(kept - self._module.latched)


def mere_loops(words: Module) -> list[list[Bit]]:
    """Loops of wires and inverters alone, of which Yosys leaves no gate.

    Args:
        words: a module with a buffer between nets that are assigned to one another.
    """
    sources = {
        y: {a}
        for cell in words.cells
        if cell.type in {*BUFFERS, "$not"}
        for a, y in zip(cell.pins["A"], cell.pins["Y"], strict=False)
    }
    return [bits for bits in components(sources) if _is_loop(bits, sources)]


def _keeps(cell: Cell) -> bool:
    """Whether it is a register or a latch."""
    return "Q" in cell.outputs


def _is_loop(bits: Sequence[Bit], sources: Sources) -> bool:
    return len(bits) > 1 or bits[0] in sources.get(bits[0], ())


def components(sources: Sources) -> Iterator[list[Bit]]:
    """Strongly connected components, sources first: Tarjan's algorithm without recursion."""
    order: dict[Bit, int] = {}
    low: dict[Bit, int] = {}
    stack: list[Bit] = []
    waiting: set[Bit] = set()

    def entered(bit: Bit) -> tuple[Bit, Iterator[Bit]]:
        order[bit] = low[bit] = len(order)
        stack.append(bit)
        waiting.add(bit)
        return bit, iter(sources.get(bit, ()))

    for root in sources:
        work = [] if root in order else [entered(root)]
        while work:
            bit, rest = work[-1]
            for source in rest:
                if source not in order:
                    work.append(entered(source))
                    break
                if source in waiting:
                    low[bit] = min(low[bit], order[source])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[bit])
                if low[bit] == order[bit]:
                    component = [stack.pop()]
                    while component[-1] != bit:
                        component.append(stack.pop())
                    waiting -= {*component}
                    yield component
