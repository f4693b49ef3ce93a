# SPDX-License-Identifier: Apache-2.0
"""What judges a combinational module of `rtl/`: the tables it must make, and what it must refuse.

Every table is a golden one, or comes from the formulas of the families.
"""

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ..designs import FIRST, PRODUCT, SECOND, Family, families
from ..errors import HwsimError
from ..multipliers import PAPER_MULTIPLIERS, Catalogued, golden, legal_multipliers
from ..operands import Operand
from ..verilog.parameters import Parameter, literal
from .check import Block, Gate, Integers, Refusal, distinct
from .sweep import Instance, Sweep

SIGNED_TOP, HELPER = "mul_signed", "leading_one"
_DEFAULT_CORE = "exact"
_FEW = 16
"""Legal arguments of which all can be swept at 8 bits."""

MODULES = (*(family.modules[0] for family in families().values()), SIGNED_TOP, HELPER)
"""Files of `rtl/` that tables can judge."""


def table_gate(module: str, others: tuple[Path, ...], *, widest: int | None = None) -> Gate:
    """The gate of a combinational module.

    Args:
        module: one of MODULES.
        others: files that are compiled with it.
        widest: operand bits up to which every legal parameter counts, 6 to 16; a simulator sweeps
            no more than 8. None is what takes seconds: 8, or 6 by simulation where scaleTRIM has
            dozens of legal parameters.

    Raises:
        HwsimError: another `widest`.
    """
    if widest is not None and widest not in range(6, 17):
        raise HwsimError(f"expected a widest complete sweep of 6 to 16 bits, got {widest}")
    reach = widest or 8
    # Dozens of parameters and wide operands at once would take Yosys longer than a simulator.
    few = module == HELPER or len(_legal(module, _operand(module, 8))) <= _FEW
    if module == HELPER:
        sweeps = (*(_positions(width) for width in (4, 5, 16)), _default_positions())
        sweeps += (*_tables(module, (4, 5)), *_golden(module))
        proof = tuple(_positions(width) for width in (*range(6, 16),))
        basis = "every input of every legal WIDTH, 4 to 16"
    else:
        sweeps = (*_tables(module, (4, 5)), _defaults(module))
        beyond = (_beyond(module, width) for width in (5, 12))
        sweeps += tuple(sweep for sweep in beyond if sweep.instances)
        sweeps += tuple(_sample(module, width) for width in (9, 11, 16))
        sweeps += _golden(module)
        if widest is None:
            widest = reach = 8 if few else 6
        widest = min(widest, 8)
        proof = _tables(module, range(6, widest + 1))
        basis = (
            f"every operand pair of every legal parameter at widths 4 to {widest}, every operand "
            "pair of the golden tables at width 8, and samples at widths 9 to 16"
        )
    refusals = _refusals(module)
    refused = f"; {len(refusals)} illegal parameters are refused as before"
    simulated = [sweep for sweep in (*sweeps, *proof) if few or sweep.width <= 8]
    blocks = [block for sweep in simulated for block in sweep.blocks]
    if module == HELPER:
        reach = 16
    else:
        blocks += [
            block_of(multiplier)
            for operand in _operands(module, range(4, reach + 1))
            for multiplier in _legal(module, operand)
        ]
    gates = f"gates of every legal parameter at widths 4 to {reach}"
    if reach < 16:
        gates += " and of some at widths to 16" if few else "; samples at widths 9 to 16"
    return Gate(
        module,
        others,
        sweeps,
        refusals,
        proof,
        basis + refused,
        distinct(blocks),
        gates + refused,
        few,
    )


def block_of(multiplier: Catalogued) -> Block:
    """An instance of a multiplier of the catalogue."""
    circuit, bits = multiplier.circuit(), multiplier.operand.bits
    inputs = dict.fromkeys((FIRST, SECOND), bits)
    return Block(multiplier.name, circuit.top, circuit.parameters, inputs, {PRODUCT: 2 * bits})


def _partners(module: str) -> list[Family]:
    """The families whose products a change of the module can change."""
    if module == SIGNED_TOP:
        return [family for family in families().values() if family.signed_top == SIGNED_TOP]
    return [family for family in families().values() if module in family.modules]


def _legal(module: str, operand: Operand) -> list[Catalogued]:
    names = {family.name for family in _partners(module)}
    return [m for m in legal_multipliers(operand) if m.family in names]


def _operand(module: str, width: int) -> Operand:
    return Operand(width, signed=module == SIGNED_TOP)


def _operands(module: str, widths: Iterable[int]) -> list[Operand]:
    """Those of a module; the least width signed too, as a core has a parameter for that."""
    operands = [_operand(module, width) for width in widths]
    if module == SIGNED_TOP:
        return operands
    return [Operand(operands[0].bits, signed=True), *operands]


def _pairs(width: int) -> tuple[Integers, Integers]:
    side = np.arange(2**width, dtype=np.int64)
    return np.repeat(side, 2**width), np.tile(side, 2**width)


