# SPDX-License-Identifier: Apache-2.0
"""Constant expressions of Verilog: widths, parameters, generate conditions, bounds of loops."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import HwsimError
from .parameters import Parameter

_OPERATORS: dict[str, Callable[..., int]] = {
    "Plus": lambda x, y: x + y,
    "Minus": lambda x, y: x - y,
    "Times": lambda x, y: x * y,
    "Divide": lambda x, y: int(x / y),
    "Mod": lambda x, y: x % y,
    "Power": lambda x, y: x**y,
    "Sll": lambda x, y: x << y,
    "Srl": lambda x, y: x >> y,
    "LessThan": lambda x, y: int(x < y),
    "GreaterThan": lambda x, y: int(x > y),
    "LessEq": lambda x, y: int(x <= y),
    "GreaterEq": lambda x, y: int(x >= y),
    "Eq": lambda x, y: int(x == y),
    "NotEq": lambda x, y: int(x != y),
    "Eql": lambda x, y: int(x == y),
    "NotEql": lambda x, y: int(x != y),
    "And": lambda x, y: x & y,
    "Or": lambda x, y: x | y,
    "Xor": lambda x, y: x ^ y,
    "Land": lambda x, y: int(bool(x) and bool(y)),
    "Lor": lambda x, y: int(bool(x) or bool(y)),
    "Sla": lambda x, y: x << y,
    "Sra": lambda x, y: x >> y,
}
_UNARY: dict[str, Callable[[int], int]] = {
    "Uminus": lambda x: -x,
    "Uplus": lambda x: x,
    "Ulnot": lambda x: int(not x),
}
_COMPARISONS = ("Eq", "NotEq", "Eql", "NotEql")


class NotConstantError(HwsimError):
    """An expression whose value no elaboration knows."""


def evaluate(node: Any, values: Mapping[str, Parameter], path: str) -> Parameter:
    """The value of a constant expression.

    Args:
        node: pyverilog's tree.
        values: of parameters, genvars and loop variables.
        path: file, for messages.

    Raises:
        NotConstantError: it reads a signal, or uses what is no constant arithmetic.
    """
    kind = type(node).__name__

    def value(part: Any) -> int:
        result = evaluate(part, values, path)
        if isinstance(result, str):
            raise NotConstantError(f"{path}: expected a number in a width, got {result!r}")
        return result

    match kind:
        case "IntConst":
            result: Parameter = integer(node.value)
        case "StringConst":
            result = str(node.value)
        case "Identifier" if node.scope is None and node.name in values:
            result = values[node.name]
        case _ if kind in _UNARY:
            result = _UNARY[kind](value(node.right))
        case "Cond":
            result = value(node.true_value if value(node.cond) else node.false_value)
        case "SystemCall" if node.syscall == "clog2":
            result = max(value(node.args[0]) - 1, 0).bit_length()
        case "SystemCall" if node.syscall in ("signed", "unsigned"):
            result = value(node.args[0])
        case _ if kind in _COMPARISONS:
            left, right = (evaluate(part, values, path) for part in (node.left, node.right))
            result = int((left == right) == (kind in ("Eq", "Eql")))
        case _ if kind in _OPERATORS:
            try:
                result = _OPERATORS[kind](value(node.left), value(node.right))
            except (ArithmeticError, ValueError) as error:
                raise NotConstantError(f"{path}: cannot evaluate {kind}: {error}") from error
        case _:
            what = f"{kind} {getattr(node, 'name', '')}".strip()
            raise NotConstantError(f"{path}: cannot evaluate {what} in a width or a parameter")
    return result


def integer(text: str) -> int:
    """A Verilog integer: 12, 4'd12, 8'hff, with underscores.

    Raises:
        NotConstantError: it has X, Z or ? digits.
    """
    plain = text.replace("_", "").lower()
    if "'" not in plain:
        return int(plain)
    base, digits = re.fullmatch(r"\d*\s*'s?([bodh])\s*([\w?]+)", plain).groups()  # type: ignore[union-attr]  # the lexer's own pattern
    if re.search(r"[xz?]", digits):
        raise NotConstantError(f"expected a number of known digits, got {text}")
    return int(digits, {"b": 2, "o": 8, "d": 10, "h": 16}[base])
