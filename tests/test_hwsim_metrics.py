# SPDX-License-Identifier: Apache-2.0
"""Error metrics against numbers worked by hand and by plain loops."""

import json

import numpy as np
import pytest

from axhil.hwsim import Catalogued, Lut, Operand, Operands, error_metrics


def exact_table(width, *, signed):
    return Catalogued("exact", operand=Operand(width, signed)).reference_table()


def test_an_exact_table_has_no_error():
    metrics = error_metrics(Lut(exact_table(4, signed=True), *Operands.parse("s4")))
    assert metrics.ep == metrics.mae == metrics.wce == metrics.mre == metrics.bias == 0


def test_a_single_wrong_product_by_hand():
    table = exact_table(4, signed=True)
    a, b = -3, 5  # bit patterns 13 and 5
    table[13, 5] += 6  # -15 becomes -9
    metrics = error_metrics(Lut(table, *Operands.parse("s4")))
    nonzero = 256 - 31
    assert metrics.ep == 1 / 256
    assert metrics.mae == metrics.bias == 6 / 256
    assert metrics.wce == 6
    assert metrics.wcre == pytest.approx(6 / abs(a * b))
    assert metrics.mre == pytest.approx(6 / 15 / nonzero)
    assert metrics.mse == 36 / 256
    assert metrics.nmed == pytest.approx(6 / 256 / 64)
    assert metrics.quadrants["a<0 b>=0"].wce == 6
    assert metrics.quadrants["a<0 b>=0"].mae == 6 / 64
    assert metrics.quadrants["a<0 b<0"].ep == metrics.quadrants["a>=0 b<0"].ep == 0


def test_an_error_on_a_zero_product_counts_in_mae_and_not_in_mre():
    table = exact_table(4, signed=False)
    table[0, 9] = 7
    metrics = error_metrics(Lut(table, *Operands.parse("u4")))
    assert metrics.mae == 7 / 256
    assert metrics.mre == metrics.wcre == 0


@pytest.mark.parametrize(
    ("code", "largest", "quadrants"),
    [("u4", 225, 1), ("s4", 64, 4), ("u4xs4", 120, 2), ("s5xu3", 112, 2)],
)
def test_all_metrics_equal_plain_loops(code, largest, quadrants):
    operands = Operands.parse(code)
    lut = Lut(np.random.default_rng(1).integers(-99, 99, operands.shape), *operands)
    errors, relative = [], []
    for i, a in enumerate(lut.activation.values.tolist()):
        for j, b in enumerate(lut.weight.values.tolist()):
            d = int(lut.table[i, j]) - a * b
            errors.append(d)
            if a * b:
                relative.append(abs(d) / abs(a * b))
    metrics = error_metrics(lut)
    assert metrics.mae == pytest.approx(sum(map(abs, errors)) / 256)
    assert metrics.wce == max(map(abs, errors))
    assert metrics.wcre == pytest.approx(max(relative))
    assert metrics.ep == sum(d != 0 for d in errors) / 256
    assert metrics.mre == pytest.approx(sum(relative) / len(relative))
    assert metrics.mse == pytest.approx(sum(d * d for d in errors) / 256)
    assert metrics.bias == pytest.approx(sum(errors) / 256)
    assert metrics.nmed == pytest.approx(metrics.mae / largest)
    assert len(metrics.quadrants) == quadrants


def test_metrics_are_json():
    metrics = error_metrics(Lut(exact_table(4, signed=True), *Operands.parse("s4")))
    assert json.loads(json.dumps(metrics.as_dict())) == metrics.as_dict()
