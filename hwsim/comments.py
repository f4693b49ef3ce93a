# SPDX-License-Identifier: Apache-2.0
"""Verilog text without its comments."""

import re

# Behind a backslash everything up to a blank is a name, \x/* and \x" among them.
_NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\\[^ \t\b\f\r\n]+', re.DOTALL)


def without_comments(text: str, *, strings: bool = True) -> str:
    """The text with comments blanked out, line by line as long as before.

    Args:
        text: Verilog.
        strings: keep the contents of strings; they are blanked out too otherwise.
    """

    def blank(match: re.Match[str]) -> str:
        found = match[0]
        if found.startswith('"'):
            return found if strings else '""'
        if found.startswith("\\"):
            return found
        return " " + "\n" * found.count("\n")

    return _NOISE.sub(blank, text)
