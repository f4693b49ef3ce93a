# SPDX-License-Identifier: Apache-2.0
"""The multipliers of `rtl/`: parameters, legality, label, formula; one file a family.

To add a family, put one module here that defines `FAMILY`, and its Verilog into `rtl/`. A module
may import the ground floor of `hwsim` and nothing that simulates.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from .family import FIRST, PRODUCT, SECOND, WIDTHS, Args, Family, Integers

__all__ = ["FIRST", "PRODUCT", "SECOND", "WIDTHS", "Args", "Family", "Integers", "families"]


def families() -> Mapping[str, Family]:
    """Every family by name, simple ones first: `FAMILY` of each module here that defines one."""
    return _families(tuple(__path__))


@cache
def _families(folders: tuple[str, ...]) -> Mapping[str, Family]:
    modules = (
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(folders)
    )
    defined = [module.FAMILY for module in modules if hasattr(module, "FAMILY")]
    defined.sort(key=lambda family: (len(family.parameters), family.name))
    return {family.name: family for family in defined}
