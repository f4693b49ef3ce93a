# SPDX-License-Identifier: Apache-2.0
"""Wide vectors of single wires become single wires, before a netlist is simulated.

Printed netlists number their wires: `wire [2031:0] N;`, one gate a bit. Every change of a bit sends
the whole vector to all who select from it, which makes Icarus Verilog a thousand times slower than
the same gates on wires of their own. Where every use of a vector selects one bit by a number, the
two are the same circuit.
"""

import re

LEAST = 32
"""Narrower vectors stay as they are."""

_MODULE = re.compile(r"\bmodule\s+(\w+).*?\bendmodule\b", re.DOTALL)
_VECTOR = re.compile(r"\bwire\s*\[\s*(\d+)\s*:\s*(\d+)\s*\]\s*(\w+)\s*;")


def scalarized(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with every such vector taken apart.

    Args:
        text: preprocessed Verilog without comments.

    Returns:
        The new text, and the vectors as `module.vector`; none if there is nothing to take apart.
    """
    found: list[str] = []

    def one_module(match: re.Match[str]) -> str:
        body = match[0]
        for vector in _VECTOR.finditer(body):
            name, ends = vector[3], sorted((int(vector[1]), int(vector[2])))
            rest = body[: vector.start()] + body[vector.end() :]
            uses = list(re.finditer(rf"(?<![\w$.\\]){name}\b", rest))
            picks = list(re.finditer(rf"(?<![\w$.\\]){name}\s*\[\s*(\d+)\s*\]", rest))
            # A pin .N( ) of a cell is another name; a path u.N or an escaped name is not.
            mentions = re.findall(rf"(?<![\w$]){name}(?![\w$]|\s*\()", rest)
            inside = all(ends[0] <= int(pick[1]) <= ends[1] for pick in picks)
            wide = ends[1] - ends[0] + 1 >= LEAST
            if not wide or not picks or not inside or not len(uses) == len(picks) == len(mentions):
                continue
            prefix = f"{name}_"
            while re.search(rf"(?<![\w$]){prefix}\d", body):
                prefix += "_"
            used = sorted({int(pick[1]) for pick in picks})
            wires = f"wire {', '.join(f'{prefix}{index}' for index in used)};"
            body = body.replace(vector[0], wires)
            body = re.sub(
                rf"(?<![\w$.\\]){name}\s*\[\s*(\d+)\s*\]",
                lambda pick, prefix=prefix: f"{prefix}{int(pick[1])}",  # type: ignore[misc]  # bound now
                body,
            )
            found.append(f"{match[1]}.{name}")
        return body

    return _MODULE.sub(one_module, text), tuple(found)
