# SPDX-License-Identifier: Apache-2.0
"""What judges a combinational module of `rtl/`: the tables it must make, and what it must refuse.

Every table is one of `golden`, `reference` or, for constants that the fit never makes, of the
formula below.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..designs import reference
from ..designs.catalog import FAMILIES, PAPER_MULTIPLIERS, Multiplier, legal_multipliers
from ..designs.design import FIRST, PRODUCT, SECOND, SIGNED_TOP, Design, Parameter
from ..errors import HwsimError
from ..multipliers.golden import golden
from .check import Gate, Integers, Refusal
from .sweep import Instance, Sweep

HELPER = "leading_one"
MODULES = (*(family.module for family in FAMILIES.values()), SIGNED_TOP, HELPER)
"""Files of `rtl/` that tables can judge."""

_DEE = (-16, -9, -4, -1, 0, 1)


def table_gate(module: str, others: tuple[Path, ...], *, widest: int | None = None) -> Gate:
    """The gate of a combinational module.

    Args:
        module: one of MODULES.
        others: files that are compiled with it.
        widest: operand bits up to which every legal parameter is swept, 6 to 8; None is what takes
            seconds: 8, or 6 where scaleTRIM has dozens of legal parameters.

    Raises:
        HwsimError: another `widest`.
    """
    if widest is not None and widest not in range(6, 9):
        raise HwsimError(f"expected a widest complete sweep of 6 to 8 bits, got {widest}")
    if module == HELPER:
        sweeps = (*(_positions(width) for width in (4, 5, 16)), _default_positions())
        sweeps += (_table(module, 4), _table(module, 5), *_golden(module))
        proof = tuple(_positions(width) for width in (*range(6, 16),))
        basis = "every input of every legal WIDTH, 4 to 16"
    else:
        sweeps = (_table(module, 4), _table(module, 5), _defaults(module))
        free = (5, 12) if module in {"mul_scaletrim", SIGNED_TOP} else ()
        sweeps += tuple(_free_constants(module, width=width) for width in free)
        sweeps += tuple(_sample(module, width) for width in (9, 11, 16))
        sweeps += _golden(module)
        if widest is None:
            widest = 8 if module in {"mul_exact", "mul_drum"} else 6
        proof = tuple(_table(module, width) for width in range(6, widest + 1))
        basis = (
            f"every operand pair of every legal parameter at widths 4 to {widest}, every operand "
            "pair of the golden tables at width 8, and samples at widths 9 to 16"
        )
    refusals = _refusals(module)
    basis += f"; {len(refusals)} illegal parameters are refused as before"
    return Gate(module, others, sweeps, refusals, proof, basis)


def _takes_part(module: str, multiplier: Multiplier) -> bool:
    return module == SIGNED_TOP or module in multiplier.modules


def _pairs(width: int) -> tuple[Integers, Integers]:
    side = np.arange(2**width, dtype=np.int64)
    return np.repeat(side, 2**width), np.tile(side, 2**width)


def _instance(multiplier: Multiplier, *, width: int, signed: bool, expected: Integers) -> Instance:
    design = Design.of(multiplier, width=width, signed=signed)
    return _multiplier(str(multiplier), design.top, design.parameters, width, expected)


def _multiplier(
    name: str, top: str, parameters: Mapping[str, Parameter], width: int, expected: Integers
) -> Instance:
    ports = {FIRST: "a", SECOND: "b"}
    bits = 2 * width
    wires = np.asarray(expected, np.int64).ravel() & (2**bits - 1)
    return Instance(name, top, parameters, ports, PRODUCT, bits, wires)


def _kind(signed: bool) -> str:
    return "signed" if signed else "unsigned"


def _table(module: str, width: int) -> Sweep:
    """Every operand pair of every legal multiplier."""
    signed = module == SIGNED_TOP
    instances = tuple(
        _instance(
            m,
            width=width,
            signed=signed,
            expected=reference.table(m, width=width, signed=signed).astype(np.int64),
        )
        for m in legal_multipliers(width)
        if _takes_part(module, m)
    )
    return Sweep(f"{width}-bit {_kind(signed)} table", width, *_pairs(width), instances)


def _golden(module: str) -> tuple[Sweep, ...]:
    tables = {m: golden(m) for m in PAPER_MULTIPLIERS if _takes_part(module, m)}
    instances = tuple(
        _instance(m, width=8, signed=True, expected=lut.table.astype(np.int64))
        for m, lut in tables.items()
    )
    return (Sweep("8-bit signed golden table", 8, *_pairs(8), instances),)


def _sample(module: str, width: int) -> Sweep:
    """1,000 pairs of corners and as many of any operands, for widths too large for a table."""
    signed = module == SIGNED_TOP
    low, high = (-(2 ** (width - 1)), 2 ** (width - 1)) if signed else (0, 2**width)
    near = {sign * 2**i + d for i in range(width) for d in (-1, 0, 1) for sign in (1, -1)}
    corners = sorted(x for x in {*near, low, low + 1, high - 2, high - 1} if low <= x < high)
    rng = np.random.default_rng(width)
    extremes = itertools.product((low, low + 1, 0, 1, high - 1), repeat=2)
    near_corners = rng.choice(np.array(corners, np.int64), (1000, 2))
    a, b = np.concatenate([[*extremes], near_corners, rng.integers(low, high, (1000, 2))]).T
    instances = tuple(
        _instance(
            m,
            width=width,
            signed=signed,
            expected=reference.product(m, a, b, width=width, signed=signed),
        )
        for m in _wide(width)
        if _takes_part(module, m)
    )
    mask = 2**width - 1
    return Sweep(f"{width}-bit {_kind(signed)} sample", width, a & mask, b & mask, instances)


def _wide(width: int) -> Iterable[Multiplier]:
    yield Multiplier("exact")
    yield from (Multiplier("drum", (k,)) for k in range(2, width + 1))
    arguments = [(1, 0), (3, 0), (4, 8), (7, 256), (width - 2, 2), (width - 1, 0), (width - 1, 16)]
    yield from (Multiplier("scaletrim", args) for args in arguments)


def _defaults(module: str) -> Sweep:
    """Parameters that are not given have the values that the headers print."""
    a, b = np.random.default_rng(8).integers(0, 256, (2, 2000))
    signed = module == SIGNED_TOP
    values = np.arange(256)
    if signed:
        values = np.where(values < 128, values, values - 256)
    x, y = values[a], values[b]

    def products(spelling: Multiplier) -> Integers:
        return reference.product(spelling, x, y, width=8, signed=signed)

    drum, scale_trim = Multiplier("drum", (4,)), Multiplier("scaletrim", (4, 0))
    cases: list[tuple[str, dict[str, Parameter], Integers]] = []
    if signed:
        cases = [
            ("exact", {}, products(Multiplier("exact"))),
            ("drum", {"CORE": "drum"}, products(drum)),
            ("scaletrim", {"CORE": "scaletrim"}, products(scale_trim)),
            ("scaletrim, M = 4", {"CORE": "scaletrim", "M": 4}, products(scale_trim)),
        ]
    elif module == "mul_scaletrim":
        cases = [
            ("none given", {}, products(scale_trim)),
            ("M = 4", {"M": 4}, products(scale_trim)),
        ]
    else:
        cases = [
            ("none given", {}, products(drum if module == "mul_drum" else Multiplier("exact")))
        ]
    instances = tuple(_multiplier(n, module, given, 8, expected) for n, given, expected in cases)
    return Sweep("defaults", 8, a, b, instances)


def _free_constants(module: str, *, width: int) -> Sweep:
    """DEE and COMP that no fit makes, through the whole of their range; all pairs or 2,000."""
    signed = module == SIGNED_TOP
    rng = np.random.default_rng(width)
    a, b = _pairs(width) if width < 6 else rng.integers(0, 2**width, (2, 2000))
    x, y = a, b
    if signed:
        x, y = (np.where(v < 2 ** (width - 1), v, v - 2**width) for v in (a, b))
    instances = []

    def add(h: int, dee: int, comp: Sequence[int], *, m: int) -> None:
        magnitude = scale_trim(np.abs(x), np.abs(y), h=h, dee=dee, comp=comp[:m])
        packed = sum((c & 0xFFFF) << 16 * i for i, c in enumerate(comp))
        given: dict[str, Parameter] = {"CORE": "scaletrim"} if signed else {}
        given |= {"WIDTH": width, "H": h, "M": m, "DEE": dee, "COMP": packed}
        name = f"scaletrim({h},{m}), DEE = {dee}" + (", COMP unused" if comp and not m else "")
        expected = np.sign(x) * np.sign(y) * magnitude
        instances.append(_multiplier(name, module, given, width, expected))

    # With few H a constant for every value of s, with many H two constants.
    for h, dee in itertools.product((1, 2, 4) if width < 6 else (9, width - 1), _DEE):
        m = 2 ** (h + 1) if h < 5 else 2
        comp = []
        for first in range(0, 2 ** (h + 1), 2 ** (h + 1) // m):
            ends = (first, first + 2 ** (h + 1) // m - 1)
            low, high = (1 + i / 2**h * (1 + 2.0**dee) for i in ends)
            # Anywhere that keeps 0 <= 1 + s (1 + 2^DEE) + C < 4.
            comp.append(int(rng.integers(np.ceil(-256 * low), np.ceil(256 * (4 - high)))))
        add(h, dee, comp, m=m)
        if dee < 0:
            add(h, dee, [], m=0)
    add(3, -2, [256], m=0)
    return Sweep(f"{width}-bit constants that no fit makes", width, a, b, tuple(instances))


def scale_trim(a: Integers, b: Integers, *, h: int, dee: int, comp: Sequence[int]) -> Integers:
    """floor((1 + s + s*2^DEE + C) * 2^(n_a+n_b)) in integers with 32 fractional bits."""
    one = 1 << 32

    def cut(x: Integers) -> tuple[Integers, Integers]:
        n = np.frexp(np.maximum(x, 1).astype(np.float64))[1].astype(np.int64) - 1
        return n, (np.maximum(x, 1) << h >> n) - (1 << h)

    (n_a, a_h), (n_b, b_h) = cut(a), cut(b)
    s = (a_h + b_h) * (one >> h)
    value = one + s + (s >> -dee if dee < 0 else s << dee)
    table = np.array(comp, np.int64)
    if len(table):
        value = value + table[(a_h + b_h) * len(table) >> (h + 1)] * (one >> 8)
    return np.where((a == 0) | (b == 0), 0, value << (n_a + n_b) >> 32)


def _positions(width: int) -> Sweep:
    """The helper by itself: every input of one width."""
    x = np.arange(2**width, dtype=np.int64)
    return Sweep(f"{width}-bit positions", width, x, x, (_position(width, {"WIDTH": width}),))


def _default_positions() -> Sweep:
    x = np.arange(256, dtype=np.int64)
    return Sweep("defaults", 8, x, x, (_position(8, {}),))


def _position(width: int, given: Mapping[str, Parameter]) -> Instance:
    expected = np.array([max(x.bit_length() - 1, 0) for x in range(2**width)], np.int64)
    bits = (width - 1).bit_length()
    return Instance(HELPER, HELPER, given, {"x_i": "a"}, "pos_o", bits, expected)


def _refusals(module: str) -> tuple[Refusal, ...]:
    """One step, and more, out of every range."""
    given: list[dict[str, Parameter]] = [{"WIDTH": width} for width in (3, 17, 20)]
    if module == "mul_drum":
        # A small WIDTH needs a K that it allows, or K's own check would stop it.
        given[0]["K"] = 2
        given += [{"K": k} for k in (1, 0, -1, 9, 12)]
        given += [{"WIDTH": 16, "K": 17}, {"WIDTH": 4, "K": 5}]
    if module == "mul_scaletrim":
        given[0]["H"] = 2
        given += [{"H": h} for h in (0, -1, 8, 9)]
        given += [{"M": m} for m in (1, 3, 6, 12, 24, 33, 64, -1, -2)]
        given += [{"H": 1, "M": 8}, {"WIDTH": 16, "H": 16}]
        given += [{"DEE": dee} for dee in (2, 3, -17, -18)]
    if module == SIGNED_TOP:
        # Before and behind each name in the order of the alphabet.
        cores = ("other", "Exact", "exactly", "Drum", "drumm", "Scaletrim", "scaletrims")
        given += [{"CORE": core} for core in cores]
    return tuple(Refusal(module, parameters) for parameters in given)
