# SPDX-License-Identifier: Apache-2.0
"""Edges of nets as Icarus counts them with the same delays; energy of a network's products."""

import json
import re
import subprocess

import numpy as np
import pytest
from liberty_samples import liberty

from axhil.emulation import prepare
from axhil.emulation.streams import workload
from axhil.hwsim import Catalogued, Operands
from axhil.hwsim.cost import (
    Cells,
    Library,
    Stream,
    costs,
    exact_inferences,
    inference,
    native,
    on_workloads,
)
from axhil.hwsim.cost.design import Design, exact_designs
from axhil.hwsim.cost.energy import ORDERS, delays, energy
from axhil.hwsim.cost.portfolio import implementations
from axhil.hwsim.cost.switching import Sources, edges
from axhil.hwsim.cost.timing import timing
from axhil.hwsim.multipliers import Assignment
from axhil.hwsim.netlist.netlist import Kind

S4 = Operands.both(4, signed=True)
VERILOG = {
    Kind.not_: "~{x}", Kind.and_: "{x} & {y}", Kind.or_: "{x} | {y}", Kind.xor: "{x} ^ {y}",
    Kind.mux: "{z} ? {y} : {x}", Kind.nand: "~({x} & {y})", Kind.nor: "~({x} | {y})",
    Kind.xnor: "~({x} ^ {y})", Kind.andnot: "{x} & ~{y}", Kind.ornot: "{x} | ~{y}",
}  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("liberty") / "small.lib"
    path.write_text(liberty())
    return Library(path)


@pytest.fixture(scope="module")
def mapped(library):
    """Multipliers of 4 bits in cells, by name."""
    target = Cells(library, recipes=["dc2-amap"])
    designs = [
        Design.of(Catalogued("drum", (3,), S4.activation)),
        next(one for one in exact_designs(S4) if one.name == "array"),
    ]
    return {
        f"{design.title} {way.structure}": target.mapped(way.cells, design)
        for design, ways in zip(designs, implementations(designs, target), strict=True)
        for way in ways
        if "booth" not in way.structure
    }


def pairs(count=300, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 16, count), rng.integers(0, 16, count)


def icarus(netlist, delay, a, b, folder):
    """Edges of every net, counted in the simulator itself."""
    names = {0: "1'b0", 1: "1'b1"}
    names |= {net: f"a[{bit}]" for bit, net in enumerate(netlist.a)}
    names |= {net: f"b[{bit}]" for bit, net in enumerate(netlist.b)}
    lines = [f"module tb; reg [3:0] a, b; reg [7:0] mem [0:{len(a) - 1}]; integer i;"]
    outputs = [gate[1] for gate in netlist.gates.tolist()]
    for net in outputs:
        names[net] = f"n{net}"
        lines.append(f"wire n{net}; integer c{net} = 0; always @(n{net}) c{net} = c{net} + 1;")
    for kind, net, x, y, z in netlist.gates.tolist():
        value = VERILOG[Kind(kind)].format(x=names[x], y=names[y], z=names[z])
        lines.append(f"assign #{delay[net]} n{net} = {value};")
    period = int(delay.sum()) + 1
    lines.append(
        f'initial begin $readmemh("ops.hex", mem); {{a, b}} = mem[0]; #{period};\n'
        + "".join(f"c{net} = 0; " for net in outputs)
        + f"\nfor (i = 1; i < {len(a)}; i = i + 1) begin {{a, b}} = mem[i]; #{period}; end\n"
        + "".join(f'$display("{net} %0d", c{net}); ' for net in outputs)
        + "$finish; end endmodule"
    )
    (folder / "tb.v").write_text("\n".join(lines))
    (folder / "ops.hex").write_text("\n".join(f"{x:x}{y:x}" for x, y in zip(a, b, strict=True)))
    subprocess.run(["iverilog", "-g2005", "-o", "tb", "tb.v"], cwd=folder, check=True)
    done = subprocess.run(["vvp", "-n", "tb"], cwd=folder, check=True, capture_output=True)
    counted = np.zeros(netlist.nets, np.int64)
    for net, count in re.findall(r"^(\d+) (\d+)$", done.stdout.decode(), re.M):
        counted[int(net)] = int(count)
    return counted


