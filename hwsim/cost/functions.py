# SPDX-License-Identifier: Apache-2.0
"""Boolean functions as Liberty spells them: `!(A*B)`, `(A & B) | C'`, `A B + C`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import HwsimError
from ..netlist.netlist import Kind

_TOKEN = re.compile(r"\s*([A-Za-z_]\w*(?:\[\d+\])?|[01]|[!'&*+|^()])")
_OPERATORS = {"^": (Kind.xor, 3), "&": (Kind.and_, 2), "*": (Kind.and_, 2),
              "|": (Kind.or_, 1), "+": (Kind.or_, 1)}  # fmt: skip
_MOST_TOKENS = 500
_JOINED = _OPERATORS["&"]  # what stands side by side
_INVERTED = {Kind.and_: Kind.nand, Kind.or_: Kind.nor, Kind.xor: Kind.xnor, Kind.nand: Kind.and_,
             Kind.nor: Kind.or_, Kind.xnor: Kind.xor}  # fmt: skip


@dataclass(frozen=True)
class Function:
    """A function of pins: a gate of functions, a pin, or a constant.

    >>> function = parse_function("!(A*B)")
    >>> function.kind.name, function.pins
    ('nand', ('A', 'B'))
    >>> f"{function.truth(('A', 'B')):04b}"
    '0111'

    Attributes:
        kind: of the gate; None for a pin or a constant.
        inputs: of the gate.
        pin: name of the pin; `0` or `1` for a constant.
    """

    kind: Kind | None = None
    inputs: tuple["Function", ...] = ()
    pin: str = ""

    @property
    def pins(self) -> tuple[str, ...]:
        """Names of the pins, in the order of their first use."""
        if self.kind is None:
            return () if self.pin in "01" else (self.pin,)
        return tuple(dict.fromkeys(pin for one in self.inputs for pin in one.pins))

    @property
    def inverted(self) -> "Function":
        """Its inverse, as one gate where there is one."""
        if self.kind is Kind.not_:
            return self.inputs[0]
        if self.kind in _INVERTED:
            return Function(_INVERTED[self.kind], self.inputs)
        return Function(Kind.not_, (self,))

    def fold(self, pin: Callable[[str], int], gate: Callable[..., int]) -> int:
        """Builds it from the inside.

        Args:
            pin: a pin's name, or `0` or `1`, to its value.
            gate: kind and the values of its inputs to the value of the gate.
        """
        if self.kind is None:
            return pin(self.pin)
        return gate(self.kind, *(one.fold(pin, gate) for one in self.inputs))

    def truth(self, pins: Sequence[str]) -> int:
        """Its truth table: bit i is its value where bit k of i is that of the k-th pin."""
        rows = 1 << len(pins)
        full = (1 << rows) - 1
        values = {"0": 0, "1": full}
        for place, name in enumerate(pins):
            values[name] = sum(1 << row for row in range(rows) if row >> place & 1)

        def gate(kind: Kind, x: int, y: int = 0) -> int:
            return _WORDS[kind](x, y) & full

        return self.fold(values.__getitem__, gate)


_WORDS: dict[Kind, Callable[[int, int], int]] = {
    Kind.not_: lambda x, _: ~x,
    Kind.and_: lambda x, y: x & y,
    Kind.or_: lambda x, y: x | y,
    Kind.xor: lambda x, y: x ^ y,
    Kind.nand: lambda x, y: ~(x & y),
    Kind.nor: lambda x, y: ~(x | y),
    Kind.xnor: lambda x, y: ~(x ^ y),
}


def parse_function(text: str) -> Function:
    """Reads a function: inversion binds first, then XOR, AND, OR.

    Raises:
        HwsimError: it is none.
    """
    tokens, place = [], 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place)
        if match is None:
            raise HwsimError(f"expected a Boolean function, got {text!r:.60}")
        tokens.append(match[1])
        place = match.end()
    if len(tokens) > _MOST_TOKENS:
        raise HwsimError(f"expected a function of a cell, got one of {len(tokens):,} signs")
    tokens.append("")  # the end
    function, end = _binary(tokens, 0, 0, text)
    if tokens[end]:
        raise HwsimError(f"expected a Boolean function, got {text!r:.60}")
    return function


def _binary(tokens: list[str], place: int, level: int, text: str) -> tuple[Function, int]:
    """Operators that bind more tightly than a level."""
    left, place = _operand(tokens, place, text)
    while tokens[place] not in {"", ")"}:
        explicit = tokens[place] in _OPERATORS
        kind, binding = _OPERATORS[tokens[place]] if explicit else _JOINED
        if binding <= level:
            break
        right, place = _binary(tokens, place + explicit, binding, text)
        left = Function(kind, (left, right))
    return left, place


def _operand(tokens: list[str], place: int, text: str) -> tuple[Function, int]:
    token = tokens[place]
    if token == "!":
        inner, place = _operand(tokens, place + 1, text)
        return inner.inverted, place
    if token == "(":
        found, place = _binary(tokens, place + 1, 0, text)
        if tokens[place] != ")":
            raise HwsimError(f"expected a closing parenthesis in {text!r:.60}")
    elif token and (token in "01" or token[0].isalpha() or token[0] == "_"):
        found = Function(pin=token)
    else:
        raise HwsimError(f"expected a Boolean function, got {text!r:.60}")
    place += 1
    while tokens[place] == "'":
        found, place = found.inverted, place + 1
    return found, place
