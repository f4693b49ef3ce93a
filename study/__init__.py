# SPDX-License-Identifier: Apache-2.0
"""The experiment: multipliers x networks x attacks, its store, statistics, figures, and the CLI.

Nothing is imported here: the command line must start before torch does.
"""

if __name__ != "axhil.study":
    raise ImportError("expected: import axhil.study")

__all__: list[str] = []
