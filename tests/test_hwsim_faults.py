# SPDX-License-Identifier: Apache-2.0
"""Stuck-at faults: their tables, which are equivalent, which are harmless, and samples of them."""

import subprocess

import numpy as np
import pytest
from netlist_samples import numbered_netlist

from axhil.hwsim import Catalogued, HwsimError, Operand, read_circuit
from axhil.hwsim.faults import (
    Campaign,
    CircuitUnderTest,
    classes,
    net_names,
    stuck,
    stuck_at_faults,
)
from axhil.hwsim.multipliers import Request, find
from axhil.hwsim.netlist.evaluation import table
from axhil.hwsim.netlist.netlist import Kind, Netlist
from axhil.hwsim.netlist.program import Program
from axhil.hwsim.netlist.synthesis import synthesise
from axhil.hwsim.operands import Asked, Operands

UNSIGNED = Asked(signed=False)
SMALL = "input [3:0] a, b, output [7:0] p"
CLOCKED = "input clk, input [3:0] a, b, output reg [7:0] p"


@pytest.fixture
def gates(tmp_path):
    """Gates of a module `mul` with a header and a body."""

    def of(header, body):
        path = tmp_path / "mul.v"
        path.write_text(f"module mul({header});\n{body}\nendmodule\n")
        return synthesise(read_circuit([path], asked=UNSIGNED))

    return of


@pytest.fixture
def under_test(tmp_path):
    def of(header, body, *, name="mul"):
        path = tmp_path / f"{name}.v"
        path.write_text(f"module {name}({header});\n{body}\nendmodule\n")
        return CircuitUnderTest.of(find(str(path), Request(UNSIGNED)))

    return of


@pytest.fixture(scope="module")
def drum():
    return CircuitUnderTest.of(Catalogued.parse("drum(2)", operand=Operand(4, signed=True)))


def tables(netlist, faults):
    return [table(Program.of(stuck(netlist, fault)), threads=1) for fault in faults]


def simulated(path, forced, *, width):
    """What Icarus says of a circuit with one net after another forced: (faults, 2^N, 2^N)."""
    sweeps = "\n".join(f"force dut.{net} = {v}; sweep; release dut.{net};" for net, v in forced)
    bench = path.with_name("bench.v")
    bench.write_text(
        f"""
module bench;
  reg [{width - 1}:0] a, b;
  wire [{2 * width - 1}:0] p;
  integer i;
  mul dut(a, b, p);
  task sweep;
    for (i = 0; i < {1 << 2 * width}; i = i + 1) begin
      {{a, b}} = i;
      #1 $display("%0d", p);
    end
  endtask
  initial begin
{sweeps}
  end
endmodule
"""
    )
    program = path.with_suffix(".vvp")
    subprocess.run(["iverilog", "-g2012", "-o", program, path, bench], check=True)
    printed = subprocess.run(["vvp", "-n", program], check=True, capture_output=True).stdout
    return np.array(printed.split(), int).reshape(len(forced), 1 << width, 1 << width)


@pytest.mark.sim
def test_a_stuck_net_has_the_table_that_a_simulator_gives_with_the_net_forced(tmp_path):
    path = tmp_path / "mul.v"
    path.write_text(numbered_netlist("mul", width=4, product="P", wires="scalar"))
    netlist = synthesise(read_circuit([path], asked=UNSIGNED))
    faults = [one for one in stuck_at_faults(netlist) if one.net in netlist.names]
    forced = [(netlist.names[one.net], one.value) for one in faults]
    names = {name for name, _ in forced}
    assert names > {f"{port}[{bit}]" for port in "AB" for bit in range(4)}
    assert len(names) > 40
    expected = simulated(path, forced, width=4)
    for name, made, wanted in zip(forced, tables(netlist, faults), expected, strict=True):
        assert np.array_equal(made, wanted), name


@pytest.mark.sim
def test_a_stuck_branch_has_the_table_of_a_simulator_with_a_wire_to_it_forced(gates, tmp_path):
    # To Yosys wires to one net are that net; a simulator forces each alone.
    netlist = gates(
        "input [1:0] a, b, output [3:0] p",
        "wire n = a[1] | b[1]; wire n0 = n, n1 = n, n2 = n, n3 = n;\n"
        "assign p = {n0, n1 & b[0], n2 ^ a[0], (n3 & a[1]) | b[0]};",
    )
    faults = [
        one
        for one in stuck_at_faults(netlist, branches=True)
        if one.net == netlist.p[3] and one.reader is not None
    ]
    wires = [(f"n{place}", value) for place in range(4) for value in (0, 1)]
    made = sorted(one.tolist() for one in tables(netlist, faults))
    assert made == sorted(simulated(tmp_path / "mul.v", wires, width=2).tolist())


