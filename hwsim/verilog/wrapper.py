# SPDX-License-Identifier: Apache-2.0
"""A sign-magnitude wrapper around somebody's unsigned multiplier, printed by pyverilog.

Two's complement in, magnitudes through the core, the product negated where the signs differ: what
`rtl/mul_signed.v` is for the project's own cores. The wrapper is simulated with its core.
"""

from collections.abc import Mapping
from dataclasses import replace

from ..designs.design import FIRST, PRODUCT, SECOND, Parameter, literal
from .roles import Roles

TOP = "axhil_sign_magnitude"


def sign_magnitude(
    core: str, parameters: Mapping[str, Parameter], roles: Roles, *, latency: int
) -> tuple[str, Roles]:
    """The wrapper of an unsigned core.

    Args:
        core: module.
        parameters: values that replace its defaults.
        roles: of its ports.
        latency: cycles of the core; the sign waits as long.

    Returns:
        Verilog-2001 text of the module `axhil_sign_magnitude`, and the roles of its ports:
        operands keep the names of the core's table, a_i rows and b_i columns.
    """
    import pyverilog.vparser.ast as v  # noqa: PLC0415  (slow import)
    from pyverilog.ast_code_generator.codegen import ASTCodeGenerator  # noqa: PLC0415  (same)

    width, bits = roles.width, roles.product_width

    def span(high: int) -> v.Width:
        return v.Width(v.IntConst(str(high)), v.IntConst("0"))

    def wire(name: str, size: int) -> v.Decl:
        return v.Decl([v.Wire(name, width=span(size - 1))])

    def assign(name: str, value: v.Node) -> v.Assign:
        return v.Assign(v.Lvalue(v.Identifier(name)), v.Rvalue(value))

    def top_bit(name: str) -> v.Pointer:
        return v.Pointer(v.Identifier(name), v.IntConst(str(width - 1)))

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
        v.Ioport(v.Input(FIRST, width=span(width - 1))),
        v.Ioport(v.Input(SECOND, width=span(width - 1))),
        v.Ioport(v.Output(PRODUCT, width=span(bits - 1))),
    ]
    items = [
        wire("magnitude_a", width),
        wire("magnitude_b", width),
        wire("magnitude_p", bits),
        wire("sign", 1),
        assign("magnitude_a", negated_if(top_bit(FIRST), FIRST)),
        assign("magnitude_b", negated_if(top_bit(SECOND), SECOND)),
        assign("sign", v.Xor(top_bit(FIRST), top_bit(SECOND))),
        v.InstanceList(
            core,
            [v.ParamArg(name, v.Identifier(literal(value))) for name, value in parameters.items()],
            [
                v.Instance(
                    core, "u_core", [v.PortArg(port, net) for port, net in connections.items()], []
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
    module = v.ModuleDef(TOP, v.Paramlist(()), v.Portlist(tuple(ports)), tuple(items))
    text = ASTCodeGenerator().visit(v.Source("", v.Description([module])))
    wrapped = replace(
        roles, activation=FIRST, weight=SECOND, product=PRODUCT, ties={}, unread=(), declared=True
    )
    return f"`default_nettype wire\n{text}\n", wrapped
