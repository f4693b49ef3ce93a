# SPDX-License-Identifier: Apache-2.0
"""Statements of an always block or a function, followed path by path.

A variable's value on every path is a set of bits. Where paths meet the sets are joined, together
with what the choice was made from; a path that left a variable alone brings the hold mark, and a
mark that lives to the end of a combinational block is a latch.
"""

import itertools
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..verilog.constants import NotConstantError, evaluate
from ..verilog.parameters import Parameter
from .bitgraph import HOLD
from .expressions import Masks, Net, UnsupportedVerilogError, View, masks_of, shape, union

_LOOP_LIMIT = 1 << 14
_FULL_WIDTH = 12
_CASES = {"CaseStatement", "CasexStatement", "CasezStatement", "UniqueCaseStatement"}


@dataclass
class State:
    """Values on one path.

    Attributes:
        now: of variables, as blocking assignments left them.
        later: of non-blocking assignments.
        values: of loop variables.
    """

    now: dict[int, int] = field(default_factory=dict)
    later: dict[int, int] = field(default_factory=dict)
    values: dict[str, Parameter] = field(default_factory=dict)

    def copy(self) -> "State":
        """The same path, to go on in another way."""
        return State(dict(self.now), dict(self.later), dict(self.values))


class Elaborator(Protocol):
    """What statements need of the elaboration around them."""

    def net(self, part: Any, scope: Any, *, internal: bool = False) -> Net:
        """Declares a net."""

    def call(self, name: str, arguments: list[Any], view: View, scope: Any) -> tuple[Masks, bool]:
        """A function's result and its sign."""

    def targets(self, node: Any, view: View) -> list[tuple[list[int], int]]:
        """What a left side means, bit by bit."""

    def drive(self, bit: int, mask: int, *, clocked: bool) -> None:
        """One driver of a bit."""


