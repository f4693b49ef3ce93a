# SPDX-License-Identifier: Apache-2.0
"""Which port of a user's multiplier does what: operands, product, clock, reset, enable.

Names are a convention and not a fact, so whatever is concluded from one is told as a note.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import HwsimError
from .parts import one_bus, single_wires, with_parts
from .ports import Interface, Port

MAX_OPERAND = 32
"""Widest operands that can be driven."""

_AFFIX = re.compile(r"^(?:i|o|in|out)_|_(?:i|o|in|out|ni|ci)$")
_FIRST = {"a", "x", "op1", "opa", "op_a", "ina", "in_a", "in1", "in0", "multiplicand", "m", "act"}
_SECOND = {"b", "y", "op2", "opb", "op_b", "inb", "in_b", "in2", "in1", "multiplier", "q", "weight"}
_PRODUCT = ["p", "o", "z", "r", "y", "prod", "product", "out", "res", "result", "q", "c", "mul"]
_CLOCK = {"clk", "clock", "ck", "aclk", "clkin", "sysclk"}
_RESET = {"rst", "reset", "arst", "areset", "srst", "sreset", "clr", "clear"}
_RESET_LOW = {"rstn", "resetn", "arstn", "aresetn", "srstn", "nrst", "nreset", "clrn"}
_ENABLE = {"en", "ena", "enable", "ce", "clken", "valid", "start", "go", "vld", "ready"}


@dataclass(frozen=True)
class Control:
    """A one-bit input held at a value.

    Attributes:
        name: the port.
        active: the value that resets, or that enables.
    """

    name: str
    active: int


@dataclass(frozen=True)
class Roles:
    """Which port does what.

    Attributes:
        activation: operand that is the table's row: a port, or bits of one, `ab[15:8]`.
        weight: operand that is the table's column, likewise.
        product: output.
        bits: of the activation and of the weight.
        product_bits: output bits.
        product_shift: bits that the output lacks at its lower end.
        declared: whether the Verilog declares the activation and the weight `signed`; False says
            nothing where both are, as netlists leave it out.
        clock: clock port; None for a combinational design.
        reset: released before the first operands.
        enables: held active.
        ties: other inputs held at a value.
        unread: other outputs, left open.
        notes: sentences about what was concluded from names or order.
    """

    activation: str
    weight: str
    product: str
    bits: tuple[int, int]
    product_bits: int
    declared: tuple[bool, bool]
    product_shift: int = 0
    clock: str | None = None
    reset: Control | None = None
    enables: tuple[Control, ...] = ()
    ties: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def recognise(
    interface: Interface,
    *,
    where: str,
    a: str | None = None,
    b: str | None = None,
    p: str | None = None,
    weight: str | None = None,
    ties: Mapping[str, int] | None = None,
    product_shift: int = 0,
) -> Roles:
    """Finds the operands, the product and the controls among a module's ports.

    Args:
        interface: of the top, parameters in place.
        where: top and file, for messages.
        a: first operand, where its name does not tell; a port, or bits of one, `ab[15:8]`.
        b: second operand, likewise.
        p: product.
        weight: the operand that is the weight, the table's column; the second one otherwise.
        ties: inputs to hold at a value.
        product_shift: bits that the output lacks at its lower end.

    Raises:
        HwsimError: not two operands, no product or one that is too narrow, an input without a role,
            a name that is no port.
    """
    ties = dict(ties or {})
    every = with_parts(interface.ports, [part for part in (a, b) if part], where=where)
    ports = {port.name: port for port in every}
    for name in filter(None, [a, b, p, weight, *ties]):
        if name not in ports:
            known = ", ".join(ports) or "none"
            raise HwsimError(f"{where}: expected a port, got {name}; it has {known}")
    both_ways = [port.name for port in interface.ports if port.direction == "inout"]
    if both_ways:
        raise HwsimError(
            f"{where}: expected inputs and outputs, got inout {both_ways[0]}; declare it as what "
            "it is, or write a wrapper around the module"
        )
    notes: list[str] = []
    inputs = [q for q in every if q.direction == "input"]
    outputs = [q for q in every if q.direction == "output"]
    controls = _controls([q for q in inputs if q.name not in {a, b, *ties}], notes)
    taken = {controls.clock, *(c.name for c in controls.all), *ties}
    free = [q for q in inputs if q.name not in taken]
    first, second = _operands(free, outputs, a, b, where=where, notes=notes)
    for name, value in ties.items():
        if ports[name].direction != "input" or name in {first.name, second.name}:
            raise HwsimError(f"{where}: expected a control input to tie, got {ports[name]}")
        if not 0 <= value < 2 ** ports[name].width:
            raise HwsimError(f"{where}: expected a value for {ports[name]}, got {value}")
    product = _product(
        outputs, p, first.width + second.width, shift=product_shift, where=where, notes=notes
    )
    if weight is not None:
        if weight not in {first.name, second.name}:
            raise HwsimError(
                f"{where}: expected the weight port to be {first.name} or {second.name}, "
                f"got {weight}"
            )
        if weight == first.name:
            first, second = second, first
    unread = [q.name for q in outputs if q != product]
    if unread:
        notes.append(f"outputs left open: {', '.join(unread)}")
    return Roles(
        activation=first.name,
        weight=second.name,
        product=product.name,
        bits=(first.width, second.width),
        product_bits=product.width,
        product_shift=product_shift,
        declared=(first.signed, second.signed),
        clock=controls.clock,
        reset=controls.reset,
        enables=controls.enables,
        ties=ties,
        unread=tuple(unread),
        notes=tuple(notes),
    )


def bare(name: str) -> str:
    """A port's name without case and direction: `A_i`, `i_a` and `a` are the same."""
    lower = name.lower()
    stripped = _AFFIX.sub("", lower)
    return stripped or lower


