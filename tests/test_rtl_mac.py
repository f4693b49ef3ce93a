# SPDX-License-Identifier: Apache-2.0
"""The multiply-accumulate element and its array, against the emulator on traced operands."""

import re
import shutil
import subprocess

import numpy as np
import pytest
import torch

from axhil.emulation.products.accumulator import Accumulator, lut_matmul_bits
from axhil.emulation.products.external import External
from axhil.hwsim import PAPER_MULTIPLIERS, Catalogued, HwsimError, Operand, golden
from axhil.hwsim.designs.sources import rtl_dir
from axhil.hwsim.simulation.mac import MacArray, run_mac_arrays
from axhil.hwsim.verilog.reading.elaboration import elaborate
from axhil.study.subject import load_subject
from axhil.zoo.data import embedded_split

EXACT = Catalogued("exact")
REGISTERS = [
    (bits, saturate)
    for bits in (16, 24, 32)
    for saturate in ((False, True) if bits < 32 else (False,))
]


def register(array):
    return Accumulator(array.acc_bits, "saturate" if array.saturate else "wrap")


@pytest.fixture(scope="module")
def traced():
    """Real operands of LeNet-5's conv1: windows (N, 25) of embedded images, weights (3, 25).

    Half of the windows are those whose sums are largest, the others are spread over the images.
    """
    subject = load_subject("lenet5")
    lut = golden(EXACT)
    asked = []

    def products(a, b):
        asked.append((a.astype(np.int64), b.astype(np.int64)))
        return lut.table[asked[-1][0] & 255, asked[-1][1] & 255]

    network = subject.prepared.emulate({"conv1": External("traced", products), "*": lut})
    pixels, _ = embedded_split("evaluation").select(2).batch()
    with torch.no_grad():
        network(pixels)
    # The path's order: output channel, tap, window.
    a = np.concatenate([a for a, _ in asked]).reshape(6, 25, -1)
    b = np.concatenate([b for _, b in asked]).reshape(6, 25, -1)
    windows, weights = a[0].T, b[:, :, 0]
    np.testing.assert_array_equal(
        weights, subject.prepared.layers["conv1"].codes.flatten(1).numpy()
    )
    sums = windows @ weights.T
    channels = np.argsort(np.abs(sums).max(0))[-3:]
    largest = np.argsort(np.abs(sums[:, channels]).max(1))[-8:]
    spread = np.arange(0, len(windows), len(windows) // 8)[:8] + 7
    return windows[np.concatenate([largest, spread])], weights[channels]


@pytest.mark.sim
def test_the_array_equals_the_emulator_for_each_multiplier_on_traced_operands(traced):
    windows, weights = traced
    arrays = [
        MacArray(m, bits, saturate) for m in PAPER_MULTIPLIERS for bits, saturate in REGISTERS
    ]
    # 25 taps in tiles of 4 rows and 3 outputs in tiles of 2 columns: some elements to spare.
    sums = run_mac_arrays(arrays, windows, weights, rows=4, cols=2, stalls=0.2, seed=11)
    assert sums.shape == (len(arrays), len(windows), 3)
    for array, got in zip(arrays, sums, strict=True):
        table = golden(array.multiplier).table
        expected = lut_matmul_bits(windows, weights, table, register(array))
        np.testing.assert_array_equal(got, expected, err_msg=str(array))
        # Independent of the emulator: Python's integers over the naive reference.
        for n, m in ((0, 0), (5, 1), (12, 2)):
            acc, half = 0, 2 ** (array.acc_bits - 1)
            for a, w in zip(windows[n], weights[m], strict=True):
                acc += int(array.multiplier.reference(a, w))
                if array.saturate:
                    acc = min(max(acc, -half), half - 1)
            assert got[n, m] == (acc + half) % (2 * half) - half
        # 16 bits do overflow on these operands, 24 and 32 never.
        whole = table[windows[:, None] & 255, weights[None] & 255].sum(2)
        assert (got != whole).any() == (array.acc_bits == 16)


@pytest.mark.sim
def test_16_bits_that_wrap_and_16_that_saturate_differ_on_traced_operands(traced):
    table = golden(EXACT).table
    wrapped, clipped = (
        lut_matmul_bits(*traced, table, Accumulator(16, overflow))
        for overflow in ("wrap", "saturate")
    )
    assert (wrapped != clipped).any()
    assert (np.abs(clipped) >= 32767).any()


@pytest.mark.sim
def test_stalls_and_tiles_change_nothing_and_saturation_goes_by_ascending_k():
    rng = np.random.default_rng(2)
    x, w = rng.integers(-127, 128, (9, 7)), rng.integers(-127, 128, (3, 7))
    # One sum that clips above and comes back, and its reverse, which never clips.
    x[0], w[0] = [127, 127, 127, -127, -127, -127, 0], 127
    x[1] = x[0, [3, 0, 4, 1, 5, 2, 6]]
    arrays = [
        MacArray(EXACT, 16, True),
        MacArray(EXACT, 16),
        MacArray(Catalogued("drum", (3,)), 64),
    ]
    runs = [
        run_mac_arrays(arrays, x, w, rows=rows, cols=cols, stalls=stalls, seed=rows)
        for rows, cols, stalls in ((1, 1, 0.0), (7, 3, 0.6), (3, 2, 0.3))
    ]
    for run in runs[1:]:
        np.testing.assert_array_equal(run, runs[0])
    assert runs[0][0, :2, 0].tolist() == [32767 - 3 * 127**2, 0]
    assert runs[0][1, :2, 0].tolist() == [0, 0]
    for array, got in zip(arrays[:2], runs[0], strict=False):
        expected = register(array).sum(x[:, None] * w[None])
        np.testing.assert_array_equal(got, expected)
    table = golden(Catalogued("drum", (3,))).table
    np.testing.assert_array_equal(runs[0][2], table[x[:, None] & 255, w[None] & 255].sum(2))


@pytest.mark.sim
@pytest.mark.parametrize(("width", "acc_bits"), [(4, 8), (16, 40)])
def test_other_widths_compute_the_same_sums(width, acc_bits):
    rng, half = np.random.default_rng(width), 2 ** (width - 1)
    x, w = rng.integers(-half, half, (12, 5)), rng.integers(-half, half, (2, 5))
    x[0], w[0] = -half, -half
    exact = Catalogued("exact", operand=Operand(width, signed=True))
    arrays = [MacArray(exact, acc_bits, saturate) for saturate in (False, True)]
    wrapped, clipped = run_mac_arrays(arrays, x, w, rows=2, cols=2)
    top = 2 ** (acc_bits - 1)
    np.testing.assert_array_equal(wrapped, (x @ w.T + top) % (2 * top) - top)
    expected = np.zeros((12, 2), np.int64)
    for k in range(5):
        expected = np.clip(expected + x[:, k, None] * w[None, :, k], -top, top - 1)
    np.testing.assert_array_equal(clipped, expected)


ELEMENT = """
module bench;
  reg clk = 0, rst_n = 0, en = 1, valid = 0;
  reg [7:0] a = 0, b = 0;
  reg first = 1;
  wire valid_o;
  wire signed [15:0] acc;
  integer i;
  // Sums in place, from {start} on.
  mac #(.ACC_BITS(16), .SATURATE({saturate})) u_mac (
    .clk_i(clk), .rst_ni(rst_n), .en_i(en), .valid_i(valid), .a_i(a), .b_i(b),
    .acc_i(first ? 16'd{start} : acc), .valid_o(valid_o), .acc_o(acc)
  );
  always #1 clk = ~clk;
  always @(posedge clk) if (en && valid_o) first <= 0;
  // What stands before each edge.
  always @(negedge clk) $display("%b %0d", valid_o, acc);
  task step; input [7:0] x, y; input v, e; begin
    a = x; b = y; valid = v; en = e; @(negedge clk);
  end endtask
  initial begin
    @(negedge clk); @(negedge clk); rst_n = 1;
{steps}
    $finish;
  end
endmodule
"""


def element(tmp_path, steps, *, start=0, saturate=0):
    """Runs the element alone; returns (valid_o, acc_o) before each rising edge after reset."""
    text = "".join(f"    step({x}, {y}, {v}, {e});\n" for x, y, v, e in steps)
    bench = tmp_path / "bench.v"
    bench.write_text(ELEMENT.format(steps=text, start=start, saturate=saturate))
    output = tmp_path / "bench.vvp"
    sources = sorted(rtl_dir().glob("*.v"))
    command = ["iverilog", "-g2012", "-Wall", "-s", "bench", "-o", output, bench, *sources]
    subprocess.run(command, check=True, capture_output=True)
    ran = subprocess.run(["vvp", "-n", output], capture_output=True, text=True, check=True)
    return [tuple(map(int, line.split())) for line in re.findall(r"^\d -?\d+$", ran.stdout, re.M)]


@pytest.mark.sim
def test_the_worked_rows_of_the_elements_header_hold(tmp_path):
    steps = [(100, 57, 1, 1), (0, 0, 0, 1), (0, 0, 0, 1)]
    assert element(tmp_path, steps, start=30000)[-2] == (1, -29836)
    assert element(tmp_path, steps, start=30000, saturate=1)[-2] == (1, 32767)


@pytest.mark.sim
def test_the_element_holds_while_not_enabled_and_skips_what_is_not_valid(tmp_path):
    go = [(3, 5, 1, 1), (7, 7, 0, 1), (2, 4, 1, 1), (0, 0, 0, 1), (0, 0, 0, 1), (0, 0, 0, 1)]
    seen = element(tmp_path, go)
    sums = [acc for valid, acc in seen if valid]
    assert sums == [15, 23]
    assert seen[-1] == (0, 23)
    # The same with cycles that do not count in between.
    held = [step for x, y, v, e in go for step in ((x, y, v, 1), (99, 99, 1, 0), (98, 9, 0, 0))]
    seen = element(tmp_path, held)
    assert [acc for valid, acc in seen if valid] == [15] * 3 + [23] * 3


LOADING = """
module bench;
  reg clk = 0, rst_n = 0, w_valid = 0, w_row = 0, valid = 0;
  reg [7:0] w = 0;
  reg [15:0] a = 0;
  wire w_ready, ready, valid_o;
  wire signed [15:0] acc;
  mac_array #(.ACC_BITS(16), .ROWS(2), .COLS(1)) u_array (
    .clk_i(clk), .rst_ni(rst_n), .w_valid_i(w_valid), .w_ready_o(w_ready), .w_row_i(w_row),
    .w_i(w), .valid_i(valid), .ready_o(ready), .a_i(a), .acc_i(16'd100), .valid_o(valid_o),
    .ready_i(1'b1), .acc_o(acc)
  );
  always #1 clk = ~clk;
  always @(negedge clk) if (rst_n) $display("%b %b %b %0d", w_ready, ready, valid_o, acc);
  initial begin
    @(negedge clk); @(negedge clk); rst_n = 1;
    w_valid = 1; w = 3; w_row = 0; valid = 1; a = {8'd7, 8'd5};
    @(negedge clk); w = 4; w_row = 1;
    @(negedge clk); w_valid = 0;
    @(negedge clk); valid = 0; w_valid = 1; w = 9; w_row = 1;
    repeat (5) @(negedge clk);
    $finish;
  end
endmodule
"""


@pytest.mark.sim
def test_weights_wait_for_vectors_on_their_way_and_vectors_for_weights(tmp_path):
    bench, output = tmp_path / "bench.v", tmp_path / "bench.vvp"
    bench.write_text(LOADING)
    command = ["iverilog", "-g2012", "-s", "bench", "-o", output, bench]
    subprocess.run([*command, *sorted(rtl_dir().glob("*.v"))], check=True)
    ran = subprocess.run(["vvp", "-n", output], capture_output=True, text=True, check=True)
    rows = [tuple(line.split()) for line in re.findall(r"^[01] [01] [01] \S+$", ran.stdout, re.M)]
    # Two weights are taken while the offered vector waits; then it goes in, and the third weight
    # waits until its sum is out: 100 + 5*3 + 7*4, not 7*9.
    assert [row[:3] for row in rows] == [
        ("1", "0", "0"),
        ("1", "0", "0"),
        ("0", "1", "0"),
        ("0", "1", "0"),
        ("0", "1", "1"),
        ("1", "0", "0"),
        ("1", "0", "0"),
        ("1", "0", "0"),
    ]
    assert rows[4][3] == "143"


ILLEGAL = [
    ("mac", {"ACC_BITS": 15}, "mac: expected 2*WIDTH=16 <= ACC_BITS <= 64, got ACC_BITS=15"),
    ("mac", {"ACC_BITS": 0}, "mac: expected 2*WIDTH=16 <= ACC_BITS <= 64, got ACC_BITS=0"),
    ("mac", {"ACC_BITS": 65}, "mac: expected 2*WIDTH=16 <= ACC_BITS <= 64, got ACC_BITS=65"),
    ("mac", {"SATURATE": 2}, "mac: expected SATURATE = 0 or 1, got SATURATE=2"),
    ("mac", {"CORE": '"drum"', "K": 1}, "mul_drum: expected 2 <= K <= WIDTH=8, got K=1"),
    ("mac_array", {"ROWS": -1}, "mac_array: expected 1 <= ROWS <= 64, got ROWS=-1"),
    ("mac_array", {"ROWS": 0}, "mac_array: expected 1 <= ROWS <= 64, got ROWS=0"),
    ("mac_array", {"ROWS": 65, "COLS": 1}, "mac_array: expected 1 <= ROWS <= 64, got ROWS=65"),
    ("mac_array", {"COLS": 0}, "mac_array: expected 1 <= COLS <= 64, got COLS=0"),
    ("mac_array", {"COLS": 65, "ROWS": 1}, "mac_array: expected 1 <= COLS <= 64, got COLS=65"),
]


@pytest.mark.sim
@pytest.mark.parametrize(("top", "parameters", "sentence"), ILLEGAL)
def test_an_illegal_parameter_stops_the_simulation(tmp_path, top, parameters, sentence):
    output = tmp_path / "out.vvp"
    given = [f"-P{top}.{name}={value}" for name, value in parameters.items()]
    sources = sorted(rtl_dir().glob("*.v"))
    subprocess.run(["iverilog", "-g2012", *given, "-s", top, "-o", output, *sources], check=True)
    ran = subprocess.run(["vvp", "-n", output], capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert re.search(r"^FATAL: \S+: " + re.escape(sentence) + "$", ran.stdout, re.MULTILINE)


@pytest.mark.sim
@pytest.mark.parametrize("standard", ["-g2005", "-g2012"])
@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (2, 3), (16, 1)])
def test_icarus_has_no_warning_for_any_shape(tmp_path, standard, rows, cols):
    given = [f"-Pmac_array.ROWS={rows}", f"-Pmac_array.COLS={cols}", "-Pmac_array.SATURATE=1"]
    command = ["iverilog", standard, "-Wall", *given, "-s", "mac_array", "-o", tmp_path / "o"]
    ran = subprocess.run(
        [*command, *sorted(rtl_dir().glob("*.v"))], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


PORTS = {
    "mac": {"clk_i": 1, "rst_ni": 1, "en_i": 1, "valid_i": 1, "a_i": 9, "b_i": 9, "acc_i": 24,
            "valid_o": 1, "acc_o": 24},
    "mac_array": {"clk_i": 1, "rst_ni": 1, "w_valid_i": 1, "w_ready_o": 1, "w_row_i": 3,
                  "w_i": 18, "valid_i": 1, "ready_o": 1, "a_i": 45, "acc_i": 48, "valid_o": 1,
                  "ready_i": 1, "acc_o": 48},
}  # fmt: skip


@pytest.mark.sim
@pytest.mark.parametrize("top", PORTS)
def test_the_ports_are_elaborated(top):
    parameters = {"WIDTH": 9, "ACC_BITS": 24}
    if top == "mac_array":
        parameters |= {"ROWS": 5, "COLS": 2}
    text = "".join(path.read_text() for path in sorted(rtl_dir().glob("*.v")))
    found = elaborate(text, [top], parameters=parameters, name=top)[top].ports
    assert {port.name: port.width for port in found} == PORTS[top]
    assert [port.name for port in found][:2] == ["clk_i", "rst_ni"]
    assert all(port.direction == ("output" if port.name.endswith("_o") else "input")
               for port in found)  # fmt: skip


@pytest.mark.sim
def test_a_wrong_element_is_not_the_emulators(tmp_path):
    rtl = tmp_path / "edited"
    shutil.copytree(rtl_dir(), rtl)
    source = rtl / "mac.v"
    right = "sum[ACC_BITS] ? lowest : ~lowest"
    assert right in source.read_text()
    source.write_text(source.read_text().replace(right, "sum[ACC_BITS] ? ~lowest : lowest"))
    x, w = np.full((2, 4), 127), np.full((1, 4), 127)
    (sums,) = run_mac_arrays(
        [MacArray(Catalogued("exact", rtl=rtl), 16, True)], x, w, rows=2, cols=1
    )
    expected = Accumulator(16, "saturate").sum(x[:, None] * w[None])
    assert expected.tolist() == [[32767], [32767]]
    assert not (sums == expected).any()


@pytest.mark.sim
def test_x_among_the_sums_is_an_error_that_names_the_array(tmp_path):
    rtl = tmp_path / "edited"
    shutil.copytree(rtl_dir(), rtl)
    source = rtl / "mul_exact.v"
    source.write_text(source.read_text().replace("= $signed(", "= 1'bx * $signed("))
    sentence = r"^MAC array of exact, 24 bits, wrap: expected 0 and 1 only on acc_o, got .*X"
    with pytest.raises(HwsimError, match=sentence):
        run_mac_arrays(
            [MacArray(Catalogued("exact", rtl=rtl), 24)], [[1, 2]], [[3, 4]], rows=2, cols=1
        )


REFUSED = [
    ([[1, 2]], [[1]], {}, r"expected \(N, K\) activations and \(M, K\) weights, got \(1, 2\) and"),
    ([[128]], [[1]], {}, r"expected activations from -128 to 127, got 128\.\.128"),
    ([[1]], [[-129]], {}, r"expected weights from -128 to 127, got -129\.\.-129"),
    ([[1]], [[1]], {"rows": 65}, "expected 1 to 64 rows and columns, got 65 and 1"),
]


@pytest.mark.sim
@pytest.mark.parametrize(("x", "w", "options", "sentence"), REFUSED)
def test_what_does_not_fit_an_array_is_refused(x, w, options, sentence):
    with pytest.raises(HwsimError, match=sentence):
        run_mac_arrays([MacArray(EXACT, 16)], x, w, **{"rows": 1, "cols": 1, **options})


def test_an_accumulator_narrower_than_a_product_is_refused():
    with pytest.raises(HwsimError, match=r"expected an accumulator of 16 to 64 bits .*, got 15"):
        MacArray(EXACT, 15)
