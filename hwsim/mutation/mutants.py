# SPDX-License-Identifier: Apache-2.0
"""Single small changes of a Verilog file: what a careless edit could have made of it.

pyverilog parses the file and says where every expression, assignment and statement begins and
ends; each change is then made in the text. Its code generator is not used: of version 1.3, it
writes `x[i +: n]` as `x[i:i+n]` and `x <<< n` as `x(n)`, so what is simulated would no longer be
the file with one change.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from ..comments import without_comments
from .alternatives import Change
from .sites import Sites, one_line
from .spans import parse_with_spans


@dataclass(frozen=True)
class Mutant:
    """A file with one change.

    Attributes:
        number: place in the list of all mutants of the file, from 1.
        change: kind.
        line: of the change, from 1.
        column: of the change, from 1.
        before: the expression or statement as it is, on one line.
        after: what becomes of it.
        start: first character that is replaced.
        end: first character after it.
        replacement: text put there.
    """

    number: int
    change: Change
    line: int
    column: int
    before: str
    after: str
    start: int
    end: int
    replacement: str

    def apply(self, text: str) -> str:
        """The mutated file."""
        return text[: self.start] + self.replacement + text[self.end :]


@lru_cache(maxsize=8)
def mutants(text: str, *, where: str) -> tuple[Mutant, ...]:
    """Every mutant of a file, without duplicates, in the order of the text.

    The words of a `$fatal` sentence are left alone: they change no product and no refusal.

    Args:
        text: Verilog without macros.
        where: file name, for messages.

    Raises:
        HwsimError: pyverilog cannot read it.
    """
    tree, spans = parse_with_spans(text, where=where)
    sites = Sites(text, spans)
    for module in (d for d in tree.description.definitions if type(d).__name__ == "ModuleDef"):
        sites.module(module)
    found: dict[str, Mutant] = {}
    for start, end, change, after, simple in sorted(set(sites.edits)):
        before = one_line(text[start:end])
        replacement = after if simple else f"({after})"
        result = text[:start] + replacement + text[end:]
        key = re.sub(r"\s+", "", without_comments(result))
        if before != after and key not in found:
            line, column = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
            found[key] = Mutant(
                len(found) + 1, change, line, column, before, after, start, end, replacement
            )
    return tuple(found.values())
