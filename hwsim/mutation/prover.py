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

from ..files import read_text
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
"""So many of the blocks that have more inputs are proved, the narrowest."""
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
        self._lock = threading.Lock()
        self._words, self._machines = dict[str, Body](), dict[str, Machine]()

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
        narrow = [one for one in every if _inputs(one) <= _TABLE_BITS]
        wide = [one for one in every if one not in narrow]
        blocks = [*narrow, *sorted(wide, key=_inputs)[:_WIDE]]
        try:
            x, y = self._originals(tuple(blocks)), self._machine(path, blocks)
        except (YosysError, ValueError):
            return None
        if x.registers or y.registers:
            return _clocked(x, y)
        wide_ones = [n for n, one in enumerate(blocks) if _inputs(one) > _TABLE_BITS]
        for number, block in enumerate(blocks):
            if number not in wide_ones and (
                found := _difference(block, x.cone(number), y.cone(number))
            ):
                return Finding(Proof.exhaustive, found)
        return _proved(x, y, blocks, wide_ones) if wide_ones else Finding(Proof.exhaustive)

    def _originals(self, blocks: tuple[Block, ...]) -> Machine:
        """Gates of the original, which many mutants are held against."""
        key = ", ".join(f"{one.module} {one.name} {one.inputs}" for one in blocks)
        with self._lock:
            if key not in self._machines:
                self._machines[key] = self._machine(self._original, blocks)
            return self._machines[key]

    def _machine(self, path: Path, blocks: Sequence[Block]) -> Machine:
        return gates_together([path, *self._gate.others], blocks)

    def _made(self, path: Path, blocks: Sequence[Block], commands: Sequence[str]) -> Body:
        return _made([path, *self._gate.others], blocks, commands)


def gates_together(files: Sequence[Path], blocks: Sequence[Block]) -> Machine:
    """Gates of many instances, by one run of Yosys.

    Args:
        files: Verilog, each module once.
        blocks: instances; their numbers are those of the machine's circuits.

    Raises:
        YosysError: Yosys cannot read the Verilog, or parameters are refused.
        ValueError: a port has another width, or there are no gates and registers on one clock.
        HwsimError: there is no Yosys.
    """
    return Machine.of(_made(files, blocks, _GATES), inputs="x", clock=_CLOCK)


def _made(files: Sequence[Path], blocks: Sequence[Block], commands: Sequence[str]) -> Body:
    with scratch("prover") as folder:
        for file in files:
            (folder / file.name).write_text(read_text(file), encoding="utf-8")
        (folder / f"{_TOP}.v").write_text(_harness(blocks))
        names = " ".join([*(file.name for file in files), f"{_TOP}.v"])
        read = f"read_verilog -sv -defer {names}"
        commands = [read, *commands, f"write_json {_JSON}"]
        log = require_yosys().run(commands, folder=folder, name=files[0].name)
        if re.search(rf"Resizing cell port {_TOP}\.", log):
            raise ValueError("a port of another width")
        body = read_module(folder / _JSON, _TOP)
    ports = [port["bits"] for port in body["ports"].values()]
    if any("x" in bits for bits in (*ports, *_read(body))):
        raise ValueError("a simulator shows X where gates are free to choose")
    return body


def _inputs(block: Block) -> int:
    return sum(block.inputs.values())


def _read(body: Body) -> Iterator[Sequence[int | str]]:
    """What the inputs of cells are connected to."""
    for cell in body["cells"].values():
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


def _proved(
    x: Machine, y: Machine, blocks: Sequence[Block], numbers: Sequence[int]
) -> Finding | None:
    """Whether blocks of many inputs are equal, if that is known in time."""
    for number in numbers:
        verdict = decide(x.cone(number), y.cone(number), seconds=_SECONDS)
        if verdict.equal is None:
            return None
        if verdict.inputs is not None:
            return Finding(Proof.sat, _place(blocks[number], verdict.inputs.tolist()))
    return Finding(Proof.sat)


def _difference(block: Block, x: Cone, y: Cone) -> str:
    """The first inputs at which two cones differ, or nothing."""
    half = len(x.inputs) // 2
    tables = [table(Program.of(netlist_of(block, cone, half)), threads=1) for cone in (x, y)]
    wrong = np.argwhere(tables[0] != tables[1])
    if not len(wrong):
        return ""
    pattern = int(wrong[0][0]) | int(wrong[0][1]) << half
    return _place(block, [pattern >> place & 1 for place in range(len(x.inputs))])


def _place(block: Block, bits: Sequence[int]) -> str:
    """Inputs of a block in words."""
    pattern = sum(bit << place for place, bit in enumerate(bits))
    values, low = [], 0
    for port, size in block.inputs.items():
        values.append(f"{port}={pattern >> low & ((1 << size) - 1)}")
        low += size
    return f"gates of {block.name} at {', '.join(values)}"


def netlist_of(block: Block, cone: Cone, half: int) -> Netlist:
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
