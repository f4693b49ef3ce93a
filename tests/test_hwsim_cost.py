# SPDX-License-Identifier: Apache-2.0
"""What multipliers cost in hardware, beside exact ones that are exact."""

import gzip
import json

import numpy as np
import pytest

from axhil.hwsim import Catalogued, HwsimError, Operand, Operands, golden
from axhil.hwsim.cost.cost import FIGURES, NONE, cost_of, costs_of
from axhil.hwsim.cost.exact import INFERRED, STRUCTURES, exact_circuit
from axhil.hwsim.netlist.evaluation import table
from axhil.hwsim.netlist.program import Program
from axhil.hwsim.netlist.synthesis import synthesise


@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_exact_structure_is_exact(structure):
    for code in ("s8", "u5", "u4xs3", "s3xu5", "u1xu3"):
        operands = Operands.parse(code)
        made = table(Program.of(synthesise(exact_circuit(structure, operands))))
        expected = np.multiply.outer(operands.activation.values, operands.weight.values)
        assert np.array_equal(made, expected), code


AREAS = {"BUF": 3.0, "INV": 1.0, "NAND2": 2.0, "NOR2": 2.5}


def library():
    """Four cells in two sizes, with delays that grow with load and slew."""
    axes = ", ".join(map(str, (0.001, 0.01, 0.1, 1.0)))
    functions = {"BUF": "A", "INV": "!A", "NAND2": "!(A*B)", "NOR2": "!(A+B)"}
    text = (
        'library(mini) { delay_model : table_lookup; time_unit : "1ns"; nom_voltage : 1.0;\n'
        'capacitive_load_unit(1, pf); voltage_unit : "1V"; current_unit : "1mA";\n'
        'leakage_power_unit : "1nW"; default_max_transition : 1.0;\n'
        "lu_table_template(t) { variable_1 : input_net_transition;\n"
        "variable_2 : total_output_net_capacitance;\n"
        f'index_1("{axes}"); index_2("{axes}"); }}\n'
    )
    for size, (name, function) in ((k, cell) for k in (1, 2) for cell in functions.items()):
        rows = (
            ", ".join(f"{0.2 / size * (1 + 0.1 * load + 0.05 * slew):.4f}" for load in range(4))
            for slew in range(4)
        )
        values = ", ".join(f'"{row}"' for row in rows)
        edges = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
        tables = "".join(f"{edge}(t) {{ values({values}); }}\n" for edge in edges)
        sense = "positive_unate" if name == "BUF" else "negative_unate"
        pins = [pin for pin in "AB" if pin in function]
        text += f"cell({name}_{size}) {{ area : {AREAS[name] * (1 + size) / 2};\n"
        for pin in pins:
            text += f"pin({pin}) {{ direction : input; capacitance : 0.001; }}\n"
        text += f'pin(Y) {{ direction : output; function : "{function}"; max_capacitance : 0.1;\n'
        for pin in pins:
            text += f'timing() {{ related_pin : "{pin}"; timing_sense : {sense};\n{tables}}}\n'
        text += "} }\n"
    return f"{text}}}\n"


@pytest.fixture(scope="module")
def liberty(tmp_path_factory):
    path = tmp_path_factory.mktemp("liberty") / "mini.lib.gz"
    path.write_bytes(gzip.compress(library().encode()))
    return path


def test_a_product_of_single_bits_costs_one_and_gate(liberty):
    cost = cost_of(exact_circuit(INFERRED, Operands.parse("u1")), liberty=liberty)
    assert cost.transistors.value == 4 + 2  # NAND and inverter
    assert cost.depth.value == 2
    assert cost.area.value == AREAS["NAND2"] + AREAS["INV"]
    assert 2 * 0.1 <= cost.delay.value <= 2 * 0.3  # two gates, of either size


def test_the_best_exact_multiplier_is_the_least_of_all_structures(liberty):
    operand = Operand(4, signed=True)
    some = {
        name: Catalogued.parse(name, operand=operand).circuit() for name in ("exact", "drum(2)")
    }
    costs, exact = costs_of(some, liberty=liberty)
    assert list(costs) == list(some)
    assert list(exact) == ["s4"]
    alone = {
        one: cost_of(exact_circuit(one, Operands(operand, operand)), multiplications=NONE)
        for one in STRUCTURES
        if one != INFERRED
    }
    for name in ("transistors", "depth"):
        best = exact["s4"].figures[name]
        assert best.value <= min(cost.figures[name].value for cost in alone.values())
        assert best.value <= costs["exact"].figures[name].value
        assert best.by.startswith(tuple(STRUCTURES))
    assert exact["s4"].figures.keys() == costs["drum(2)"].figures.keys() == FIGURES.keys()


def test_costs_of_the_papers_multipliers_stay_where_they_were():
    # To a few per cent: another Yosys may find a little more, or less.
    costs, exact = costs_of(
        {name: Catalogued.parse(name).circuit() for name in ("drum(3)", "scaletrim(4,8)")}
    )
    assert exact["s8"].transistors.value == pytest.approx(1942, rel=0.05)
    assert costs["drum(3)"].transistors.value == pytest.approx(1360, rel=0.05)
    assert costs["scaletrim(4,8)"].transistors.value == pytest.approx(2118, rel=0.05)


def test_cost_prints_and_emits_each_figure_beside_the_exact_one(axhil):
    words = ("cost", "exact", "drum(2)", "--width", "4", "--unsigned")
    code, out, _ = axhil(*words, "--json")
    body = json.loads(out)
    drum, best = body["multipliers"]["drum(2)"], body["exact"]["u4"]
    assert (code, body["library"], drum["area"]) == (0, None, None)
    code, out, _ = axhil(*words)
    (row,) = [line.split() for line in out.splitlines() if line.split()[:1] == ["DR2"]]
    share = 100 * (drum["transistors"]["value"] / best["transistors"]["value"] - 1)
    assert row[2:5] == ["u4", str(drum["transistors"]["value"]), f"{share:+.0f}"]
    assert f"best exact u4: transistors: {best['transistors']['by']}; gates deep: " in out


def test_what_has_no_cost_is_refused(refused, tmp_path):
    golden(Catalogued.parse("exact")).save(tmp_path / "mul.npz")
    (tmp_path / "no.lib").write_text("library(no) { }\n")
    assert refused("cost", "mul.npz") == "expected Verilog to synthesise, got mul"
    assert refused("cost", "exact", "--liberty", "a.lib").startswith(
        "cannot read the library a.lib"
    )
    with pytest.raises(HwsimError):
        cost_of(Catalogued.parse("exact").circuit(), liberty=tmp_path / "no.lib")
