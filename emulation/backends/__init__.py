# SPDX-License-Identifier: Apache-2.0
"""The ways to compute a layer's sums, all equal to `definition` to the last bit.

A way is one module here with one class under `@backend`: `supports` says where it works, `cost` how
long it takes, and an object of it maps activations to sums. `choose` takes the cheapest. A new
module in this folder is found by itself.
"""

if __name__ != "axhil.emulation.backends":
    raise ImportError("expected: import axhil.emulation.backends")

import importlib
import pkgutil

from .backend import BACKENDS, Backend, Computation, backend
from .choice import AUTO, Choice, PortableWarning, choose


def discover() -> None:
    """Import every module of this folder, so that its backend is known."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


discover()

__all__ = [
    "AUTO",
    "BACKENDS",
    "Backend",
    "Choice",
    "Computation",
    "PortableWarning",
    "backend",
    "choose",
    "discover",
]
