# SPDX-License-Identifier: Apache-2.0
"""Clocked instances side by side, what each gets in every cycle, what must come out: a harness."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..designs.mac import CycleModel
from ..verilog.parameters import Parameter
from .check import MARK, TOP, Block, instantiate, number

Stimulus = Iterator[dict[str, int]]
"""The bit patterns of all inputs, cycle by cycle; the first is a reset."""


@dataclass(frozen=True)
class Clocked:
    """One instance in a trace: a recipe, from which every run makes the same cycles.

    Attributes:
        name: for messages.
        module: what is instantiated.
        parameters: given to it; the others keep their defaults.
        model: makes what it must do.
        stimulus: makes what goes in; it may look at the model's state.
    """

    name: str
    module: str
    parameters: Mapping[str, Parameter]
    model: Callable[[], CycleModel]
    stimulus: Callable[[CycleModel, random.Random], Stimulus]

    @property
    def block(self) -> Block:
        """The same without what comes in and what must come out."""
        model = self.model()
        ports = model.inputs, model.outputs
        return Block(self.name, self.module, self.parameters, *ports, clock="clk_i")

    def digits(self, cycles: int, seed: str) -> Iterator[str]:
        """What goes in and what must come out, in hexadecimal: outputs above inputs."""
        model = self.model()
        stimulus = self.stimulus(model, random.Random(f"{seed}, {self.name}"))
        for _ in range(cycles):
            given = next(stimulus)
            seen = model.step(given)
            row = shift = 0
            for values, ports in ((given, model.inputs), (seen, model.outputs)):
                for port, bits in ports.items():
                    row |= values[port] << shift
                    shift += bits
            yield f"{row:0{-(-shift // 4)}x}"


@dataclass(frozen=True)
class Trace:
    """Instances on one clock, each with inputs and expected outputs of its own.

    Inputs take their values while the clock is low. At the falling edge they are the complement, so
    that what looks at the wrong edge sees something else. All outputs are compared just before the
    rising edge, so that what follows the inputs at once is compared too; in every cycle but the
    first.

    Attributes:
        name: for messages.
        cycles: how many.
        instances: what is simulated.
        seed: of the stimulus.
    """

    name: str
    cycles: int
    instances: tuple[Clocked, ...]
    seed: int = 0

    evidence: ClassVar[str] = "trace"

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What is simulated."""
        return tuple(one.block for one in self.instances)

    @property
    def total(self) -> int:
        """Compared cycles, over all instances."""
        return (self.cycles - 1) * len(self.instances)

    def difference(self, words: Sequence[str]) -> str:
        """As in `Check`: instance, cycle, bits of all outputs, expected bits."""
        instance = self.instances[int(words[0])]
        end = len(words[2])
        for port, bits in instance.model().outputs.items():
            got, expected = (word[end - bits : end] for word in words[2:4])
            if got != expected:
                where = f"{instance.name} in cycle {words[1]}"
                return f"{where}: {port} is {number(got)}, expected {number(expected)}"
            end -= bits
        raise AssertionError(f"no output differs in {words}")

    def write(self, path: Path, data: Path) -> None:
        """The harness, and the cycles as `$readmemh` reads them, the first instance lowest."""
        digits: list[Iterator[str]] = []
        wires, compared = [], []
        low = 0
        for i, instance in enumerate(self.instances):
            model = instance.model()
            inputs, outputs = sum(model.inputs.values()), sum(model.outputs.values())
            places = {"clk_i": "clk"}
            for wire, ports in (("x", model.inputs), ("y", model.outputs)):
                at = 0
                for port, bits in ports.items():
                    places[port] = f"{wire}_{i}[{at + bits - 1}:{at}]"
                    at += bits
            wires.append(
                f"  wire [{inputs - 1}:0] x_{i} = row[{low} +: {inputs}];\n"
                f"  wire [{outputs - 1}:0] y_{i};\n"
                f"  wire [{outputs - 1}:0] z_{i} = row[{low + inputs} +: {outputs}];\n"
                + instantiate(instance.module, i, instance.parameters, places)
            )
            compared.append(
                f"        if (y_{i} !== z_{i}) begin\n"
                f"          if (wrong[{i}] == 0)\n"
                f'            $display("{MARK} first {i} %0d %b %b", i, y_{i}, z_{i});\n'
                f"          wrong[{i}] = wrong[{i}] + 1;\n"
                f"          if (^y_{i} === 1'bx) unknown[{i}] = unknown[{i}] + 1;\n"
                "        end\n"
            )
            digits.append(instance.digits(self.cycles, f"{self.name}, {self.seed}"))
            low += 4 * -(-(inputs + outputs) // 4)
        data.write_text("".join("".join(reversed(c)) + "\n" for c in zip(*digits, strict=True)))
        count = len(self.instances)
        path.write_text(
            f"module {TOP};\n"
            "  reg clk = 1'b0;\n"
            f"  reg [{low - 1}:0] rows [0:{self.cycles - 1}];\n"
            f"  reg [{low - 1}:0] row;\n"
            f"  integer i, d, wrong [0:{count - 1}], unknown [0:{count - 1}];\n"
            f"{''.join(wires)}"
            "  initial begin\n"
            f'    $readmemh("{data}", rows);\n'
            f"    for (d = 0; d < {count}; d = d + 1) begin\n"
            "      wrong[d] = 0; unknown[d] = 0;\n"
            "    end\n"
            f"    for (i = 0; i < {self.cycles}; i = i + 1) begin\n"
            "      row = ~rows[i]; #1; clk = 1'b0; #1; row = rows[i]; #1;\n"
            "      if (i > 0) begin\n"
            f"{''.join(compared)}"
            "      end\n"
            "      clk = 1'b1; #1;\n"
            "    end\n"
            f"    for (d = 0; d < {count}; d = d + 1)\n"
            f'      $display("{MARK} count %0d %0d %0d", d, wrong[d], unknown[d]);\n'
            f'    $display("{MARK} done");\n'
            "    $finish;\n"
            "  end\n"
            "endmodule\n"
        )
