# SPDX-License-Identifier: Apache-2.0
"""A repository of a user with a gate: a multiplier, its table, and a change of one character."""

import re
from pathlib import Path

from axhil.hwsim import Lut, Operands
from axhil.hwsim.formats import write_table

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "ci.md").read_text()
(MUL,) = re.findall(r'```verilog title="rtl/mul.v"\n(.*?)```', PAGE, re.S)
WRONG = MUL.replace("a << i", "a << 1")  # a 1 for an i


def make_repository(folder):
    """Folders `rtl` and `tables` with a multiplier of unsigned 4-bit operands."""
    for name in ("rtl", "tables"):
        (folder / name).mkdir(parents=True)
    (folder / "rtl" / "mul.v").write_text(MUL)
    products = [[a * b for b in range(16)] for a in range(16)]
    write_table(Lut(products, *Operands.parse("u4")), folder / "tables" / "mul.npz")
