# SPDX-License-Identifier: Apache-2.0
"""What a network built from a multiplier computes: quantised layers over a table of products."""

if __name__ != "axhil.emulation":
    raise ImportError("expected: import axhil.emulation")


from .accumulator import Accumulator
from .calibrate import Calibration
from .convert import convert, prepare
from .errors import EmulationError
from .external import External
from .geometry import Geometry
from .layers import LutConv2d, LutLinear
from .plan import LayerPlan
from .prepared import EmulatedNetwork, Prepared, Settings

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
