# SPDX-License-Identifier: Apache-2.0
"""What judges a clocked module of `rtl/`: traces against a cycle model, and what it must refuse.

A clocked module has no table of everything. Its gate is a few hundred cycles of each of many sets
of parameters, side by side; the proof is thousands of cycles of these sets and of random ones.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..designs import Family, Integers, families
from ..designs.mac import (
    ARRAY,
    ELEMENT,
    SIGNED_TOP,
    CycleModel,
    MacArrayModel,
    MacModel,
    Product,
)
from ..operands import Operand
from ..verilog.parameters import Parameter
from .check import Gate, Refusal, distinct
from .stimulus import array_stimulus, element_stimulus
from .trace import Clocked, Trace

PARTS = {ELEMENT: (ELEMENT,), ARRAY: (ELEMENT, ARRAY)}
"""By module: the clocked files it is made of."""
MODULES = tuple(PARTS)

Given = Mapping[str, Parameter]

_DEFAULTS: Given = {
    "CORE": "exact", "WIDTH": 8, "ACC_BITS": 32, "SATURATE": 0, "ROWS": 4, "COLS": 4,
}  # fmt: skip
"""What the headers print; those of the cores print the rest."""


def clocked_gate(module: str, others: tuple[Path, ...]) -> Gate:
    """The gate of a clocked module.

    Args:
        module: one of MODULES.
        others: files that are compiled with it.
    """
    rng = random.Random(module)
    if module == ELEMENT:
        small, wide = _element_sets()
        every = [*small, *wide]
        drawn = [_drawn(rng) for _ in range(24)]
        gate: tuple[Trace, ...] = (
            _trace(module, "elements", 500, small),
            _trace(module, "wide elements", 500, wide),
        )
        proof = tuple(
            _trace(module, f"{name} at length", 5000, sets, seed=1)
            for name, sets in (("elements", every), ("drawn elements", drawn))
        )
    else:
        small, wide, sides = _array_sets()
        every = [*small, *wide]
        drawn = [_drawn(rng, sides=True) for _ in range(12)]
        gate = (
            _trace(module, "small arrays", 200, small),
            _trace(module, "arrays", 300, wide),
            _trace(module, "64 rows and 64 columns", 280, sides),
        )
        proof = tuple(
            _trace(module, f"{name} at length", 1500, sets, seed=1)
            for name, sets in (("arrays", every), ("drawn arrays", drawn))
        )
    refusals = tuple(Refusal(module, given) for given in _refused(module))
    cycles = sum(trace.total for trace in (*gate, *proof))
    count = sum(len(trace.instances) for trace in (*gate, *proof)) - len(every)
    basis = (
        f"{cycles:,} cycles of constrained random stimulus over {count} sets of parameters, in "
        "which all outputs are those of a cycle model; a clocked module has no complete table; "
        f"{len(refusals)} illegal parameters are refused as before"
    )
    blocks = distinct(block for trace in (*gate, *proof) for block in trace.blocks)
    reach = (
        f"registers and gates of {len(blocks)} sets of parameters; {len(refusals)} illegal "
        "parameters are refused as before"
    )
    return Gate(module, others, gate, refusals, proof, basis, blocks, reach)


@dataclass(frozen=True)
class _Recipe:
    """Makes the model of one set of parameters."""

    module: str
    given: Given

    def __call__(self) -> CycleModel:
        full = {**_DEFAULTS, **self.given}
        number = {name: value for name, value in full.items() if isinstance(value, int)}
        product = _product(tuple(sorted(full.items())))
        width, acc_bits = number["WIDTH"], number["ACC_BITS"]
        saturate = bool(number["SATURATE"])
        if self.module == ELEMENT:
            return MacModel(product, width=width, acc_bits=acc_bits, saturate=saturate)
        rows, cols = number["ROWS"], number["COLS"]
        return MacArrayModel(
            product, width=width, acc_bits=acc_bits, saturate=saturate, rows=rows, cols=cols
        )


@cache
def _product(parameters: tuple[tuple[str, Parameter], ...]) -> Product:
    """The products of one set of parameters; up to 9 bits, all of them in advance."""
    given = dict(parameters)
    operand = Operand(int(given["WIDTH"]), signed=True)
    family = families()[str(given["CORE"])]
    numbers = {name: value for name, value in given.items() if isinstance(value, int)}

    def formula(a: Integers, b: Integers) -> Integers:
        return family.product(a, b, operand=operand, parameters=numbers)

    if operand.bits > 9:
        return formula
    values = operand.values
    table = formula(values[:, None], values[None, :])

    # A negative index counts from the end, as a negative operand's bit pattern does.
    def product(a: Integers, b: Integers) -> Integers:
        products: Integers = table[a, b]
        return products

    return product


def _trace(module: str, name: str, cycles: int, sets: Sequence[Given], *, seed: int = 0) -> Trace:
    stimulus = element_stimulus if module == ELEMENT else array_stimulus
    instances = tuple(
        Clocked(_spelled(given), module, given, _Recipe(module, given), stimulus) for given in sets
    )
    return Trace(name, cycles, instances, seed)


def _spelled(given: Given) -> str:
    return (
        ", ".join(
            f"{name}={value:#x}" if name == "COMP" else f"{name}={value}"
            for name, value in given.items()
        )
        or "no parameter"
    )


def _of(family: str, args: tuple[int, ...] = (), width: int = 8, **more: int) -> Given:
    """The parameters of a multiplier of the catalogue, and more."""
    return {"CORE": family, **families()[family].verilog(width, args), **more}


def _cores() -> list[Family]:
    return [family for family in families().values() if family.signed_top == SIGNED_TOP]


# Names that are given are all that is given: the defaults of the others are tried too.
_DEFAULT_SETS: tuple[Given, ...] = (
    {},
    {"CORE": "drum"},
    {"CORE": "scaletrim"},
    {"CORE": "scaletrim", "M": 4},
)
_UNUSED_COMP: Given = {"CORE": "scaletrim", "H": 3, "M": 0, "DEE": -2, "COMP": 0x0100}
# Constants that no fit makes; the high bits of the last one count.
_FREE: Given = {
    "CORE": "scaletrim", "WIDTH": 12, "H": 6, "M": 8, "DEE": -5,
    "COMP": 0xFF80_0010_FFE0_0020_0000_0040_FFC0_0080,
}  # fmt: skip


def _element_sets() -> tuple[list[Given], list[Given]]:
    small = [
        *_DEFAULT_SETS,
        {"WIDTH": 4, "ACC_BITS": 8},
        {"WIDTH": 4, "ACC_BITS": 8, "SATURATE": 1},
        {"ACC_BITS": 16, "SATURATE": 1},
        _of("drum", (3,), ACC_BITS=24, SATURATE=1),
        _of("scaletrim", (4, 8), ACC_BITS=24),
        _of("scaletrim", (3, 2), ACC_BITS=17, SATURATE=1),
        _UNUSED_COMP,
    ]
    wide = [
        _of("drum", (5,), 9, ACC_BITS=18, SATURATE=1),
        _of("exact", (), 9, ACC_BITS=19, SATURATE=0),
        _of("exact", (), 16, ACC_BITS=32, SATURATE=1),
        _of("drum", (2,), 16, ACC_BITS=64, SATURATE=1),
        _of("scaletrim", (7, 16), 16, ACC_BITS=40, SATURATE=1),
        _of("scaletrim", (5, 0), 11, ACC_BITS=40),
        _FREE,
        {"ACC_BITS": 64, "SATURATE": 1},
        {"ACC_BITS": 64},
        {"SATURATE": 1},
    ]
    return small, wide


def _array_sets() -> tuple[list[Given], list[Given], list[Given]]:
    small: list[Given] = [
        {},
        {"WIDTH": 4, "ACC_BITS": 8, "ROWS": 1, "COLS": 1},
        {"WIDTH": 4, "ACC_BITS": 8, "SATURATE": 1, "ROWS": 3, "COLS": 2},
        {"ACC_BITS": 16, "SATURATE": 1, "ROWS": 2, "COLS": 1},
        _of("drum", (3,), ACC_BITS=24, SATURATE=1, ROWS=2, COLS=3),
        _of("scaletrim", (4, 8), ACC_BITS=24, ROWS=2, COLS=2),
    ]
    wide: list[Given] = [
        *({**given, "ROWS": 2, "COLS": 2} for given in _DEFAULT_SETS),
        {"ROWS": 5},
        {"COLS": 3},
        {**_UNUSED_COMP, "ROWS": 1, "COLS": 2},
        {**_FREE, "ROWS": 3, "COLS": 1},
        {"ACC_BITS": 16, "ROWS": 5, "COLS": 3},
        {"ACC_BITS": 16, "SATURATE": 1, "ROWS": 5, "COLS": 3},
        {"ROWS": 1, "COLS": 3, "SATURATE": 1},
        _of("drum", (5,), 9, ACC_BITS=18, SATURATE=1, ROWS=3, COLS=2),
        _of("exact", (), 16, ACC_BITS=32, SATURATE=1, ROWS=2, COLS=2),
        _of("drum", (2,), 16, ACC_BITS=64, SATURATE=1, ROWS=1, COLS=1),
        _of("scaletrim", (7, 16), 16, ACC_BITS=40, SATURATE=1, ROWS=2, COLS=1),
    ]
    sides: list[Given] = [
        {"WIDTH": 4, "ACC_BITS": 8, "SATURATE": 1, "ROWS": 64, "COLS": 1},
        {"WIDTH": 4, "ACC_BITS": 8, "SATURATE": 1, "ROWS": 1, "COLS": 64},
    ]
    return small, wide, sides


def _drawn(rng: random.Random, *, sides: bool = False) -> Given:
    """Any legal parameters."""
    width = rng.randint(4, 16)
    family = rng.choice(_cores())
    args = rng.choice([*family.instances(min(width, 8))])
    acc_bits = rng.choice((2 * width, 2 * width + 1, 64, rng.randint(2 * width, 64)))
    more = {"ACC_BITS": acc_bits, "SATURATE": rng.randint(0, 1)}
    if sides:
        more |= {"ROWS": rng.randint(1, 4), "COLS": rng.randint(1, 3)}
    return _of(family.name, args, width, **more)


def _refused(module: str) -> list[Given]:
    """One step, and more, out of every range."""
    if module == ELEMENT:
        given: list[Given] = [{"ACC_BITS": bits} for bits in (15, 14, 8, 0, -1, 65, 66, 128)]
        given += [{"WIDTH": 4, "ACC_BITS": 7}, {"WIDTH": 16, "ACC_BITS": 31}]
        return given + [{"SATURATE": value} for value in (2, 3, -1, -2)]
    given = [{side: n} for side in ("ROWS", "COLS") for n in (0, -1, -2)]
    given += [{"ROWS": n, "COLS": 1} for n in (65, 66)]
    return given + [{"COLS": n, "ROWS": 1} for n in (65, 66)]
