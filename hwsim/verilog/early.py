# SPDX-License-Identifier: Apache-2.0
"""Names that a module uses before it declares them, which older simulators let pass."""

from collections.abc import Iterator
from typing import Any

_DECLARED = {"Wire", "Reg", "Integer", "Real", "Tri", "WireArray", "RegArray"}


def used_early(module: Any) -> tuple[str, ...]:
    """Names in the order of their declarations.

    Args:
        module: pyverilog's tree.
    """
    used: set[str] = set()
    early: dict[str, None] = {}
    for item in module.items or ():
        if type(item).__name__ == "Decl":
            names = [one.name for one in item.list if type(one).__name__ in _DECLARED]
            early.update(dict.fromkeys(name for name in names if name in used))
        used.update(_names(item))
    return tuple(early)


def _names(node: Any) -> Iterator[str]:
    if type(node).__name__ == "Identifier":
        yield node.name
    # What a block or a function declares for itself is none of the module's.
    if type(node).__name__ not in {"Function", "Task"}:
        for child in node.children():
            yield from _names(child)