@dataclass(frozen=True)
class _Controls:
    clock: str | None
    reset: Control | None
    enables: tuple[Control, ...]

    @property
    def all(self) -> tuple[Control, ...]:
        return (*filter(None, [self.reset]), *self.enables)


def _controls(inputs: Iterable[Port], notes: list[str]) -> _Controls:
    """Clock, reset and enables among the inputs of one bit."""
    clock: str | None = None
    reset: Control | None = None
    enables: list[Control] = []
    for port in inputs:
        if port.width != 1:
            continue
        name = bare(port.name)
        low = bool(re.search(r"_n(?:i|_i)?$", port.name.lower()))
        name = re.sub(r"_?n$", "", name) if low else name
        if clock is None and name in _CLOCK:
            clock = port.name
            notes.append(f"{port.name} is taken as the clock, by its name")
        elif reset is None and (name in _RESET or name.replace("_", "") in _RESET_LOW):
            active = 0 if low or name not in _RESET else 1
            reset = Control(port.name, active)
            level = "low" if active == 0 else "high"
            notes.append(f"{port.name} is taken as a reset, active {level}, by its name")
        elif name.replace("_", "") in _ENABLE or name.split("_")[0] in {"en", "valid", "enable"}:
            enables.append(Control(port.name, 0 if low else 1))
            notes.append(f"{port.name} is held at {0 if low else 1} as an enable, by its name")
    return _Controls(clock, reset, tuple(enables))


def _operands(
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    a: str | None,
    b: str | None,
    *,
    where: str,
    notes: list[str],
) -> tuple[Port, Port]:
    """The two operands among the inputs that are no controls."""
    shown = ", ".join(f"{port.name}[{port.width}]" for port in inputs) or "none"
    given = {port.name: port for port in inputs}
    for name in filter(None, (a, b)):
        if name not in given:
            raise HwsimError(f"{where}: expected an input as an operand, got {name}")
    wide = [port for port in inputs if port.width > 1 and port.name not in {a, b}]
    pair = [given[name] if name else None for name in (a, b)]
    missing = pair.count(None)
    if len(wide) != missing or (a is not None and a == b):
        way_out = (
            single_wires(inputs, outputs, where=where)
            or one_bus(wide)
            or "name two with --a and --b, and hold other inputs with --tie NAME=VALUE"
        )
        raise HwsimError(f"{where}: expected two operands, got {shown}; {way_out}")
    if missing == 2 and bare(wide[0].name) in _SECOND and bare(wide[1].name) in _FIRST:
        wide = wide[::-1]
        notes.append(f"{wide[0].name} is taken as the first operand, by its name")
    elif missing == 2 and (bare(wide[0].name) not in _FIRST or bare(wide[1].name) not in _SECOND):
        notes.append(f"{wide[0].name} is taken as the first operand, by its place in the header")
    rest = iter(wide)
    first, second = (port or next(rest) for port in pair)
    for port in (first, second):
        if not 2 <= port.width <= MAX_OPERAND:
            raise HwsimError(
                f"{where}: expected operands of 2..{MAX_OPERAND} bits, got {port.name} of "
                f"{port.width}"
            )
    for port in inputs:
        if port not in {first, second}:
            raise HwsimError(
                f"{where}: {port} is neither operand, clock, reset nor enable by its name; "
                f"hold it with --tie {port.name}=VALUE"
            )
    return first, second


def _product(
    outputs: Sequence[Port],
    p: str | None,
    least: int,
    *,
    shift: int,
    where: str,
    notes: list[str],
) -> Port:
    """The product among the outputs."""
    shown = ", ".join(f"{port.name}[{port.width}]" for port in outputs) or "none"
    if p is not None:
        chosen = [port for port in outputs if port.name == p]
        if not chosen:
            raise HwsimError(f"{where}: expected an output as the product, got {p}; it has {shown}")
    elif len(outputs) == 1:
        chosen = [*outputs]
    else:
        enough = [port for port in outputs if port.width + shift >= least] or outputs
        named = [port for port in outputs if _like_product(port)]
        chosen = [port for port in enough if bare(port.name) in _PRODUCT]
        # A wide output of another name is no product where a narrow one is called so.
        if len(enough) == 1 and all(port in enough for port in named):
            chosen = [*enough]
        if len(chosen) != 1:
            raise HwsimError(
                f"{where}: expected one output as the product, got {shown}; name it with --p"
            )
        notes.append(f"{chosen[0].name} is taken as the product, by its width or name")
    (product,) = chosen
    if product.width + shift < least:
        lacking = least - product.width
        beyond = f" behind a shift of {shift}" if shift else ""
        raise HwsimError(
            f"{where}: expected a product of {least} bits, got {product.name} of "
            f"{product.width}{beyond}: a narrower output cannot hold every product; if its lowest "
            f"bit weighs 2^{lacking}, say --product-shift {lacking}, or [product_shift={lacking}] "
            "behind the file"
        )
    if product.width + shift > 2 * MAX_OPERAND:
        raise HwsimError(
            f"{where}: expected a product of at most {2 * MAX_OPERAND} bits, got "
            f"{product.name} of {product.width + shift}"
        )
    if shift:
        notes.append(f"{product.name} is the product without its lower {shift} bits, as requested")
    return product


def _like_product(port: Port) -> bool:
    """Whether a port of several bits is called a product, or a part of one: `prod_hi`."""
    return port.width > 1 and not {bare(port.name), *bare(port.name).split("_")}.isdisjoint(
        _PRODUCT
    )
