# SPDX-License-Identifier: Apache-2.0
"""Operands of their own bits and sign, from Verilog to table, file, comparison and metrics.

The oracle is Python's integers: a bit pattern is taken as `int` says, digit by digit.
"""

import json

import numpy as np
import pytest

from axhil.hwsim import HwsimError, Lut, Operands, error_metrics, read_circuit, sample, tabulate
from axhil.hwsim.formats import read_table, write_table
from axhil.hwsim.models.cmodel import c_model_table
from axhil.hwsim.models.pymodel import python_model_table
from axhil.hwsim.multipliers import Request, find
from axhil.hwsim.multipliers.comparing.comparison import compare_tables
from axhil.hwsim.multipliers.comparing.printed import check_figures, read_figures
from axhil.hwsim.multipliers.tabulating.tabulation import with_signs
from axhil.hwsim.operands import Asked

pytestmark = pytest.mark.sim


def value(pattern, bits, *, signed):
    """Two's complement by its definition: the top bit weighs -2^(bits - 1)."""
    digits = [pattern >> place & 1 for place in range(bits)]
    weights = [2**place for place in range(bits)]
    weights[-1] *= -1 if signed else 1
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=True))


def products(a, b, *, times=lambda x, y: x * y):
    """The table of (bits, signed) and (bits, signed), by Python integers."""
    return [
        [times(value(i, a[0], signed=a[1]), value(j, b[0], signed=b[1])) for j in range(2 ** b[0])]
        for i in range(2 ** a[0])
    ]


MIXED = (
    "module {name}(input [{a}:0] act, input signed [{b}:0] wgt, output signed [{p}:0] p);\n"
    "  assign p = $signed({{1'b0, act}}) * wgt;\nendmodule\n"
)
UNSIGNED = (
    "module {name}(input [{a}:0] A, input [{b}:0] B, output [{p}:0] O);\n"
    "  assign O = A * B;\nendmodule\n"
)
UNDECLARED = Asked(signed=False)
CASES = {
    # Verilog, its top, what the user says; both operands, and who says which are signed.
    "u8 x s8": ((MIXED, "m", Asked()), (8, False), (8, True), "declared"),
    "u4 x s6": ((MIXED, "m", Asked()), (4, False), (6, True), "declared"),
    "8 x 4": ((UNSIGNED, "m", UNDECLARED), (8, False), (4, False), "option"),
    "8 x 4 by name": ((UNSIGNED, "mul8x4u_0", Asked()), (8, False), (4, False), "name"),
    "4 x 4": ((UNSIGNED, "m", UNDECLARED), (4, False), (4, False), "option"),
}


def source(folder, verilog, top, a, b):
    path = folder / f"{top}.v"
    path.write_text(verilog.format(name=top, a=a[0] - 1, b=b[0] - 1, p=a[0] + b[0] - 1))
    return path


@pytest.mark.parametrize(("given", "a", "b", "who"), CASES.values(), ids=CASES)
def test_verilog_to_table_to_file_to_comparison_to_metrics(tmp_path, given, a, b, who):
    verilog, top, asked = given
    circuit = read_circuit([source(tmp_path, verilog, top, a, b)], asked=asked)
    assert circuit.signed_from == who
    lut = tabulate(circuit)
    assert lut.operands.bits == (a[0], b[0])
    assert lut.operands.signs == (a[1], b[1])
    assert lut.table.tolist() == products(a, b)

    path = tmp_path / "table.npz"
    lut.save(path)
    back = Lut.load(path)
    assert compare_tables(lut, back, names=("x", "y")).equal
    assert back.manifest["sources"] == circuit.hashes()

    metrics = error_metrics(back)
    assert (metrics.wce, metrics.ep, metrics.mre) == (0, 0, 0)
    # One wrong product: its error by hand.
    table = lut.table.copy()
    table[-1, -1] += 3
    wrong = Lut(table, *lut.operands)
    assert error_metrics(wrong).mae == 3 / 2 ** (a[0] + b[0])
    report = compare_tables(lut, wrong, names=("x", "y"))
    first, second = (value(2**bits - 1, bits, signed=signed) for bits, signed in (a, b))
    assert report.count == 1
    assert (report.worst.a, report.worst.b) == (first, second)
    assert report.worst.expected == first * second


