# SPDX-License-Identifier: Apache-2.0
"""What judges a mutant of `rtl/`: what it must compute, and the parameters it must refuse.

Two parts. The *gate* is what a change of the Verilog has to get past. For a combinational module:
small widths with every legal parameter, the golden tables, samples at wide operands. For a clocked
one: traces, cycle by cycle, of instances with all kinds of parameters. For both: parameters out of
their range. The *proof* is more of the same, and only what the gate let through meets it: a mutant
that differs there has survived the gate, one that does not is called equivalent.
"""

from pathlib import Path

from ..errors import HwsimError
from .check import Gate
from .clocked import MODULES as CLOCKED
from .clocked import PARTS, clocked_gate
from .tables import MODULES as COMBINATIONAL
from .tables import table_gate

MODULES = (*COMBINATIONAL, *CLOCKED)
"""Files of `rtl/` that have a gate: all of them."""


def gate(module: str, *, rtl: Path, widest: int | None = None) -> Gate:
    """The gate of one file of `rtl/`.

    Args:
        module: one of MODULES.
        rtl: folder of the other files.
        widest: as in `table_gate`; a clocked module has no complete sweep.

    Raises:
        HwsimError: nothing can judge this module, another file is missing, or `widest` is out of
            range or does not apply.
    """
    if module not in MODULES:
        known = ", ".join(f"{name}.v" for name in MODULES)
        raise HwsimError(f"expected a design that has a gate, {known}, got {module}.v")
    is_clocked = module in CLOCKED
    if is_clocked and widest is not None:
        raise HwsimError(
            f"expected no widest complete sweep for {module}.v, which is clocked, got {widest}"
        )
    names = (*COMBINATIONAL, *PARTS[module]) if is_clocked else COMBINATIONAL
    others = tuple(rtl / f"{name}.v" for name in names if name != module)
    missing = [path for path in others if not path.is_file()]
    if missing:
        raise HwsimError(f"expected {missing[0].name} beside {module}.v, found no such file")
    if is_clocked:
        return clocked_gate(module, others)
    return table_gate(module, others, widest=widest)
