# SPDX-License-Identifier: Apache-2.0
"""What the Verilog computes, against the naive reference and against integer products."""

import itertools

import numpy as np
import pytest

from axhil.hwsim import Catalogued, Circuit, Operand, legal_multipliers, standalone
from axhil.hwsim.multipliers.tabulating.tabulation import simulate_together

pytestmark = pytest.mark.sim

SIGNS = pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])


def tables(circuits):
    """The tables of circuits of equal operands, in one simulation."""
    side = circuits[0].operands.activation.count
    a, b = np.repeat(np.arange(side), side), np.tile(np.arange(side), side)
    for products in simulate_together(circuits, a, b):
        yield products.values.reshape(side, side)


# One start-up of the simulator for many designs; width 8 in parts, so that workers share it.
SWEEPS = [
    (width, part, parts)
    for width, parts in ((4, 1), (5, 1), (6, 1), (7, 1), (8, 4))
    for part in range(parts)
]


@SIGNS
@pytest.mark.parametrize(("width", "part", "parts"), SWEEPS)
def test_every_legal_multiplier_equals_the_reference_on_all_pairs(width, part, parts, signed):
    multipliers = legal_multipliers(Operand(width, signed))[part::parts]
    found = tables([multiplier.circuit() for multiplier in multipliers])
    for multiplier, table in zip(multipliers, found, strict=True):
        np.testing.assert_array_equal(table, multiplier.reference_table(), err_msg=str(multiplier))


WIDE = {
    16: ["exact", "drum(2)", "drum(3)", "drum(8)", "drum(15)", "drum(16)", "scaletrim(1,0)",
         "scaletrim(3,0)", "scaletrim(4,8)", "scaletrim(8,16)", "scaletrim(15,0)",
         "scaletrim(12,8192)"],
    11: ["exact", "drum(7)", "scaletrim(4,4)", "scaletrim(10,2)"],
}  # fmt: skip


@SIGNS
@pytest.mark.parametrize("width", WIDE)
def test_wide_multipliers_equal_the_reference_on_corners_and_a_sample(width, signed):
    low, high = (-(2 ** (width - 1)), 2 ** (width - 1)) if signed else (0, 2**width)
    powers = {sign * 2**i + d for i in range(width) for d in (-1, 0, 1) for sign in (1, -1)}
    corners = sorted(x for x in {*powers, low, low + 1, high - 2, high - 1} if low <= x < high)
    a, b = np.array(list(itertools.product(corners, corners))).T
    rng = np.random.default_rng(20)
    a = np.concatenate([a, rng.integers(low, high, 3000)])
    b = np.concatenate([b, rng.integers(low, high, 3000)])

    operand = Operand(width, signed)
    multipliers = [Catalogued.parse(spelling, operand=operand) for spelling in WIDE[width]]
    circuits = [multiplier.circuit() for multiplier in multipliers]
    simulated = simulate_together(circuits, operand.pattern(a), operand.pattern(b))
    for multiplier, found in zip(multipliers, simulated, strict=True):
        products = found.values.astype(np.int64)
        expected = multiplier.reference(a, b)
        np.testing.assert_array_equal(products, expected, err_msg=str(multiplier))
        if multiplier.family == "exact":
            np.testing.assert_array_equal(products, a * b)


@SIGNS
@pytest.mark.parametrize("width", [4, 7])
def test_drum_with_k_equal_to_width_is_exact(width, signed):
    operand = Operand(width, signed)
    spellings = ("exact", f"drum({width})")
    circuits = [Catalogued.parse(s, operand=operand).circuit() for s in spellings]
    for table in tables(circuits):
        np.testing.assert_array_equal(table, np.multiply.outer(operand.values, operand.values))


WORKED_ROWS = [
    ("exact", False, 100, 57, 5700),
    ("drum(4)", False, 100, 57, 6240),
    ("drum(4)", False, 9, 5, 45),
    ("scaletrim(4,0)", False, 100, 57, 5408),
    ("scaletrim(4,8)", False, 100, 57, 5728),
    ("drum(4)", True, -100, 57, -6240),
    ("drum(4)", True, -128, -128, 20736),
    ("drum(3)", True, 0, -5, 0),
]


@SIGNS
def test_the_worked_rows_in_the_headers_hold(signed):
    rows = [row for row in WORKED_ROWS if row[1] == signed]
    spellings = list(dict.fromkeys(row[0] for row in rows))
    operand = Operand(8, signed)
    circuits = [Catalogued.parse(s, operand=operand).circuit() for s in spellings]
    a, b = (operand.pattern([row[side] for row in rows]) for side in (2, 3))
    found = simulate_together(circuits, a, b)
    for i, (spelling, _, a, b, expected) in enumerate(rows):
        assert found[spellings.index(spelling)].values[i] == expected, (spelling, a, b)


@SIGNS
def test_a_standalone_module_computes_the_same_from_one_file(tmp_path, signed):
    operand, circuits = Operand(6, signed), []
    multipliers = [
        Catalogued.parse(s, operand=operand) for s in ("exact", "drum(3)", "scaletrim(4,8)")
    ]
    for m in multipliers:
        path = tmp_path / f"{m.slug}.v"
        path.write_text(standalone(m))
        top = f"mul_{m.slug}_signed" if signed else f"mul_{m.slug}"
        # All three are compiled together: their inner modules must not clash.
        circuits.append(Circuit.of(m.name, top, [path], operand))
    for m, table in zip(multipliers, tables(circuits), strict=True):
        np.testing.assert_array_equal(table, m.reference_table(), err_msg=str(m))
