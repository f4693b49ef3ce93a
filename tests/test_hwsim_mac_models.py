# SPDX-License-Identifier: Apache-2.0
"""The cycle models of the MAC elements say what the headers of the Verilog say."""

import random

import numpy as np
import pytest

from axhil.emulation.products.accumulator import Accumulator
from axhil.hwsim import Catalogued
from axhil.hwsim.designs.mac import MacArrayModel, MacModel, accumulate, pack, signed, unpack

DRUM = Catalogued("drum", (3,))


def drum(a, b):
    return DRUM.reference(a, b)


def exact(a, b):
    return a * b


def element(*, acc_bits=16, saturate=False):
    return MacModel(exact, width=8, acc_bits=acc_bits, saturate=saturate)


def array(rows, cols, *, product=exact, acc_bits=16, saturate=False):
    return MacArrayModel(
        product, width=8, acc_bits=acc_bits, saturate=saturate, rows=rows, cols=cols
    )


def drive(model, **given):
    """One cycle; what is not given is 0, and no reset."""
    values = dict.fromkeys(model.inputs, 0) | {"rst_ni": 1}
    return model.step(values | {port: value % 2 ** model.inputs[port]
                                for port, value in given.items()})  # fmt: skip


def test_patterns_and_values_are_each_others_inverse():
    values = [-128, 127, 0, -1]
    assert pack(values, 8) == 0xFF_00_7F_80
    assert unpack(0xFF_00_7F_80, 8, 4) == values
    assert [signed(p, 4) for p in (7, 8, 15)] == [7, -8, -1]


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
def test_an_addition_is_the_emulators(overflow):
    rng = np.random.default_rng(0)
    acc, product = rng.integers(-(2**15), 2**15, 500), rng.integers(-(2**14), 2**14 + 1, 500)
    expected = Accumulator(16, overflow).add(acc, product)
    assert (expected != acc + product).any()
    found = [
        accumulate(int(x), int(y), bits=16, saturate=overflow == "saturate")
        for x, y in zip(acc, product, strict=True)
    ]
    assert found == expected.tolist()


@pytest.mark.parametrize(("saturate", "acc"), [(False, -29836), (True, 32767)])
def test_the_worked_row_of_the_elements_header_holds(saturate, acc):
    model = element(saturate=saturate)
    drive(model, rst_ni=0)
    drive(model, en_i=1, valid_i=1, a_i=100, b_i=57)
    assert drive(model, en_i=1, acc_i=30000)["valid_o"] == 0
    seen = drive(model, en_i=1)
    assert (seen["valid_o"], signed(seen["acc_o"], 16)) == (1, acc)
    assert drive(model)["valid_o"] == 0


def test_the_element_holds_while_not_enabled_and_skips_what_is_not_valid():
    model = element()
    drive(model, rst_ni=0)
    seen = []
    for a, b, valid in ((3, 5, 1), (7, 7, 0), (2, 4, 1), (0, 0, 0), (0, 0, 0), (0, 0, 0)):
        for other in (None, (99, 99, 1), (98, 9, 0)):
            x, y, v = other or (a, b, valid)
            given = {"a_i": x, "b_i": y, "valid_i": v, "en_i": other is None, "acc_i": model.acc}
            out = drive(model, **given)
            seen.append((out["valid_o"], out["acc_o"]))
    assert [acc for valid, acc in seen if valid] == [15] * 3 + [23] * 3
    assert seen[-1] == (0, 23)


def test_reset_drops_the_elements_product_and_clears_the_sum_even_while_held():
    model = element()
    drive(model, rst_ni=0)
    for _ in range(3):
        drive(model, en_i=1, valid_i=1, a_i=3, b_i=5, acc_i=7)
    assert drive(model, rst_ni=0, en_i=0, valid_i=1) == {"valid_o": 1, "acc_o": 22}
    assert drive(model, en_i=1, acc_i=100) == {"valid_o": 0, "acc_o": 0}
    assert drive(model) == {"valid_o": 0, "acc_o": 0}


