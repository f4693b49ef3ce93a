# SPDX-License-Identifier: Apache-2.0
"""The compiled evaluation of gates: whether it is there, and which instruction set it uses."""

import importlib
import os
from types import ModuleType

from ...errors import HwsimError

__all__ = ["isa", "module"]

try:
    _native: ModuleType | None = importlib.import_module("axhil.hwsim.netlist.native._gates")
except ImportError:  # not built: no compiler, or a checkout that was never installed
    _native = None


def module() -> ModuleType | None:
    """The extension; None where it was not built or cannot be loaded."""
    return _native


def isa() -> str:
    """The instruction set to use: the fastest, or what AXHIL_ISA names.

    Raises:
        HwsimError: AXHIL_ISA names none that this build and CPU have.
    """
    assert _native is not None
    supported: list[str] = _native.supported()
    forced = os.environ.get("AXHIL_ISA") or supported[0]
    if forced not in supported:
        raise HwsimError(
            f"AXHIL_ISA={forced} is not supported here; this build and CPU have "
            f"{', '.join(supported)}"
        )
    return forced
