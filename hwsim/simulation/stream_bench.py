# SPDX-License-Identifier: Apache-2.0
"""Runs inside the simulator: starts the stream chunk by chunk and tells how far it is.

`stream.json` says how many cycles there are, and which ports of which width each circuit is said
to have. `progress` gets the number of finished cycles after each chunk.
"""

import json
import time
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer, ValueChange

_FIRST_CHUNK = 16
_CHUNK_SECONDS = 0.1


class WrongPortError(Exception):
    """The elaborated design has another port than the one that was read from its text."""


@cocotb.test()
async def stream(dut: Any) -> None:
    """Sends every operand pair through the design."""
    settings = json.loads(Path("stream.json").read_text())
    for circuit in settings["circuits"]:
        for name, width in circuit["ports"].items():
            found = len(getattr(getattr(dut, circuit["instance"]), name))
            if found != width:
                message = (
                    f"{circuit['name']}: expected {name} of {width} bits as its Verilog was read, "
                    f"got {found} bits once elaborated"
                )
                Path("failure.txt").write_text(message)
                raise WrongPortError(message)
    cycles, done, chunk, go = settings["cycles"], 0, _FIRST_CHUNK, 0
    while done < cycles and dut.moves.value == 0:
        began, go, count = time.monotonic(), 1 - go, min(chunk, cycles - done)
        dut.count.value = count
        await Timer(1, "ns")  # the count stands before the chunk starts
        dut.go.value = go
        await ValueChange(dut.done)
        done += count
        Path("progress").write_text(str(done))
        # A slow design gives signs of life as often as a fast one.
        if time.monotonic() - began < _CHUNK_SECONDS:
            chunk *= 2