NET_A, NET_B = 2, 3


@pytest.mark.parametrize(
    ("gates", "product", "branches", "sizes"),
    [
        ([(Kind.and_, 4, NET_A, NET_B, 0)], (4, 0), False, [3, 1, 1, 1]),
        ([(Kind.or_, 4, NET_A, NET_B, 0)], (4, 0), False, [3, 1, 1, 1]),
        ([(Kind.and_, 4, NET_A, NET_B, 0), (Kind.not_, 5, 4, 0, 0)], (5, 0), False, [4, 2, 1, 1]),
        ([(Kind.xor, 4, NET_A, NET_B, 0)], (4, 0), False, [1] * 6),
        # What is read elsewhere, too, is not the same as the output of one gate; its branch is.
        ([(Kind.and_, 4, NET_A, NET_B, 0)], (4, NET_A), False, [2, 1, 1, 1, 1]),
        ([(Kind.and_, 4, NET_A, NET_B, 0)], (4, NET_A), True, [3] + [1] * 7),
        (
            [(Kind.xor, 4, NET_A, NET_B, 0), (Kind.and_, 5, NET_A, NET_B, 0)],
            (4, 5),
            True,
            [3] + [1] * 13,
        ),
    ],
    ids=["and", "or", "nand", "xor", "and, a", "and, a, branches", "half adder, branches"],
)
def test_faults_are_equivalent_as_in_the_textbook(gates, product, branches, sizes):
    one_bit = Operands.both(1, signed=False)
    netlist = Netlist(
        "mul", one_bit, one_bit.product, (NET_A,), (NET_B,), product, np.array(gates, np.int32), 6
    )
    found = classes(netlist, stuck_at_faults(netlist, branches=branches))
    assert sorted(map(len, found), reverse=True) == sizes


def test_equivalent_faults_have_one_table(drum):
    netlist = drum.netlist
    faults = drum.faults(branches=True)
    found = classes(netlist, faults)
    assert sorted(fault for one in found for fault in map(faults.index, one)) == [
        *range(len(faults))
    ]
    assert len(found) < 0.9 * len(faults)
    for some in found:
        first, *others = tables(netlist, some)
        assert all(np.array_equal(first, one) for one in others)


def test_every_kind_of_gate_has_equivalent_faults_that_have_one_table(gates):
    body = "\n".join(
        f"assign p[{bit}] = {text};"
        for bit, text in enumerate(
            ("~a[0]", "a[0] & b[0]", "a[1] | ~b[1]", "a[1] ^ b[2]", "a[2] ? b[2] : a[3]",
             "~(a[2] | b[3])", "~(a[3] ^ b[0])", "~(a[0] & b[3]) & ~b[1]")
        )
    )  # fmt: skip
    netlist = gates(SMALL, body)
    for some in classes(netlist, stuck_at_faults(netlist, branches=True)):
        first, *others = tables(netlist, some)
        assert all(np.array_equal(first, one) for one in others)


@pytest.mark.sim
def test_effects_are_by_table_and_the_harmless_are_those_of_redundant_gates(under_test):
    # x | (x & y) is x: the AND gate may say 0 whatever is there.
    cut = under_test(
        "input [1:0] a, b, output [3:0] p",
        "wire n = a[0] & b[0]; assign p = {2'b0, a[1] & b[1], a[0] | n};",
    )
    effects = cut.effects(cut.faults())
    lut = cut.multiplier.table()
    harmless = {cut.name(fault) for one in effects if one.harmless for fault in one.faults}
    assert harmless == {"b[0] sa0", "b[0] sa1", "n sa0"}
    assert len({one.sha256 for one in effects}) == len(effects)
    assert sorted(cut.name(f) for one in effects for f in one.faults) == sorted(
        map(cut.name, cut.faults())
    )
    for one in effects:
        for fault in one.faults:
            made = cut.table(fault)
            assert made.sha256 == one.sha256
            assert (made == lut) == one.harmless
            assert (made.table != lut.table).sum() == one.detected
    by_name = {cut.name(fault): one for one in effects for fault in one.faults}
    assert by_name["a[0] sa1"].detected == 8  # a[0] = 0, whatever the others
    assert by_name["n sa1"].sha256 == by_name["a[0] sa1"].sha256


