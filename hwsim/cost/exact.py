# SPDX-License-Identifier: Apache-2.0
"""Exact multipliers in several structures: what an approximate one must be compared with.

All but the inferred ones compress the columns of partial products by Dadda's heights (Dadda 1965)
and add the last two rows. A partial product of negative weight, of which signed operands have some,
is inverted, -x = ~x - 1 (Baugh and Wooley 1973), and the constants are summed at design time.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from ..designs import FIRST, PRODUCT, SECOND
from ..operands import Operands
from ..verilog.circuit import Circuit


class _Nets:
    """Verilog of nets with one assignment each."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def net(self, expression: str) -> str:
        name = f"n{len(self.lines)}"
        self.lines.append(f"  wire {name} = {expression};")
        return name

    def full_adder(self, x: str, y: str, z: str) -> tuple[str, str]:
        """Sum and carry."""
        half = self.net(f"{x} ^ {y}")
        return self.net(f"{half} ^ {z}"), self.net(f"({x} & {y}) | ({z} & {half})")

    def half_adder(self, x: str, y: str) -> tuple[str, str]:
        """Sum and carry."""
        return self.net(f"{x} ^ {y}"), self.net(f"{x} & {y}")


_Adder = Callable[[_Nets, list[str], list[str]], list[str]]


def _ripple(nets: _Nets, a: list[str], b: list[str]) -> list[str]:
    carry, sums = "1'b0", []
    for x, y in zip(a, b, strict=True):
        bit, carry = nets.full_adder(x, y, carry)
        sums.append(bit)
    return sums


def _prefix(
    nets: _Nets, a: list[str], b: list[str], *, steps: Callable[[int], Iterator[tuple[int, int]]]
) -> list[str]:
    """A parallel-prefix adder: carries from pairs (i, j), which extend the group at i by that at j.

    Brent and Kung 1982 spend few pairs, Kogge and Stone 1973 few levels.
    """
    half = [nets.net(f"{x} ^ {y}") for x, y in zip(a, b, strict=True)]
    generate = [nets.net(f"{x} & {y}") for x, y in zip(a, b, strict=True)]
    propagate = list(half)
    for i, j in steps(len(a)):
        generate[i] = nets.net(f"{generate[i]} | ({propagate[i]} & {generate[j]})")
        propagate[i] = nets.net(f"{propagate[i]} & {propagate[j]}")
    return [half[0], *(nets.net(f"{x} ^ {g}") for x, g in zip(half[1:], generate, strict=False))]


def _brent_kung(count: int) -> Iterator[tuple[int, int]]:
    step = 1
    while step < count:
        yield from ((i, i - step) for i in range(2 * step - 1, count, 2 * step))
        step *= 2
    while step := step // 2:
        yield from ((i, i - step) for i in range(3 * step - 1, count, 2 * step))


def _kogge_stone(count: int) -> Iterator[tuple[int, int]]:
    step = 1
    while step < count:
        # From the top down, so that each reads what the level below made.
        yield from ((i, i - step) for i in range(count - 1, step - 1, -1))
        step *= 2


def _columns(nets: _Nets, operands: Operands) -> list[list[str]]:
    """Partial products by weight, the lowest first."""
    (a_bits, b_bits), total = operands.bits, sum(operands.bits)
    columns: list[list[str]] = [[] for _ in range(total)]
    constant = 0
    for i in range(a_bits):
        for j in range(b_bits):
            signs = [
                operand.signed and place == operand.bits - 1
                for operand, place in zip(operands, (i, j), strict=True)
            ]
            negative = signs[0] != signs[1]
            columns[i + j].append(nets.net(f"{'~' * negative}({FIRST}[{i}] & {SECOND}[{j}])"))
            constant -= negative << (i + j)
    ones = (place for place in range(total) if constant >> place & 1)
    for place in ones:
        columns[place].append("1'b1")
    return columns


def _dadda(operands: Operands, *, adder: _Adder) -> str:
    nets = _Nets()
    columns = _columns(nets, operands)
    heights = [2]
    while heights[-1] < max(map(len, columns)):
        heights.append(heights[-1] * 3 // 2)
    for height in reversed(heights[:-1]):
        for place, column in enumerate(columns):
            while len(column) > height:
                if len(column) == height + 1:
                    bit, carry = nets.half_adder(column.pop(0), column.pop(0))
                else:
                    bit, carry = nets.full_adder(column.pop(0), column.pop(0), column.pop(0))
                column.append(bit)
                if place + 1 < len(columns):
                    columns[place + 1].append(carry)
    rows = [[(column + ["1'b0"] * 2)[row] for column in columns] for row in range(2)]
    done = next((i for i, bit in enumerate(rows[1]) if bit != "1'b0"), len(columns))
    sums = rows[0][:done]
    if done < len(columns):
        sums += adder(nets, rows[0][done:], rows[1][done:])
    return "\n".join([*nets.lines, f"  assign {PRODUCT} = {{{', '.join(reversed(sums))}}};"])


def _inferred(operands: Operands) -> str:
    """Yosys' own choice for `*`."""
    if not any(operands.signs):
        return f"  assign {PRODUCT} = {FIRST} * {SECOND};"
    a, b = (
        f"$signed({name})" if operand.signed else f"$signed({{1'b0, {name}}})"
        for name, operand in zip((FIRST, SECOND), operands, strict=True)
    )
    return f"  assign {PRODUCT} = {a} * {b};"


INFERRED = "inferred"
"""Where `*` stands in the Verilog."""

STRUCTURES: dict[str, Callable[[Operands], str]] = {
    INFERRED: _inferred,
    "Dadda, ripple": partial(_dadda, adder=_ripple),
    "Dadda, Brent-Kung": partial(_dadda, adder=partial(_prefix, steps=_brent_kung)),
    "Dadda, Kogge-Stone": partial(_dadda, adder=partial(_prefix, steps=_kogge_stone)),
}
"""By name; each gives the body of a module with the ports of `rtl/`."""


def exact_circuit(structure: str, operands: Operands) -> Circuit:
    """An exact multiplier.

    Args:
        structure: a key of STRUCTURES.
        operands: of any bits and signs, 64 bits together at most.
    """
    (a_bits, b_bits), top = operands.bits, "axhil_exact"
    text = (
        f"module {top}(input [{a_bits - 1}:0] {FIRST}, input [{b_bits - 1}:0] {SECOND}, "
        f"output [{a_bits + b_bits - 1}:0] {PRODUCT});\n{STRUCTURES[structure](operands)}\n"
        "endmodule\n"
    )
    circuit = Circuit.of(f"exact ({structure})", top, (), operands.activation)
    roles = replace(
        circuit.roles,
        bits=operands.bits,
        product_bits=a_bits + b_bits,
        declared=operands.signs,
    )
    return replace(circuit, roles=roles, operands=operands, wrapper=text)
