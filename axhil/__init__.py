# SPDX-License-Identifier: Apache-2.0
"""Approximate hardware in the loop: from a multiplier's Verilog to a network's robustness.

The names below are what most programs need; each is loaded at its first use, so that importing
axhil, and working with tables alone, never loads torch. The rest is in the packages: `hwsim`
(multipliers and their tables), `emulation` (networks built from them), `zoo` (networks, weights,
data), `attacks`, `study` and `report`.
"""

import os
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from axhil.errors import AxhilError

if TYPE_CHECKING:
    from axhil.attacks import evaluate, fgsm, parse_attack, pgd
    from axhil.emulation import EmulatedNetwork, convert, prepare
    from axhil.hwsim import Lut, Operand, Operands, compare, error_metrics, tabulate
    from axhil.hwsim.multipliers import Assignment, Multiplier, find
    from axhil.study import read_spec, run_study
    from axhil.zoo import embedded_split, network, pretrained

_HOMES = {
    "attacks": ("evaluate", "fgsm", "parse_attack", "pgd"),
    "emulation": ("EmulatedNetwork", "convert", "prepare"),
    "hwsim": ("Lut", "Operand", "Operands", "compare", "error_metrics", "tabulate"),
    "hwsim.multipliers": ("Assignment", "Multiplier", "find"),
    "study": ("read_spec", "run_study"),
    "zoo": ("embedded_split", "network", "pretrained"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__version__ = version("axhil")
__all__ = [
    "Assignment",
    "AxhilError",
    "EmulatedNetwork",
    "Lut",
    "Multiplier",
    "Operand",
    "Operands",
    "__version__",
    "compare",
    "convert",
    "embedded_split",
    "error_metrics",
    "evaluate",
    "fgsm",
    "find",
    "network",
    "parse_attack",
    "pgd",
    "prepare",
    "pretrained",
    "read_spec",
    "run_study",
    "tabulate",
]


# Threads of GNU OpenMP, torch's, look for work for milliseconds before they sleep, on the cores
# that the compiled layers between torch's want. At a hundredth of that torch loses nothing; it is
# read when torch is loaded.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
