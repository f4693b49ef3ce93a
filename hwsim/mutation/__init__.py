# SPDX-License-Identifier: Apache-2.0
"""How good is the gate? Mutants of the Verilog, each killed, equivalent or survived."""

from .alternatives import Change
from .gate import MODULES
from .mutants import Mutant, mutants
from .runner import Kill, Killer
from .score import MutationReport, Outcome, Verdict, draw, mutate

__all__ = [
    "MODULES",
    "Change",
    "Kill",
    "Killer",
    "Mutant",
    "MutationReport",
    "Outcome",
    "Verdict",
    "draw",
    "mutants",
    "mutate",
]
