# SPDX-License-Identifier: Apache-2.0
"""What a multiplier costs: gates by Yosys, cells of a Liberty file, look-up tables of an FPGA.

A target (`cells`, `generic`) says what is made and what is measured; `portfolio` makes every design
in every way, `cost` holds multipliers against exact ones. Another technology is another `Target`.
"""

from .cells import Cells
from .cost import Cost, Costs, costs
from .energy import ORDERS, Stream, Workload
from .generic import ICE40, XC7, Fpga, Transistors
from .inference import Inference, exact_inferences, inference, on_workloads
from .library import Library
from .portfolio import Implementation, Target
from .record import CostRecord, record_body

__all__ = [
    "ICE40",
    "ORDERS",
    "XC7",
    "Cells",
    "Cost",
    "CostRecord",
    "Costs",
    "Fpga",
    "Implementation",
    "Inference",
    "Library",
    "Stream",
    "Target",
    "Transistors",
    "Workload",
    "costs",
    "exact_inferences",
    "inference",
    "on_workloads",
    "record_body",
]