def test_a_sign_that_is_only_left_out_is_a_note(tmp_path):
    circuit = read_circuit([source(tmp_path, MIXED, "m", (4, False), (4, True))])
    assert "act is taken as unsigned: the other operand is declared signed and it is not" in (
        circuit.notes
    )
    said = Asked(operands=Operands.parse("u4xs4"))
    circuit = read_circuit([source(tmp_path, MIXED, "m", (4, False), (4, True))], asked=said)
    assert not any("taken as unsigned" in note for note in circuit.notes)
    with pytest.raises(HwsimError, match=r"expected operands of 8 bits, got act of 4$"):
        read_circuit([tmp_path / "m.v"], asked=Asked(operands=Operands.parse("u8xs4")))


def test_a_netlist_without_signs_is_read_as_the_user_says(tmp_path):
    text = (
        "module net(input [3:0] a, input [2:0] b, output [6:0] p);\n"
        "  assign p = {3'b0, a} * {{4{b[2]}}, b};\nendmodule\n"
    )
    path = tmp_path / "net.v"
    path.write_text(text)
    with pytest.raises(HwsimError, match="does not declare its operands signed"):
        read_circuit([path])
    asked = find(str(path), Request(Asked(operands=Operands.parse("u4xs3"))))
    spelled = find(f"{path}[operands=u4xs3]")
    assert spelled.operands == asked.operands == Operands.parse("u4xs3")
    assert spelled.table() == asked.table()
    assert asked.table().table.tolist() == products((4, False), (3, True))


def test_the_weight_port_turns_a_mixed_table(tmp_path):
    path = source(tmp_path, MIXED, "m", (4, False), (3, True))
    lut = tabulate(read_circuit([path], weight="act"))
    assert lut.operands.code == "s3xu4"
    assert lut.table.tolist() == products((3, True), (4, False))


def test_unequal_magnitudes_go_through_the_sign_magnitude_wrapper(tmp_path):
    path = source(tmp_path, UNSIGNED, "m", (5, False), (3, False))
    lut = tabulate(with_signs(read_circuit([path], asked=Asked(signed=False))))
    assert lut.operands.code == "s5xs3"
    assert lut.table.tolist() == products((5, True), (3, True))


def test_a_pipeline_of_unequal_operands_is_measured(tmp_path):
    path = tmp_path / "pipe.v"
    path.write_text(
        "module pipe(input clk, input signed [5:0] a, input [2:0] b, output reg signed [8:0] p);\n"
        "  reg signed [8:0] early;\n"
        "  always @(posedge clk) begin early <= a * $signed({1'b0, b}); p <= early; end\n"
        "endmodule\n"
    )
    lut = tabulate(read_circuit([path]))
    assert lut.manifest["latency"] == 2
    assert lut.operands.code == "s6xu3"
    assert lut.table.tolist() == products((6, True), (3, False))


def test_x_on_the_product_names_operands_by_their_own_sign(tmp_path):
    path = tmp_path / "gap.v"
    path.write_text(
        "module gap(input [3:0] a, input signed [2:0] b, output [6:0] p);\n"
        "  assign p = a == 15 && b == -1 ? 7'bx : 7'd0;\nendmodule\n"
    )
    with pytest.raises(HwsimError, match=r"got X+ for a=15, b=-1$"):
        tabulate(read_circuit([path]))


