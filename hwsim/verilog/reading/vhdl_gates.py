# SPDX-License-Identifier: Apache-2.0
"""What every gate of a netlist by GHDL is in Verilog.

GHDL can write Verilog itself. In Debian 12's version that Verilog is wrong without a word: the
default of a `case` is left out, signed division, remainder and right shifts are unsigned. So what
every gate computes stands here.
"""

from collections.abc import Iterator, Sequence

from ...errors import HwsimError
from .vhdl_netlist import Instance, Module, Net, constant_bits, free, identifier, parsed

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
    modules = [one for one in parsed(netlist) if one.name.startswith("\\")]
    match = [identifier(one.name) for one in modules if one.name[1:].lower() == top.lower()]
    if not match:
        raise HwsimError(f"{where}: expected {top} in the netlist of GHDL, found none")
    return "\n".join(_Writer(one, modules, where).text() for one in modules), match[0]


class _Writer:
    """Writes one module."""

    def __init__(self, module: Module, modules: Sequence[Module], where: str) -> None:
        self.module, self.where = module, where
        self.ports = {identifier(one.name): one.ports for one in modules}
        own = [one for one in module.instances if one.gate == module.name]
        if not own:
            raise HwsimError(
                f"{where}: expected an entity {module.name.removeprefix(chr(92))}, which it uses "
                "and no file has; give the file with --with FILE, or [with=FILE] behind the file"
            )
        self.own = own[0]
        self.instances = [one for one in module.instances if one is not self.own]
        self.names: dict[int, str] = {}
        # By instance: of memories, for each of their ports, and of entities.
        self.memories: dict[int, str] = {}
        self.labels: dict[int, str] = {}

    def text(self) -> str:
        ways = {way: [identifier(name) for kind, name in self.module.ports if kind == way]
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
                name = identifier(one.name) if one.name.startswith("\\") else ""
                if not name or name in taken or one.gate.startswith("\\"):
                    name = f"{name}_n{net.number}" if name else f"n{net.number}"
                self.names[net.number] = free(name, taken)
        for one in self.instances:
            if one.gate.startswith("\\"):
                self.labels[id(one)] = free(identifier(one.name), taken)
        lines = [line for one in self.instances for line in self._declared(one)]
        lines += [line for one in self.instances for line in self._written(one)]
        lines += [
            f"assign {name} = {self.names[net.number]};"
            for name, net in zip(ways["output"], self.own.inputs, strict=True)
            if net is not None
        ]
        header = f"module {identifier(self.module.name)} (\n  {f',{chr(10)}  '.join(ports)}\n);\n"
        return header + "".join(f"  {line}\n" for line in lines) + "endmodule\n"

    def _declared(self, one: Instance) -> Iterator[str]:
        if one.gate in {"$memory", "$memory_init"}:
            port = next(self._ports_of(one), None)
            writes = port is not None and port.gate == "$mem_wr_sync"
            data = None if port is None else port.inputs[4] if writes else port.outputs[1]
            if data is None:
                raise self._unknown(one)
            name, width = self.names[one.outputs[0].number], data.width
            depth = one.outputs[0].width // width
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

    def _ports_of(self, memory: Instance) -> Iterator[Instance]:
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

    def _filled(self, name: str, one: Instance, width: int, depth: int) -> Iterator[str]:
        bits = self._constant(one, one.inputs[-1])
        yield "initial begin"
        for i in range(depth):
            word = bits[len(bits) - (i + 1) * width : len(bits) - i * width]
            yield f"  {name}[{i}] = {_literal(word)};"
        yield "end"

    def _constant(self, one: Instance, net: Net | None) -> str:
        """The bits of an initial value; it may come through signals and parts of constants."""
        source = self.module.driver(net)
        gate = "" if source is None else source.gate[1:]
        if source is not None and (bits := constant_bits(source)) is not None:
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

    def _written(self, one: Instance) -> Iterator[str]:
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

    def _expression(self, one: Instance, gate: str) -> str:
        width = one.outputs[0].width
        inputs = [self._in(net) for net in one.inputs]
        if (bits := constant_bits(one)) is not None:
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

    def _register(self, one: Instance, gate: str) -> Iterator[str]:
        out, inputs = self._out(one), [self._in(net) for net in one.inputs[1:]]
        edge = self._edge(one, one.inputs[0])
        if gate in {"adff", "iadff"}:
            yield f"always @({edge} or posedge {inputs[1]})"
            yield f"  if ({inputs[1]}) {out} <= {inputs[2]}; else {out} <= {inputs[0]};"
        else:
            yield f"always @({edge}) {out} <= {inputs[0]};"

    def _initial(self, one: Instance) -> str:
        """What a register holds before the first edge."""
        if one.gate not in {"$idff", "$iadff"}:
            return ""
        return f" = {_literal(self._constant(one, one.inputs[-1]))}"

    def _memory_port(self, one: Instance, gate: str) -> str:
        word = f"{self.memories[id(one)]}[{self._in(one.inputs[1])}]"
        if gate == "mem_rd":
            return f"assign {self.names[one.outputs[1].number]} = {word};"
        edge, enable = self._edge(one, one.inputs[2]), self._in(one.inputs[3])
        if gate == "mem_rd_sync":
            out = self.names[one.outputs[1].number]
            return f"always @({edge}) if ({enable}) {out} <= {word};"
        return f"always @({edge}) if ({enable}) {word} <= {self._in(one.inputs[4])};"

    def _edge(self, one: Instance, net: Net | None) -> str:
        source = self.module.driver(net)
        if source is None or source.gate[1:] not in _EDGES:
            raise self._unknown(one)
        return f"{_EDGES[source.gate[1:]]} {self._in(source.inputs[0])}"

    def _instance(self, one: Instance) -> str:
        ports = self.ports[identifier(one.gate)]
        ins, outs = iter(one.inputs), iter(one.outputs)
        nets = [next(ins) if way == "input" else next(outs) for way, _ in ports]
        wired = (
            f".{identifier(name)}({'' if net is None else self._in(net)})"
            for (_, name), net in zip(ports, nets, strict=True)
        )
        return f"{identifier(one.gate)} {self.labels[id(one)]} ({', '.join(wired)});"

    def _in(self, net: Net | None) -> str:
        return "1'bx" if net is None else self.names[net.number]

    def _out(self, one: Instance) -> str:
        return self.names[one.outputs[0].number]

    def _unknown(self, one: Instance) -> HwsimError:
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