class Procedure:
    """One block of statements.

    Args:
        builder: the elaboration around it.
        scope: its names.
        initial: an initial block, which runs once: it drives what it assigns with constants.
    """

    def __init__(self, builder: Elaborator, scope: Any, *, initial: bool = False) -> None:
        self._builder, self._scope = builder, scope
        self._initial = initial
        self._local: set[int] = set()
        self.state = State(values=dict(scope.values))

    def finish(self, statement: Any, *, clocked: bool) -> None:
        """Follows the statement and drives what it assigns."""
        if statement is not None:
            self.run(statement)
        for bit, mask in {**self.state.now, **self.state.later}.items():
            if bit not in self._local:
                self._builder.drive(bit, 0 if self._initial else mask, clocked=clocked)

    def read(self, bit: int) -> int:
        """What a bit's present value is computed from."""
        return self.state.now.get(bit, 1 << bit) & ~HOLD

    def _view(self) -> View:
        return View(
            self._scope.where,
            self._scope.nets,
            self.state.values,
            self.read,
            lambda name, arguments, view: self._builder.call(name, arguments, view, self._scope),
            self._scope.widths,
        )

    def run(self, statement: Any) -> None:
        """Follows one statement.

        Raises:
            UnsupportedVerilogError: something that the analysis does not follow.
        """
        kind = type(statement).__name__
        if kind in {"Block", "ParallelBlock"}:
            for item in statement.statements or ():
                self.run(item)
        elif kind == "Decl":
            for part in statement.list:
                if type(part).__name__ in {"Reg", "Integer", "Wire"}:
                    self._local.update(self._builder.net(part, self._scope, internal=True).bits)
        elif kind in {"BlockingSubstitution", "NonblockingSubstitution"}:
            self._assign(statement, later=kind.startswith("Non"))
        elif kind == "IfStatement":
            self._if(statement)
        elif kind in _CASES:
            self._case(kind, statement)
        elif kind in {"ForStatement", "WhileStatement"}:
            self._loop(kind, statement)
        elif kind == "SingleStatement":
            self._single(statement.statement)
        elif not (self._initial and kind in {"DelayStatement", "EventStatement", "SystemCall"}):
            raise UnsupportedVerilogError(f"{self._scope.where}: {kind} in a block")

    def _single(self, node: Any) -> None:
        """A system task; one that fills a memory drives it."""
        if type(node).__name__ != "SystemCall":
            if not self._initial:
                raise UnsupportedVerilogError(f"{self._scope.where}: {type(node).__name__}")
            return
        if node.syscall in {"readmemh", "readmemb"}:
            net = self._view().net(node.args[1])
            self.state.now.update(dict.fromkeys(net.bits, 0))

    def _assign(self, statement: Any, *, later: bool) -> None:
        view = self._view()
        left = statement.left.var
        targets = self._builder.targets(left, view)
        masks = masks_of(statement.right.var, view, len(targets))
        into = self.state.later if later else self.state.now
        for (bits, index), mask in zip(targets, masks, strict=False):
            for bit in bits:
                # An index that is no constant leaves the other bits as they were.
                kept = into.get(bit, HOLD | 1 << bit) if len(bits) > 1 else 0
                into[bit] = mask | index | kept
        if type(left).__name__ == "Identifier":
            # Loop variables are integers; what else is constant here needs no following.
            constant = view.constant(statement.right.var)
            self.state.values.pop(left.name, None)
            if constant is not None and not later and len(targets) == 32:
                self.state.values[left.name] = constant

    def _if(self, statement: Any) -> None:
        view = self._view()
        chosen = view.constant(statement.cond)
        if chosen is not None:
            branch = statement.true_statement if chosen else statement.false_statement
            if branch is not None:
                self.run(branch)
            return
        cond = union(masks_of(statement.cond, view))
        self._branch(cond, [statement.true_statement, statement.false_statement])

    def _case(self, kind: str, statement: Any) -> None:
        view = self._view()
        cond = union(masks_of(statement.comp, view))
        branches = []
        complete = False
        for case in statement.caselist:
            for label in case.cond or ():
                cond |= union(masks_of(label, view))
            branches.append(case.statement)
            complete = complete or case.cond is None
        if not complete and not self._covers(kind, statement, view):
            branches.append(None)
        self._branch(cond, branches)

    def _covers(self, kind: str, statement: Any, view: View) -> bool:
        """Whether the labels are all values of the case expression."""
        width = shape(statement.comp, view)[0]
        if width > _FULL_WIDTH:
            return False
        wild = {"CaseStatement": "", "CasezStatement": "z?"}.get(kind, "xz?")
        covered: set[int] = set()
        for case in statement.caselist:
            for label in case.cond or ():
                covered |= _values(label, view, width, wild)
        return len(covered) == 1 << width

    def _branch(self, cond: int, branches: list[Any]) -> None:
        """Follows each branch from here, and joins what they leave."""
        ends = []
        before = self.state
        for branch in branches:
            self.state = before.copy()
            if branch is not None:
                self.run(branch)
            ends.append(self.state)
        now = [end.now for end in ends]
        later = [end.later for end in ends]
        common = {
            name: value
            for name, value in ends[0].values.items()
            if all(end.values.get(name) == value for end in ends[1:])
        }
        self.state = State(
            _joined(cond, now, before.now), _joined(cond, later, before.later), common
        )

    def _loop(self, kind: str, statement: Any) -> None:
        if kind == "ForStatement":
            self._assign(statement.pre, later=False)
        for _ in range(_LOOP_LIMIT):
            try:
                going = evaluate(statement.cond, self.state.values, self._scope.where)
            except NotConstantError:
                raise UnsupportedVerilogError(
                    f"{self._scope.where}: a loop whose end is no constant"
                ) from None
            if not going:
                return
            self.run(statement.statement)
            if kind == "ForStatement":
                self._assign(statement.post, later=False)
        raise UnsupportedVerilogError(f"{self._scope.where}: a loop of over {_LOOP_LIMIT} rounds")


def _joined(cond: int, ends: list[dict[int, int]], before: dict[int, int]) -> dict[int, int]:
    found = {}
    for bit in dict.fromkeys(itertools.chain(*ends)):
        values = [end.get(bit, HOLD | 1 << bit) for end in ends]
        if all(value == before.get(bit) for value in values):
            found[bit] = values[0]  # no branch touched it
        else:
            found[bit] = union(values) | cond
    return found


def _values(label: Any, view: View, width: int, wild: str) -> set[int]:
    """The values that a case label stands for."""
    constant = view.constant(label)
    if constant is not None:
        return {constant & (2**width - 1)}
    text = str(getattr(label, "value", "")).replace("_", "").lower()
    digits = text.partition("'b")[2]
    if not digits or not wild or set(digits) - set("01" + wild):
        return set()
    digits = digits.rjust(width, "0")[-width:]
    choices = ["01" if digit in wild else digit for digit in digits]
    return {int("".join(bits), 2) for bits in itertools.product(*choices)}
