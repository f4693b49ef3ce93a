# SPDX-License-Identifier: Apache-2.0
"""From a word to a multiplier and its table: find, tabulate, compare, verify.

`find` is the only reader of words and files that name a multiplier. A new kind of source is a file
here that has what `Multiplier` asks for, and a line in `find`; a new table format is a file in
`formats` and nothing here. `tabulating` makes tables of circuits, `comparing` holds one multiplier
against another.
"""

from .assignment import Assignment, assignments
from .catalogued import PAPER_MULTIPLIERS, S8, Catalogued, golden, legal_multipliers
from .extraction import extract
from .find import NETWORKS, Request, find, find_pair
from .from_file import FromFile, Tabulated
from .from_model import FromModel
from .from_verilog import FromVerilog
from .multiplier import Multiplier, make_tables
from .source import VerilogSource

__all__ = [
    "NETWORKS",
    "PAPER_MULTIPLIERS",
    "S8",
    "Assignment",
    "Catalogued",
    "FromFile",
    "FromModel",
    "FromVerilog",
    "Multiplier",
    "Request",
    "Tabulated",
    "VerilogSource",
    "assignments",
    "extract",
    "find",
    "find_pair",
    "golden",
    "legal_multipliers",
    "make_tables",
]
