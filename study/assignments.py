# SPDX-License-Identifier: Apache-2.0
"""From what the user typed to what networks are built from."""

from __future__ import annotations

from collections.abc import Sequence

from axhil.emulation.quantise.quantize import refused_operands
from axhil.hwsim import PAPER_MULTIPLIERS, Catalogued, HwsimError
from axhil.hwsim.multipliers import (
    NETWORKS,
    Assignment,
    FromVerilog,
    Multiplier,
    Request,
    assignments,
)
from axhil.hwsim.multipliers.by_gates import ByGates


def network_assignments(
    texts: Sequence[str] | None, request: Request = NETWORKS
) -> list[Assignment]:
    """Find multipliers for a network.

    Args:
        texts: see `hwsim.multipliers.assignments`; None: the paper's seven.
        request: what else is known of them.

    Raises:
        HwsimError: none, one named twice, one that cannot be read, or operands that networks do not
            have.
    """
    words = [str(one) for one in PAPER_MULTIPLIERS] if texts is None else texts
    found = assignments(words, request)
    for one in distinct(found):
        require_codes(one)
    return found


def distinct(found: Sequence[Assignment]) -> list[Multiplier]:
    """The multipliers of several assignments, each once."""
    return list(dict.fromkeys(one for each in found for one in each.multipliers))


def require_codes(multiplier: Multiplier) -> None:
    """Refuses operands that networks are not quantised to.

    Raises:
        HwsimError: says what they are.
    """
    activation, weight = multiplier.operands
    table = not isinstance(multiplier, Catalogued | FromVerilog | ByGates)
    expected = refused_operands(activation, weight, table=table)
    if expected is None:
        return
    kinds = f"{activation}" if activation == weight else f"{activation} x {weight}"
    raise HwsimError(
        f"{multiplier.name}: networks are quantised to {expected}, its operands are {kinds}"
    )
