# SPDX-License-Identifier: Apache-2.0
"""A sign-magnitude wrapper around any unsigned multiplier, in generated Verilog.

Two's complement in, magnitudes through the core, the product negated where the signs differ: what
`rtl/mul_signed.v` is for the cores that it knows. The wrapper is simulated with its core.
"""

import hashlib
import itertools
from dataclasses import replace

from ..designs import FIRST, PRODUCT, SECOND
from ..errors import HwsimError
from .circuit import Circuit, identifier
from .ports import Interface, Port

_TOP = "axhil_sign_magnitude"


def wrapped(core: Circuit, *, latency: int = 0) -> Circuit:
    """A signed circuit around an unsigned core.

    Args:
        core: the circuit.
        latency: its cycles; the sign waits as long.

    Returns:
        The wrapper: operands a_i, the row of the table, and b_i, the column; product p_o.

    Raises:
        HwsimError: the core is signed.
    """
    if any(core.operands.signs):
        raise HwsimError(
            f"{core.name}: expected an unsigned core for the sign-magnitude wrapper, got a "
            "signed one; it serves signed networks as it is"
        )
    roles = replace(
        core.roles, activation=FIRST, weight=SECOND, product=PRODUCT, enables=(), ties={},
        unread=(), declared=(True, True),
    )  # fmt: skip
    bits = {FIRST: roles.bits[0], SECOND: roles.bits[1]}
    ports = [Port(name, "input", 1) for name in _edges(core)]
    ports += [Port(name, "input", width, signed=True) for name, width in bits.items()]
    ports.append(Port(PRODUCT, "output", roles.product_bits, signed=True))
    # Several wrappers can be compiled together.
    digest = hashlib.sha256(repr((core.top, *core.parameters.items())).encode()).hexdigest()
    top = f"{_TOP}_{digest[:8]}"
    return replace(
        core,
        top=top,
        parameters={},
        interface=Interface(tuple(ports), {}),
        roles=roles,
        operands=core.operands.as_signed(),
        signed_from="wrapper",
        core=core,
        wrapper=_verilog(core, top, latency),
    )


def _edges(core: Circuit) -> list[str]:
    """Clock and reset, where there are any."""
    reset = None if core.roles.reset is None else core.roles.reset.name
    return [name for name in (core.roles.clock, reset) if name is not None]


def _verilog(core: Circuit, top: str, latency: int) -> str:
    roles = core.roles
    (a, b), p = (bits - 1 for bits in roles.bits), roles.product_bits - 1
    nets = {roles.activation: "magnitude_a", roles.weight: "magnitude_b"}
    nets[roles.product] = "magnitude_p"
    nets |= {name: identifier(name) for name in _edges(core)}
    ports = [f"input {identifier(name)}" for name in _edges(core)]
    ports += [f"input [{a}:0] {FIRST}", f"input [{b}:0] {SECOND}", f"output [{p}:0] {PRODUCT}"]
    waits = [f"sign_{stage}" for stage in range(latency + 1)]
    stages = "".join(
        f"  reg {late};\n  always @(posedge {identifier(roles.clock or '')}) {late} <= {early};\n"
        for early, late in itertools.pairwise(waits)
    )
    return (
        "`default_nettype wire\n"
        f"module {top} ({', '.join(ports)});\n"
        f"  wire [{a}:0] magnitude_a = {FIRST}[{a}] ? -{FIRST} : {FIRST};\n"
        f"  wire [{b}:0] magnitude_b = {SECOND}[{b}] ? -{SECOND} : {SECOND};\n"
        f"  wire [{p}:0] magnitude_p;\n"
        f"  wire {waits[0]} = {FIRST}[{a}] ^ {SECOND}[{b}];\n"
        f"{core.instance('u_core', nets)}"
        f"{stages}"
        f"  assign {PRODUCT} = {waits[-1]} ? -magnitude_p : magnitude_p;\n"
        "endmodule\n"
    )
