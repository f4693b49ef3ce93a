# SPDX-License-Identifier: Apache-2.0
"""The example multipliers, against what their headers say in other words."""

from pathlib import Path

import numpy as np
import pytest

from axhil.hwsim.multipliers import find

FOLDER = Path(__file__).parent.parent / "docs" / "examples" / "multipliers"
CODES = np.arange(256).astype(np.int8).astype(np.int64)
A, B = CODES[:, None], CODES[None, :]


def partial_products() -> dict[tuple[int, int], np.ndarray]:
    """Bits of the activation times bits of the weight, each 0 or 1: the sign bit's with a minus."""
    return {(i, j): (A >> i & 1) * (B >> j & 1) for i in range(8) for j in range(8)}


def column(k: int) -> list[np.ndarray]:
    """The partial products of weight 2^k, for columns without a sign bit."""
    return [bits for (i, j), bits in partial_products().items() if i + j == k]


def broken_array(vbl: int) -> np.ndarray:
    return A * B - sum(sum(column(k)) << k for k in range(vbl))


def lower_or(low: int) -> np.ndarray:
    return broken_array(low) + sum((sum(column(k)) > 0).astype(int) << k for k in range(low))


def truncated(k: int) -> np.ndarray:
    moved = [bits for (i, j), bits in partial_products().items() if i + j == k - 1 and j > 0]
    return broken_array(k) + (sum(moved) << k if k else 0)


def perforated(rows: int) -> np.ndarray:
    return (A >> rows << rows) * B


@pytest.mark.sim
@pytest.mark.parametrize(
    ("file", "parameter", "values", "reference"),
    [
        ("mul_broken_array", "VBL", (0, 6), broken_array),
        ("mul_lower_or", "L", (5,), lower_or),
        ("mul_truncated", "K", (0, 5, 7), truncated),
        ("mul_perforated", "ROWS", (2,), perforated),
    ],
)
def test_an_example_computes_what_its_header_says(file, parameter, values, reference):
    for value in values:
        lut = find(f"{FOLDER / file}.v[{parameter}={value}]").table()
        assert (lut.table == reference(value)).all(), value


def test_the_worked_rows_are_right():
    at = {code: place for place, code in enumerate(CODES.tolist())}
    rows = [
        (broken_array(4), 3, 5, 0), (broken_array(4), 100, 50, 4992), (lower_or(5), 3, 5, 15),
        (lower_or(5), 7, 7, 31), (truncated(5), 3, 5, 0), (truncated(5), 7, 7, 32),
        (perforated(1), 9, -5, -40),
    ]  # fmt: skip
    for table, a, b, product in rows:
        assert table[at[a], at[b]] == product, (a, b)


@pytest.mark.sim
def test_a_parameter_out_of_range_is_refused():
    with pytest.raises(Exception, match="expected 0 <= K <= 7, got K=9"):
        find(f"{FOLDER / 'mul_truncated.v'}[K=9]").table()
