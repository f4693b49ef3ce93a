# SPDX-License-Identifier: Apache-2.0
"""One circuit inside a compiled program: its gates, its blocks, and what depends on what."""

from collections.abc import Iterator
from functools import cached_property

from .blocks import Block, read_block, read_function
from .program import Program

NO_GATES = ("event", "param/", "udp/")
"""Kinds of nodes that are waited for, constant, or a definition."""


class Design:
    """A circuit.

    Args:
        program: the harness and all that is in it.
        scope: label of the circuit's instance.
    """

    def __init__(self, program: Program, scope: str) -> None:
        self.program, self.scope = program, scope
        self.inner = program.within(scope)
        self.nodes = {k: node for k, node in program.nodes.items() if node.scope in self.inner}
        self.blocks = [
            read_block(program, start, end, scope, counted=program.counters)
            for start, end, scope in program.threads
            if scope in self.inner
        ]
        self.functions = [
            (label, self._function(label))
            for label, node in self.nodes.items()
            if node.kind.startswith("ufunc")
        ]
        self.bodies = [*self.blocks, *(function for _, function in self.functions)]
        self.edges = dict(self._all_edges())

    def _function(self, label: str) -> Block:
        node = self.nodes[label]
        name = node.text.partition(",")[0].strip()
        arguments = [one for one in node.inputs if one in self.program.declared]
        scope = next(one for one in reversed(node.inputs) if one in self.program.scopes)
        return read_function(self.program, name, arguments, scope, counted=self.program.counters)

    def _all_edges(self) -> Iterator[tuple[str, set[str]]]:
        """By label, what its value depends on."""
        driver = self.program.driver
        for label in self.nodes:
            yield label, set(self._inputs(label))
        for label, function in self.functions:
            yield label, {*self._inputs(label), *map(driver, function.reads)}
        written: dict[str, set[str]] = {}
        for block in self.bodies:
            for label, sources in block.writes.items():
                written.setdefault(label, set()).update(sources)
        yield from written.items()
        yield from self.program.words.items()

    def _inputs(self, label: str) -> Iterator[str]:
        node = self.nodes[label]
        if node.kind.startswith(NO_GATES):
            return
        if node.kind == "part":
            base, width = (int(word) for word in node.text.rstrip(";").split(",")[1:3])
            yield from self._pieces(self.program.driver(node.inputs[0]), base, width)
            return
        yield from map(self.program.driver, node.inputs)

    def _pieces(self, label: str, base: int, width: int) -> Iterator[str]:
        """What a part of a signal is made of, where that is put together from several."""
        node = self.nodes.get(label)
        if node is None or not node.kind.startswith("concat"):
            yield label
            return
        low = 0
        widths = map(int, node.text[node.text.index("[") + 1 : node.text.index("]")].split())
        for size, piece in zip(widths, node.inputs, strict=False):
            first, last = max(base, low), min(base + width, low + size)
            if first < last:
                yield from self._pieces(self.program.driver(piece), first - low, last - first)
            low += size

    @cached_property
    def fixed(self) -> set[str]:
        """Variables that stand still once the simulation has begun."""
        changed = {label for block in self.blocks if not block.starts for label in block.writes}
        called = {label for _, function in self.functions for label in function.writes}
        return {*self.program.declared} - changed - called

    @cached_property
    def used(self) -> set[str]:
        """What is read without being made just before."""
        drivers = {one.driver for one in self.program.declared.values() if one.driver}
        inputs = {label for node in self.nodes.values() for label in node.inputs}
        return drivers | inputs | {label for block in self.bodies for label in block.reads}

    def cone(self, product: str) -> set[str]:
        """Labels of all that the product depends on."""
        start = next(
            label
            for label, one in self.program.declared.items()
            if one.name == product and one.scope == self.scope
        )
        found, left = {start}, [start, self.program.driver(start)]
        while left:
            label = left.pop()
            found.add(label)
            left.extend(self.edges.get(label, set()) - found)
        return found

    def module(self, scope: str | None) -> str:
        """The module that a scope is in."""
        while scope is not None and self.program.scopes[scope].kind != "module":
            scope = self.program.scopes[scope].parent
        return "the design" if scope is None else self.program.scopes[scope].module

    def named(self, label: str) -> str:
        """The name of a signal, where it has one."""
        for key, one in self.program.declared.items():
            named = one.name is not None and one.scope in self.inner
            if named and label in {key, one.driver}:
                return f"{self.program.path(one.scope, below=self.scope)}{one.name}"
        return "a signal"
