# SPDX-License-Identifier: Apache-2.0
"""Single stuck-at faults of gates: one net, or one branch of it, is 0 or 1 whatever drives it.

R. D. Eldred, "Test Routines Based on Symbolic Logical Statements", JACM 6, 1959.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from ..errors import HwsimError
from ..netlist.netlist import Kind, Netlist


@dataclass(frozen=True)
class Fault:
    """A net that is stuck.

    Attributes:
        net: its number.
        value: 0 or 1.
        reader: the one that is misled, where it is a branch that is stuck: the number of a gate,
            or, from the number of gates on, a bit of the product. None: the stem, and so all.
    """

    net: int
    value: int
    reader: int | None = None


def stuck_at_faults(netlist: Netlist, *, branches: bool = False) -> list[Fault]:
    """Every net of some gates stuck at 0 and at 1: operand bits first, then gates in their order.

    Args:
        netlist: the gates.
        branches: whether the branches of a net that is read more than once follow it. Two inputs of
            one gate that read one net are one branch.

    Raises:
        HwsimError: the product is no function of the operands, or a fault might close a latch.
    """
    netlist.require_function()
    if netlist.enable != 1:
        raise HwsimError(
            f"{netlist.name}: expected gates without latches, since a fault may close one, got "
            f"{'; '.join(netlist.findings.reasons)}"
        )
    read = readers(netlist) if branches else {}
    found = []
    for net in (*dict.fromkeys((*netlist.a, *netlist.b)), *netlist.gates[:, 1].tolist()):
        apart = read.get(net, ())
        sites = (None, *apart) if len(apart) > 1 else (None,)
        found += [Fault(net, value, site) for site, value in product(sites, (0, 1))]
    return found


def readers(netlist: Netlist) -> Mapping[int, list[int]]:
    """What reads each net that is read, numbered as in `Fault`, in ascending order."""
    found: dict[int, list[int]] = {}
    for gate, (_, _, *sources) in enumerate(netlist.gates.tolist()):
        for net in dict.fromkeys(sources):
            found.setdefault(net, []).append(gate)
    for bit, net in enumerate(netlist.p):
        found.setdefault(net, []).append(len(netlist.gates) + bit)
    return found


def stuck(netlist: Netlist, fault: Fault) -> Netlist:
    """The gates with a fault: what reads the net reads the constant."""
    gates, inputs = netlist.gates.copy(), netlist.gates[:, 2:] == fault.net
    misled = [net == fault.net for net in netlist.p]
    if fault.reader is not None:
        inputs &= (np.arange(len(gates)) == fault.reader)[:, None]
        misled = [one and len(gates) + bit == fault.reader for bit, one in enumerate(misled)]
    gates[:, 2:][inputs] = fault.value
    p = (fault.value if one else net for one, net in zip(misled, netlist.p, strict=True))
    return replace(netlist, gates=gates, p=tuple(p))


def net_names(netlist: Netlist) -> Mapping[int, str]:
    """A name for every net that can be stuck.

    A gate inside an expression has that of the next net with a name on its way to the product,
    and its kind and number there, e.g. `sum[3]:xor1`.
    """
    names, inside = dict(netlist.names), dict[int, str]()
    for _, output, *sources in reversed(netlist.gates.tolist()):
        target = names.get(output) or inside.get(output, "unread")
        inside |= dict.fromkeys(sources, target)
    counts: Counter[str] = Counter()
    for kind, output, *_ in netlist.gates.tolist():
        if output not in names:
            stem = f"{inside.get(output, 'unread')}:{Kind(kind).name.strip('_')}"
            counts[stem] += 1
            names[output] = f"{stem}{counts[stem]}"
    return names
