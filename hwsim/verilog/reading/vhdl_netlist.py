# SPDX-License-Identifier: Apache-2.0
"""A netlist that GHDL prints, as plain Verilog.

GHDL can write Verilog itself. In Debian 12's version that Verilog is wrong without a word: the
default of a `case` is left out, signed division, remainder and right shifts are unsigned. So what
every gate computes stands here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ...errors import HwsimError

_MODULE = re.compile(r"\s*module \{m\d+\} (\S.*)")
_PORT = re.compile(r"\s*(input|output|inout) (\\.*?)(?:\[(\d+|\?)(?::0)?\])?;")
_INSTANCE = re.compile(r"\s*instance (.*?) ?\{i\d+\}: (\S.*)")
_NET = re.compile(r"\{n(\d+)(?:w(\d+)\}|\}(?::(\d+))?)")
_INPUT = re.compile(r"\s*input .*?\{p\d+\} <-(.*)")
_PLACE = re.compile(r"\s*# (.*):(\d+):\d+$")

# Of their operands {0}, {1}, ...; both sides of an assignment have the bits that GHDL gives them.
_TWO = {
    "and": "&", "or": "|", "xor": "^", "add": "+", "sub": "-", "umul": "*", "udiv": "/",
    "umod": "%", "lsl": "<<", "lsr": ">>", "eq": "==", "ne": "!=", "ult": "<", "ule": "<=",
    "ugt": ">", "uge": ">=",
}  # fmt: skip
_SIGNED = {
    "smul": "*", "sdiv": "/", "srem": "%", "slt": "<", "sle": "<=", "sgt": ">", "sge": ">=",
}  # fmt: skip
_EXPRESSIONS = {
    **{gate: f"{{0}} {operator} {{1}}" for gate, operator in _TWO.items()},
    **{gate: f"$signed({{0}}) {operator} $signed({{1}})" for gate, operator in _SIGNED.items()},
    "nand": "~({0} & {1})", "nor": "~({0} | {1})", "xnor": "~({0} ^ {1})",
    "not": "~{0}", "neg": "-{0}", "abs": "$signed({0}) < 0 ? -{0} : {0}",
    "asr": "$signed({0}) >>> {1}",
    "rol": "({0} << {1} % {w}) | ({0} >> {w} - {1} % {w})",
    "ror": "({0} >> {1} % {w}) | ({0} << {w} - {1} % {w})",
    "umin": "{0} < {1} ? {0} : {1}", "umax": "{0} > {1} ? {0} : {1}",
    "smin": "$signed({0}) < $signed({1}) ? {0} : {1}",
    "smax": "$signed({0}) > $signed({1}) ? {0} : {1}",
    # The sign of the result is that of the divisor.
    "smod": "($signed({0}) % $signed({1})) != 0 && ($signed({0}) < 0) != ($signed({1}) < 0) "
    "? $signed({0}) % $signed({1}) + $signed({1}) : $signed({0}) % $signed({1})",
    "red_and": "&{0}", "red_or": "|{0}", "red_xor": "^{0}",
    "mux2": "{0} ? {2} : {1}",
    "mux4": "{0}[1] ? ({0}[0] ? {4} : {3}) : ({0}[0] ? {2} : {1})",
    "uextend": "{0}", "sextend": "$signed({0})", "utrunc": "{0}", "strunc": "{0}",
    "dyn_extract": "{0} >> {1} + {p}",
    "dyn_insert": "({0} & ~({{{v}{{1'b1}}}} << {2} + {p})) | ({1} << {2} + {p})",
    "dyn_insert_en": "{3} ? ({0} & ~({{{v}{{1'b1}}}} << {2} + {p})) | ({1} << {2} + {p}) : {0}",
    "memidx": "{0} * {p}", "addidx": "{0} + {1}",
    "tri": "{0} ? {1} : {w}'bz",
    **dict.fromkeys(("signal", "isignal", "output", "port", "nop"), "{0}"),
}  # fmt: skip
_CONCATENATIONS = {"concat2", "concat3", "concat4", "concatn"}
_EDGES = {"posedge": "posedge", "edge": "posedge", "negedge": "negedge"}
_REGISTERS = {"dff", "idff", "adff", "iadff"}
_PORTS = {"mem_rd", "mem_rd_sync", "mem_wr_sync"}
_SILENT = {"assert", "assume", "cover", "assert_cover", *_EDGES}
_WIDEST = 128  # bits of a literal that every scanner reads
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
class _Net:
    number: int
    width: int


@dataclass
class _Instance:
    name: str
    gate: str
    place: str
    parameters: list[int] = field(default_factory=list)
    inputs: list[_Net | None] = field(default_factory=list)
    outputs: list[_Net] = field(default_factory=list)


@dataclass
class _Module:
    name: str
    ports: list[tuple[str, str]] = field(default_factory=list)
    instances: list[_Instance] = field(default_factory=list)

    @cached_property
    def drivers(self) -> Mapping[int, _Instance]:
        return {net.number: one for one in self.instances for net in one.outputs}

    def driver(self, net: _Net | None) -> _Instance | None:
        return None if net is None else self.drivers.get(net.number)


def to_verilog(netlist: str, top: str, *, where: str) -> tuple[str, str]:
    """Writes a netlist as Verilog.

    Args:
        netlist: what `ghdl --synth --out=dump` prints.
        top: entity, in any case of letters.
        where: file, for messages.

    Returns:
        The Verilog, and the top as the VHDL spells it.

    Raises:
        HwsimError: a gate that is not known here, or an entity that no file has.
    """
    modules = [one for one in _parsed(netlist) if one.name.startswith("\\")]
    match = [_identifier(one.name) for one in modules if one.name[1:].lower() == top.lower()]
    if not match:
        raise HwsimError(f"{where}: expected {top} in the netlist of GHDL, found none")
    return "\n".join(_Writer(one, modules, where).text() for one in modules), match[0]


def _parsed(netlist: str) -> list[_Module]:
    modules: list[_Module] = []
    place = ""
    for line in netlist.splitlines():
        if found := _MODULE.match(line):
            modules.append(_Module(found[1]))
        elif found := _PLACE.match(line):
            place = f"{found[1]}:{found[2]}"
        elif found := _INSTANCE.match(line):
            modules[-1].instances.append(_Instance(found[1], found[2], place))
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


def _nets(text: str) -> Iterator[_Net]:
    for number, width, behind in _NET.findall(text):
        yield _Net(int(number), int(width or behind or 1))


def _identifier(name: str) -> str:
    name = re.sub(r"\W", "_", name.removeprefix("\\"), flags=re.ASCII)
    name = f"_{name}" if name[:1].isdigit() else name
    return f"{name}_" if name in _RESERVED else name


class _Writer:
    """Writes one module."""

    def __init__(self, module: _Module, modules: Sequence[_Module], where: str) -> None:
        self.module, self.where = module, where
        self.ports = {_identifier(one.name): one.ports for one in modules}
        own = [one for one in module.instances if one.gate == module.name]
        if not own:
            raise HwsimError(
                f"{where}: expected an entity {module.name.removeprefix(chr(92))}, which it uses "
                "and no file has; give the file with --with FILE, or [with=FILE] behind the file"
            )
        self.own = own[0]
        self.instances = [one for one in module.instances if one is not self.own]
        self.names: dict[int, str] = {}
        self.memories: dict[int, str] = {}

    def text(self) -> str:
        ways = {way: [_identifier(name) for kind, name in self.module.ports if kind == way]
                for way in ("input", "output")}  # fmt: skip
        # What drives the outputs are the inputs of the instance that stands for the module.
        ports = [
            *(f"input {_range(net.width)}{name}"
              for name, net in zip(ways["input"], self.own.outputs, strict=True)),
            *(f"output {_range(1 if net is None else net.width)}{name}"
              for name, net in zip(ways["output"], self.own.inputs, strict=True)),
        ]  # fmt: skip
        taken = {*ways["input"], *ways["output"]}
        for name, net in zip(ways["input"], self.own.outputs, strict=True):
            self.names[net.number] = name
        for one in self.instances:
            for net in one.outputs:
                name = _identifier(one.name) if one.name.startswith("\\") else ""
                if not name or name in taken or one.gate.startswith("\\"):
                    name = f"n{net.number}" if not name else f"{name}_n{net.number}"
                taken.add(name)
                self.names[net.number] = name
        lines = [line for one in self.instances for line in self._declared(one)]
        lines += [line for one in self.instances for line in self._written(one)]
        lines += [
            f"assign {name} = {self.names[net.number]};"
            for name, net in zip(ways["output"], self.own.inputs, strict=True)
            if net is not None
        ]
        header = f"module {_identifier(self.module.name)} (\n  {f',{chr(10)}  '.join(ports)}\n);\n"
        return header + "".join(f"  {line}\n" for line in lines) + "endmodule\n"

    def _declared(self, one: _Instance) -> Iterator[str]:
        if one.gate in {"$memory", "$memory_init"}:
            data = next(port for port in self._ports_of(one))
            width = (data.inputs[4] if data.gate == "$mem_wr_sync" else data.outputs[1]).width  # type: ignore[union-attr]  # which it has
            name, depth = self.names[one.outputs[0].number], one.outputs[0].width // width
            yield f"reg {_range(width)}{name} [0:{depth - 1}];"
            if one.gate == "$memory_init":
                yield from self._filled(name, one, width, depth)
            for port in self._ports_of(one):
                self.memories[id(port)] = name
            return
        kind = "reg" if one.gate[1:] in {*_REGISTERS, "mem_rd_sync"} else "wire"
        first = 1 if one.gate[1:] in _PORTS else 0
        for net in one.outputs[first:]:
            if net.width and one.gate[1:] not in _SILENT:
                yield f"{kind} {_range(net.width)}{self.names[net.number]}{self._initial(one)};"

    def _ports_of(self, memory: _Instance) -> Iterator[_Instance]:
        """The ports of a memory, which are a chain."""
        by_input = {
            one.inputs[0].number: one
            for one in self.instances
            if one.gate[1:] in _PORTS and one.inputs[0] is not None
        }
        net = memory.outputs[0].number
        while net in by_input:
            yield by_input[net]
            net = by_input[net].outputs[0].number

    def _filled(self, name: str, one: _Instance, width: int, depth: int) -> Iterator[str]:
        bits = self._constant(one, one.inputs[-1])
        yield "initial begin"
        for i in range(depth):
            word = bits[len(bits) - (i + 1) * width : len(bits) - i * width]
            yield f"  {name}[{i}] = {_literal(word)};"
        yield "end"

    def _constant(self, one: _Instance, net: _Net | None) -> str:
        """The bits of an initial value; it may come through signals and parts of constants."""
        source = self.module.driver(net)
        gate = "" if source is None else source.gate[1:]
        if source is not None and (bits := _bits(source)) is not None:
            return bits
        if source is not None and gate in {"signal", "isignal"}:
            return self._constant(one, source.inputs[gate == "isignal"])
        if source is not None and gate in {"extract", "utrunc", "strunc"}:
            start = source.parameters[0] if source.parameters else 0
            bits = self._constant(one, source.inputs[0])[::-1]
            return bits[start : start + source.outputs[0].width][::-1]
        if source is not None and gate in _CONCATENATIONS:
            return "".join(self._constant(one, net) for net in source.inputs)
        raise self._unknown(one)

    def _written(self, one: _Instance) -> Iterator[str]:
        gate = one.gate[1:]
        if one.gate.startswith("\\"):
            yield self._instance(one)
        elif gate in {"memory", "memory_init", *_SILENT}:
            return
        elif gate in _REGISTERS:
            yield from self._register(one, gate)
        elif gate in _PORTS:
            yield self._memory_port(one, gate)
        elif gate == "resolver":
            for net in one.inputs:
                yield f"assign {self._out(one)} = {self._in(net)};"
        elif gate in {"isignal", "signal"} and one.inputs[0] is None:  # nothing drives it
            if gate == "isignal":
                yield f"assign {self._out(one)} = {self._in(one.inputs[1])};"
        elif one.outputs and one.outputs[0].width:
            yield f"assign {self._out(one)} = {self._expression(one, gate)};"

    def _expression(self, one: _Instance, gate: str) -> str:
        width = one.outputs[0].width
        inputs = [self._in(net) for net in one.inputs]
        if (bits := _bits(one)) is not None:
            return _literal(bits)
        if gate in _CONCATENATIONS:
            parts = [self._in(net) for net in one.inputs if net is not None and net.width]
            return f"{{{', '.join(parts)}}}"
        if gate == "extract":
            net = one.inputs[0]
            start = one.parameters[0]
            if net is None or net.width == 1:
                return inputs[0]
            return f"{inputs[0]}[{start + width - 1}:{start}]"
        if gate == "pmux":  # one of the bits of its first input is 1, or none
            select = one.inputs[0]
            assert select is not None
            bit = inputs[0] if select.width == 1 else f"{inputs[0]}[{{}}]"
            chosen = (f"{bit.format(i)} ? {word} : " for i, word in enumerate(inputs[2:]))
            return f"{''.join(chosen)}{inputs[1]}"
        if gate not in _EXPRESSIONS:
            raise self._unknown(one)
        value = one.inputs[1] if len(one.inputs) > 1 else None
        return _EXPRESSIONS[gate].format(
            *inputs,
            w=width,
            v=1 if value is None else value.width,
            p=one.parameters[0] if one.parameters else 0,
        )

    def _register(self, one: _Instance, gate: str) -> Iterator[str]:
        out, inputs = self._out(one), [self._in(net) for net in one.inputs[1:]]
        edge = self._edge(one, one.inputs[0])
        if gate in {"adff", "iadff"}:
            yield f"always @({edge} or posedge {inputs[1]})"
            yield f"  if ({inputs[1]}) {out} <= {inputs[2]}; else {out} <= {inputs[0]};"
        else:
            yield f"always @({edge}) {out} <= {inputs[0]};"

    def _initial(self, one: _Instance) -> str:
        """What a register holds before the first edge."""
        if one.gate not in {"$idff", "$iadff"}:
            return ""
        return f" = {_literal(self._constant(one, one.inputs[-1]))}"

    def _memory_port(self, one: _Instance, gate: str) -> str:
        word = f"{self.memories[id(one)]}[{self._in(one.inputs[1])}]"
        if gate == "mem_rd":
            return f"assign {self.names[one.outputs[1].number]} = {word};"
        edge, enable = self._edge(one, one.inputs[2]), self._in(one.inputs[3])
        if gate == "mem_rd_sync":
            out = self.names[one.outputs[1].number]
            return f"always @({edge}) if ({enable}) {out} <= {word};"
        return f"always @({edge}) if ({enable}) {word} <= {self._in(one.inputs[4])};"

    def _edge(self, one: _Instance, net: _Net | None) -> str:
        source = self.module.driver(net)
        if source is None or source.gate[1:] not in _EDGES:
            raise self._unknown(one)
        return f"{_EDGES[source.gate[1:]]} {self._in(source.inputs[0])}"

    def _instance(self, one: _Instance) -> str:
        ports = self.ports[_identifier(one.gate)]
        ins, outs = iter(one.inputs), iter(one.outputs)
        nets = [next(ins) if way == "input" else next(outs) for way, _ in ports]
        wired = (
            f".{_identifier(name)}({'' if net is None else self._in(net)})"
            for (_, name), net in zip(ports, nets, strict=True)
        )
        return f"{_identifier(one.gate)} {_identifier(one.name)}_u ({', '.join(wired)});"

    def _in(self, net: _Net | None) -> str:
        return "1'bx" if net is None else self.names[net.number]

    def _out(self, one: _Instance) -> str:
        return self.names[one.outputs[0].number]

    def _unknown(self, one: _Instance) -> HwsimError:
        return HwsimError(
            f"{one.place or self.where}: GHDL makes a {one.gate.removeprefix('$')} of this, which "
            "is not known here; write it in another way"
        )


def _range(width: int) -> str:
    return "" if width == 1 else f"[{width - 1}:0] "


def _literal(bits: str) -> str:
    pieces = [bits[max(0, end - _WIDEST) : end] for end in range(len(bits), 0, -_WIDEST)][::-1]
    words = [f"{len(piece)}'b{piece}" for piece in pieces]
    return words[0] if len(words) == 1 else f"{{{', '.join(words)}}}"


def _bits(one: _Instance) -> str | None:
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
