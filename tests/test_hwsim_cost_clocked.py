# SPDX-License-Identifier: Apache-2.0
"""What pipelines cost: delays by hand, registers as Python shifts them, and what is refused."""

import json
import re

import numpy as np
import pytest
from liberty_samples import liberty

from axhil.hwsim import HwsimError, Operands
from axhil.hwsim.cost import ICE40, Cells, CostRecord, Library, Stream, Transistors, costs
from axhil.hwsim.cost.design import Design
from axhil.hwsim.cost.energy import energy
from axhil.hwsim.cost.mapped import Mapped
from axhil.hwsim.cost.pipeline import between_registers
from axhil.hwsim.cost.portfolio import FLIP_FLOPS, implementations
from axhil.hwsim.cost.record import record_body
from axhil.hwsim.cost.switching import Sources
from axhil.hwsim.cost.timing import operand_slew, timing
from axhil.hwsim.multipliers import Request, find
from axhil.hwsim.operands import Asked

PIPELINE = """module pipe(input clk, rst, input [3:0] a, b, output reg [7:0] p);
reg [3:0] x, y; reg [7:0] m;
always @(posedge clk) if (rst) p <= 0; else begin x <= a; y <= b; m <= x * y; p <= m; end
endmodule
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("liberty") / "small.lib"
    path.write_text(liberty())
    return Library(path)


@pytest.fixture(scope="module")
def pipe(tmp_path_factory):
    """A multiplier of three cycles."""
    path = tmp_path_factory.mktemp("pipe") / "pipe.v"
    path.write_text(PIPELINE)
    return find(str(path), Request(Asked(4, signed=False)))


@pytest.fixture(scope="module")
def made(library, pipe):
    return costs([pipe], Cells(library, recipes=["dc2-amap"]))


def test_a_register_is_read_with_its_setup_time(library):
    flop = library["DFF"]
    assert flop.name not in {cell.name for cell in library}, "these are combinational"
    assert (flop.clock, flop.falling, flop.outputs["Q"].function.pins) == ("C", False, ("D",))
    (setup,) = flop.setup["D"]
    # 1 and 3 units of 10 ps; in between the data's slew counts 1 a unit, the clock's a half.
    assert setup.rise(0.01, 0.01) == pytest.approx(0.01)
    assert setup.rise(0.02, 0.01) == pytest.approx(0.02)
    assert setup.rise(0.01, 0.02) == pytest.approx(0.015)
    assert setup.fall(0.03, 0.03) == pytest.approx(0.05)


def body(*cells):
    """Cells between operand bits 2 and 3, the clock 4, and the product bit 9."""
    return {"cells": cells, "a": [2], "b": [3], "p": [9]}


def mapped(library, *cells):
    operands = Operands.both(1, signed=False)
    return Mapped.of(body(*cells), library, name="by hand", operands=operands,
                     product=operands.product)  # fmt: skip


def test_the_longest_path_is_from_clock_to_register_with_its_setup_time(library):
    one = mapped(
        library,
        ["DFF", {"D": 2, "C": 4, "Q": 5}],
        ["INV", {"A": 5, "Y": 6}],
        ["DFF", {"D": 6, "C": 4, "Q": 9}],
    )
    found = timing(one, library)
    clock = operand_slew(library) / 0.01
    # In units of 10 ps and 2 fF: the clock's edge, a load of one inverter; then one of a D.
    taken = np.array([1, 1.1]) * (1 + 1 + clock / 2)
    edge = np.array([0.5, 0.55]) * (1 + 1 + clock / 2)
    risen, fallen = taken[1] + (1 + 1 + edge[1] / 2), taken[0] + 1.1 * (1 + 1 + edge[0] / 2)
    slews = 0.5 * (1 + 1 + edge[1] / 2), 0.55 * (1 + 1 + edge[0] / 2)
    setup = 1 + (slews[0] - 1) + (clock - 1) / 2, 2 + (slews[1] - 1) + (clock - 1) / 2
    # The product's register has a load of four inverters, and less to wait for.
    last = 1.1 * (1 + 4 + clock / 2)
    assert found.critical == pytest.approx(0.01 * max(risen + setup[0], fallen + setup[1], last))
    assert risen + setup[0] > last


def test_registers_at_several_edges_or_around_themselves_are_refused(library):
    second = ["DFF", {"D": 5, "C": 6, "Q": 9}]
    first = ["DFF", {"D": 2, "C": 4, "Q": 5}]
    for more in (["INV", {"A": 4, "Y": 6}],), ():
        with pytest.raises(HwsimError, match="expected all registers at one edge of the clock"):
            mapped(library, first, *more, second)
    with pytest.raises(HwsimError, match=r"expected a pipeline .*, got registers that depend on"):
        mapped(library, ["NAND2", {"A": 2, "B": 9, "Y": 5}], ["DFF", {"D": 5, "C": 4, "Q": 9}])
    with pytest.raises(HwsimError, match="expected cells without a combinational loop, got one"):
        mapped(library, ["NAND2", {"A": 2, "B": 9, "Y": 5}], ["INV", {"A": 5, "Y": 9}])


def test_registers_hold_what_came_cycles_before(library, pipe, made):
    (cost,) = made.multipliers
    design = Design.of(pipe)
    a, b = np.random.default_rng(0).integers(0, 16, (2, 50))
    for way in cost.implementations:
        one = made.target.mapped(way.cells, design)
        assert len(one.registers) == way.figures[FLIP_FLOPS] == 4 + 4 + 8 + 8
        assert way.checked == 256, "held against the table as wires"
        netlist, sources = between_registers(one, Sources.operands(one.netlist, a, b))
        assert not {*netlist.gates[:, 1].tolist()} & {*sources.nets.tolist()}
        held = {bits.tobytes() for bits in sources.bits[8:]}
        products = dict(zip(sources.nets.tolist(), sources.bits, strict=True))
        shown = sum(products[net].astype(int) << bit for bit, net in enumerate(one.p))
        assert np.array_equal(shown[3:], (a * b)[:-3])
        for bit in range(4):
            for operand in (a, b):
                late = np.concatenate([operand[:1], operand[:-1]]) >> bit & 1
                assert late.astype(np.uint8).tobytes() in held


def test_the_clock_takes_energy_where_operands_stand_still(library, pipe, made):
    (cost,) = made.multipliers
    one = made.target.mapped(cost.implementations[0].cells, Design.of(pipe))
    still, busy = (
        (np.full(40, 5), np.full(40, 3)),
        np.random.default_rng(1).integers(0, 16, (2, 40)),
    )
    idle, working = energy(one, library, [Stream(*still), Stream(*busy)])
    # Two edges: the capacitance of 24 clock pins, 4 fF each at 1 V, and what each takes inside.
    assert idle == pytest.approx(2 * 24 * (0.004 / 2 + 5 * 2e-5))
    assert working > 2 * idle


def test_nothing_exact_stands_beside_a_pipeline(made):
    (cost,) = made.multipliers
    least = cost.least("area")
    assert least.figures["area"] > 24 * 9
    assert made.relative(cost, "area") is None
    record = CostRecord.of(record_body([made]))
    (row,) = record.rows
    assert (row.clocked, record.relative(row, "area")) == (True, None)
    assert row.values["area"] == least.figures["area"]


def test_without_a_library_flip_flops_are_transistors_and_on_an_fpga_a_figure(pipe):
    ((gates, *_),) = implementations([Design.of(pipe)], Transistors())
    assert gates.figures[FLIP_FLOPS] == 24
    assert gates.figures["transistors"] > 24 * 16
    ((way, *_),) = implementations([Design.of(pipe)], ICE40)
    assert way.figures[FLIP_FLOPS] == 24


def test_a_latch_is_refused_in_one_sentence(refused, tmp_path):
    (tmp_path / "latch.v").write_text(
        "module mul(input en, input [3:0] a, b, output reg [7:0] p);\n"
        "always @* if (a[0]) p = a * b;\nendmodule\n"
    )
    sentence = refused("cost", "latch.v", "--unsigned", "--width", 4, "--tie", "en=1")
    assert re.search(r"expected a multiplier without latches .* with \$dlatch", sentence)


def test_the_command_shows_flip_flops(axhil, tmp_path):
    (tmp_path / "pipe.v").write_text(PIPELINE)
    code, out, err = axhil("cost", "pipe.v", "--unsigned", "--width", 4, "--json")
    assert code == 0, err
    (least,) = (one["least"] for one in json.loads(out)["costs"][0]["multipliers"])
    assert least["transistors"][FLIP_FLOPS] == 24
    assert least["transistors"]["relative_to_best_exact"] is None
    code, out, err = axhil("cost", "pipe.v", "--unsigned", "--width", 4)
    assert re.search(r"gates deep +vs exact % +flip-flops", out)
