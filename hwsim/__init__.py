# SPDX-License-Identifier: Apache-2.0
"""What the hardware really computes: multipliers from RTL to complete product tables."""

if __name__ != "axhil.hwsim":
    raise ImportError("expected: import axhil.hwsim")

from .designs.catalog import PAPER_MULTIPLIERS, Multiplier, legal_multipliers, parse_multiplier
from .designs.design import Design
from .errors import HwsimError
from .lut import Lut
from .metrics import ErrorMetrics, QuadrantError, error_metrics
from .multipliers.extraction import extract, extract_design
from .multipliers.golden import golden
from .multipliers.sampling import Sample, sample
from .multipliers.tabulation import tabulate
from .multipliers.verify import Difference, VerifyReport, compare, verify
from .netlist.inspection import Inspection, inspect
from .simulation.harness import standalone
from .simulation.live import LiveMultiplier
from .simulation.live_harness import Window
from .simulation.mac import MacArray, run_mac_arrays
from .verilog.circuit import Circuit, read_circuit

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
