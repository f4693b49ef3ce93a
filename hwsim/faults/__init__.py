# SPDX-License-Identifier: Apache-2.0
"""What does a multiplier compute when one of its nets is stuck at 0 or 1?

`stuck_at` lists the faults of gates and makes the gates with one of them; `collapse` says which are
the same by structure, `circuit` what each does to the table, `campaign` what all of them do.
Networks with faults are `study`'s. Another kind of fault is another function from gates to gates.
"""

from .campaign import Campaign
from .circuit import CircuitUnderTest, Effect, Faulty, require_gates
from .collapse import classes
from .stuck_at import Fault, net_names, stuck, stuck_at_faults

__all__ = [
    "Campaign",
    "CircuitUnderTest",
    "Effect",
    "Fault",
    "Faulty",
    "classes",
    "net_names",
    "require_gates",
    "stuck",
    "stuck_at_faults",
]
