# SPDX-License-Identifier: Apache-2.0
"""What the registers of a pipeline hold while operands stream through it, cycle by cycle."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..netlist.evaluation import FUNCTIONS
from ..netlist.netlist import Netlist
from .mapped import Mapped
from .switching import Sources


def between_registers(mapped: Mapped, operands: Sources) -> tuple[Netlist, Sources]:
    """The gates between registers, and what drives them: operands and registers.

    All change at the beginning of a cycle. In the first, registers have what they would have had
    if its operands had always been there.

    Args:
        mapped: the multiplier; of a combinational one the operands alone drive the gates.
        operands: a pair in every cycle.
    """
    netlist = mapped.netlist
    held = {net for one in mapped.registers for _, net in one.outputs}
    if not held:
        return netlist, operands
    cycles = operands.bits.shape[1]
    values: dict[int, NDArray[np.bool_]] = {0: np.zeros(cycles, bool), 1: np.ones(cycles, bool)}
    values |= dict(zip(operands.nets.tolist(), operands.bits.astype(bool), strict=True))
    for kind, out, x, y, z in netlist.gates.tolist():
        found = FUNCTIONS[kind](values[x], values[y], values[z])
        values[out] = np.concatenate([found[:1], found[:-1]]) if out in held else found
    outputs = netlist.gates[:, 1].tolist()
    gates = netlist.gates[[out not in held for out in outputs]]
    registers = np.array(sorted(held), np.int32)
    bits = np.array([values[net] for net in registers.tolist()], np.uint8)
    return replace(netlist, gates=gates), Sources(
        np.concatenate([operands.nets, registers]), np.concatenate([operands.bits, bits])
    )