@pytest.mark.parametrize("branches", [False, True])
def test_every_fault_has_a_name_of_its_own(drum, branches):
    faults = drum.faults(branches=branches)
    names = [drum.name(fault) for fault in faults]
    assert len(set(names)) == len(names) == len(faults)
    assert {"a_i[0] sa0", "b_i[3] sa1", "p_o[7] sa0"} <= set(names)
    again = synthesise(drum.multiplier.circuit())
    assert net_names(again) == drum.names
    for some in classes(drum.netlist, faults):
        # A net of the source is named before a gate inside an expression, and a stem first.
        best = [one for one in some if one.net in drum.netlist.names and one.reader is None]
        assert drum.shown(some) in (best or some)


def test_a_gate_without_a_name_is_called_by_what_it_is_inside_of(gates):
    netlist = gates(SMALL, "wire n = ~(a[0] & b[0] & b[1]); assign p = {7'b0, n ^ a[0]};")
    names = set(net_names(netlist).values())
    assert {one for one in names if one[0] not in "ab"} == {"n", "n:and1", "n:and2", "p[0]"}


@pytest.mark.sim
def test_a_pipeline_has_the_faults_of_its_gates(under_test):
    comb = under_test(SMALL, "wire [3:0] m = a & {4{b[0]}};\nassign p = m * b;")
    piped = under_test(
        CLOCKED,
        "reg [3:0] m, c;\nalways @(posedge clk) begin m <= a & {4{b[0]}}; c <= b; p <= m * c; end",
        name="piped",
    )
    assert piped.netlist.latency == 2

    def found(cut):
        effects = cut.effects(cut.faults())
        return sorted((one.sha256, len(one.faults)) for one in effects)

    assert found(piped) == found(comb)


def test_a_sample_is_drawn_without_repeats_and_by_its_seed_alone(drum):
    every = Campaign.of(drum, jobs=1)
    assert (every.total, every.seed) == (len(every.faults), None)
    some = [Campaign.of(drum, sample=20, seed=seed, jobs=2) for seed in (3, 3, 4)]
    assert some[0].as_dict() == some[1].as_dict()
    assert set(some[0].faults) != set(some[2].faults)
    by_fault = {fault: one.sha256 for one in every.effects for fault in one.faults}
    for one in some:
        assert len(set(one.faults)) == 20
        assert one.total == every.total
        assert {f: e.sha256 for e in one.effects for f in e.faults} == {
            fault: by_fault[fault] for fault in one.faults
        }
    assert Campaign.of(drum, sample=10**6).as_dict() == every.as_dict()
    with pytest.raises(HwsimError, match="a sample of at least 1 fault, got 0"):
        Campaign.of(drum, sample=0)


def test_effects_do_not_depend_on_how_many_are_computed_at_a_time(drum):
    assert len({str(Campaign.of(drum, jobs=jobs).as_dict()) for jobs in (1, 2, 5)}) == 1


@pytest.mark.sim
@pytest.mark.parametrize(
    ("header", "body", "sentence"),
    [
        (SMALL, "reg [7:0] q; always @* if (a != 3 || a == 3) q = a * b; assign p = q;",
         "expected gates without latches"),
        (SMALL, "wire [7:0] q = a * b;\n// synthesis translate_off\nassign p = q + 1;\n"
         "// synthesis translate_on\n`ifdef YOSYS\nassign p = q;\n`endif",
         "expected gates that compute the simulated table, but they differ in 256 of 256"),
    ],
    ids=["latch", "translate_off"],
)  # fmt: skip
def test_gates_that_are_not_the_multiplier_are_refused(under_test, header, body, sentence):
    with pytest.raises(HwsimError, match=sentence):
        Campaign.of(under_test(header, body))


def test_faults_need_gates_and_a_table(tmp_path):
    path = tmp_path / "mul.npz"
    Catalogued.parse("exact", operand=Operand(4, signed=False)).table().save(path)
    with pytest.raises(HwsimError, match=r"mul: expected Verilog .* got a table or a model"):
        CircuitUnderTest.of(find(str(path)))
    wide = Catalogued.parse("exact", operand=Operand(16, signed=False))
    with pytest.raises(
        HwsimError, match=r"operands of at most 12 bits, since every fault .* got 16"
    ):
        CircuitUnderTest.of(wide)