def test_a_sample_of_unequal_operands_estimates_their_errors(tmp_path):
    # The lowest bit of the weight is ignored: half of the products are wrong by the activation.
    path = tmp_path / "cut.v"
    path.write_text(
        "module cut(input [15:0] a, input signed [5:0] b, output signed [21:0] p);\n"
        "  assign p = $signed({1'b0, a}) * $signed({b[5:1], 1'b0});\nendmodule\n"
    )
    found = sample(read_circuit([path]), draws=4000)
    assert found.population == 2**22
    assert abs(found.mae.value - (2**16 - 1) / 4) < 2 * found.mae.margin
    assert (found.wce, found.bias.value) == (2**16 - 1, -found.mae.value)
    json.dumps(found.as_dict())


@pytest.mark.parametrize("suffix", [".csv", ".hex", ".npy"])
def test_plain_files_carry_a_simulated_table_and_other_tools_refuse_it(tmp_path, suffix):
    lut = tabulate(read_circuit([source(tmp_path, MIXED, "m", (5, False), (3, True))]))
    path = tmp_path / f"t{suffix}"
    write_table(lut, path)
    assert read_table(path, asked=Asked(operands=lut.operands)) == lut
    if suffix == ".npy":
        with pytest.raises(HwsimError, match="does not say whether its operands are signed"):
            read_table(path)
    else:
        assert read_table(path) == lut
        with pytest.raises(HwsimError, match="of unsigned x signed operands, but s5xu3 was given"):
            read_table(path, asked=Asked(operands=Operands.parse("s5xu3")))
    with pytest.raises(HwsimError, match="of 5-bit x 3-bit operands, but --width 5 was given"):
        read_table(path, asked=Asked(5))
    for form in ("adapt", "transaxx", "tfapprox", "approxtorch", "appmult"):
        with pytest.raises(HwsimError, match=f"^cannot write m as {form}: [^\n]+$"):
            write_table(lut, tmp_path / "other.h", form=form)
    assert not (tmp_path / "other.h").exists()


def test_models_in_c_and_python_take_what_the_verilog_takes(tmp_path):
    lut = tabulate(read_circuit([source(tmp_path, MIXED, "m", (8, False), (8, True))]))
    path = tmp_path / "model.c"
    path.write_text("#include <stdint.h>\nint m(uint8_t a, int8_t b) { return a * b; }\n")
    assert c_model_table(path)[0] == lut
    # An unsigned type of exactly the product's bits: read as two's complement.
    path.write_text(
        "#include <stdint.h>\nuint16_t m(uint8_t a, uint8_t b) { return a * (int8_t)b; }\n"
    )
    said = Asked(operands=lut.operands)
    assert c_model_table(path, asked=said)[0] == lut
    model = tmp_path / "model.py"
    model.write_text("def m(a, b):\n    return a * b\n")
    assert python_model_table(f"{model}:m", asked=said) == lut


def test_a_c_model_named_for_unequal_operands_has_the_figures_of_its_header(tmp_path):
    path = tmp_path / "mul4x2u_0.c"
    # Of 4 x 2 bits the product without its lowest bit: 64 products, of which 16 are odd.
    path.write_text(
        "// MAE% = 0.39 %\n// MAE = 0.25\n// WCE = 1\n// EP% = 25.00 %\n#include <stdint.h>\n"
        "uint64_t mul4x2u_0(const uint64_t A, const uint64_t B) { return A * B & ~1ull; }\n"
    )
    lut, notes = c_model_table(path)
    assert lut.table.tolist() == products((4, False), (2, False), times=lambda x, y: x * y & ~1)
    assert "unsigned from the name" in notes[0]
    checked = check_figures(read_figures(path), lut)
    assert len(checked) == 4
    assert all(figure.agrees for figure in checked)


def test_rows_are_activations_in_every_array():
    operands = Operands.parse("s3xu5")
    lut = Lut(np.arange(256).reshape(8, 32), *operands)
    assert lut.table[operands.activation.pattern(-1), operands.weight.pattern(2)] == 7 * 32 + 2
