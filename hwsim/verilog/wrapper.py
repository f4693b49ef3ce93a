# SPDX-License-Identifier: Apache-2.0
"""A sign-magnitude wrapper around any unsigned multiplier, printed by pyverilog.

Two's complement in, magnitudes through the core, the product negated where the signs differ: what
`rtl/mul_signed.v` is for the cores that it knows. The wrapper is simulated with its core.
"""

import hashlib
from dataclasses import replace

from ..designs import FIRST, PRODUCT, SECOND
from ..errors import HwsimError
from .circuit import Circuit
from .parameters import literal

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
        core.roles, activation=FIRST, weight=SECOND, product=PRODUCT, ties={}, unread=(),
        declared=(True, True),
    )  # fmt: skip
    # Several wrappers can be compiled together.
    digest = hashlib.sha256(repr((core.top, *core.parameters.items())).encode()).hexdigest()
    top = f"{_TOP}_{digest[:8]}"
    return replace(
        core,
        top=top,
        parameters={},
        roles=roles,
        operands=core.operands.as_signed(),
        signed_from="wrapper",
        core=core,
        wrapper=_verilog(core, top, latency),
    )


def _verilog(core: Circuit, top: str, latency: int) -> str:
    import pyverilog.vparser.ast as v  # noqa: PLC0415  (slow import)
    from pyverilog.ast_code_generator.codegen import ASTCodeGenerator  # noqa: PLC0415  (same)

    roles = core.roles
    a_bits, b_bits = roles.bits
    bits = roles.product_bits

    def span(high: int) -> v.Width:
        return v.Width(v.IntConst(str(high)), v.IntConst("0"))

    def wire(name: str, size: int) -> v.Decl:
        return v.Decl([v.Wire(name, width=span(size - 1))])

    def assign(name: str, value: v.Node) -> v.Assign:
        return v.Assign(v.Lvalue(v.Identifier(name)), v.Rvalue(value))

    def top_bit(name: str, size: int) -> v.Pointer:
        return v.Pointer(v.Identifier(name), v.IntConst(str(size - 1)))

    def negated_if(sign: v.Node, name: str) -> v.Cond:
        return v.Cond(sign, v.Uminus(v.Identifier(name)), v.Identifier(name))

    ports: list[v.Ioport] = []
    connections = {
        roles.activation: v.Identifier("magnitude_a"),
        roles.weight: v.Identifier("magnitude_b"),
        roles.product: v.Identifier("magnitude_p"),
    }
    controls = [name for name in (roles.clock, roles.reset and roles.reset.name) if name]
    controls += [enable.name for enable in roles.enables]
    for name in controls:
        ports.append(v.Ioport(v.Input(name)))
        connections[name] = v.Identifier(name)
    for name, value in roles.ties.items():
        connections[name] = v.IntConst(str(value))
    for name in roles.unread:
        connections[name] = None
    ports += [
        v.Ioport(v.Input(FIRST, width=span(a_bits - 1))),
        v.Ioport(v.Input(SECOND, width=span(b_bits - 1))),
        v.Ioport(v.Output(PRODUCT, width=span(bits - 1))),
    ]
    items = [
        wire("magnitude_a", a_bits),
        wire("magnitude_b", b_bits),
        wire("magnitude_p", bits),
        wire("sign", 1),
        assign("magnitude_a", negated_if(top_bit(FIRST, a_bits), FIRST)),
        assign("magnitude_b", negated_if(top_bit(SECOND, b_bits), SECOND)),
        assign("sign", v.Xor(top_bit(FIRST, a_bits), top_bit(SECOND, b_bits))),
        v.InstanceList(
            core.top,
            [
                v.ParamArg(name, v.Identifier(literal(value)))
                for name, value in core.parameters.items()
            ],
            [
                v.Instance(
                    core.top,
                    "u_core",
                    [v.PortArg(port, net) for port, net in connections.items()],
                    [],
                )
            ],
        ),
    ]
    late = "sign"
    for stage in range(latency):
        delayed = f"sign_{stage + 1}"
        items += [
            v.Decl([v.Reg(delayed)]),
            v.Always(
                v.SensList([v.Sens(v.Identifier(roles.clock), "posedge")]),
                v.Block(
                    [
                        v.NonblockingSubstitution(
                            v.Lvalue(v.Identifier(delayed)), v.Rvalue(v.Identifier(late))
                        )
                    ]
                ),
            ),
        ]
        late = delayed
    items.append(assign(PRODUCT, negated_if(v.Identifier(late), "magnitude_p")))
    module = v.ModuleDef(top, v.Paramlist(()), v.Portlist(tuple(ports)), tuple(items))
    text = ASTCodeGenerator().visit(v.Source("", v.Description([module])))
    return f"`default_nettype wire\n{text}\n"
