# SPDX-License-Identifier: Apache-2.0
"""Which multiplier in which layer: a search for assignments, and the front of those found.

    spec = read_spec("search_lenet5")
    found = search(spec, Path("out/search_lenet5"))
    print(found.chosen.assignment)

It may import all that a study may, and the study itself, whose engine and store compute and keep
every trial. `measures` is where a new objective goes. What is named here is imported on use: the
command line must start before torch does.
"""

from __future__ import annotations

if __name__ != "axhil.search":
    raise ImportError("expected: import axhil.search")

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import SearchError
    from .front import Found, Point
    from .run import search
    from .sensitivity import Sensitivity
    from .space import Space

_HOMES = {
    "errors": ("SearchError",),
    "front": ("Found", "Point"),
    "run": ("search",),
    "sensitivity": ("Sensitivity",),
    "space": ("Space",),
}

__all__ = ["Found", "Point", "SearchError", "Sensitivity", "Space", "search"]


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
