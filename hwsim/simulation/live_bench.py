# SPDX-License-Identifier: Apache-2.0
"""Runs inside the simulator: multiplies one batch for each command, until commands end.

Two FIFOs in the simulator's folder carry a JSON object a line. A command is `{"count": N}`: the
operands of N pairs stand in a file. The answer `{"count": N}` says that their products stand in
another, `{"bad": I, "product": "01X..."}` that product I is the first with an X or Z bit. While
there is no command the simulator sleeps in the read of the FIFO.
"""

import json
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer, ValueChange


@cocotb.test()
async def serve(dut: Any) -> None:
    """Serves batches until the other side closes its end."""
    await Timer(1, "ns")  # what the Verilog does at its start is done, a $fatal for instance
    with Path("commands").open() as commands, Path("answers").open("w", buffering=1) as answers:
        answers.write(json.dumps({"ready": True}) + "\n")
        for number, line in enumerate(commands, start=1):
            count: int = json.loads(line)["count"]
            dut.count.value = count
            await Timer(1, "ns")  # the count stands before the batch starts
            dut.go.value = number % 2
            await ValueChange(dut.done)
            answer: dict[str, int | str] = {"count": count}
            if str(dut.unknown.value) == "1":
                answer = {"bad": int(dut.bad.value), "product": str(dut.bad_product.value)}
            answers.write(json.dumps(answer) + "\n")
