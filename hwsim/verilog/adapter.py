# SPDX-License-Identifier: Apache-2.0
"""Somebody's circuit under the ports that the project's own designs have."""

from pathlib import Path

from ..designs.design import FIRST, PRODUCT, SECOND, Design, literal
from ..errors import HwsimError
from .circuit import Circuit
from .syntax import preprocess
from .wrapper import TOP as WRAPPER
from .wrapper import sign_magnitude

TOP = "axhil_adapter"


def adapted(circuit: Circuit, folder: Path) -> Design:
    """A signed design around a circuit: its operands by role, an unsigned core wrapped.

    Args:
        circuit: combinational.
        folder: where to put the Verilog that is generated; it must stay while the design is used.

    Raises:
        HwsimError: a clocked circuit, or a product that is not twice as wide as an operand.
    """
    roles = circuit.roles
    if roles.clock is not None:
        raise HwsimError(
            f"{circuit.name}: expected a combinational multiplier to put under a network, got one "
            f"with the clock {roles.clock}"
        )
    if roles.product_width != 2 * roles.width:
        raise HwsimError(
            f"{circuit.name}: expected a product of {2 * roles.width} bits to put under a network, "
            f"got {roles.product_width}"
        )
    if circuit.signed:
        top, text = TOP, _adapter(circuit)
    else:
        top = WRAPPER
        text, _ = sign_magnitude(circuit.top, circuit.parameters, roles, latency=0)
    path = folder / f"{top}.v"
    path.write_text(text)
    sources = (*_core(circuit, folder), path)
    return Design(circuit.name, top, {}, sources, width=roles.width, signed=True)


def _core(circuit: Circuit, folder: Path) -> tuple[Path, ...]:
    """The circuit's own Verilog, in one file if it needs more than its sources."""
    alone = {*circuit.files} <= {*circuit.sources}
    if alone and circuit.text is None and not circuit.memories:
        return circuit.sources
    text = circuit.text or preprocess(circuit.sources, includes=circuit.includes).text
    for name, memory in circuit.memories.items():
        # The simulator runs in a folder of its own.
        text = text.replace(f'"{name}"', f'"{memory.resolve()}"')
    path = folder / "core.v"
    path.write_text(text, encoding="utf-8")
    return (path,)


def _adapter(circuit: Circuit) -> str:
    roles = circuit.roles
    nets = {roles.activation: FIRST, roles.weight: SECOND, roles.product: PRODUCT}
    nets |= {enable.name: f"1'b{enable.active}" for enable in roles.enables}
    nets |= {name: str(value) for name, value in roles.ties.items()}
    nets |= dict.fromkeys(roles.unread, "")
    given = ", ".join(f".{name} ({literal(value)})" for name, value in circuit.parameters.items())
    # A space ends an escaped identifier, and does no harm after another.
    wired = ",\n    ".join(f".{name} ({net})" for name, net in nets.items())
    return (
        "`default_nettype none\n"
        f"module {TOP} (\n"
        f"  input wire [{roles.width - 1}:0] {FIRST},\n"
        f"  input wire [{roles.width - 1}:0] {SECOND},\n"
        f"  output wire [{2 * roles.width - 1}:0] {PRODUCT}\n"
        ");\n"
        f"  {circuit.top} {f'#({given}) ' if given else ''}u_core (\n    {wired}\n  );\n"
        "endmodule\n"
        "`default_nettype wire\n"
    )
