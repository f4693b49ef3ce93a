# SPDX-License-Identifier: Apache-2.0
"""What each module of a design is written with, before it is flattened."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from .synthesis import TOP

_RESIZED = re.compile(r"Resizing cell port (\S+) from (\d+) bits? to (\d+) bits?")
_SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "pow": "**", "divfloor": "/",
    "modfloor": "%", "and": "&", "or": "|", "xor": "^", "xnor": "~^", "not": "~",
    "neg": "- (unary)", "pos": "+ (unary)", "logic_not": "!", "logic_and": "&&",
    "logic_or": "||", "reduce_and": "& (reduction)", "reduce_or": "| (reduction)",
    "reduce_xor": "^ (reduction)", "reduce_xnor": "~^ (reduction)",
    "reduce_bool": "| (reduction)", "shl": "<<", "shr": ">>", "sshl": "<<<", "sshr": ">>>",
    "shift": "[] (variable)", "shiftx": "[] (variable)", "lt": "<", "gt": ">", "le": "<=",
    "ge": ">=", "eq": "==", "ne": "!=", "eqx": "===", "nex": "!==", "mux": "?:", "pmux": "case",
    "memrd": "memory read", "memrd_v2": "memory read",
}  # fmt: skip


def operators(tree: Mapping[str, Any], top: str) -> dict[str, dict[str, int]]:
    """How many of each operator each module has, as Yosys elaborates it.

    Args:
        tree: modules of Yosys' JSON by name, not flattened.
        top: what the design's top is called.
    """
    # Slang may leave no module but the outermost.
    modules = {name: module for name, module in tree.items() if name != TOP} or {top: tree[TOP]}
    variants = Counter(_spelt(name, module) for name, module in modules.items())
    found = {}
    for name, module in modules.items():
        spelt = _spelt(name, module)
        given = f" ({_parameters(module)})" if variants[spelt] > 1 else ""
        kinds = [cell["type"].removeprefix("$") for cell in module["cells"].values()]
        counts = Counter(_SYMBOLS[kind] for kind in kinds if kind in _SYMBOLS)
        found[spelt + given] = dict(sorted(counts.items(), key=lambda x: (-x[1], x[0])))
    return found


def widths(log: str, tree: Mapping[str, Any]) -> Iterator[str]:
    """Ports that are connected to more or fewer bits than they have, each a clause.

    Args:
        log: of Yosys.
        tree: its modules by name.
    """
    for port, given, bits in _RESIZED.findall(log):
        name = next(name for name in tree if port.startswith(f"{name}."))
        path = _spelt(name, tree[name]) + port.removeprefix(name)
        yield f"{path} of {bits} bits is connected to {given}"


def _spelt(name: str, module: Mapping[str, Any]) -> str:
    """A module's name in the Verilog, which those with parameters of their own have no more."""
    spelt: str = module["attributes"].get("hdlname", name)
    return spelt.removeprefix("\\")


def _parameters(module: Mapping[str, Any]) -> str:
    values = module.get("parameter_default_values", {})
    return ", ".join(
        f"{name}={int(value, 2) if re.fullmatch('[01]+', value) else value}"
        for name, value in values.items()
    )
