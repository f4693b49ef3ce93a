# SPDX-License-Identifier: Apache-2.0
"""Networks whose products gates compute, where codes are too wide for a table or on request."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from axhil.emulation import Accumulator, EmulationError, External, Geometry, convert, prepare
from axhil.emulation.backends import BACKENDS, Computation
from axhil.emulation.products.accumulator import lut_matmul_bits
from axhil.emulation.products.arithmetic import ExternalArithmetic
from axhil.emulation.products.definition import lut_conv2d, wide_conv2d, wide_matmul
from axhil.emulation.products.external import code_type
from axhil.emulation.quantise.quantize import Quantizer
from axhil.hwsim import Catalogued, HwsimError, Operand, Operands, golden
from axhil.hwsim.multipliers import Assignment, Request, find
from axhil.hwsim.multipliers.by_gates import computed
from axhil.hwsim.netlist import native
from axhil.hwsim.operands import Asked


def wide(bits):
    return Request(Asked(width=bits, signed=True))


def layer(external, x, w, geometry, *, zero_point=0, accumulator=None):
    """Sums of a layer by the backend `gates`."""
    arithmetic = ExternalArithmetic(external, accumulator)
    quantizer = Quantizer(external.activation, torch.ones(()), zero_point)
    backend = BACKENDS["gates"](Computation(arithmetic, quantizer, geometry), torch.from_numpy(w))
    return backend.accumulate(torch.from_numpy(x.astype(np.float32))).numpy()


GEOMETRIES = {
    "padded": ((2, 3, 5, 5), (4, 3, 3, 2), Geometry(padding=(1, 2))),
    "strided, dilated": ((1, 2, 9, 8), (3, 2, 2, 3), Geometry((2, 1), (1, 0), (2, 2))),
    "grouped": ((2, 4, 5, 5), (6, 2, 3, 3), Geometry(padding=(1, 1), groups=2)),
    "linear": ((2, 70, 1, 1), (5, 70, 1, 1), Geometry()),
}


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("word", ["drum(6) 16", "exact 16", "scaletrim(4,8) 12", "drum(3) 9"])
def test_sums_of_gates_are_those_of_the_formulas_products(word, geometry):
    name, bits = word.split()
    multiplier = find(name, wide(int(bits)))
    shape, weights, how = GEOMETRIES[geometry]
    rng, most = np.random.default_rng(7), multiplier.operands.weight.maximum
    x = rng.integers(-most, most + 1, shape)
    w = rng.integers(-most, most + 1, weights).astype(np.int16)
    made = layer(External.of(computed(multiplier)), x, w, how)
    expected = wide_conv2d(x, w, multiplier.reference, how)
    np.testing.assert_array_equal(made, expected)
    assert made.dtype == expected.dtype == np.int64
    if bits == "16" and geometry != "strided, dilated":
        assert abs(expected).max() >= 2**31  # a 32-bit sum would have overflowed


def test_the_largest_products_of_16_bits_are_summed_without_overflow():
    multiplier = find("exact", wide(16))
    least = np.full((1, 600, 1, 1), -(2**15))
    made = layer(External.of(computed(multiplier)), least, least.astype(np.int16), Geometry())
    assert made.item() == 600 * 2**30
    products = wide_matmul(least[:, :, 0, 0], least[:, :, 0, 0], multiplier.reference)
    assert products.item() == 600 * 2**30


def test_codes_of_8_bits_have_the_tables_sums_in_int32_and_in_registers():
    external = External.of(computed(find("gates:drum(4)")))
    rng, table = np.random.default_rng(8), golden(Catalogued("drum", (4,))).table
    x = rng.integers(-127, 128, (2, 3, 6, 5))
    w = rng.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    made = layer(external, x, w, Geometry(padding=(1, 1)))
    np.testing.assert_array_equal(made, lut_conv2d(x, w, table, Geometry(padding=(1, 1))))
    assert made.dtype == np.int32
    rows = w.reshape(4, -1)
    for overflow in ("wrap", "saturate"):
        register = Accumulator(14, overflow)
        made = layer(external, rows[:, :, None, None], w.reshape(4, -1, 1, 1), Geometry(),
                     accumulator=register)  # fmt: skip
        np.testing.assert_array_equal(
            made[:, :, 0, 0], lut_matmul_bits(rows, rows, table, register)
        )


@pytest.mark.sim
@pytest.mark.parametrize("bits", [10, 16])
def test_padding_is_the_code_of_zero_of_an_unsigned_activation(bits, tmp_path):
    # A zero operand does not give 0 here, and zero points lie beyond what int16 holds.
    (tmp_path / "mul.v").write_text(
        f"module mul(input [{bits - 1}:0] x, input signed [11:0] w, output signed [{bits + 12}:0] "
        "y);\n  assign y = $signed({1'b0, x}) * w + 5;\nendmodule\n"
    )
    asked = Asked(operands=Operands.parse(f"u{bits}xs12"))
    external = External.of(computed(find(str(tmp_path / "mul.v"), Request(asked))))
    rng, zero = np.random.default_rng(9), 2 ** (bits - 1) + 77
    codes = rng.integers(0, 2**bits, (2, 2, 4, 4))
    w = rng.integers(-2047, 2048, (3, 2, 3, 3)).astype(np.int16)
    geometry = Geometry(padding=(1, 1))
    made = layer(external, codes - zero, w, geometry, zero_point=zero)
    expected = wide_conv2d(codes, w, lambda a, b: a * b + 5, geometry, padding_code=zero)
    np.testing.assert_array_equal(made, expected)


def network():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    return model, torch.rand(6, 1, 6, 6)


@pytest.mark.parametrize(("name", "bits"), [("drum(6)", 16), ("scaletrim(4,8)", 12), ("exact", 16)])
def test_a_network_of_wide_codes_is_that_of_the_formula(name, bits):
    model, images = network()
    prepared, multiplier = prepare(model, images), find(name, wide(bits))
    formula = External("formula", multiplier.reference, *multiplier.operands)
    gated, defined = (prepared.emulate(one) for one in (multiplier, formula))
    assert [one.path for one in gated.plan] == ["gates", "gates"]
    assert [one.path for one in defined.plan] == ["external", "external"]
    assert re.match(r"[\d,]+ gates: \d+ x a product kernel; int64 sums", gated.plan[0].reason)
    logits, gradients = [], []
    for emulated in (gated, defined):
        x = images.clone().requires_grad_()
        logits.append(emulated(x))
        logits[-1].square().sum().backward()
        gradients.append(x.grad)
    assert torch.equal(*logits)
    assert torch.equal(*gradients)
    assert gradients[0].abs().max() > 0
    error = (logits[0] - model(images)).abs().max() / model(images).abs().max()
    assert error < (0.002 if name == "exact" else 0.05)
    with pytest.raises(EmulationError, match="has no table whose slope"):
        prepared.emulate(multiplier, gradient="slope:2")


def test_gates_of_8_bits_are_chosen_on_request_alone():
    model, images = network()
    prepared = prepare(model, images)
    gated, looked_up = (prepared.emulate(word) for word in ("gates:drum(4)", "drum(4)"))
    assert torch.equal(gated(images), looked_up(images))
    assert [row.path for row in gated.plan] == ["gates", "gates"]
    assert "gates" not in {row.path for row in looked_up.plan}
    assert gated.plan[0].cost > 20 * looked_up.plan[0].cost
    with pytest.raises(
        EmulationError, match=r"'gates' cannot compute drum\(4\) on cpu: a table of"
    ):
        prepared.emulate("drum(4)", backend="gates")
    mixed = prepared.plan({"0": "gates:drum(4)", "3": find("drum(6)", wide(16))})
    assert [row.path for row in mixed] == ["gates", "gates"]


def test_without_the_extension_gates_are_numpys_and_the_plan_says_so(monkeypatch):
    model, images = network()
    multiplier = find("drum(3)", wide(10))
    expected = convert(model, multiplier, calibration=images)(images)
    monkeypatch.setattr(native, "_native", None)
    emulated = convert(model, multiplier, calibration=images)
    assert torch.equal(emulated(images), expected)
    assert " gates in NumPy: " in emulated.plan[0].reason


def test_weights_of_wide_codes_can_be_replaced():
    model, images = network()
    emulated = convert(model, find("exact", wide(12)), calibration=images)
    first = emulated.layers["0"]
    before = emulated(images)
    assert first.codes.dtype == torch.int16
    first.update(-first.codes)
    assert not torch.equal(emulated(images), before)
    first.update(-first.codes)
    assert torch.equal(emulated(images), before)


@pytest.mark.parametrize(
    ("code", "dtype"), [("s2", "int8"), ("u8", "uint8"), ("s9", "int16"), ("u16", "uint16")]
)
def test_codes_have_the_smallest_type_that_holds_them(code, dtype):
    assert code_type(Operand.parse(code)) == np.dtype(dtype)


def test_a_digest_is_that_of_the_products_or_beyond_tables_of_the_verilog():
    alone = {word: Assignment.parse(word).digest for word in ("drum(3)", "gates:drum(3)")}
    assert set(alone.values()) == {golden(Catalogued("drum", (3,))).sha256}
    wide_ones = [Assignment.parse(f"drum({k})", wide(16)).digest for k in (3, 3, 4)]
    assert wide_ones[0] == wide_ones[1] != wide_ones[2]
    ten = Assignment.parse("gates:drum(3)", wide(10)), Assignment.parse("drum(3)", wide(10))
    assert ten[0].digest == ten[1].digest == ten[0].single.table().sha256


def test_gates_are_a_multiplier_of_any_command(axhil, refused):
    code, out, _ = axhil("compare", "gates:scaletrim(4,8)", "formula:scaletrim(4,8)")
    assert (code, "are equal in all 65,536 products" in out) == (0, True)
    code, out, _ = axhil("plan", "-m", "conv*=gates:drum(4),fc*=exact")
    assert (code, re.findall(r"280 gates", out)) == (0, ["280 gates"] * 2)
    sentence = refused("plan", "-m", "gates:formula:drum(3)")
    assert sentence == "gates:formula:drum(3): expected Verilog, or a multiplier of the catalogue"


@pytest.mark.sim
def test_a_users_16_bit_verilog_is_classified_with(axhil, tmp_path):
    header = "module my16(input signed [15:0] a, b, output signed [31:0] p);"
    (tmp_path / "my16.v").write_text(f"{header}\n  assign p = (a * b) & ~32'sd255;\nendmodule\n")
    code, out, err = axhil("accuracy", "lenet5", "-m", "my16.v", "--images", 50)
    assert code == 0
    assert re.search(r"^my16.v: [\d,]+ gates by Yosys [\d.]+$", err, re.M)
    rows = {line.split()[0]: line.split() for line in out.splitlines() if "to" in line.split()}
    assert float(rows["my16"][2]) == float(rows["float32"][1]) > 90
    code, out, _ = axhil("plan", "lenet5", "-m", "my16.v")
    assert (code, len(re.findall(r" gates +my16 \(my16.v\) ", out))) == (0, 5)


@pytest.mark.sim
def test_gates_are_attacked_and_reported_as_tables_are(axhil, tmp_path):
    header = "module my12(input signed [11:0] a, b, output signed [23:0] p);"
    (tmp_path / "my12.v").write_text(f"{header}\n  assign p = a * b;\nendmodule\n")
    words = ["-m", "gates:drum(3),drum(3)", "-m", "fc*=my12.v,conv*=gates:my12.v[top=my12]"]
    grid = ["--attack", "fgsm", "--norm", "linf", "--eps", "0,0.2", "--images", 6]
    code, _, err = axhil("eval", *words, *grid, "--out", "o")
    assert code == 0, err
    records = pd.read_csv(tmp_path / "o" / "records.csv", dtype={"correct": str})
    flags = {name: list(part.correct) for name, part in records.groupby("multiplier")}
    assert flags.keys() == {
        "drum(3)", "gates:drum(3)", "fc*=my12.v,conv*=gates:my12.v[top=my12]"
    }  # fmt: skip
    assert flags["gates:drum(3)"] == flags["drum(3)"]
    assert (tmp_path / "o" / "report.html").stat().st_size > 0


def test_wide_operands_without_verilog_are_a_sentence(refused):
    sentence = refused("accuracy", "-m", "formula:drum(6)", "--width", 16)
    assert sentence == (
        "formula:drum(6): networks are quantised to operands of 2 to 8 bits, or up to 16 with "
        "Verilog, its operands are signed 16-bit"
    )
    with pytest.raises(HwsimError, match="expected Verilog, whose gates give products of operands"):
        computed(find("formula:drum(6)", wide(16)))
