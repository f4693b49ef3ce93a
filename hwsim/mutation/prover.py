# SPDX-License-Identifier: Apache-2.0
"""What gates say of a mutant: that it is the same design, or where it is another one.

First Yosys simplifies both, without a choice for what is X. If what is left is the same, cell by
cell, nothing can tell them apart, clocked or not. Of the instances in which it is not, gates are
made: all operands are tried where there are 2^16 of them or fewer, and a proof is looked for where
there are more, or registers.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import HwsimError
from ..netlist.equivalence import Cone, Proof, decide
from ..netlist.evaluation import table
from ..netlist.identity import Body, differing_ports, read_module
from ..netlist.netlist import Netlist
from ..netlist.program import Program
from ..netlist.sequential import Machine
from ..operands import Operand, Operands
from ..tools.scratch import scratch
from ..tools.yosys import YosysError, require_yosys
from .check import Block, Gate, instantiate

DEPTH = 8
"""Cycles of a bounded proof."""

_TOP, _JSON, _CLOCK = "axhil_mutation_gates", "module.json", "axhil_clk"
_WORDS = (
    f"hierarchy -check -top {_TOP}",
    "proc",
    "flatten",
    # What X becomes is left open: a simulator would show it.
    "opt -full -keepdc",
    "wreduce -keepdc",
    "opt_expr -fine -keepdc",
    "opt -full -keepdc",
    "opt_clean -purge",
)
_GATES = (
    f"hierarchy -check -top {_TOP}",
    "proc",
    "flatten",
    "opt -fast -nodffe -nosdff",
    "techmap",
    "opt -fast -nodffe -nosdff",
)
_TABLE_BITS = 16
_WIDE = 2
"""About so many of the blocks that have more inputs are proved."""
_SECONDS = 60.0


@dataclass(frozen=True)
class Finding:
    """What gates say of a mutant.

    Attributes:
        proof: what it rests on.
        difference: a sentence; empty where there is none.
    """

    proof: Proof
    difference: str = ""


class Prover:
    """Holds mutants of one module against the original.

    Args:
        gate: whose blocks are compared.
        original: the file as it is.
    """

    def __init__(self, gate: Gate, original: Path) -> None:
        self._gate, self._original = gate, original
        self._lock, self._words = threading.Lock(), dict[str, Body]()

    def differing(self, path: Path) -> tuple[int, ...] | None:
        """Numbers of the blocks of which Yosys does not make the same; None if it makes nothing."""
        with self._lock:
            if "original" not in self._words:
                self._words["original"] = self._made(self._original, self._gate.blocks, _WORDS)
        try:
            words = self._made(path, self._gate.blocks, _WORDS)
        except (YosysError, ValueError):
            return None
        ports = differing_ports(self._words["original"], words)
        return tuple(int(port.removeprefix("y")) for port in ports)

    def judge(self, path: Path, differing: Sequence[int]) -> Finding | None:
        """What gates say of the blocks that differ; None where they cannot say."""
        every = [self._gate.blocks[number] for number in differing]
        narrow = [one for one in every if sum(one.inputs.values()) <= _TABLE_BITS]
        wide = [one for one in every if one not in narrow]
        blocks = [*narrow, *wide[:: max(1, len(wide) // _WIDE)]]
        try:
            x, y = (
                Machine.of(self._made(one, blocks, _GATES), inputs="x", clock=_CLOCK)
                for one in (self._original, path)
            )
        except (YosysError, ValueError):
            return None
        if x.registers or y.registers:
            return _clocked(x, y)
        large = []
        for number, block in enumerate(blocks):
            cones = x.cone(number), y.cone(number)
            if len(cones[0].inputs) > _TABLE_BITS:
                large.append(number)
            elif difference := _difference(block, *cones):
                return Finding(Proof.exhaustive, difference)
        if not large:
            return Finding(Proof.exhaustive)
        verdict = decide(x.cone(*large), y.cone(*large), seconds=_SECONDS)
        if verdict.equal is None:
            return None
        if verdict.inputs is None:
            return Finding(Proof.sat)
        places = iter(verdict.inputs.tolist())
        for number in large:
            bits = [next(places) for _ in x.cone(number).inputs]
            cones = x.cone(number), y.cone(number)
            if difference := _difference(blocks[number], *cones, bits=bits):
                return Finding(Proof.sat, difference)
        return None

    def _made(self, path: Path, blocks: Sequence[Block], commands: Sequence[str]) -> Body:
        files = [path, *self._gate.others]
        with scratch("prover") as folder:
            for file in files:
                (folder / file.name).write_bytes(file.read_bytes())
            (folder / f"{_TOP}.v").write_text(_harness(blocks))
            names = " ".join([*(file.name for file in files), f"{_TOP}.v"])
            read = f"read_verilog -sv -defer {names}"
            commands = [read, *commands, f"write_json {_JSON}"]
            log = require_yosys().run(commands, folder=folder, name=path.name)
            if re.search(rf"Resizing cell port {_TOP}\.", log):
                raise ValueError("a port of another width")
            body = read_module(folder / _JSON, _TOP)
        if any("x" in bits for cell in body["cells"].values() for bits in _read(cell)):
            raise ValueError("a simulator shows X where gates are free to choose")
        return body


def _read(cell: Body) -> Iterator[Sequence[int | str]]:
    """What the inputs of a cell are connected to."""
    for pin, bits in cell["connections"].items():
        if cell["port_directions"][pin] == "input":
            yield bits


def _clocked(x: Machine, y: Machine) -> Finding | None:
    if x.registers.keys() == y.registers.keys():
        step = decide(x.step(), y.step(), seconds=_SECONDS)
        if step.equal:
            return Finding(Proof.induction)
    bounded = decide(x.unrolled(DEPTH), y.unrolled(DEPTH), seconds=_SECONDS)
    if bounded.equal is None:
        return None
    difference = "" if bounded.equal else f"an output differs within {DEPTH} cycles"
    return Finding(Proof.bounded, difference)


def _difference(block: Block, x: Cone, y: Cone, *, bits: Sequence[int] | None = None) -> str:
    """The first inputs at which two cones differ, of all or of one, or nothing."""
    half = len(x.inputs) // 2
    if bits is None:
        tables = [table(Program.of(_netlist(block, cone, half)), threads=1) for cone in (x, y)]
        wrong = np.argwhere(tables[0] != tables[1])
        if not len(wrong):
            return ""
        row, column = (int(place) for place in wrong[0])
        pattern = row | column << half
    else:
        pattern = sum(bit << place for place, bit in enumerate(bits))
    values, low = [], 0
    for port, size in block.inputs.items():
        values.append(f"{port}={pattern >> low & ((1 << size) - 1)}")
        low += size
    return f"gates of {block.name} at {', '.join(values)}"


def _netlist(block: Block, cone: Cone, half: int) -> Netlist:
    """A cone with its inputs as two operands, so that all of them can be tried."""
    sizes = half, len(cone.inputs) - half
    activation, weight = (Operand(bits, signed=False) for bits in sizes)
    nets = 1 + int(max(cone.gates[:, 1].max(initial=1), *cone.inputs))
    return Netlist(
        name=block.name,
        operands=Operands(activation, weight),
        product=Operand(len(cone.outputs), signed=False),
        a=cone.inputs[:half],
        b=cone.inputs[half:],
        p=cone.outputs,
        gates=cone.gates,
        nets=nets,
    )


def _harness(blocks: Sequence[Block]) -> str:
    """Blocks side by side: inputs of each in `x<number>`, outputs in `y<number>`."""
    ports, instances = [f"input {_CLOCK}"], []
    for number, block in enumerate(blocks):
        places = {} if block.clock is None else {block.clock: _CLOCK}
        for way, wire, of in (("input", "x", block.inputs), ("output", "y", block.outputs)):
            low = 0
            for port, bits in of.items():
                places[port] = f"{wire}{number}[{low + bits - 1}:{low}]"
                low += bits
            ports.append(f"{way} [{low - 1}:0] {wire}{number}")
        instances.append(instantiate(block.module, number, block.parameters, places))
    listed = ",\n  ".join(ports)
    return f"module {_TOP} (\n  {listed}\n);\n{''.join(instances)}endmodule\n"
