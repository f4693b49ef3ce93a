# SPDX-License-Identifier: Apache-2.0
"""Operands that are no port of their own: bits of a bus, or a port for each bit."""

import re
from collections.abc import Sequence

from ..errors import HwsimError
from .ports import Port

_PART = re.compile(r"(.+)\[\s*(\d+)\s*:\s*(\d+)\s*\]")


def with_parts(ports: Sequence[Port], named: Sequence[str], *, where: str) -> list[Port]:
    """The ports, where those of which bits are named have become their parts.

    Args:
        ports: of a module.
        named: names of operands: ports, or bits of one, `ab[15:8]`.
        where: top and file, for messages.

    Raises:
        HwsimError: the parts of a port are not all of it, or there is no such port.
    """
    parts: dict[str, list[tuple[int, int, str]]] = {}
    for text in named:
        if part := _PART.fullmatch(text):
            parts.setdefault(part[1], []).append((int(part[2]), int(part[3]), text))
    found: list[Port] = []
    for port in ports:
        rest = port.width
        for high, low, text in sorted(parts.pop(port.name, []), reverse=True):
            if high != rest - 1 or low > high:
                break
            rest = low
            found.append(Port(text, port.direction, high - low + 1, port.signed))
        else:
            if rest == port.width:
                found.append(port)
                continue
        if rest:
            raise HwsimError(
                f"{where}: expected parts that make up {port.name} of {port.width} bits, such as "
                f"{port.name}[{port.width - 1}:{port.width // 2}] and "
                f"{port.name}[{port.width // 2 - 1}:0], got {' and '.join(named)}"
            )
    if parts:
        known = ", ".join(port.name for port in ports) or "none"
        raise HwsimError(f"{where}: expected a port, got {', '.join(parts)}; it has {known}")
    return found


def one_bus(wide: Sequence[Port]) -> str | None:
    """A way out where both operands seem to come in one bus."""
    if len(wide) != 1 or wide[0].width % 2:
        return None
    name, bits = wide[0].name, wide[0].width
    return (
        f"if {name} holds both, say --a '{name}[{bits - 1}:{bits // 2}]' "
        f"--b '{name}[{bits // 2 - 1}:0]'; else name two with --a and --b"
    )


def single_wires(inputs: Sequence[Port], outputs: Sequence[Port], *, where: str) -> str | None:
    """A way out where operands and product come bit by bit: the wrapper to write."""
    operands, products = (
        [bits for bits in _bundled(ports).values() if len(bits) > 1] for ports in (inputs, outputs)
    )
    whole = [port for port in outputs if port.width > 1]
    if len(operands) != 2 or len(products) + len(whole) != 1:
        return None
    named = dict(zip("abp", [*operands, *products], strict=False))
    pins = [f".{port}({name}[{bit}])" for name, bits in named.items() for bit, port in bits.items()]
    top = {name: max(bits) for name, bits in named.items()}
    for port in whole:
        pins.append(f".{port.name}(p)")
        top["p"] = port.width - 1
    module = where.partition(" (")[0]
    return (
        "they are single wires here: write a module around them, such as `module whole(input "
        f"[{top['a']}:0] a, input [{top['b']}:0] b, output [{top['p']}:0] p); {module} "
        f"u({', '.join(pins)}); endmodule`, into a file, and give this one behind it with --with"
    )


def _bundled(ports: Sequence[Port]) -> dict[str, dict[int, str]]:
    """Ports of one bit by the word and the number that their names consist of."""
    found: dict[str, dict[int, str]] = {}
    for port in ports:
        if port.width == 1 and (
            match := re.fullmatch(r"(.*?\D)_?\[?(\d+)\]?_?(?:i|o|in|out)?", port.name)
        ):
            found.setdefault(match[1].rstrip("_"), {})[int(match[2])] = port.name
    return {stem: dict(sorted(bits.items())) for stem, bits in found.items()}
