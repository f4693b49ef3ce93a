# SPDX-License-Identifier: Apache-2.0
"""Run the kernels of an installed wheel with every instruction set that this processor has.

Usage: python scripts/check_wheel.py

cibuildwheel calls it on each machine; call it to know what a wheel does on yours.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

import axhil
from axhil.emulation.native import LutKernel, supported_isas, unavailable_reason
from axhil.hwsim.netlist.native import module


def main() -> None:
    """Compare the sums of one layer with NumPy's, an instruction set after the other."""
    where = Path(axhil.__file__).parent
    checkout = Path(__file__).resolve().parent.parent
    if where.is_relative_to(checkout):
        sys.exit(f"expected an installed wheel, got the checkout at {where}")
    if reason := unavailable_reason():
        sys.exit(f"expected kernels in the wheel at {where}, got none: {reason}")
    gates = module()
    if gates is None or tuple(gates.supported()) != supported_isas():
        sys.exit(f"expected the same instruction sets of both kernels, got {supported_isas()}")
    rng = np.random.default_rng(0)
    table = rng.integers(-16384, 16384, (256, 256), dtype=np.int32)
    images = rng.integers(-128, 128, (65, 5, 4, 4)).astype(np.int8)
    weights = rng.integers(-128, 128, (7, 5, 1, 1)).astype(np.int8)
    # (N, 1, C, H, W) and (1, O, C, 1, 1) bit patterns; the sum is over C.
    patterns = images.astype(int)[:, None] & 255, weights.astype(int)[None] & 255
    expected = table[patterns].sum(axis=2)
    for isa in supported_isas():
        os.environ["AXHIL_ISA"] = isa
        if not np.array_equal(LutKernel(table, weights).accumulate(images), expected):
            sys.exit(f"{isa}: expected the sums of NumPy, got others")
        sys.stdout.write(f"{isa}: equal to NumPy\n")


if __name__ == "__main__":
    main()
