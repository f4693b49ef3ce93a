# SPDX-License-Identifier: Apache-2.0
"""The constants of compiled code: how far a loop has counted, and which bit it writes therefore."""

from collections.abc import Callable, Collection, Mapping
from operator import add, mul, sub

from .program import Program, Step

_WITH_NUMBER: Mapping[str, Callable[[int, int], int]] = {"%addi": add, "%subi": sub, "%muli": mul}
_WITH_ANOTHER: Mapping[str, Callable[[int, int], int]] = {"%add": add, "%sub": sub, "%mul": mul}

Number = tuple[int, int] | None
"""Value modulo two to the width, and width; None: not known."""


class Machine:
    """Follows the numbers of one stretch of code without branches.

    What is not followed empties the stack, which gives numbers that are not known; it stays
    aligned at its top.

    Args:
        program: the compiled design.
        known: values of counters.
    """

    def __init__(self, program: Program, known: Mapping[str, int]) -> None:
        self._program = program
        self.known = dict(known)
        self.registers: dict[str, int] = {}
        self._stack: list[Number] = []
        self._flags: dict[str, bool] = {}

    def step(self, step: Step, counted: Collection[str]) -> None:
        """Runs an instruction that is no branch.

        Args:
            step: the instruction.
            counted: variables to follow.
        """
        op, args = step.op, step.args
        if op == "%pushi/vec4":
            self._stack.append((int(args[0]), int(args[2])) if args[1] == "0" else None)
        elif op == "%load/vec4":
            self._stack.append(self._value(step.names[0]))
        elif op in _WITH_NUMBER:
            self._push(_WITH_NUMBER[op], self._pop(), (int(args[0]), int(args[2])))
        elif op in _WITH_ANOTHER:
            second, first = self._pop(), self._pop()
            self._push(_WITH_ANOTHER[op], first, second)
        elif op.startswith("%pad/"):
            self._pad(int(args[0]), signed=op.endswith("s"))
        elif op.startswith("%cmp"):
            self._compare(op, args)
        elif op.startswith("%flag"):
            self._flag(op, args)
        elif op.startswith("%ix/"):
            self._index(step)
        elif op.startswith(("%store", "%assign")):
            self._store(step, counted)
        elif op != "%cast2":
            self._stack.clear()

    def takes(self, step: Step) -> bool | None:
        """Whether a branch is taken; None: not known."""
        if step.op == "%jmp":
            return True
        flag = self._flags.get(step.args[1])
        return flag if flag is None or step.op.startswith("%jmp/1") else not flag

    def _value(self, label: str) -> Number:
        value = self.known.get(label)
        return None if value is None else (value, self._program.declared[label].width)

    def _pop(self) -> Number:
        return self._stack.pop() if self._stack else None

    def _push(self, function: Callable[[int, int], int], first: Number, second: Number) -> None:
        if first is None or second is None:
            self._stack.append(None)
        else:
            width = first[1]
            self._stack.append((function(first[0], second[0]) & ((1 << width) - 1), width))

    def _pad(self, width: int, *, signed: bool) -> None:
        number = self._pop()
        if number is not None:
            value = _signed(number) if signed else number[0]
            number = (value & ((1 << width) - 1), width)
        self._stack.append(number)

    def _compare(self, op: str, args: tuple[str, ...]) -> None:
        self._flags.clear()
        second: Number = (int(args[0]), int(args[2])) if op.startswith("%cmpi") else self._pop()
        first, kind = self._pop(), op.rpartition("/")[2]
        if first is None or second is None or kind not in {"s", "u", "e", "ne"}:
            return
        self._flags["4"] = (first[0] == second[0]) == (kind != "ne")
        if kind == "s":
            self._flags["5"] = _signed(first) < _signed((second[0], first[1]))
        elif kind == "u":
            self._flags["5"] = first[0] < second[0]

    def _flag(self, op: str, args: tuple[str, ...]) -> None:
        if op == "%flag_inv" and args[0] in self._flags:
            self._flags[args[0]] = not self._flags[args[0]]
        elif op == "%flag_or" and {*args[:2]} <= {*self._flags}:
            self._flags[args[0]] |= self._flags[args[1]]
        elif op != "%flag_set/imm":
            self._flags.clear()
            self._stack.clear()

    def _index(self, step: Step) -> None:
        kind, register = step.op.removeprefix("%ix/"), step.args[0]
        self.registers.pop(register, None)
        if kind == "load":
            self.registers[register] = int(step.args[1])
            return
        number = self._pop() if kind.startswith("vec4") else None
        if kind.startswith("getv"):
            number = self._value(step.names[0])
        if number is not None:
            self.registers[register] = _signed(number) if kind.endswith("/s") else number[0]

    def _store(self, step: Step, counted: Collection[str]) -> None:
        number, label = self._pop(), step.names[0]
        self.known.pop(label, None)
        whole = step.op == "%store/vec4" and step.args[1] == "0"
        if label in counted and number is not None and whole:
            width = self._program.declared[label].width
            if int(step.args[2]) == width:
                self.known[label] = number[0] & ((1 << width) - 1)


def _signed(number: tuple[int, int]) -> int:
    value, width = number
    return value - (1 << width) if value >> (width - 1) & 1 else value
