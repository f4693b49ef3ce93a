# SPDX-License-Identifier: Apache-2.0
"""The compiled count of edges: whether it is there."""

import importlib
from types import ModuleType

__all__ = ["module"]

try:
    _native: ModuleType | None = importlib.import_module("axhil.hwsim.cost.native._switching")
except ImportError:  # not built: no compiler, or a checkout that was never installed
    _native = None


def module() -> ModuleType | None:
    """The extension; None where it was not built or cannot be loaded."""
    return _native
