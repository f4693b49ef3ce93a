# SPDX-License-Identifier: Apache-2.0
"""The committed tables of the paper's seven multipliers: signed, 8-bit, no simulator needed."""

from pathlib import Path

from ..designs.catalog import PAPER_MULTIPLIERS, Multiplier
from ..errors import HwsimError
from ..lut import Lut

GOLDEN_DIR = Path(__file__).resolve().parent.parent / "golden"


def golden(multiplier: Multiplier, *, folder: Path | None = None) -> Lut:
    """Loads a committed table.

    Args:
        multiplier: one of PAPER_MULTIPLIERS.
        folder: another folder of `<slug>.npz` files than the committed one.

    Raises:
        HwsimError: there is no table of this multiplier, it is damaged, or it is another's.
    """
    path = (folder or GOLDEN_DIR) / f"{multiplier.slug}.npz"
    if not path.is_file():
        known = ", ".join(map(str, PAPER_MULTIPLIERS))
        raise HwsimError(
            f"no golden table of {multiplier} at {path}: the committed ones are {known}; "
            f"`axhil lut '{multiplier}'` makes one from the Verilog"
        )
    lut = Lut.load(path)
    if lut.name != str(multiplier):
        raise HwsimError(f"expected the table of {multiplier} in {path}, got that of {lut.name}")
    return lut
