# SPDX-License-Identifier: Apache-2.0
"""Every place of a module where a change can be made, and what it could become."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..comments import without_comments
from .alternatives import MARKS, OTHERS, RELATIONS, UNARY, Change, constants
from .spans import Span

_SHIFTS = {"Sll", "Srl", "Sla", "Sra"}
_SIMPLE = {"Identifier", "IntConst", "StringConst", "Pointer", "Partselect", "Concat", "Repeat",
           "FunctionCall", "SystemCall"}  # fmt: skip
_STUCK_AT_0, _STUCK_AT_1 = (0, 1, 2, 3), (0, 2)
"""Bits of an assigned value that are stuck at a level."""


@dataclass
class Sites:
    """Walks a module and collects edits: (start, end, change, new text, needs no parentheses)."""

    text: str
    spans: Mapping[int, Span]
    edits: list[tuple[int, int, Change, str, bool]] = field(default_factory=list)
    # Names that may stand in for each other, by what they are declared as.
    names: dict[str, list[str]] = field(default_factory=dict)
    # Within a declared width, where few changes say as much as many.
    in_width: bool = False

    def module(self, module: Any) -> None:
        """Collect the edits of one module."""
        self.names = {}
        headers = [*module.paramlist.params, *module.portlist.ports, *module.items]
        for header in headers:
            self._declare(header)
        for header in headers:
            self._visit(header)

    def _declare(self, node: Any) -> None:
        kind = type(node).__name__
        if kind == "GenerateStatement" or kind in {"Block", "IfStatement"}:
            for child in node.children():
                self._declare(child)
            return
        items = node.list if kind == "Decl" else [node.first] if kind == "Ioport" else []
        for item in items:
            what = type(item).__name__
            if what in {"Input", "Output", "Wire", "Reg"}:
                width = self._source(item.width) if item.width is not None else "1"
                self.names.setdefault(width, []).append(item.name)
            elif what in {"Parameter", "Localparam"} and not self._is_text(item.value):
                self.names.setdefault("parameter", []).append(item.name)

    def _is_text(self, value: Any) -> bool:
        return type(getattr(value, "var", value)).__name__ == "StringConst"

    # What a node is replaced with.

    def _source(self, node: Any) -> str:
        start, end = self.spans[id(node)]
        return one_line(self.text[start:end])

    def _part(self, node: Any) -> str:
        return self._source(node) if type(node).__name__ in _SIMPLE else f"({self._source(node)})"

    def _edit(self, change: Change, node: Any, after: str, *, simple: bool = False) -> None:
        if id(node) in self.spans:
            self.edits.append((*self.spans[id(node)], change, after, simple))

    # The walk.

    def _visit(self, node: Any) -> None:
        kind = type(node).__name__
        if kind in MARKS:
            self._binary(node)
        elif kind in UNARY:
            for other in UNARY[kind]:
                self._edit(Change.operator, node, f"{other}{self._part(node.right)}")
            self._visit(node.right)
        elif kind == "IntConst":
            for value in list(constants(node.value))[: 2 if self.in_width else None]:
                self._edit(Change.constant, node, value, simple=not value.startswith("-"))
        elif kind == "Identifier":
            self._identifier(node)
        else:
            handler = getattr(self, f"_{kind.lower()}", None)
            (handler or self._children)(node)

    def _children(self, node: Any) -> None:
        for child in node.children():
            self._visit(child)

    def _binary(self, node: Any) -> None:
        kind = type(node).__name__
        # Of `x[i +: n]` pyverilog makes `i + n`, which is nowhere in the text.
        if id(node) in self.spans:
            left, right = self._part(node.left), self._part(node.right)
            for other in OTHERS[MARKS[kind]][: 1 if self.in_width else None]:
                self._edit(Change.operator, node, f"{left} {other} {right}")
            if MARKS[kind] not in RELATIONS:
                for side in (node.left, node.right):
                    self._edit(Change.operator, node, self._source(side))
            if kind in {"Land", "Lor"}:
                self._forced(node)
            if kind in _SHIFTS:
                self._off_by_one(node.right)
        self._children(node)

    def _identifier(self, node: Any) -> None:
        group = next((group for group in self.names.values() if node.name in group), None)
        if group is None:
            return
        others = [name for name in group if name != node.name]
        if group is self.names.get("parameter"):
            place = group.index(node.name)
            others = [group[i] for i in (place - 1, place + 1) if 0 <= i < len(group)]
        else:
            self._edit(Change.operand, node, f"~{node.name}")
        for other in others:
            self._edit(Change.operand, node, other, simple=True)

    def _off_by_one(self, node: Any) -> None:
        if id(node) in self.spans and type(node).__name__ != "IntConst":
            for offset in ("+ 1", "- 1"):
                self._edit(Change.select, node, f"{self._part(node)} {offset}")

    def _pointer(self, node: Any) -> None:
        self._off_by_one(node.ptr)
        self._visit(node.ptr)

    def _partselect(self, node: Any) -> None:
        parts = [node.msb, node.lsb]
        if id(node.lsb) not in self.spans:  # `+:` and `-:`, see above
            parts[1] = node.lsb.right
        for part in parts:
            self._off_by_one(part)
            self._visit(part)

    def _forced(self, condition: Any) -> None:
        for value in ("1'b1", "1'b0"):
            self._edit(Change.condition, condition, value, simple=True)
        self._edit(Change.condition, condition, f"!{self._part(condition)}")

    def _cond(self, node: Any) -> None:
        condition, yes, no = (
            self._source(part) for part in (node.cond, node.true_value, node.false_value)
        )
        self._edit(Change.condition, node, f"({condition}) ? ({no}) : ({yes})")
        self._forced(node.cond)
        self._children(node)

    def _ifstatement(self, node: Any) -> None:
        self._forced(node.cond)
        self._children(node)

    def _forstatement(self, node: Any) -> None:
        self._forced(node.cond)
        self._children(node)

    def _assigned(self, right: Any) -> None:
        value = right.var
        part = self._part(value)
        if type(value).__name__ != "IntConst":
            for bit in _STUCK_AT_0:
                self._edit(Change.bit, value, f"{part} & ~(1 << {bit})")
            for bit in _STUCK_AT_1:
                self._edit(Change.bit, value, f"{part} | (1 << {bit})")
        self._visit(value)

    def _assign(self, node: Any) -> None:
        self._target(node.left)
        self._assigned(node.right)
        # A declaration with a value is an assignment too, and stays.
        start, end = self.spans.get(id(node), (0, 0))
        if self.text.startswith("assign", start) and end:
            self._edit(Change.statement, node, "", simple=True)

    def _blockingsubstitution(self, node: Any) -> None:
        self._target(node.left)
        self._assigned(node.right)
        start, end = self.spans[id(node)]
        if self.text[start:end].endswith(";"):  # not within a `for`
            self._edit(Change.statement, node, ";", simple=True)

    _nonblockingsubstitution = _blockingsubstitution

    def _target(self, left: Any) -> None:
        if type(left.var).__name__ != "Identifier":
            self._visit(left.var)

    def _singlestatement(self, node: Any) -> None:
        if type(node.statement).__name__ == "SystemCall":
            self._edit(Change.statement, node, ";", simple=True)
        else:
            self._children(node)

    def _functioncall(self, node: Any) -> None:
        for argument in node.args:
            self._visit(argument)

    def _function(self, node: Any) -> None:
        outside = self.names
        self.names = {"parameter": outside.get("parameter", [])}
        for statement in node.statement:
            self._declare(statement)
        self._children(node)
        self.names = outside

    def _width(self, node: Any) -> None:
        self.in_width = True
        self._children(node)
        self.in_width = False

    def _parameter(self, node: Any) -> None:
        if node.width is not None:
            self._visit(node.width)
        if not self._is_text(node.value):
            self._visit(node.value)

    _localparam = _parameter

    def _decl(self, node: Any) -> None:
        if any(getattr(item, "signed", False) for item in node.list) and id(node) in self.spans:
            start, end = self.spans[id(node)]
            found = re.search(r"\bsigned\s+", self.text[start:end])
            if found:
                where = (start + found.start(), start + found.end())
                self.edits.append((*where, Change.statement, "", True))
        self._children(node)


def one_line(text: str) -> str:
    """On one line, without comments."""
    return " ".join(without_comments(text).split())
