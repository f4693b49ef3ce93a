# SPDX-License-Identifier: Apache-2.0
"""Who says whether the operands of a user's multiplier are signed."""

import re
from typing import Literal

from ..errors import HwsimError
from ..operands import Asked, Operand, Operands, UnknownOperandsError
from .reading.reading import Reading
from .roles import Roles

SignedFrom = Literal["declared", "option", "name", "wrapper"]

_NAMED = re.compile(
    r"(?:^|_)mul(?:t|tiplier)?\d+(?:x\d+)?(?P<kind>s|u)(?:_|$)"
    r"|(?:^|_)(?:(?P<unsigned>u\d*|unsigned)|(?P<signed>signed))(?:_|$)",
    re.IGNORECASE,
)


def settle_signs(
    reading: Reading, roles: Roles, asked: Asked
) -> tuple[Operands, SignedFrom, tuple[str, ...]]:
    """The operands, from the declarations, else the user, else the module's name.

    Args:
        reading: whose they are.
        roles: which ports they are.
        asked: the user's word.

    Returns:
        The operands, who says which are signed, and sentences about what was concluded.

    Raises:
        UnknownOperandsError: nothing says it.
        HwsimError: the user contradicts the Verilog.
    """
    name, ports, notes = reading.name, (roles.activation, roles.weight), []
    declared_unsigned = [port.partition("[")[0].lower() in reading.unsigned for port in ports]
    for port, bits, requested in zip(ports, roles.bits, asked.bits, strict=True):
        if requested not in {None, bits}:
            raise HwsimError(f"{name}: expected operands of {requested} bits, got {port} of {bits}")
    signs: list[bool | None] = []
    for port, declared, never, requested in zip(
        ports, roles.declared, declared_unsigned, asked.signs, strict=True
    ):
        if (declared and requested is False) or (never and requested):
            kind = "signed" if declared else "unsigned"
            raise HwsimError(f"{name}: {port} is declared {kind}, got {asked.sign_words}")
        signs.append(True if declared else False if never else requested)
    cast = [
        port
        for port in ports
        if re.search(rf"\$signed\s*\(\s*{re.escape(port)}\s*\)", reading.text)
    ]
    guess = None if cast else _named_sign(reading.top)
    if any(roles.declared) or all(declared_unsigned):
        source: SignedFrom = "declared"
        for port, sign in zip(ports, signs, strict=True):
            if sign is None:
                notes.append(
                    f"{port} is taken as unsigned: the other operand is declared signed and it is "
                    "not"
                )
    elif None not in signs:
        source = "option"
        unsigned = [port for port, sign in zip(ports, signs, strict=True) if not sign]
        for port in unsigned if len(cast) == len(ports) else ():
            notes.append(
                f"{port} is taken as unsigned, as requested, although the Verilog computes with "
                f"$signed({port})"
            )
    elif guess is not None:
        source, signs = "name", [guess] * 2
        kind = "signed" if guess else "unsigned"
        notes.append(
            f"the operands are taken as {kind} from the name {reading.top}; say --{kind} to be sure"
        )
    else:
        file = reading.sources[0].name
        raise UnknownOperandsError(
            f"{name}: the Verilog does not declare its operands signed, which netlists leave out; "
            f"say {file}[signed] (two's complement), {file}[unsigned], or {file}[wrap] to put an "
            "unsigned core into a sign-magnitude wrapper"
        )
    activation, weight = (
        Operand(bits, bool(sign)) for bits, sign in zip(roles.bits, signs, strict=True)
    )
    return Operands(activation, weight), source, tuple(notes)


def _named_sign(top: str) -> bool | None:
    """Signed or not by the words of a module's name; None where they do not agree."""
    found = {
        bool(match["signed"]) or (match["kind"] or "").lower() == "s"
        # Words share the underscores between them.
        for match in (_NAMED.search(f"_{word}_") for word in top.split("_"))
        if match is not None and top.lower() != "u"  # which is what anything may be called
    }
    return found.pop() if len(found) == 1 else None
