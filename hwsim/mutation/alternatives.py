# SPDX-License-Identifier: Apache-2.0
"""What an operator or a constant is replaced with."""

import re
from collections.abc import Iterator
from enum import StrEnum


class Change(StrEnum):
    """What kind of change a mutant is."""

    operator = "operator"
    """Another arithmetic, bitwise, relational, logical or shift operator, or one operand alone."""
    constant = "constant"
    """One more, one less, 0, all ones."""
    select = "select"
    """An index, a bound of a select or a shift's amount, one off."""
    condition = "condition"
    """Negated, forced true or false, branches swapped."""
    bit = "bit"
    """One bit of an assigned value stuck at 0 or 1."""
    operand = "operand"
    """Another signal or parameter of the same kind, or the complement."""
    statement = "statement"
    """A statement or a `signed` removed."""


MARKS = {
    "Plus": "+", "Minus": "-", "Times": "*", "Divide": "/", "Mod": "%", "Power": "**",
    "Sll": "<<", "Srl": ">>", "Sla": "<<<", "Sra": ">>>",
    "And": "&", "Or": "|", "Xor": "^", "Xnor": "~^",
    "Eq": "==", "NotEq": "!=", "LessThan": "<", "LessEq": "<=", "GreaterThan": ">",
    "GreaterEq": ">=", "Eql": "===", "NotEql": "!==", "Land": "&&", "Lor": "||",
}  # fmt: skip
"""By pyverilog's name of a binary operator: how it is written."""
RELATIONS = ("==", "!=", "<", "<=", ">", ">=")
OTHERS: dict[str, tuple[str, ...]] = {
    "+": ("-", "*", "|", "^", "&"),
    "-": ("+", "*", "^", "|", "&"),
    "*": ("+", "-", "/", "%", "**", "&", "|", "^", "<<", ">>"),
    "/": ("*", "%", "+", "-"),
    "%": ("/", "*", "+", "-"),
    "**": ("*", "+", "<<"),
    # For `<<<` there is no `<<`: the two are one operator.
    "<<": (">>", "+", "*", "&"),
    ">>": ("<<", "+", "&"),
    "<<<": (">>>", ">>", "+"),
    ">>>": (">>", "<<<"),
    "&": ("|", "^", "~^", "+"),
    "|": ("&", "^", "~^", "+"),
    "^": ("&", "|", "~^", "+"),
    "~^": ("^", "&", "|"),
    "&&": ("||", "!="),
    "||": ("&&", "!="),
    "===": ("!==",),
    "!==": ("===",),
    **{mark: tuple(other for other in RELATIONS if other != mark) for mark in RELATIONS},
}
"""By binary operator: what it becomes."""
UNARY: dict[str, tuple[str, ...]] = {
    "Uminus": ("~", ""),
    "Unot": ("-", ""),
    "Ulnot": ("",),
    "Uand": ("|", "^"),
    "Uor": ("&", "^"),
    "Uxor": ("&", "|"),
}
"""By pyverilog's name of a unary operator: what it becomes; nothing is the operand alone."""


def constants(text: str) -> Iterator[str]:
    """One more, one less, 0 and all ones, in the notation of the original."""
    match = re.fullmatch(r"(\d+)'(s?)([bodhBODH])(\w+)", text)
    if match is None:
        if text.isdecimal():
            value = int(text)
            yield from (
                str(other)
                for other in dict.fromkeys((value - 1, value + 1, 0, -1))
                if other != value
            )
        return
    size, signed, base, digits = match.groups()
    radix = {"b": 2, "o": 8, "d": 10, "h": 16}[base.lower()]
    try:
        value = int(digits.replace("_", ""), radix)
    except ValueError:  # x and z
        return
    top = 2 ** int(size)
    for other in dict.fromkeys(((value + 1) % top, (value - 1) % top, 0, top - 1)):
        if other != value:
            yield f"{size}'{signed}d{other}"
