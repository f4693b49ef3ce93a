# SPDX-License-Identifier: Apache-2.0
"""What the hardware really computes: multipliers from RTL to complete product tables.

Imports numpy alone; a simulator's tools only inside the functions that simulate. On the ground
floor `operands`, `lut` and `metrics`; a family of multipliers is a file in `designs`, a table
format one in `formats`, a program to run one in `tools`.
"""

if __name__ != "axhil.hwsim":
    raise ImportError("expected: import axhil.hwsim")

from .errors import HwsimError
from .lut import Lut
from .metrics import ErrorMetrics, QuadrantError, error_metrics
from .multipliers import PAPER_MULTIPLIERS, Catalogued, extract, golden, legal_multipliers
from .multipliers.comparing.difference import Difference
from .multipliers.comparing.sampling import Sample, sample
from .multipliers.comparing.verify import VerifyReport, compare, verify
from .multipliers.tabulating.tabulation import tabulate
from .netlist.inspection import Inspection, inspect
from .operands import Operand, Operands
from .simulation.live import LiveMultiplier
from .simulation.live_harness import Window
from .simulation.mac import MacArray, run_mac_arrays
from .standalone import standalone
from .verilog.circuit import Circuit, read_circuit

__all__ = [
    "PAPER_MULTIPLIERS",
    "Catalogued",
    "Circuit",
    "Difference",
    "ErrorMetrics",
    "HwsimError",
    "Inspection",
    "LiveMultiplier",
    "Lut",
    "MacArray",
    "Operand",
    "Operands",
    "QuadrantError",
    "Sample",
    "VerifyReport",
    "Window",
    "compare",
    "error_metrics",
    "extract",
    "golden",
    "inspect",
    "legal_multipliers",
    "read_circuit",
    "run_mac_arrays",
    "sample",
    "standalone",
    "tabulate",
    "verify",
]
