# SPDX-License-Identifier: Apache-2.0
"""What the hardware really computes: multipliers from RTL to complete product tables."""

from .catalog import PAPER_MULTIPLIERS, Multiplier, legal_multipliers, parse_multiplier
from .errors import HwsimError
from .lut import Lut

__all__ = [
    "PAPER_MULTIPLIERS",
    "HwsimError",
    "Lut",
    "Multiplier",
    "legal_multipliers",
    "parse_multiplier",
]
