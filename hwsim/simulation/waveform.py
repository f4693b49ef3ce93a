# SPDX-License-Identifier: Apache-2.0
"""A VCD of a few operand pairs: what circuits do at them, beside what was expected.

Two circuits may have modules of the same names, so each is simulated by itself, with the same
operands at the same times, and stands in a scope of its own of one file.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import HwsimError
from ..files import read_text, write_atomically
from ..tools.box import Box
from ..tools.logs import first_error, how_it_ended
from ..tools.process import OverLimitError, run
from ..tools.scratch import scratch
from ..tools.simulators import require_simulator, run_icarus
from ..verilog.circuit import Circuit
from ..verilog.compiled.program import read_program
from ..verilog.compiled.state import read_compiled
from .stream_harness import RESET_CYCLES, connections
from .vcd import merged

TOP = "axhil_waveform"
_DUT, _PROGRAM, _VCD = "dut", "waveform.vvp", "waveform.vcd"
_MOST_WRITTEN = 1 << 28  # bytes of a program, or of the VCD of a few pairs
_HALF = 5  # nanoseconds of half a cycle of a design without delays


@dataclass(frozen=True)
class Probe:
    """A circuit, and what it is held against.

    Attributes:
        scope: what the VCD calls it.
        circuit: to simulate.
        latency: cycles between operands and product.
        expected: (N,) the product of each operand pair.
    """

    scope: str
    circuit: Circuit
    latency: int
    expected: Sequence[int]


@dataclass(frozen=True)
class Waveform:
    """Some operand pairs, one after the other.

    Attributes:
        vcd: the text; equal Verilog and operands give equal text.
        held: (N,) nanoseconds from which and until which each pair is held; at the end its product
            is there.
    """

    vcd: str
    held: tuple[tuple[int, int], ...]

    def write(self, path: Path, place: int) -> str:
        """Writes the VCD, and returns a line that says where in it the pair at `place` is.

        Raises:
            HwsimError: it cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HwsimError(f"cannot write {path}: {error.strerror or error}") from error
        write_atomically(path, self.vcd.encode())
        start, end = self.held[place]
        return f"waveform: {path}, the first mismatch from {start:,} to {end:,} ns"


def record(probes: Sequence[Probe], pairs: Sequence[tuple[int, int]], *, limit: float) -> Waveform:
    """Simulates circuits with Icarus Verilog and records all their signals.

    A scope has `a`, `b`, `product`, `expected` and `differs`, and below `dut` those of the design.

    Args:
        probes: of equal operands.
        pairs: (N,) bit patterns of activation and weight.
        limit: seconds that a simulation may take.

    Raises:
        HwsimError: there is no Icarus Verilog, or it takes too long.
    """
    require_simulator()
    clocked = any(probe.circuit.roles.clock is not None for probe in probes)
    start, cycles, half = RESET_CYCLES * clocked, 1 + max(one.latency for one in probes), _HALF
    with scratch("waveform") as folder:
        places = [folder / str(number) for number in range(len(probes))]
        sources = []
        for probe, place in zip(probes, places, strict=True):
            place.mkdir()
            sources.append([place / f"{TOP}.v", *probe.circuit.place(place)])
        compiled = tuple(zip(probes, places, sources, strict=True))

        def compile_all() -> list[float]:
            for probe, place, files in compiled:
                text = _harness(probe, pairs, start=start, cycles=cycles, half=half)
                files[0].write_text(text)
                _compile(probe.circuit.name, files, folder=place)
            return [_delay(probe.circuit, place) for probe, place, _ in compiled]

        # How long a design's delays are is known once it is compiled.
        if (needed := math.ceil(2 * max(compile_all()))) > half:
            half = needed
            compile_all()
        dumps = {one.scope: _simulate(one.circuit.name, place, limit) for one, place, _ in compiled}
    edges = [2 * half * (start + cycles * i) for i in range(len(pairs) + 1)]
    return Waveform(merged(dumps), tuple(itertools.pairwise(edges)))


def _harness(
    probe: Probe, pairs: Sequence[tuple[int, int]], *, start: int, cycles: int, half: int
) -> str:
    """The Verilog around one circuit; `start` cycles are a reset."""
    circuit, roles = probe.circuit, probe.circuit.roles
    a_bits, b_bits = roles.bits
    bits, shift = roles.product_bits, roles.product_shift
    needed = circuit.product.signed + max(value.bit_length() for value in probe.expected)
    width = max(bits + shift, needed)
    sign = f"p[{bits - 1}]" if circuit.product.signed else "1'b0"
    above = [f"{{{width - bits - shift}{{{sign}}}}}"] if width > bits + shift else []
    parts = [*above, "p", *([f"{shift}'b0"] if shift else [])]
    clocked = roles.clock is not None
    cycle = f"#{half} clk = 1'b1; #{half} clk = 1'b0;" if clocked else f"#{2 * half};"
    stimuli = "".join(
        f"    a = {a_bits}'d{a}; b = {b_bits}'d{b}; "
        f"expected = {width}'d{value % (1 << width)}; repeat ({cycles}) begin {cycle} end\n"
        for (a, b), value in zip(pairs, probe.expected, strict=True)
    )
    a, b = pairs[0]
    release = " rst = 1'b0;" if roles.reset else ""
    return (
        "`timescale 1ns/1ns\n"
        "`default_nettype none\n"
        f"module {TOP};\n"
        + ("  reg clk = 1'b0;\n" if clocked else "")
        + ("  reg rst = 1'b1;\n" if roles.reset else "")
        + f"  reg [{a_bits - 1}:0] a = {a};\n"
        f"  reg [{b_bits - 1}:0] b = {b};\n"
        f"  wire [{bits - 1}:0] p;\n"
        f"  wire [{width - 1}:0] product = {{{', '.join(parts)}}};\n"
        f"  reg [{width - 1}:0] expected;\n"
        "  wire differs = product !== expected;\n"
        f"{circuit.instance(_DUT, connections(circuit, 'a', 'b', 'p'))}"
        "  initial begin\n"
        f'    $dumpfile("{_VCD}"); $dumpvars(0, {TOP});\n'
        f"    repeat ({start}) begin {cycle} end{release}\n"
        f"{stimuli}"
        "    $finish;\n"
        "  end\n"
        "endmodule\n"
        "`default_nettype wire\n"
    )


def _compile(name: str, files: Sequence[Path], *, folder: Path) -> None:
    sources = [str(file.resolve()) for file in files]
    command = ["iverilog", "-g2012", "-s", TOP, "-o", _PROGRAM, *sources]
    done = run_icarus(command, name=name, folder=folder)
    if done.code:
        raise HwsimError(f"{name}: the Verilog does not compile: {first_error(done.stderr)}")


def _delay(circuit: Circuit, folder: Path) -> float:
    """Nanoseconds of all its delays together."""
    program = read_program(read_text(folder / _PROGRAM, limit=_MOST_WRITTEN, errors="replace"))
    return read_compiled(program, _DUT, circuit.roles.product).delay


def _simulate(name: str, folder: Path, limit: float) -> str:
    try:
        command = ["vvp", "-n", _PROGRAM]
        done = run(command, box=Box(folder, file=_MOST_WRITTEN), seconds=limit)
    except OverLimitError:
        raise HwsimError(f"{name}: expected a waveform within {limit:g} s") from None
    if done.code:
        raise HwsimError(f"{name}: {how_it_ended(done.stdout + done.stderr)}")
    return read_text(folder / _VCD, limit=_MOST_WRITTEN)
