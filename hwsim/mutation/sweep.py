# SPDX-License-Identifier: Apache-2.0
"""Instances side by side, the operands they see, the products they must make: a harness."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..verilog.parameters import Parameter
from .check import MARK, TOP, Block, Integers, instantiate, number


@dataclass(frozen=True, eq=False)
class Instance:
    """One instance in a sweep, and what it must compute.

    Attributes:
        name: for messages.
        module: what is instantiated.
        parameters: given to it; the others keep their defaults.
        ports: by name, which operand goes in: `a` or `b`.
        output: name of the output port.
        bits: of the output.
        expected: (N,) bit patterns.
    """

    name: str
    module: str
    parameters: Mapping[str, Parameter]
    ports: Mapping[str, str]
    output: str
    bits: int
    expected: Integers

    def block(self, width: int) -> Block:
        """The same without what it must compute."""
        ports = dict.fromkeys(self.ports, width)
        return Block(self.name, self.module, self.parameters, ports, {self.output: self.bits})

    def verilog(self, index: int) -> str:
        """The instance, its output on `y_<index>`."""
        ports = {**self.ports, self.output: f"y_{index}"}
        return f"  wire [{self.bits - 1}:0] y_{index};\n" + instantiate(
            self.module, index, self.parameters, ports
        )


@dataclass(frozen=True, eq=False)
class Sweep:
    """Instances of one operand width, side by side, and the operand pairs they all see.

    Attributes:
        name: for messages.
        width: operand bits.
        a: (N,) first operands as bit patterns.
        b: (N,) second operands.
        instances: what is simulated.
    """

    name: str
    width: int
    a: Integers
    b: Integers
    instances: tuple[Instance, ...]

    evidence: ClassVar[str] = "table"

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What is simulated."""
        return tuple(one.block(self.width) for one in self.instances)

    @property
    def total(self) -> int:
        """Products, over all instances."""
        return len(self.a) * len(self.instances)

    def difference(self, words: Sequence[str]) -> str:
        """As in `Check`: instance, a, b, bits, expected."""
        instance = self.instances[int(words[0])]
        got = number(words[3][-instance.bits :])
        return f"{instance.name} at a={words[1]}, b={words[2]}: {got}, expected {words[4]}"

    def write(self, path: Path, data: Path) -> None:
        """The harness, and the operands and products as `$readmemh` reads them.

        A line of the data is one operand pair: 16 bits of `a`, 16 bits of `b`, and then the
        products of all instances in 32 bits each, the first lowest.
        """
        count, pairs = len(self.instances), len(self.a)
        lanes = [self.a | self.b << 16, *(instance.expected for instance in self.instances)]
        digits = np.stack(lanes[::-1], axis=1).astype(">u4").tobytes().hex()
        length = 8 * (count + 1)
        data.write_text("\n".join(digits[i : i + length] for i in range(0, pairs * length, length)))
        instances = "".join(one.verilog(i) for i, one in enumerate(self.instances))
        outputs = ", ".join(
            f"{{{{{32 - self.instances[i].bits}{{1'b0}}}}, y_{i}}}"
            if self.instances[i].bits < 32
            else f"y_{i}"
            for i in reversed(range(count))
        )
        last = self.width - 1
        path.write_text(
            f"module {TOP};\n"
            f"  reg [{32 * (count + 1) - 1}:0] rows [0:{pairs - 1}];\n"
            f"  reg [{32 * (count + 1) - 1}:0] row;\n"
            f"  reg [{last}:0] a, b;\n"
            f"  wire [{32 * count - 1}:0] got = {{{outputs}}};\n"
            f"  wire [{32 * count - 1}:0] want = row[{32 * (count + 1) - 1}:32];\n"
            f"  integer i, d, wrong [0:{count - 1}], unknown [0:{count - 1}];\n"
            f"{instances}"
            "  initial begin\n"
            f'    $readmemh("{data}", rows);\n'
            f"    for (d = 0; d < {count}; d = d + 1) begin\n"
            "      wrong[d] = 0; unknown[d] = 0;\n"
            "    end\n"
            f"    for (i = 0; i < {pairs}; i = i + 1) begin\n"
            "      row = rows[i];\n"
            f"      a = row[{last}:0];\n"
            f"      b = row[{16 + last}:16];\n"
            "      #1;\n"
            "      if (got !== want) begin\n"
            f"        for (d = 0; d < {count}; d = d + 1) begin\n"
            "          if (got[32*d +: 32] !== want[32*d +: 32]) begin\n"
            f'            if (wrong[d] == 0) $display("{MARK} first %0d %0d %0d %b %0d", d, a, b,\n'
            "              got[32*d +: 32], want[32*d +: 32]);\n"
            "            wrong[d] = wrong[d] + 1;\n"
            "            if (^got[32*d +: 32] === 1'bx) unknown[d] = unknown[d] + 1;\n"
            "          end\n"
            "        end\n"
            "      end\n"
            "    end\n"
            f"    for (d = 0; d < {count}; d = d + 1)\n"
            f'      $display("{MARK} count %0d %0d %0d", d, wrong[d], unknown[d]);\n'
            f'    $display("{MARK} done");\n'
            "    $finish;\n"
            "  end\n"
            "endmodule\n"
        )