def _instance(multiplier: Catalogued, expected: Integers) -> Instance:
    circuit = multiplier.circuit()
    width = multiplier.operand.bits
    return _multiplier(multiplier.name, circuit.top, circuit.parameters, width, expected)


def _multiplier(
    name: str, top: str, parameters: Mapping[str, Parameter], width: int, expected: Integers
) -> Instance:
    ports = {FIRST: "a", SECOND: "b"}
    bits = 2 * width
    wires = Operand(bits, signed=True).pattern(np.ravel(expected))
    return Instance(name, top, parameters, ports, PRODUCT, bits, wires)


def _kind(operand: Operand) -> str:
    return f"{operand.bits}-bit {'signed' if operand.signed else 'unsigned'}"


def _tables(module: str, widths: Iterable[int]) -> tuple[Sweep, ...]:
    return tuple(_table(module, operand) for operand in _operands(module, widths))


def _table(module: str, operand: Operand) -> Sweep:
    """Every operand pair of every legal multiplier."""
    instances = tuple(
        _instance(m, m.reference_table().astype(np.int64)) for m in _legal(module, operand)
    )
    width = operand.bits
    return Sweep(f"{_kind(operand)} table", width, *_pairs(width), instances)


def _golden(module: str) -> tuple[Sweep, ...]:
    names = {family.name for family in _partners(module)}
    instances = tuple(
        _instance(m, golden(m).table.astype(np.int64))
        for m in PAPER_MULTIPLIERS
        if m.family in names
    )
    sweep = Sweep("8-bit signed golden table", 8, *_pairs(8), instances)
    return (sweep,) if instances else ()


def _sample(module: str, width: int) -> Sweep:
    """1,000 pairs of corners and as many of any operands, for widths too large for a table."""
    operand = _operand(module, width)
    low, high = operand.minimum, operand.maximum + 1
    near = {sign * 2**i + d for i in range(width) for d in (-1, 0, 1) for sign in (1, -1)}
    corners = sorted(x for x in {*near, low, low + 1, high - 2, high - 1} if low <= x < high)
    rng = np.random.default_rng(width)
    extremes = itertools.product((low, low + 1, 0, 1, high - 1), repeat=2)
    near_corners = rng.choice(np.array(corners, np.int64), (1000, 2))
    a, b = np.concatenate([[*extremes], near_corners, rng.integers(low, high, (1000, 2))]).T
    instances = tuple(
        _instance(multiplier, multiplier.reference(a, b))
        for family in _partners(module)
        for args in (family.samples or family.instances)(width)
        for multiplier in [Catalogued(family.name, args, operand)]
    )
    name = f"{_kind(operand)} sample"
    return Sweep(name, width, operand.pattern(a), operand.pattern(b), instances)


def _given(
    module: str,
    family: Family,
    given: Mapping[str, int],
    pairs: tuple[Integers, Integers],
    width: int,
) -> Instance:
    """An instance of any parameters; those that are not given have the header's values."""
    operand = _operand(module, width)
    core = {"CORE": family.name} if operand.signed and family.name != _DEFAULT_CORE else {}
    a, b = map(operand.value, pairs)
    expected = family.product(a, b, operand=operand, parameters=given)
    spelled = ", ".join(f"{key} = {literal(value)}" for key, value in given.items())
    name = f"{family.name} of {spelled or 'no parameter'}"
    return _multiplier(name, module, {**core, **given}, width, expected)


def _defaults(module: str) -> Sweep:
    """Parameters that are not given have the values that the headers print."""
    a, b = np.random.default_rng(8).integers(0, 256, (2, 2000))
    instances = (
        _given(module, family, given, (a, b), 8)
        for family in _partners(module)
        for given in family.alone
    )
    return Sweep("defaults", 8, a, b, tuple(instances))


def _beyond(module: str, width: int) -> Sweep:
    """Parameters that no arguments have, as DEE and COMP that no fit makes; all pairs or 2,000."""
    rng = np.random.default_rng(width)
    a, b = _pairs(width) if width < 6 else rng.integers(0, 2**width, (2, 2000))
    instances = tuple(
        _given(module, family, {"WIDTH": width, **given}, (a, b), width)
        for family in _partners(module)
        for given in family.beyond(width, rng)
    )
    return Sweep(f"{width}-bit constants that no fit makes", width, a, b, instances)


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
    owner = next((f for f in _partners(module) if f.modules[0] == module), None)
    refused = Family.refused if owner is None else owner.refused
    given: list[dict[str, Parameter]] = [{**parameters} for parameters in refused]
    if module == SIGNED_TOP:
        # Before and behind each name in the order of the alphabet.
        cores = ("other", "Exact", "exactly", "Drum", "drumm", "Scaletrim", "scaletrims")
        given += [{"CORE": core} for core in cores]
    return tuple(Refusal(module, parameters) for parameters in given)
