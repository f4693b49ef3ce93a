# SPDX-License-Identifier: Apache-2.0
"""Convolutions of integer codes through a multiplier's table, in C++.

`LutKernel` takes any table; `ProductKernel` takes one that factorises and is faster still. Both
are bit-identical to the NumPy definition. The extension is optional: where it was not built,
`available()` is False, `unavailable_reason()` says why, and constructing a kernel raises.
"""

from .extension import ISAS, NOT_BUILT, available, isa, supported_isas, unavailable_reason
from .kernel import LutKernel, ProductKernel, gather_baseline

__all__ = [
    "ISAS",
    "NOT_BUILT",
    "LutKernel",
    "ProductKernel",
    "available",
    "gather_baseline",
    "isa",
    "supported_isas",
    "unavailable_reason",
]
