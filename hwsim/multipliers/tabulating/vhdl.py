# SPDX-License-Identifier: Apache-2.0
"""Products of VHDL as GHDL simulates it, against those of the Verilog that GHDL's synthesis became.

Simulator and gates read that Verilog, so that neither can notice what the synthesis gets wrong.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import HwsimError
from ...tools.ghdl import ghdl_version, simulated
from ...tools.scratch import scratch
from ...verilog.circuit import Circuit
from ...verilog.reading.vhdl import is_vhdl, placed, read_vhdl
from ...verilog.reading.vhdl_bench import BENCH, PRODUCTS, STIMULI, bench
from ...verilog.reading.vhdl_netlist import identifier
from .findings import Finding

_MOST = 1 << 16
"""Operand pairs; those of more are drawn."""
_RESET_STEPS = 2


def hold_to_vhdl(
    circuit: Circuit,
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    products: NDArray[Any],
    latency: int,
) -> tuple[str, ...]:
    """Holds products to GHDL's simulation of the VHDL that they are of.

    Args:
        circuit: any; nothing is done where it is no VHDL.
        a: (N,) bit patterns of the activation.
        b: (N,) of the weight.
        products: (N,) of the translation, int64 where they are signed, else uint64.
        latency: cycles between operands and product.

    Returns:
        A warning where GHDL does not simulate it.

    Raises:
        HwsimError: they differ; it says for which operands.
    """
    if not is_vhdl(circuit.sources[0]):
        return ()
    if len(a) > _MOST:
        some = np.sort(np.random.default_rng(0).integers(len(a), size=_MOST))
        a, b, products = a[some], b[some], products[some]
    inner = circuit.core or circuit
    x, y = (one.value(bits) for one, bits in zip(circuit.operands, (a, b), strict=True))
    # The wrapper is ours, and around the Verilog.
    pair = (abs(x), abs(y)) if circuit.core else (a, b)
    negative = (x < 0) ^ (y < 0) if circuit.core else np.zeros(len(a), bool)
    words = _simulated(inner, *pair, latency)
    if isinstance(words, str):
        what = "not held to GHDL's own simulation of the VHDL"
        return (str(Finding(what, f": {words}", "unchecked-vhdl")),)
    values, defined = words
    mask = np.uint64(2**inner.roles.product_bits - 1)
    made = circuit.products(np.where(negative, -values, values) & mask)
    wrong = np.flatnonzero((made != products) | ~defined)
    if len(wrong):
        i = wrong[np.lexsort((b[wrong], a[wrong]))[0]]
        raise HwsimError(
            f"{circuit.name}: expected GHDL {ghdl_version()} to synthesise what it simulates, but "
            f"{len(wrong):,} of {len(a):,} products differ, the first {x[i]} x {y[i]}: "
            f"{made[i] if defined[i] else 'undefined'} as it simulates the VHDL, {products[i]} as "
            "it synthesises it; write that expression in another way, or take a newer ghdl"
        )
    return ()


def _simulated(
    circuit: Circuit, a: NDArray[np.int64], b: NDArray[np.int64], latency: int
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]] | str:
    """Output words, and which of them have no unknown bits; or why there are none."""
    vhdl = read_vhdl(circuit.sources, where=circuit.name)
    entity = next(one for one in vhdl.entities.values() if identifier(one.name) == circuit.top)
    kinds = {port: vhdl.base(kind) for port, (_, kind) in entity.ports.items()}
    roles = circuit.roles
    operands = {roles.activation: a, roles.weight: b}
    signs = dict(zip(operands, circuit.operands.signs, strict=True))
    with scratch("vhdl") as folder:
        names = placed(circuit.sources, folder)
        text, places = bench(
            entity,
            kinds,
            circuit.interface,
            roles,
            circuit.parameters,
            signed=frozenset(port for port, signed in signs.items() if signed),
            edges=0 if roles.clock is None else latency + 1,
            arith=any(b"std_logic_arith" in (folder / name).read_bytes().lower() for name in names),
        )
        (folder / f"{BENCH}.vhd").write_text(text, encoding="utf-8")
        (folder / STIMULI).write_bytes(_stimuli(circuit, operands, places))
        reason = simulated([*names, f"{BENCH}.vhd"], BENCH, folder=folder)
        if reason:
            return reason
        lines = (folder / PRODUCTS).read_bytes().split()[_resets(circuit) :]
    if len(lines) != len(a):
        return f"it ends after {len(lines):,} of {len(a):,} products"
    bits = np.array(lines).view(np.uint8).reshape(len(a), -1)[:, -roles.product_bits :]
    words = np.zeros(len(a), np.uint64)
    for column in bits.T:
        words = words << np.uint64(1) | (column == ord("1")).astype(np.uint64)
    return words, np.logical_and.reduce(np.isin(bits, [ord("0"), ord("1")]), axis=1)


def _resets(circuit: Circuit) -> int:
    """Steps before the first operands."""
    return 0 if circuit.roles.reset is None else _RESET_STEPS


def _stimuli(
    circuit: Circuit, operands: Mapping[str, NDArray[np.int64]], places: Mapping[str, range]
) -> bytes:
    """A line of 0 and 1 for every step."""
    roles, resets = circuit.roles, _resets(circuit)
    held = {**{one.name: one.active for one in roles.enables}, **roles.ties}
    driven: dict[str, int | NDArray[np.int64]] = {**held, **operands}
    rows = len(operands[roles.activation])
    # Columns from the lowest bit on, then turned round.
    bits = np.zeros((resets + rows, sum(map(len, places.values()))), np.uint8)
    for name, value in driven.items():
        port, *part = re.findall(r"\w+", name)  # of `ab[15:8]`
        high, low = map(int, part or (len(places[port]) - 1, 0))
        start = 0 if name in held else resets
        for bit in range(high - low + 1):
            bits[start:, places[port][low + bit]] = value >> bit & 1
    if roles.reset is not None:
        place = places[roles.reset.name].start
        bits[:resets, place] = roles.reset.active
        bits[resets:, place] = 1 - roles.reset.active
    lines = np.full((len(bits), bits.shape[1] + 1), ord("\n"), np.uint8)
    lines[:, :-1] = bits[:, ::-1] + ord("0")
    return lines.tobytes()