def test_the_worked_row_of_the_arrays_header_holds_three_cycles_later():
    model = array(2, 2)
    drive(model, rst_ni=0)
    drive(model, w_valid_i=1, w_row_i=0, w_i=pack([1, 2], 8))
    drive(model, w_valid_i=1, w_row_i=1, w_i=pack([3, 4], 8))
    drive(model, valid_i=1, a_i=pack([10, 20], 8), acc_i=pack([0, 100], 16))
    assert [drive(model)["valid_o"] for _ in range(2)] == [0, 0]
    seen = drive(model, ready_i=1)
    assert (seen["valid_o"], unpack(seen["acc_o"], 16, 2)) == (1, [70, 200])
    # Gone, but it stays to be seen.
    assert drive(model) == {**seen, "valid_o": 0, "w_ready_o": 1}


def test_weights_wait_for_vectors_on_their_way_and_vectors_for_weights():
    model = array(2, 1)
    drive(model, rst_ni=0)
    offered = {"valid_i": 1, "a_i": pack([5, 7], 8), "acc_i": 100, "ready_i": 1}
    cycles = [
        {"w_valid_i": 1, "w_i": 3, "w_row_i": 0, **offered},
        {"w_valid_i": 1, "w_i": 4, "w_row_i": 1, **offered},
        offered,
        *[{"w_valid_i": 1, "w_i": 9, "w_row_i": 1, "ready_i": 1}] * 5,
    ]
    seen = [drive(model, **cycle) for cycle in cycles]
    assert [(s["w_ready_o"], s["ready_o"], s["valid_o"]) for s in seen] == [
        (1, 0, 0),
        (1, 0, 0),
        (1, 1, 0),
        (0, 1, 0),
        (0, 1, 0),
        (0, 1, 1),
        (1, 0, 0),
        (1, 0, 0),
    ]
    assert seen[5]["acc_o"] == 100 + 5 * 3 + 7 * 4


def test_a_row_beyond_the_last_writes_nothing_and_reset_clears_the_weights():
    model = array(3, 1)
    drive(model, rst_ni=0)
    drive(model, w_valid_i=1, w_row_i=3, w_i=9)
    assert model.products([1, 1, 1]) == [[0], [0], [0]]
    drive(model, w_valid_i=1, w_row_i=2, w_i=9)
    assert model.products([1, 1, 1]) == [[0], [0], [9]]
    drive(model, rst_ni=0, w_valid_i=1, w_row_i=2, w_i=9)
    assert model.products([1, 1, 1]) == [[0], [0], [0]]


@pytest.mark.parametrize("saturate", [False, True])
@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (2, 3), (5, 2)])
def test_sums_are_the_emulators_in_order_whatever_stalls(rows, cols, saturate):
    rng = np.random.default_rng(rows)
    x, w = rng.integers(-128, 128, (60, rows)), rng.integers(-128, 128, (rows, cols))
    acc = rng.integers(-(2**15), 2**15, (60, cols))
    accumulator = Accumulator(16, "saturate" if saturate else "wrap")
    expected = acc
    for row in range(rows):
        expected = accumulator.add(expected, drum(x[:, row, None], w[row]))
    assert (expected != acc + drum(x[:, :, None], w).sum(1)).any()

    model, flips = array(rows, cols, product=drum, saturate=saturate), random.Random(rows)
    drive(model, rst_ni=0)
    for row in range(rows):
        drive(model, w_valid_i=1, w_row_i=row, w_i=pack(w[row].tolist(), 8))
    sent, found = 0, []
    for _ in range(1000):
        valid, ready = sent < 60 and flips.random() < 0.7, flips.random() < 0.6
        at = min(sent, 59)
        vector = {"a_i": pack(x[at].tolist(), 8), "acc_i": pack(acc[at].tolist(), 16)}
        seen = drive(model, valid_i=valid, ready_i=ready, **vector)
        sent += valid and seen["ready_o"]
        if ready and seen["valid_o"]:
            found.append(unpack(seen["acc_o"], 16, cols))
    assert found == expected.tolist()
