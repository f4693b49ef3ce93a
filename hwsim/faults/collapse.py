# SPDX-License-Identifier: Apache-2.0
"""Faults that no operands can tell apart, by structure alone.

An input that alone decides a gate's output, stuck at the value that does, is the output stuck: of
an AND any input at 0, of a NOT its input at either. E. J. McCluskey and F. W. Clegg, "Fault
Equivalence in Combinational Logic Networks", IEEE Transactions on Computers C-20, 1971.
"""

from collections.abc import Sequence

from ..netlist.evaluation import FUNCTIONS
from ..netlist.netlist import Netlist
from .stuck_at import Fault, readers

_ALL = 0xFF
_FREE = (0b10101010, 0b11001100, 0b11110000)
"""Truth tables of up to three inputs."""


def classes(netlist: Netlist, faults: Sequence[Fault]) -> list[tuple[Fault, ...]]:
    """Faults in classes that are equivalent gate by gate.

    Args:
        netlist: the gates.
        faults: of it, see `stuck_at_faults`.

    Returns:
        Every fault in one class; classes, and faults in them, in the order of the faults.
    """
    read = readers(netlist)
    order = {fault: place for place, fault in enumerate(faults)}
    leader = {fault: fault for fault in faults}

    def found(fault: Fault) -> Fault:
        while leader[fault] != fault:
            fault = leader[fault]
        return fault

    for fault in faults:
        only = read.get(fault.net, ()) if fault.reader is None else (fault.reader,)
        if len(only) != 1 or only[0] >= len(netlist.gates):
            continue
        kind, output, *sources = netlist.gates[only[0]].tolist()
        value = _decided(kind, sources, fault)
        if value is None or (same := Fault(output, value)) not in order:
            continue
        first, second = sorted((found(fault), found(same)), key=order.__getitem__)
        leader[second] = first
    together: dict[Fault, list[Fault]] = {}
    for fault in faults:
        together.setdefault(found(fault), []).append(fault)
    return [tuple(some) for some in together.values()]


def _decided(kind: int, sources: Sequence[int], fault: Fault) -> int | None:
    """What a gate gives whatever its other inputs are; None: that depends on them."""
    patterns = {0: 0, 1: _ALL, fault.net: _ALL * fault.value}
    free = iter(_FREE)
    for net in sources:
        if net not in patterns:
            patterns[net] = next(free)
    output = FUNCTIONS[kind](*(patterns[net] for net in sources)) & _ALL
    return {0: 0, _ALL: 1}.get(output)
