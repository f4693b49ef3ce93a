# SPDX-License-Identifier: Apache-2.0
"""A netlist as a program over machine words: gates in order, nets in as few slots as suffice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..operands import Operand, Operands
from .netlist import Gates, Netlist

MEASURED_BITS = 32
"""Bits of a product that `measure` sees: sign or zeros stand above those that there are."""

Slots = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Program:
    """Gates over slots, each of which holds one bit of many operand pairs.

    Attributes:
        name: of the circuit, for messages.
        operands: what goes in.
        product: what comes out.
        gates: as those of a netlist, slots in place of nets. Slot 0 is 0, slot 1 is 1, and no gate
            writes to an operand's slot.
        slots: how many.
        a: of the activation, the lowest bit first.
        b: of the weight.
        p: of the product.
        q: of the product of a second netlist; None where there is none.
    """

    name: str
    operands: Operands
    product: Operand
    gates: Gates
    slots: int
    a: Slots
    b: Slots
    p: Slots
    q: Slots | None = None

    @classmethod
    def of(cls, netlist: Netlist, second: Netlist | None = None) -> "Program":
        """The program of a netlist, or of two beside one another.

        Args:
            netlist: whose product is `p`.
            second: of the same operands; its product is `q`.

        Raises:
            HwsimError: a product is no function of one operand pair, or the operands differ.
        """
        netlist.require_function()
        inputs = [*netlist.a, *netlist.b]
        outputs = [_extended(netlist)]
        gates, nets = netlist.gates, netlist.nets
        if second is not None:
            if second.require_function().operands != netlist.operands:
                raise HwsimError(
                    f"{netlist.name} is of {netlist.operands}, {second.name} of "
                    f"{second.operands}: no products correspond"
                )
            # Its inputs are those of the first; its other nets stand behind.
            number = np.arange(second.nets, dtype=np.int32) + nets
            number[:2] = (0, 1)
            number[[*second.a, *second.b]] = inputs
            more = second.gates.copy()
            more[:, 1:] = number[more[:, 1:]]
            gates, nets = np.concatenate([gates, more]), nets + second.nets
            outputs.append(number[_extended(second)])
        slot, slots, placed = _allocated(gates, nets, inputs, np.concatenate(outputs))
        a, b, p, *q = (slot[np.array(one)] for one in (netlist.a, netlist.b, *outputs))
        return cls(netlist.name, netlist.operands, netlist.product, placed, slots, a, b, p, *q)

    def extended(self, bits: int) -> Slots:
        """The product's slots, the lowest first: so many, with its sign or zeros above its own."""
        own = self.p[: self.product.bits]
        above = own[-1] if self.product.signed else 0
        return np.append(own, np.full(max(0, bits - len(own)), above, np.int32))[:bits]


def _extended(netlist: Netlist) -> NDArray[np.int32]:
    """Nets of the product, up to `MEASURED_BITS` where it has fewer."""
    above = netlist.p[-1] if netlist.product.signed else 0
    missing = max(0, MEASURED_BITS - len(netlist.p))
    return np.array([*netlist.p, *[above] * missing], np.int32)


def _allocated(
    gates: Gates, nets: int, inputs: Sequence[int], outputs: NDArray[np.int32]
) -> tuple[Slots, int, Gates]:
    """A slot for every net; one that nothing reads any more is used again.

    Returns:
        slot: (nets,) of each. How many there are. The gates with slots in place of nets.
    """
    slot = np.zeros(nets, np.int32)
    slot[1] = 1
    kept = dict.fromkeys(inputs)
    slot[list(kept)] = np.arange(2, 2 + len(kept))
    slots, free = 2 + len(kept), list[int]()
    forever = {0, 1, *inputs, *outputs.tolist()}
    last = {net: index for index, gate in enumerate(gates.tolist()) for net in gate[2:]}
    placed = gates.copy()
    for index, (_, output, *sources) in enumerate(gates.tolist()):
        placed[index, 2:] = slot[sources]
        # A gate reads word by word before it writes: it may write where it read.
        free += [
            int(slot[net])
            for net in dict.fromkeys(sources)
            if last[net] == index and net not in forever
        ]
        if free:
            slot[output] = free.pop()
        else:
            slot[output], slots = slots, slots + 1
        placed[index, 1] = slot[output]
        if output not in last and output not in forever:
            free.append(int(slot[output]))
    return slot, slots, placed
