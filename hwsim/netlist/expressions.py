# SPDX-License-Identifier: Apache-2.0
"""Which bits each bit of a Verilog expression is computed from.

The result is structural: every bit that an operator's rule lets in, whether or not the function
really changes with it. Widths and signs follow IEEE 1364: an operand is extended to the width of
its context before the operator works.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from itertools import accumulate
from operator import or_
from typing import Any

from ..errors import HwsimError
from ..verilog.constants import NotConstantError, evaluate
from ..verilog.parameters import Parameter

Masks = list[int]
"""Sets of bits (see `bitgraph`), one for each bit of a value, least significant first."""


class UnsupportedVerilogError(HwsimError):
    """Verilog that the analysis of logic does not follow."""


@dataclass(frozen=True)
class Net:
    """A net or a variable.

    Attributes:
        bits: least significant first; the words of a memory one after the other.
        low: index of the least significant bit.
        high: index of the most significant bit; below `low` for [0:7].
        signed: declared so.
        word: bits of a word of a memory; 0 where it is none.
        first: lowest index of a memory.
    """

    bits: list[int]
    low: int
    high: int
    signed: bool = False
    word: int = 0
    first: int = 0

    def position(self, index: int) -> int:
        """Where a bit of this index stands in `bits`, or in a word."""
        return index - self.low if self.high >= self.low else self.low - index


@dataclass
class View:
    """What an expression may read at one place.

    Attributes:
        where: instance and file, for messages.
        nets: by name.
        values: of parameters, genvars and loop variables.
        read: the bits that a bit's present value is computed from.
        call: inlines a function: (name, arguments) to its result and sign.
        widths: bits of parameters that are wider than 32.
    """

    where: str
    nets: Mapping[str, Net]
    values: Mapping[str, Parameter]
    read: Callable[[int], int]
    call: Callable[[str, list[Any], "View"], tuple[Masks, bool]]
    widths: Mapping[str, int] = field(default_factory=dict)

    def constant(self, node: Any) -> int | None:
        """The value of an expression, None where it is no constant number."""
        try:
            value = evaluate(node, self.values, self.where)
        except NotConstantError:
            return None
        return value if isinstance(value, int) else None

    def must(self, node: Any, what: str) -> int:
        """The value of an expression that has to be constant."""
        value = self.constant(node)
        if value is None:
            raise UnsupportedVerilogError(f"{self.where}: expected a constant {what}")
        return value

    def net(self, node: Any) -> Net:
        """The net of an identifier."""
        if node.scope is not None:
            raise UnsupportedVerilogError(f"{self.where}: the hierarchical name {node!r}")
        if node.name not in self.nets:
            raise UnsupportedVerilogError(f"{self.where}: {node.name} is not declared")
        return self.nets[node.name]


_BITWISE = {"And", "Or", "Xor", "Xnor"}
_ARITHMETIC = {"Plus", "Minus", "Times"}
_SHIFTS = {"Sll", "Srl", "Sla", "Sra"}
_ONE_BIT = {
    "LessThan", "GreaterThan", "LessEq", "GreaterEq", "Eq", "NotEq", "Eql", "NotEql",
    "Land", "Lor",
}  # fmt: skip
_REDUCTIONS = {"Ulnot", "Uand", "Unand", "Uor", "Unor", "Uxor", "Uxnor"}


def masks_of(node: Any, view: View, width: int = 0) -> Masks:
    """The bits that each bit of an expression is computed from.

    Args:
        node: pyverilog's tree.
        view: what it may read.
        width: of the context; the result has as many bits or, where wider, its own number.

    Raises:
        UnsupportedVerilogError: something that the analysis does not follow.
    """
    own, signed = shape(node, view)
    return _context(node, view, max(own, width), signed)


def union(masks: Masks) -> int:
    """All bits of a value together."""
    return reduce(or_, masks, 0)


def shape(node: Any, view: View) -> tuple[int, bool]:
    """Self-determined width of an expression, and whether it is signed."""
    kind = type(node).__name__
    if kind in _BITWISE | _ARITHMETIC | {"Divide", "Mod"}:
        (left, s), (right, t) = shape(node.left, view), shape(node.right, view)
        return max(left, right), s and t
    if kind in _SHIFTS | {"Power"}:
        return shape(node.left, view)
    if kind in {"Unot", "Uminus", "Uplus"}:
        return shape(node.right, view)
    if kind in _ONE_BIT | _REDUCTIONS:
        return 1, False
    if kind == "Cond":
        (left, s), (right, t) = shape(node.true_value, view), shape(node.false_value, view)
        return max(left, right), s and t
    masks, signed = _primary(node, view)
    return len(masks), signed


def _context(  # noqa: PLR0911  (one rule for each kind of node)
    node: Any, view: View, width: int, signed: bool
) -> Masks:
    """Bits of an expression whose operands are extended to `width` as `signed` says."""
    kind = type(node).__name__
    if kind in _BITWISE | _ARITHMETIC | {"Divide", "Mod"}:
        both = [_context(part, view, width, signed) for part in (node.left, node.right)]
        per_bit = [x | y for x, y in zip(*both, strict=True)]
        if kind in _BITWISE:
            return per_bit
        if kind in _ARITHMETIC:
            # A carry comes from every lower bit.
            return list(accumulate(per_bit, or_))
        return [union(per_bit)] * width
    if kind in _SHIFTS:
        return _shift(kind, _context(node.left, view, width, signed), node.right, view, signed)
    if kind == "Power":
        everything = union(masks_of(node.left, view)) | union(masks_of(node.right, view))
        return [everything] * width
    if kind in {"Unot", "Uplus"}:
        return _context(node.right, view, width, signed)
    if kind == "Uminus":
        return list(accumulate(_context(node.right, view, width, signed), or_))
    if kind == "Cond":
        chosen = view.constant(node.cond)
        if chosen is not None:
            return _context(node.true_value if chosen else node.false_value, view, width, signed)
        cond = union(masks_of(node.cond, view))
        sides = (
            _context(part, view, width, signed) for part in (node.true_value, node.false_value)
        )
        return [cond | x | y for x, y in zip(*sides, strict=True)]
    if kind in _ONE_BIT:
        everything = union(masks_of(node.left, view)) | union(masks_of(node.right, view))
        return extended([everything], width, signed=False)
    if kind in _REDUCTIONS:
        return extended([union(masks_of(node.right, view))], width, signed=False)
    masks, _ = _primary(node, view)
    return extended(masks, width, signed=signed)


def extended(masks: Masks, width: int, *, signed: bool) -> Masks:
    """A value at another width: cut, or extended by its sign or by zeros."""
    if len(masks) >= width:
        return masks[:width]
    return masks + [masks[-1] if signed and masks else 0] * (width - len(masks))


def _shift(kind: str, value: Masks, amount: Any, view: View, signed: bool) -> Masks:
    width = len(value)
    fill = value[-1] if kind == "Sra" and signed else 0
    by = view.constant(amount)
    left = kind in {"Sll", "Sla"}
    if by is not None:
        by = min(max(by, 0), width)
        return [0] * by + value[: width - by] if left else value[by:] + [fill] * by
    how = union(masks_of(amount, view))
    if left:
        return [how | mask for mask in accumulate(value, or_)]
    return [how | fill | mask for mask in reversed(list(accumulate(reversed(value), or_)))]


def _primary(  # noqa: PLR0911  (one rule for each kind of node)
    node: Any, view: View
) -> tuple[Masks, bool]:
    """Names, selections, constants, concatenations and calls."""
    kind = type(node).__name__
    if kind in {"IntConst", "FloatConst"}:
        return [0] * _literal_width(node.value), "'" not in node.value or "'s" in node.value.lower()
    if kind == "StringConst":
        return [0] * max(8, 8 * len(node.value)), False
    if kind == "Identifier":
        if node.scope is None and node.name in view.values:
            return [0] * view.widths.get(node.name, 32), True
        net = view.net(node)
        if net.word:
            raise UnsupportedVerilogError(f"{view.where}: the whole memory {node.name}")
        return [view.read(bit) for bit in net.bits], net.signed
    if kind in {"Pointer", "Partselect"}:
        chosen, index = selected(node, view)
        return [union([view.read(bit) for bit in lane]) | index for lane in chosen], False
    if kind in {"Concat", "LConcat"}:
        parts = [masks_of(part, view) for part in node.list]
        return [mask for part in reversed(parts) for mask in part], False
    if kind == "Repeat":
        return masks_of(node.value, view) * view.must(node.times, "number of repetitions"), False
    if kind == "FunctionCall":
        return view.call(node.name.name, list(node.args), view)
    if kind == "SystemCall" and node.syscall in {"signed", "unsigned"}:
        return masks_of(node.args[0], view), node.syscall == "signed"
    if kind == "SystemCall" and view.constant(node) is not None:
        return [0] * 32, True
    raise UnsupportedVerilogError(f"{view.where}: {kind} {getattr(node, 'syscall', '')}".rstrip())


def selected(node: Any, view: View) -> tuple[list[list[int]], int]:
    """The bits that a selection may mean, and what its index is computed from.

    Args:
        node: a Pointer or a Partselect, on either side of an assignment.
        view: what an index may read.

    Returns:
        For each bit of the selection, least significant first, the bits of the net that it may be:
        one where the index is constant. And the union of the bits of the index.
    """
    inner = type(node.var).__name__ == "Pointer"
    if inner:
        lanes, index = selected(node.var, view)
        net = _vector(node.var.var, view)
    else:
        net = _vector(node.var, view)
        lanes, index = [[bit] if bit else [] for bit in net.bits], 0
    if type(node).__name__ == "Pointer":
        size = net.word if net.word and not inner else 1
        at = view.constant(node.ptr)
        groups = [lanes[start : start + size] for start in range(0, len(lanes), size)]
        if at is not None:
            place = at - net.first if size > 1 or (net.word and not inner) else net.position(at)
            # Outside the net a selection reads X and writes nothing.
            return (groups[place] if 0 <= place < len(groups) else [[]] * size), index
        index |= union(masks_of(node.ptr, view))
        return [[bit for group in groups for bit in group[i]] for i in range(size)], index
    return _part(node, view, net, lanes, index)


def _vector(node: Any, view: View) -> Net:
    """A net, or a parameter as a vector without bits of the design."""
    if node.scope is None and node.name in view.values and node.name not in view.nets:
        width = view.widths.get(node.name, 32)
        return Net([0] * width, 0, width - 1)
    return view.net(node)


def _part(
    node: Any, view: View, net: Net, lanes: list[list[int]], index: int
) -> tuple[list[list[int]], int]:
    kind = type(node.lsb).__name__
    # pyverilog writes [i +: n] as [i : i + n], with one tree for both i.
    if kind in {"Plus", "Minus"} and node.lsb.left is node.msb:
        size = view.must(node.lsb.right, "width of a part select")
        start = view.constant(node.msb)
        if start is None:
            index |= union(masks_of(node.msb, view))
            return [[bit for lane in lanes for bit in lane]] * size, index
        ends = (start, start + size - 1) if kind == "Plus" else (start - size + 1, start)
    else:
        ends = (
            view.must(node.msb, "bound of a part select"),
            view.must(node.lsb, "bound of a part select"),
        )
    low, high = sorted(net.position(end) for end in ends)
    inside = range(len(lanes))
    return [lanes[i] if i in inside else [] for i in range(low, high + 1)], index


def _literal_width(text: str) -> int:
    size = re.match(r"\s*(\d+)\s*'", text.replace("_", ""))
    return int(size[1]) if size else 32
