# SPDX-License-Identifier: Apache-2.0
"""Runs inside the simulator: drives the operands, records the products, judges nothing.

Files in the simulator's folder are the interface, all little-endian: `operands_a.bin` and
`operands_b.bin` hold 16 bits an operand, lanes of one step together; `products_<d>.bin` gets 32
bits a product for design d. `sweep.json` says how many lanes and designs there are.
"""

import json
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer


class UnknownOutputError(Exception):
    """An output bit is X or Z."""


@cocotb.test()
async def sweep(dut: Any) -> None:
    """Drives every step and records every design's products."""
    settings = json.loads(Path("sweep.json").read_text())
    lanes: int = settings["lanes"]
    a = Path("operands_a.bin").read_bytes()
    b = Path("operands_b.bin").read_bytes()
    outputs = [getattr(dut, f"p_{d}") for d in range(len(settings["names"]))]
    products = [bytearray() for _ in outputs]
    size = 2 * lanes

    for start in range(0, len(a), size):
        a_step, b_step = a[start : start + size], b[start : start + size]
        dut.a.value = int.from_bytes(a_step, "little")
        dut.b.value = int.from_bytes(b_step, "little")
        await Timer(1, "ns")
        for d, output in enumerate(outputs):
            bits = str(output.value)
            try:
                packed = int(bits, 2)
            except ValueError:
                message = _describe(bits, a_step, b_step, name=settings["names"][d], **settings)
                Path("failure.txt").write_text(message)
                raise UnknownOutputError(message) from None
            products[d] += packed.to_bytes(4 * lanes, "little")

    for d, recorded in enumerate(products):
        Path(f"products_{d}.bin").write_bytes(recorded)


def _describe(
    bits: str, a_step: bytes, b_step: bytes, *, name: str, width: int, signed: bool, **_: Any
) -> str:
    """The sentence for the lowest lane with an X or Z."""
    first = next(i for i, bit in enumerate(reversed(bits)) if bit not in "01")
    lane = first // 32
    lane_bits = bits[len(bits) - 32 * lane - 2 * width : len(bits) - 32 * lane]
    a, b = (
        _value(int.from_bytes(step[2 * lane : 2 * lane + 2], "little"), width, signed)
        for step in (a_step, b_step)
    )
    return f"{name}: expected 0 and 1 only on p_o, got {lane_bits} for a_i={a}, b_i={b}"


def _value(pattern: int, width: int, signed: bool) -> int:
    return pattern - 2**width if signed and pattern >= 2 ** (width - 1) else pattern
