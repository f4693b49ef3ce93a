# SPDX-License-Identifier: Apache-2.0
"""Verilog text without its comments."""

import re
from collections.abc import Iterator

# Behind a backslash everything up to a blank is a name, \x/* and \x" among them.
_NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\\[^ \t\b\f\r\n]+', re.DOTALL)
# The comments that a synthesiser obeys: what lies between two of them is simulated alone.
_PRAGMA = re.compile(
    r"//[ \t]*(?:synthesis|synopsys|pragma)[ \t]+(?:translate|synthesis)_o(?:n|ff)\s*"
)


def without_comments(text: str, *, strings: bool = True, pragmas: bool = False) -> str:
    """The text with comments blanked out, line by line as long as before.

    Args:
        text: Verilog.
        strings: keep the contents of strings; they are blanked out too otherwise.
        pragmas: keep comments that say what is not synthesised.
    """

    def blank(match: re.Match[str]) -> str:
        found = match[0]
        if found.startswith('"'):
            return found if strings else '""'
        if found.startswith("\\"):
            return found
        if pragmas and _PRAGMA.fullmatch(found):
            return found
        return " " + "\n" * found.count("\n")

    return _NOISE.sub(blank, text)


def located_lines(text: str, file: str) -> Iterator[tuple[str, int, str]]:
    """(file, number, line) of every line, where `line directives say that it came from.

    Args:
        text: Verilog.
        file: of lines before the first directive.
    """
    number = 0
    for line in text.splitlines():
        if mark := re.match(r'`line (\d+) "(.*)" \d', line):
            file, number = mark[2], int(mark[1]) - 1
            continue
        number += 1
        yield file, number, line
