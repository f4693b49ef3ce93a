# SPDX-License-Identifier: Apache-2.0
"""What a network built from a multiplier computes: quantised layers over a table of products.

Imports `hwsim` and torch. `convert` prepares a network and puts multipliers into its layers; a kind
of module is a class in `layers`, a way to compute its sums a file in `backends`, and all are equal
to `products.definition` to the last bit.
"""

if __name__ != "axhil.emulation":
    raise ImportError("expected: import axhil.emulation")


from .convert import convert, prepare
from .errors import EmulationError
from .layers import LutConv2d, LutLinear
from .plan import LayerPlan
from .prepared import EmulatedNetwork, Prepared, Settings
from .products.accumulator import Accumulator
from .products.external import External
from .products.geometry import Geometry
from .quantise.calibrate import Calibration

__all__ = [
    "Accumulator",
    "Calibration",
    "EmulatedNetwork",
    "EmulationError",
    "External",
    "Geometry",
    "LayerPlan",
    "LutConv2d",
    "LutLinear",
    "Prepared",
    "Settings",
    "convert",
    "prepare",
]
