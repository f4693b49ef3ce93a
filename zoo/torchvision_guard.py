# SPDX-License-Identifier: Apache-2.0
"""Import torchvision beside a CPU build of torch.

PyPI's torchvision is compiled against the CUDA build of torch. Beside a CPU build its compiled
operators do not load, and `import torchvision` fails while registering fake kernels for operators
that then do not exist (`operator torchvision::nms does not exist`). axhil uses models, data sets
and transforms only, none of which calls those operators; declaring their schemas lets the import
pass. Nothing is declared where the compiled library loads.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

import torch

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


@cache
def _declared() -> torch.library.Library:
    """Declare the missing schemas once; the library object must outlive them."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    return library


def _compiled_operators_load() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # let the import itself say what is wrong
    libraries = sorted(Path(spec.origin).parent.glob("_C.*"))
    try:
        for library in libraries:
            torch.ops.load_library(str(library))
    except OSError:
        return False
    return bool(libraries)


@cache
def torchvision(submodule: str = "") -> ModuleType:
    """Return torchvision, or one of its submodules, imported behind the guard.

    Args:
        submodule: dotted name below `torchvision`, e.g. ``"models"``; empty for the package.

    Returns:
        The imported module.

    Raises:
        ImportError: torchvision is not installed, or fails for a reason of its own.
    """
    if not _compiled_operators_load():
        _declared()
    return importlib.import_module(f"torchvision.{submodule}" if submodule else "torchvision")
