# SPDX-License-Identifier: Apache-2.0
"""The Verilog around a circuit that multiplies batch after batch for as long as it is asked to."""

from dataclasses import dataclass

from ..errors import HwsimError
from ..verilog.circuit import Circuit

TOP = "axhil_live"
OPERANDS, PRODUCTS, VCD = "operands.bin", "products.bin", "trace.vcd"
"""Files in the simulator's folder: what goes in, what comes out, and the trace."""


@dataclass(frozen=True)
class Window:
    """A stretch of the products, counted from 0 in the order of simulation.

    Attributes:
        start: first product.
        count: how many, at least 1.

    Raises:
        HwsimError: a negative start, or no product.
    """

    start: int
    count: int

    def __post_init__(self) -> None:
        if self.start < 0 or self.count < 1:
            raise HwsimError(
                f"expected a window of START:COUNT products with START >= 0 and COUNT >= 1, "
                f"got {self.start}:{self.count}"
            )

    @property
    def stop(self) -> int:
        """One beyond the last product."""
        return self.start + self.count


def live_harness(
    circuit: Circuit, *, instances: int, batch: int, window: Window | None, step: int = 1
) -> str:
    """A module that takes `count` operand pairs from a file and puts their products in another.

    A change of `go` starts a batch. Instance l multiplies the l-th of `instances` equal stretches
    of it, one pair a step, so a stretch's operands arrive in the order given. A change of
    `done` ends the batch; `unknown` then says whether a product had an X or Z bit, `bad` which
    was the first and `bad_product` what it was.

    The simulator itself moves the operands and products in bulk: crossing from Python to Verilog
    for each costs as much as a product, and for packed batches grows with their square.

    Args:
        circuit: the multiplier.
        instances: side by side; `count` must be a multiple.
        batch: most pairs of a batch.
        window: the products to trace, with one instance only.
        step: nanoseconds that a product may take.
    """
    roles, lanes = circuit.roles, range(instances)
    (a_bits, b_bits), bits = roles.bits, roles.product_bits

    def instance(i: int) -> str:
        nets = {roles.activation: f"a_{i}", roles.weight: f"b_{i}", roles.product: f"product_{i}"}
        return circuit.instance(f"u_{i}", nets)

    declarations = "".join(
        f"  reg  [{a_bits - 1}:0] a_{i};\n"
        f"  reg  [{b_bits - 1}:0] b_{i};\n"
        f"  wire [{bits - 1}:0] product_{i};\n{instance(i)}"
        for i in lanes
    )
    drive = "".join(
        f"      pair = operands[{i}*steps + step];\n"
        f"      a_{i} = pair[{15 + a_bits}:16];\n"
        f"      b_{i} = pair[{b_bits - 1}:0];\n"
        for i in lanes
    )
    record = "".join(
        f"      products[{i}*steps + step] = product_{i};\n"
        # An X or Z bit stays X whatever it is XORed with.
        f"      seen = seen ^ product_{i};\n"
        for i in lanes
    )
    begin_trace = end_trace = ""
    if window is not None:
        assert instances == 1
        begin_trace = (
            f"      if (served == {window.start}) begin\n"
            f'        $dumpfile("{VCD}");\n'
            "        $dumpvars(0, served, u_0);\n"
            "      end\n"
        )
        end_trace = (
            "      served = served + 1;\n"
            f"      if (served == {window.stop}) begin\n"
            "        $dumpoff;\n"
            "        $dumpflush;\n"
            "      end\n"
        )
    return f"""`default_nettype none
module {TOP};
  reg [31:0] operands [0:{batch - 1}];  // first operand in the upper half
  reg [31:0] products [0:{batch - 1}];
  reg [31:0] count, bad, bad_product, pair;
  reg [63:0] served;
  reg [{bits - 1}:0] seen;
  reg go, done, unknown;
  integer file, steps, step, n;
{declarations}
  initial begin
    served = 0;
    done = 1'b0;
  end
  always @(go) begin
    file = $fopen("{OPERANDS}", "rb");
    n = $fread(operands, file, 0, count);
    $fclose(file);
    seen = 0;
    steps = count / {instances};
    for (step = 0; step < steps; step = step + 1) begin
{begin_trace}{drive}      #{step};
{record}{end_trace}    end
    unknown = (^seen === 1'bx);
    if (unknown) begin
      bad = 0;
      while (^products[bad] !== 1'bx) bad = bad + 1;
      bad_product = products[bad];
    end
    file = $fopen("{PRODUCTS}", "wb");
    for (step = 0; step < count; step = step + 1) $fwrite(file, "%u", products[step]);
    $fclose(file);
    done = ~done;
  end
endmodule
`default_nettype wire
"""
