# SPDX-License-Identifier: Apache-2.0
"""From a circuit to gates, by Yosys."""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..operands import Operand
from ..tools.scratch import scratch
from ..tools.yosys import YosysError, require_yosys
from ..verilog.circuit import Circuit
from .module import Module
from .netlist import Netlist
from .order import order

# Nothing that a person's Verilog could name: it is compiled with the harness.
TOP, A, B, P = "axhil_gates", "axhil_a", "axhil_b", "axhil_p"
"""Module around a circuit; its ports: activation, weight, product."""

_INSTANCE, _CLOCK = "dut", "axhil_clk"
_WORDS, _GATES = "words.json", "gates.json"
_COMMANDS = (
    "proc",
    "flatten",
    f"write_json {_WORDS}",
    # Enables and resets stay gates in front of plain registers.
    "opt -fast -nodffe -nosdff",
    "memory -nomap",
    "memory_map",
    "opt -fast -nodffe -nosdff",
    "techmap",
    "opt -fast -nodffe -nosdff",
    f"write_json {_GATES}",
)


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
        words, gates = (_module(folder / name) for name in (_WORDS, _GATES))
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
    yosys = require_yosys()
    files = _placed(circuit, folder)
    (folder / f"{TOP}.v").write_text(_harness(circuit), encoding="utf-8")
    title, listed = f"Yosys {yosys.version()}", " ".join((*files, f"{TOP}.v"))
    # What a front end made of another language is one text for simulator and gates.
    title += ", of the same translation" if (circuit.core or circuit).front_end else ""

    def run(read: str) -> None:
        read = f"{read} {listed}"
        yosys.run(
            [read, f"hierarchy -check -top {TOP}", *commands], folder=folder, name=circuit.name
        )

    try:
        run("read_verilog -sv -defer")
    except YosysError as error:
        if not yosys.recent:
            raise
        # SystemVerilog beyond Yosys' own front end; what slang says of plain Verilog is no better.
        try:
            run(f"read_slang --top {TOP}")
        except YosysError:
            raise error from None
        return f"{title} with slang"
    return title


def _module(path: Path) -> Module:
    body = json.loads(path.read_text(encoding="utf-8"))["modules"][TOP]
    return Module(body, inside=f"{_INSTANCE}.")


def _placed(circuit: Circuit, folder: Path) -> list[str]:
    """Copies all that is read into the folder, under names that no command has to quote.

    Returns:
        The Verilog files in order, relative to the folder.
    """
    files: list[str] = []
    for path in circuit.place(folder):
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", path.name)
        if path.parent != folder:
            name = name if name not in files else f"{len(files)}_{name}"
            shutil.copyfile(path, folder / name)
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
        f"{circuit.instance(_INSTANCE, nets)}"
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
