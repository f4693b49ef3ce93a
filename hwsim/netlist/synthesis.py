# SPDX-License-Identifier: Apache-2.0
"""From a circuit to gates, by Yosys."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..operands import Operand
from ..tools.scratch import scratch
from ..tools.yosys import READ_SLANG, YosysError, require_yosys
from ..verilog.circuit import Circuit
from .module import Module
from .netlist import Netlist
from .order import order

# Nothing that a person's Verilog could name: it is compiled with the harness.
TOP, A, B, P = "axhil_gates", "axhil_a", "axhil_b", "axhil_p"
"""Module around a circuit; its ports: activation, weight, product."""

INSTANCE = "dut"
"""The circuit's instance inside."""

_CLOCK = "axhil_clk"
_WORDS, _GATES = "words.json", "gates.json"
_LINE = re.compile(rb'(?m)^(`line \d+ ")(.*)(" \d)$')
LOWERING = (
    # Enables and resets stay gates in front of plain registers.
    "opt -fast -nodffe -nosdff",
    "memory -nomap",
    "memory_map",
    "opt -fast -nodffe -nosdff",
    "techmap",
    "opt -fast -nodffe -nosdff",
)
"""Commands of Yosys from words to gates."""

_COMMANDS = ("proc", "flatten", f"write_json {_WORDS}", *LOWERING, f"write_json {_GATES}")


def synthesise(circuit: Circuit) -> Netlist:
    """The gates of a circuit.

    Resets are inactive and enables active, as they are while products stream.

    Args:
        circuit: anything that a simulator can run.

    Raises:
        YosysError: Yosys cannot read the Verilog; the sentence is its own.
        HwsimError: there is no Yosys.
    """
    with scratch("gates") as folder:
        reader = run_on(circuit, _COMMANDS, folder=folder)
        words, gates = (flat(folder / name) for name in (_WORDS, _GATES))
    return _netlist(circuit, words, gates, reader)


def run_on(circuit: Circuit, commands: Sequence[str], *, folder: Path) -> str:
    """Runs Yosys on a circuit inside a module TOP, whose other inputs are as while products stream.

    Args:
        circuit: anything that a simulator can run.
        commands: of Yosys, once the Verilog is read.
        folder: to run in, empty.

    Returns:
        What read the Verilog, e.g. `Yosys 0.70`.

    Raises:
        YosysError: Yosys cannot read the Verilog; the sentence is its own.
        HwsimError: there is no Yosys.
    """
    paths = circuit.place(folder)
    reader, _ = run_around(paths, _harness(circuit), commands, folder=folder, name=circuit.name)
    # What a front end made of another language is one text for simulator and gates.
    return f"{reader}, of the same translation" if (circuit.core or circuit).front_end else reader


def run_around(
    paths: Iterable[Path], harness: str, commands: Sequence[str], *, folder: Path, name: str
) -> tuple[str, str]:
    """Runs Yosys on Verilog files inside a module TOP.

    Args:
        paths: the files, in order.
        harness: the Verilog of TOP, which has one instance, INSTANCE.
        commands: of Yosys, once the Verilog is read.
        folder: to run in.
        name: what is read, for messages.

    Returns:
        What read the Verilog, e.g. `Yosys 0.70`, and the log.

    Raises:
        YosysError: Yosys cannot read the Verilog; the sentence is its own.
        HwsimError: there is no Yosys.
    """
    yosys = require_yosys()
    (folder / f"{TOP}.v").write_text(harness, encoding="utf-8", errors="surrogateescape")
    listed = " ".join((*_copied(paths, folder), f"{TOP}.v"))
    title = f"Yosys {yosys.version()}"

    def run(read: str) -> str:
        read = f"{read} {listed}"
        return yosys.run(
            [read, f"hierarchy -check -top {TOP}", *commands], folder=folder, name=name
        )

    try:
        return title, run("read_verilog -sv -defer")
    except YosysError as error:
        if not yosys.recent:
            raise
        # SystemVerilog beyond Yosys' own front end; what slang says of plain Verilog is no better.
        try:
            return f"{title} with slang", run(f"{READ_SLANG} --top {TOP}")
        except YosysError:
            raise error from None


def read_json(path: Path) -> dict[str, Any]:
    """The modules that Yosys wrote as JSON, by name."""
    # Yosys takes the bytes of names for signed numbers, and writes those beyond ASCII as such.
    data = re.sub(
        rb"\\uFFFFFF(..)", lambda byte: bytes.fromhex(byte[1].decode()), path.read_bytes()
    )
    modules: dict[str, Any] = json.loads(data.decode(errors="surrogateescape"))["modules"]
    return modules


def flat(path: Path) -> Module:
    """TOP, flattened, as Yosys wrote it."""
    return Module(read_json(path)[TOP], inside=f"{INSTANCE}.")


def safe(name: str) -> str:
    """The name of a file as no command has to quote it."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def _safe_line(mark: re.Match[bytes]) -> bytes:
    return mark[1] + safe(mark[2].decode(errors="replace")).encode() + mark[3]


def _copied(paths: Iterable[Path], folder: Path) -> list[str]:
    """Copies Verilog files into the folder.

    Returns:
        Their names there.
    """
    files: list[str] = []
    for path in paths:
        name = safe(path.name)
        name = name if name not in files else f"{len(files)}_{name}"
        (folder / name).write_bytes(_LINE.sub(_safe_line, path.read_bytes()))
        files.append(name)
    return files


def _harness(circuit: Circuit) -> str:
    roles = circuit.roles
    nets = {roles.activation: A, roles.weight: B, roles.product: P}
    if roles.clock is not None:
        nets[roles.clock] = _CLOCK
    if roles.reset is not None:
        nets[roles.reset.name] = f"1'b{1 - roles.reset.active}"
    a_bits, b_bits = roles.bits
    return (
        f"module {TOP} (\n"
        f"  input [{a_bits - 1}:0] {A},\n"
        f"  input [{b_bits - 1}:0] {B},\n"
        f"  input {_CLOCK},\n"
        f"  output [{roles.product_bits - 1}:0] {P}\n"
        ");\n"
        f"{circuit.instance(INSTANCE, nets)}"
        "endmodule\n"
    )


def _netlist(circuit: Circuit, words: Module, gates: Module, reader: str) -> Netlist:
    found = order(gates, a=A, b=B, p=P, clock=_CLOCK)
    a, b, p = (tuple(found.net[bit] for bit in gates.port(port)) for port in (A, B, P))
    # Bits that the output lacks are 0.
    p = (0,) * circuit.roles.product_shift + p
    names = {found.net[bit]: name for bit, name in gates.names.items() if bit in found.net}
    return Netlist(
        name=circuit.name,
        operands=circuit.operands,
        product=Operand(len(p), circuit.product.signed),
        a=a,
        b=b,
        p=p,
        gates=found.gates,
        nets=found.nets,
        names={net: name for net, name in names.items() if net > 1},
        enable=found.enable,
        latency=found.latency,
        # A latch, and a second driver, may be gone from the gates; what they did is not.
        findings=replace(
            found.findings,
            latches=words.shown(words.latched),
            conflicts=words.shown(words.conflicts),
        ),
        reader=reader,
    )
