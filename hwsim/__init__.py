# SPDX-License-Identifier: Apache-2.0
"""What the hardware really computes: multipliers from RTL to complete product tables."""

from .catalog import PAPER_MULTIPLIERS, Multiplier, legal_multipliers, parse_multiplier
from .design import Design
from .errors import HwsimError
from .extraction import extract, extract_design
from .frontend import Circuit, read_circuit
from .golden_tables import golden
from .harness import standalone
from .inspection import Inspection, inspect
from .live import LiveMultiplier
from .live_harness import Window
from .lut import Lut
from .mac import MacArray, run_mac_arrays
from .metrics import ErrorMetrics, QuadrantError, error_metrics
from .sampling import Sample, sample
from .tabulation import tabulate
from .verify import Difference, VerifyReport, compare, verify

__all__ = [
    "PAPER_MULTIPLIERS",
    "Circuit",
    "Design",
    "Difference",
    "ErrorMetrics",
    "HwsimError",
    "Inspection",
    "LiveMultiplier",
    "Lut",
    "MacArray",
    "Multiplier",
    "QuadrantError",
    "Sample",
    "VerifyReport",
    "Window",
    "compare",
    "error_metrics",
    "extract",
    "extract_design",
    "golden",
    "inspect",
    "legal_multipliers",
    "parse_multiplier",
    "read_circuit",
    "run_mac_arrays",
    "sample",
    "standalone",
    "tabulate",
    "verify",
]