@pytest.mark.sim
def test_edges_are_those_of_icarus_with_the_same_inertial_delays(mapped, library, tmp_path):
    a, b = pairs()
    for name, multiplier in mapped.items():
        netlist = multiplier.netlist
        delay = delays(multiplier, timing(multiplier, library), library)
        assert delay.max() > 3, "pulses must be swallowed somewhere"
        expected = icarus(netlist, delay, a, b, tmp_path)
        counted = edges(netlist, delay, Sources.operands(netlist, a, b)).astype(np.int64)
        cells = [net for one in multiplier.instances for _, net in one.outputs]
        # Where two edges meet within one step, a simulator may see a pulse of no length inside.
        assert abs(counted - expected)[cells].sum() <= 0.001 * expected[cells].sum(), name
        for operand, nets in ((a, netlist.a), (b, netlist.b)):
            for bit, net in enumerate(nets):
                assert counted[net] == (np.diff(operand >> bit & 1) != 0).sum()
        still = edges(netlist, np.zeros_like(delay), Sources.operands(netlist, a, b))
        assert still[cells].sum() < counted[cells].sum(), "without delays there are no glitches"


def test_the_kernel_and_numpy_count_the_same(mapped, library, monkeypatch):
    if native.module() is None:
        pytest.skip("the native kernel is not built")
    a, b = pairs(700, seed=1)
    for multiplier in mapped.values():
        delay = delays(multiplier, timing(multiplier, library), library)
        counted = edges(multiplier.netlist, delay, Sources.operands(multiplier.netlist, a, b))
        monkeypatch.setattr(native, "_native", None)
        assert np.array_equal(
            edges(multiplier.netlist, delay, Sources.operands(multiplier.netlist, a, b)), counted
        )
        monkeypatch.undo()


def test_operands_that_stand_still_take_nothing(mapped, library):
    (multiplier, *_) = mapped.values()
    still = Stream(np.full(100, 7), np.full(100, 3))
    busy = Stream(*pairs())
    found = energy(multiplier, library, [still, busy, busy])
    assert found[0] == 0 < found[1] == found[2]


@pytest.fixture(scope="module")
def prepared():
    import torch
    from torch import nn

    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 4 * 4, 3)
    )
    images = torch.rand(3, 2, 6, 6)
    return prepare(network, images), images


def test_operands_are_those_of_the_layers_in_either_order(prepared):
    network, images = prepared
    operands = Operands.parse("s8")
    load = workload(network, images, operands, network="tiny")
    assert load.products == {"0": 4 * 16 * 9, "3": 3 * 64}
    for name, streams in load.streams.items():
        codes = network.quantised(name).codes.numpy()
        known = {int(code) for code in codes.ravel()}
        for order in ORDERS:
            a, b = (one.value(x) for one, x in
                    zip(operands, (streams[order].a, streams[order].b), strict=True))  # fmt: skip
            assert len(a) == len(b) >= 3 * min(5461, load.products[name] // 2)
            assert set(b.tolist()) <= known
            assert set(np.unique(a)) - {0}
    # All of the linear layer's products: each sum in a row, or each activation in turn.
    weight = network.quantised("3").codes.numpy().reshape(3, 64)
    streams = load.streams["3"]
    first = operands.weight.value(streams["output stationary"].b[: 3 * 64])
    assert np.array_equal(first.reshape(3, 64), weight)
    held = operands.weight.value(streams["weight stationary"].b[: 3 * 64])
    assert np.array_equal(held.reshape(64, 3), weight.T)
    activations = streams["output stationary"].a[:64], streams["weight stationary"].a[: 3 * 64 : 3]
    assert np.array_equal(*activations)


def test_a_networks_energy_is_the_sum_of_its_layers(prepared, tmp_path):
    network, images = prepared
    drum = Catalogued("drum", (4,))
    (tmp_path / "few.lib").write_text(liberty("INV", "BUF", "NAND2", "XOR2", "AOI21"))
    target = Cells(Library(tmp_path / "few.lib"), recipes=["dc2-amap"])
    load = {"s8": workload(network, images, Operands.parse("s8"), network="tiny")}
    found = on_workloads(costs([drum], target), load)
    (one,), best = found.multipliers, found.exact["s8"]
    assert found.figures[-2:] == ORDERS
    for order in ORDERS:
        means = [
            sum(way.layers[name][order] * count for name, count in load["s8"].products.items())
            / sum(load["s8"].products.values())
            for way in one.implementations
        ]
        assert one.value(order) == pytest.approx(min(means))
    mixed = inference(found, Assignment.of({"0": drum, "3": "float"}))
    whole = inference(found, Assignment.of(drum))
    (exact,) = exact_inferences(found)
    for order in ORDERS:
        assert whole.total(order) == pytest.approx(one.value(order) * (576 + 192) / 1000)
        assert exact.total(order) == pytest.approx(best.value(order) * (576 + 192) / 1000)
        assert mixed.layers == {"0": whole.layers["0"]}
    other = inference(found, Assignment.of({"0": drum}))
    assert other.layers["3"] == exact.layers["3"], "layers without a multiplier are exact"
    json.dumps([found.as_dict(), whole.as_dict()])
