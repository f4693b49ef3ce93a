# SPDX-License-Identifier: Apache-2.0
"""The command line: each command parses, calls the packages, and prints.

A command is a function in the file of its group and a line in `main`; whatever reads a multiplier
has the options of `multipliers`, and whatever prints a result has `--json` from `console`.
"""

if __name__ != "axhil.cli":
    raise ImportError("expected: import axhil.cli")

from .main import main

__all__ = ["main"]
