# SPDX-License-Identifier: Apache-2.0
"""Runs inside the simulator: drives the operands, records the products, judges nothing.

Files in the simulator's folder are the interface, all little-endian: `operands_a.bin` and
`operands_b.bin` hold 16 bits an operand, pairs of one batch together; `products_<d>.bin` gets 32
bits a product for design d. `sweep.json` says how many pairs a batch has, and the designs.
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
    """Drives every batch and records every design's products."""
    settings = json.loads(Path("sweep.json").read_text())
    pairs: int = settings["pairs"]
    a = Path("operands_a.bin").read_bytes()
    b = Path("operands_b.bin").read_bytes()
    outputs = [getattr(dut, f"p_{d}") for d in range(len(settings["names"]))]
    products = [bytearray() for _ in outputs]
    size = 2 * pairs

    for batch, start in enumerate(range(0, len(a), size)):
        a_batch, b_batch = a[start : start + size], b[start : start + size]
        dut.a.value = int.from_bytes(a_batch, "little")
        dut.b.value = int.from_bytes(b_batch, "little")
        await Timer(1, "ns")  # the operands stand before the batch starts
        dut.go.value = batch % 2
        await Timer(pairs + 1, "ns")
        for d, output in enumerate(outputs):
            bits = str(output.value)
            try:
                packed = int(bits, 2)
            except ValueError:
                message = _describe(bits, a_batch, b_batch, name=settings["names"][d], **settings)
                Path("failure.txt").write_text(message)
                raise UnknownOutputError(message) from None
            products[d] += packed.to_bytes(4 * pairs, "little")

    for d, recorded in enumerate(products):
        Path(f"products_{d}.bin").write_bytes(recorded)


def _describe(
    bits: str, a_batch: bytes, b_batch: bytes, *, name: str, width: int, signed: bool, **_: Any
) -> str:
    """The sentence for the first pair with an X or Z."""
    first = next(i for i, bit in enumerate(reversed(bits)) if bit not in "01")
    pair = first // 32
    end = len(bits) - 32 * pair
    shown = bits[end - 2 * width : end]
    a, b = (
        _value(int.from_bytes(batch[2 * pair : 2 * pair + 2], "little"), width, signed)
        for batch in (a_batch, b_batch)
    )
    return f"{name}: expected 0 and 1 only on p_o, got {shown} for a_i={a}, b_i={b}"


def _value(pattern: int, width: int, signed: bool) -> int:
    return pattern - 2**width if signed and pattern >= 2 ** (width - 1) else pattern
