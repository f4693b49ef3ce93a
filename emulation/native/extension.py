# SPDX-License-Identifier: Apache-2.0
"""The compiled extension: whether it is there, and which instruction set it uses."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

from ..errors import EmulationError

try:
    _native: ModuleType | None = importlib.import_module("axhil.emulation.native._kernel")
    _REASON = ""
except ImportError as error:  # not built: no compiler, or a checkout that was never installed
    _native = None
    _REASON = f"the extension emulation.native._kernel cannot be imported ({error})"

NOT_BUILT = "the native kernel is not built"
"""For plans; `unavailable_reason` says more."""

ISAS = ("avx512vbmi", "avx2", "neon", "scalar")
"""Instruction sets, fastest first; AXHIL_ISA forces one."""


def available() -> bool:
    """Whether the extension was built and can be loaded."""
    return _native is not None


def unavailable_reason() -> str:
    """Why `available()` is False; empty where it is True."""
    return _REASON


def module() -> ModuleType:
    """The extension.

    Raises:
        EmulationError: it was not built, or cannot be loaded.
    """
    if _native is None:
        raise EmulationError(
            f"expected the native kernel, but {_REASON}; install axhil where a C++17 compiler is "
            "on PATH, or use the portable path"
        )
    return _native


def supported_isas() -> tuple[str, ...]:
    """The instruction sets that this build and CPU have, fastest first."""
    return tuple(module().supported()) if _native else ()


def isa() -> str:
    """The instruction set that new kernels use.

    Raises:
        EmulationError: AXHIL_ISA names none, or one that this build or CPU lacks.
    """
    module()
    supported = supported_isas()
    forced = os.environ.get("AXHIL_ISA", "")
    if not forced:
        return supported[0]
    if forced not in ISAS:
        raise EmulationError(f"expected AXHIL_ISA to be one of {', '.join(ISAS)}; got {forced!r}")
    if forced not in supported:
        raise EmulationError(
            f"AXHIL_ISA={forced} is not supported here; this build and CPU have "
            f"{', '.join(supported)}"
        )
    return forced
