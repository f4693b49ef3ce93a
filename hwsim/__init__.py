# SPDX-License-Identifier: Apache-2.0
"""What the hardware really computes: multipliers from RTL to complete product tables."""

from .catalog import PAPER_MULTIPLIERS, Multiplier, legal_multipliers, parse_multiplier
from .design import Design
from .errors import HwsimError
from .extraction import extract, extract_design
from .golden_tables import golden
from .harness import standalone
from .lut import Lut
from .metrics import ErrorMetrics, QuadrantError, error_metrics
from .verify import Difference, VerifyReport, compare, verify

__all__ = [
    "PAPER_MULTIPLIERS",
    "Design",
    "Difference",
    "ErrorMetrics",
    "HwsimError",
    "Lut",
    "Multiplier",
    "QuadrantError",
    "VerifyReport",
    "compare",
    "error_metrics",
    "extract",
    "extract_design",
    "golden",
    "legal_multipliers",
    "parse_multiplier",
    "standalone",
    "verify",
]
