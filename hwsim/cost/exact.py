# SPDX-License-Identifier: Apache-2.0
"""Exact multipliers, gate by gate: what an approximate one has to be compared with.

Baugh and Wooley's partial products for any two signs, summed column by column after Dadda or row by
row in an array; the two rows that are left are added by a ripple-carry, Brent-Kung or Kogge-Stone
adder, or by whatever synthesis makes of `+`. Each text is a module as `netlist.synthesis` puts
around circuits.
"""

from collections.abc import Callable
from functools import partial

from ..netlist.synthesis import TOP, A, B, P
from ..operands import Operands

_Columns = list[list[str]]


class _Text:
    """Verilog under construction: one wire after another."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def wire(self, expression: str) -> str:
        name = f"n{len(self.lines)}"
        self.lines.append(f"  wire {name} = {expression};")
        return name

    def add(self, bits: list[str]) -> tuple[str, str]:
        """Sum and carry of two or three bits."""
        x = self.wire(f"{bits[0]} ^ {bits[1]}")
        carry = f"({bits[0]} & {bits[1]})"
        if len(bits) == 2:
            return x, self.wire(carry)
        return self.wire(f"{x} ^ {bits[2]}"), self.wire(f"{carry} | ({bits[2]} & {x})")


def inferred(operands: Operands) -> str:
    """`a * b`, left to synthesis."""
    if not any(operands.signs):
        return _module(operands, [], f"{A} * {B}")
    # An unsigned operand beside a signed one gets a zero in front.
    x, y = (
        f"$signed({port})" if operand.signed else f"$signed({{1'b0, {port}}})"
        for operand, port in zip(operands, (A, B), strict=True)
    )
    return _module(operands, [], f"{x} * {y}")


def dadda(operands: Operands, *, adder: str) -> str:
    """Columns compressed to Dadda's heights.

    Args:
        operands: of any bits and signs.
        adder: a key of `ADDERS`.
    """
    text = _Text()
    columns = _partial_products(text, operands)
    heights = [2]
    while heights[-1] < max(map(len, columns)):
        heights.append(heights[-1] * 3 // 2)
    for height in heights[-2::-1]:
        for place, column in enumerate(columns):
            while len(column) > height:
                count = 2 if len(column) == height + 1 else 3
                taken, column[:] = column[:count], column[count:]
                _put(columns, place, *text.add(taken))
    return _finished(text, columns, operands, adder)


def array(operands: Operands) -> str:
    """One row after another, carries saved; the last two rows by a ripple-carry adder."""
    text = _Text()
    columns = _partial_products(text, operands)
    rows = [column[2:] for column in columns]
    columns = [column[:2] for column in columns]
    while any(rows) or any(len(column) > 2 for column in columns):
        following: _Columns = [[] for _ in columns]
        for place, (column, row) in enumerate(zip(columns, rows, strict=True)):
            bits = column + ([row.pop(0)] if row and len(column) < 3 else [])
            if len(bits) >= 3:
                total, carry = text.add(bits[:3])
                following[place] += bits[3:]
                _put(following, place, total, carry)
            else:
                following[place] += bits
        columns = following
    return _finished(text, columns, operands, "ripple-carry")


def _partial_products(text: _Text, operands: Operands) -> _Columns:
    """Bits by their weight: where one of two has a negative weight, the inverse and a constant."""
    (a, b), n = operands, sum(operands.bits)
    columns: _Columns = [[] for _ in range(n)]
    constant = 0
    for i in range(a.bits):
        for j in range(b.bits):
            negative = (a.signed and i == a.bits - 1) != (b.signed and j == b.bits - 1)
            columns[i + j].append(text.wire(f"{'~' if negative else ''}({A}[{i}] & {B}[{j}])"))
            constant -= negative << (i + j)
    for place in range(n):
        if constant >> place & 1:
            columns[place].append("1'b1")
    return columns


def _put(columns: _Columns, place: int, total: str, carry: str) -> None:
    columns[place].append(total)
    if place + 1 < len(columns):
        columns[place + 1].append(carry)


def _finished(text: _Text, columns: _Columns, operands: Operands, adder: str) -> str:
    first = next((place for place, column in enumerate(columns) if len(column) > 1), len(columns))
    low = [(*column, "1'b0")[0] for column in columns[:first]]
    x, y = ([(*column, "1'b0", "1'b0")[row] for column in columns[first:]] for row in (0, 1))
    bits = low + (ADDERS[adder](text, x, y) if x else [])
    return _module(operands, text.lines, f"{{{', '.join(reversed(bits))}}}")


def _module(operands: Operands, lines: list[str], product: str) -> str:
    a, b = operands.bits
    ports = f"input [{a - 1}:0] {A}, input [{b - 1}:0] {B}, output [{a + b - 1}:0] {P}"
    return "\n".join(
        [f"module {TOP}({ports});", *lines, f"  assign {P} = {product};", "endmodule\n"]
    )


def _ripple(text: _Text, x: list[str], y: list[str]) -> list[str]:
    bits, carry = [], "1'b0"
    for pair in zip(x, y, strict=True):
        total, carry = text.add([*pair, carry])
        bits.append(total)
    return bits


def _inferred_sum(text: _Text, x: list[str], y: list[str]) -> list[str]:
    rows = [f"{{{', '.join(reversed(row))}}}" for row in (x, y)]
    text.lines.append(f"  wire [{len(x) - 1}:0] sum = {rows[0]} + {rows[1]};")
    return [f"sum[{place}]" for place in range(len(x))]


def _prefix(
    text: _Text, x: list[str], y: list[str], *, steps: Callable[[int], list[tuple[int, int]]]
) -> list[str]:
    """A parallel-prefix adder: `steps` joins the carries of place i and those of a lower place."""
    propagate, generate = (
        [text.wire(f"{one} {operator} {other}") for one, other in zip(x, y, strict=True)]
        for operator in "^&"
    )
    carry, along = generate.copy(), propagate.copy()
    for i, j in steps(len(x)):
        carry[i] = text.wire(f"{carry[i]} | ({along[i]} & {carry[j]})")
        along[i] = text.wire(f"{along[i]} & {along[j]}")
    return propagate[:1] + [
        text.wire(f"{one} ^ {below}") for one, below in zip(propagate[1:], carry, strict=False)
    ]


def _kogge_stone(count: int) -> list[tuple[int, int]]:
    spans = [1 << level for level in range(count.bit_length()) if 1 << level < count]
    return [(i, i - span) for span in spans for i in range(count - 1, span - 1, -1)]


def _brent_kung(count: int) -> list[tuple[int, int]]:
    spans = [1 << level for level in range(count.bit_length()) if 1 << level < count]
    up = [(i, i - span) for span in spans for i in range(2 * span - 1, count, 2 * span)]
    down = [(i, i - span) for span in reversed(spans) for i in range(3 * span - 1, count, 2 * span)]
    return up + down


ADDERS: dict[str, Callable[[_Text, list[str], list[str]], list[str]]] = {
    "ripple-carry": _ripple,
    "Brent-Kung": partial(_prefix, steps=_brent_kung),
    "Kogge-Stone": partial(_prefix, steps=_kogge_stone),
    "+": _inferred_sum,
}
"""Adders of two rows of bits."""
