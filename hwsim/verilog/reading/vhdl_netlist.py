# SPDX-License-Identifier: Apache-2.0
"""A netlist as GHDL prints it, `ghdl --synth --out=dump`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

_MODULE = re.compile(r"\s*module \{m\d+\} (\S.*)")
_PORT = re.compile(r"\s*(input|output|inout) (\\.*?)(?:\[(\d+|\?)(?::0)?\])?;")
_INSTANCE = re.compile(r"\s*instance (.*?) ?\{i\d+\}: (\S.*)")
_NET = re.compile(r"\{n(\d+)(?:w(\d+)\}|\}(?::(\d+))?)")
_INPUT = re.compile(r"\s*input .*?\{p\d+\} <-(.*)")
_PLACE = re.compile(r"\s*# (.*):(\d+):\d+$")

_KEYWORDS = """
    always and assign begin bit buf bufif0 bufif1 byte case casex casez cell cmos config deassign
    default defparam design disable do edge else end endcase endmodule endtask event for force
    forever fork function generate genvar if incdir include initial inout input instance int integer
    interface join large liblist library localparam logic macromodule medium module nand negedge
    nmos nor noshowcancelled not notif0 notif1 or output package parameter pmos posedge primitive
    priority program pull0 pull1 pulldown pullup rcmos real realtime reg release repeat return rnmos
    rpmos rtran scalared signed small specify specparam static string strong0 strong1 struct supply0
    supply1 table task this time tran tri tri0 tri1 triand trior trireg type typedef union unique
    unsigned use uwire var vectored virtual void wait wand weak0 weak1 while wire wor xnor xor
"""
_RESERVED = frozenset(_KEYWORDS.split())


@dataclass(frozen=True)
class Net:
    """A bundle of bits.

    Attributes:
        number: its own in the whole netlist.
        width: bits.
    """

    number: int
    width: int


@dataclass
class Instance:
    r"""A gate, or an entity.

    Attributes:
        name: `\u` where the VHDL names it, `%7` else.
        gate: `$and`, or `\mul` of an entity.
        place: file and line; empty where there is none.
        parameters: numbers that belong to the gate.
        inputs: what drives each; None: nothing does.
        outputs: that it drives.
    """

    name: str
    gate: str
    place: str
    parameters: list[int] = field(default_factory=list)
    inputs: list[Net | None] = field(default_factory=list)
    outputs: list[Net] = field(default_factory=list)


@dataclass
class Module:
    r"""An entity with given generics.

    Attributes:
        name: such as `\mul`; `$and` of a gate.
        ports: direction and name of each.
        instances: all in it; one of them has the module's own name and stands for its ports.
    """

    name: str
    ports: list[tuple[str, str]] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)

    @cached_property
    def drivers(self) -> Mapping[int, Instance]:
        """What drives a net, by its number."""
        return {net.number: one for one in self.instances for net in one.outputs}

    def driver(self, net: Net | None) -> Instance | None:
        """What drives a net; None where nothing does."""
        return None if net is None else self.drivers.get(net.number)


def parsed(netlist: str) -> list[Module]:
    """The modules of a netlist, GHDL's own among them.

    Args:
        netlist: what `ghdl --synth --out=dump` prints.
    """
    modules: list[Module] = []
    place = ""
    for line in netlist.splitlines():
        if found := _MODULE.match(line):
            modules.append(Module(found[1]))
        elif found := _PLACE.match(line):
            place = f"{found[1]}:{found[2]}"
        elif found := _INSTANCE.match(line):
            modules[-1].instances.append(Instance(found[1], found[2], place))
            place = ""
        elif found := _INPUT.match(line):
            modules[-1].instances[-1].inputs.append(next(_nets(found[1]), None))
        elif (words := line.split()) and words[0] == "outputs":
            modules[-1].instances[-1].outputs += _nets(line)
        elif words and words[0] == "parameters" and modules[-1].instances:
            values = (word.rpartition("=")[2] for word in words[1:])
            modules[-1].instances[-1].parameters += map(int, values)
        elif (found := _PORT.match(line)) and not modules[-1].instances:
            modules[-1].ports.append((found[1], found[2]))
    return modules


def _nets(text: str) -> Iterator[Net]:
    for number, width, behind in _NET.findall(text):
        yield Net(int(number), int(width or behind or 1))


def constant_bits(one: Instance) -> str | None:
    """The bits of a constant, the highest first; None where it is none."""
    gate, values = one.gate[1:].lower(), one.parameters
    if not gate.startswith("const_"):
        return None
    width = one.outputs[0].width
    if gate in {"const_x", "const_z", "const_0"}:
        return gate[-1] * width
    high = unknown = 0
    if gate in {"const_ub32", "const_bit"}:
        high = sum(value << 32 * i for i, value in enumerate(values))
    elif gate == "const_sb32":
        high = (values[0] ^ 1 << 31) - (1 << 31)
    else:  # two words for 32 bits each: 0 and 1, and whether they are Z and X
        high = sum(value << 32 * i for i, value in enumerate(values[::2]))
        unknown = sum(value << 32 * i for i, value in enumerate(values[1::2]))
    mask = (1 << width) - 1
    zero_one, z_x = (f"{value & mask:0{width}b}" for value in (high, unknown))
    pairs = zip(zero_one, z_x, strict=True)
    return "".join("zx"[bit == "1"] if odd == "1" else bit for bit, odd in pairs)


def identifier(name: str) -> str:
    """A name of the netlist as a simple one of Verilog; some are the same then."""
    name = re.sub(r"\W", "_", name.removeprefix("\\"), flags=re.ASCII)
    name = f"_{name}" if name[:1].isdigit() else name
    return f"{name}_" if name in _RESERVED else name


def free(name: str, taken: set[str]) -> str:
    """The name, or a longer one that is not taken; it is then."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name
