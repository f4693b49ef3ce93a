# SPDX-License-Identifier: Apache-2.0
"""A simulator kept alive: right products, nothing cached, and a clear end whatever happens."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from netlist_samples import numbered_netlist

from axhil.hwsim import Catalogued, Circuit, HwsimError, Operand, golden
from axhil.hwsim.operands import Asked
from axhil.hwsim.simulation.live import LiveMultiplier
from axhil.hwsim.simulation.live_harness import Window
from axhil.hwsim.verilog.circuit import read_circuit
from axhil.hwsim.verilog.wrapper import wrapped

pytestmark = pytest.mark.sim

DRUM = Catalogued.parse("drum(4)")


def design(tmp_path, body, *, width=4, signed=False):
    """A module `mine` with the given body."""
    path = tmp_path / "mine.v"
    path.write_text(
        f"module mine (input wire [{width - 1}:0] a_i, input wire [{width - 1}:0] b_i,\n"
        f" output wire [{2 * width - 1}:0] p_o);\n{body}\nendmodule\n"
    )
    return Circuit.of("mine", "mine", [path], Operand(width, signed))


def gone(pid):
    """Whether a process ended, within some seconds."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """The only place for temporary folders."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_products_are_those_of_the_table_in_the_order_asked_for(scratch):
    table, rng, told = golden(DRUM).table, np.random.default_rng(3), []
    live = LiveMultiplier(
        DRUM.circuit(),
        processes=2,
        instances=3,
        batch=64,
        progress=told.append,
    )
    with live:
        pids, total = live.pids, 0
        # Around the stretches that instances, batches and processes cut a call into.
        for count in (1, 2, 3, 4, 62, 63, 64, 127, 130, 1001, 0):
            a, b = rng.integers(-128, 128, (2, count))
            np.testing.assert_array_equal(live(a, b), table[a & 255, b & 255])
            total += count
            assert live.served == total
        assert live.pids == pids
        assert len(set(pids)) == 2
    assert told == sorted(told)
    assert told[-1] == total
    assert all(gone(pid) for pid in pids)
    assert list(scratch.iterdir()) == []
    with pytest.raises(HwsimError, match="expected a live simulator, this one is closed"):
        live([1], [1])


def test_every_pair_is_simulated_and_none_is_remembered(tmp_path):
    # Not a multiplier: it counts how often its operands changed.
    body = "reg [7:0] n = 0; always @(a_i or b_i) n = n + 1; assign p_o = n;"
    with LiveMultiplier(design(tmp_path, body), processes=1, instances=1) as live:
        first = live([1, 2, 1, 2, 1], [3, 3, 3, 3, 3])
        again = live([2, 1], [3, 3])
    assert first.tolist() == [1, 2, 3, 4, 5]
    assert again.tolist() == [6, 7]


def test_the_first_operand_is_the_first_port(tmp_path):
    with LiveMultiplier(design(tmp_path, "assign p_o = {a_i, b_i};"), processes=1) as live:
        assert live([1, 15], [2, 0]).tolist() == [18, 240]
        with pytest.raises(HwsimError, match="as many first as second operands, got 2 and 1"):
            live([1, 2], [3])


def test_16_bit_operands_and_32_bit_products_pass_whole(tmp_path):
    wide = design(tmp_path, "assign p_o = {a_i, b_i};", width=16, signed=True)
    with LiveMultiplier(wide, processes=1) as live:
        assert live([-32768, 0x1234, -1], [0x7FFF, -2, -1]).tolist() == [
            -0x80000000 + 0x7FFF,
            0x1234FFFE,
            -1,
        ]


def test_x_names_the_first_operands_in_the_callers_order(tmp_path):
    body = "assign p_o = (a_i == 4'd9 && b_i != 4'd0) ? 8'b1x : a_i;"
    a, b = np.arange(16).repeat(16), np.tile(np.arange(16), 16)
    sentence = r"^mine: expected 0 and 1 only on p_o, got 0000001X for a_i=9, b_i=1$"
    live = LiveMultiplier(design(tmp_path, body), processes=1, instances=2)
    with pytest.raises(HwsimError, match=sentence):
        live(a, b)
    assert live.pids == ()


def test_a_simulator_that_is_killed_between_calls_is_one_sentence(scratch):
    live = LiveMultiplier(DRUM.circuit(), processes=2, batch=16)
    pids = live.pids
    assert live([3], [5]).tolist() == [15]
    os.kill(pids[0], signal.SIGKILL)
    sentence = r"^drum\(4\): the simulator died after \d+ products \(.*\)$"
    with pytest.raises(HwsimError, match=sentence):
        live(np.ones(64), np.ones(64))
    # Its twin is ended too, nothing stays behind, and a second end is harmless.
    assert all(gone(pid) for pid in pids)
    assert list(scratch.iterdir()) == []
    live.close()


def test_a_simulator_that_is_killed_in_the_middle_of_a_call_is_one_sentence(scratch):
    def kill(_served):
        for pid in live.pids:  # the box: what is in it may answer once more before it ends
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    live = LiveMultiplier(DRUM.circuit(), processes=1, batch=64, progress=kill)
    with pytest.raises(HwsimError, match=r"^drum\(4\): the simulator died after \d+ products"):
        live(np.ones(640), np.ones(640))
    assert list(scratch.iterdir()) == []


def test_verilog_that_stops_the_simulation_at_its_start_is_refused_at_once(tmp_path, scratch):
    body = 'assign p_o = 0; initial $fatal(1, "mine: expected better");'
    sentence = "^mine: the Verilog stopped the simulation: mine: expected better$"
    with pytest.raises(HwsimError, match=sentence):
        LiveMultiplier(design(tmp_path, body), processes=1)
    assert list(scratch.iterdir()) == []


def test_verilog_that_finishes_by_itself_is_a_death(tmp_path):
    body = "assign p_o = a_i; always @(b_i) if (b_i == 4'd7) $finish;"
    with LiveMultiplier(design(tmp_path, body), processes=1) as live:
        assert live([5], [1]).tolist() == [5]
        with pytest.raises(HwsimError, match=r"^mine: the simulator died after 1 products"):
            live([5], [7])


@pytest.mark.parametrize("when", ["start", "call"])
def test_verilog_that_never_settles_is_given_up(tmp_path, scratch, when):
    trigger = "1'b1" if when == "start" else "(b_i === 4'd7)"
    body = f"assign p_o = a_i; reg r = 0; wire t = {trigger}; always @(r or t) if (t) r <= ~r;"
    began = time.monotonic()
    sentence = "^mine: the simulator has not answered for 4 s, after 0 products; does the Verilog"
    with pytest.raises(HwsimError, match=sentence):
        LiveMultiplier(design(tmp_path, body), processes=1, patience=4)([1], [7])
    assert time.monotonic() - began < 30
    assert list(scratch.iterdir()) == []


def test_verilog_that_does_not_compile_is_the_compilers_line(tmp_path, scratch):
    with pytest.raises(HwsimError, match=r"^mine: the Verilog does not compile: .*other$"):
        LiveMultiplier(design(tmp_path, "other u (.a(a_i));"), processes=1)
    assert list(scratch.iterdir()) == []


def test_a_simulator_does_not_outlive_the_process_that_started_it(tmp_path):
    script = (
        "import os, signal; from axhil.hwsim import Catalogued\n"
        "from axhil.hwsim.simulation.live import LiveMultiplier\n"
        "live = LiveMultiplier(Catalogued('exact').circuit(), processes=1)\n"
        "print(*live.pids, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert gone(int(ran.stdout))


def read_vcd(text):
    """Values of each variable after every time step: a list of dicts by `scope.name`."""
    names, scopes, current, steps = {}, [], {}, []
    for line in text.splitlines():
        words = line.split()
        match words:
            case ["$scope", _, name, "$end"]:
                scopes.append(name)
            case ["$upscope", "$end"]:
                scopes.pop()
            case ["$var", _, _, code, name, *_]:
                names.setdefault(code, []).append(".".join([*scopes[1:], name]))
            case [step] if re.fullmatch(r"#\d+", step):
                if current:
                    steps.append(dict(current))
            case [value, code] if value[0] == "b" and code in names:
                current.update(dict.fromkeys(names[code], value[1:]))
    steps.append(dict(current))
    return steps


def test_a_trace_holds_the_window_and_nothing_else(tmp_path):
    vcd = tmp_path / "new folder" / "window.vcd"
    a, b = np.arange(-20, 20), np.arange(40) * 3 % 17
    live = LiveMultiplier(DRUM.circuit(), trace=vcd, window=Window(25, 4), batch=7)
    with live:
        products = np.concatenate([live(a[:13], b[:13]), live(a[13:], b[13:])])
        assert len(live.pids) == 1
        assert not vcd.exists()
    steps = [s for s in read_vcd(vcd.read_text()) if set(s["u_0.p_o"]) <= {"0", "1"}]
    rows = {
        (int(s["u_0.a_i"], 2), int(s["u_0.b_i"], 2), int(s["u_0.p_o"], 2), int(s["served"], 2))
        for s in steps
    }
    expected = {(int(a[i]) & 255, int(b[i]), int(products[i]) & 65535, i) for i in range(25, 29)}
    assert {row[:3] for row in rows} >= {row[:3] for row in expected}
    # The step in which a product is taken also counts it.
    assert {row[3] for row in rows} <= {*range(25, 30)}
    assert not {row[0] for row in rows} - {int(a[i]) & 255 for i in range(24, 30)}


REFUSED = [
    ({"trace": "t.vcd"}, "expected a trace file and a window of products, or neither"),
    (
        {"trace": "t.vcd", "window": Window(0, 1), "processes": 2},
        "a trace is of one multiplier: expected 1 process and 1 instance, got 2 and 1",
    ),
    ({"processes": 0}, "expected at least 1 process and 1 instance, got 0 and"),
    ({"instances": 0}, "expected at least 1 process and 1 instance, got . and 0"),
]


@pytest.mark.parametrize(("options", "sentence"), REFUSED)
def test_options_that_make_no_sense_are_refused(options, sentence):
    with pytest.raises(HwsimError, match=sentence):
        LiveMultiplier(DRUM.circuit(), **options)


@pytest.mark.parametrize("window", [(-1, 5), (0, 0)])
def test_a_window_without_products_is_refused(window):
    with pytest.raises(HwsimError, match="expected a window of START:COUNT products"):
        Window(*window)


def test_without_icarus_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HwsimError, match="iverilog not found on PATH"):
        LiveMultiplier(DRUM.circuit())


def circuit_in(tmp_path, text, **options):
    source = tmp_path / "theirs.v"
    source.write_text(text)
    return read_circuit([source], **options)


def products(mine):
    """Products of some operands, the corners among them: (a, b, p)."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(-127, 128, (2, 500))
    a[:4], b[:4] = [127, -127, 0, -128], [-127, -127, -5, -128]
    with LiveMultiplier(mine if any(mine.operands.signs) else wrapped(mine), processes=1) as live:
        return a, b, live(a, b)


def test_operands_go_to_their_ports_with_parameters_enables_and_spare_outputs(tmp_path):
    mine = circuit_in(
        tmp_path,
        "module mul #(parameter CUT = 0) (input signed [7:0] B, input signed [7:0] A, input en,\n"
        " output signed [15:0] O, output spare);\n"
        " assign O = en ? (A >>> CUT) * B : 16'sd0; assign spare = 1'b0; endmodule\n",
        p="O",
        parameters={"CUT": 3},
    )
    a, b, p = products(mine)
    first, second = (a, b) if mine.roles.activation == "A" else (b, a)
    np.testing.assert_array_equal(p, (first >> 3) * second)


def test_an_unsigned_core_gets_signs_and_systemverilog_is_welcome(tmp_path):
    mine = circuit_in(
        tmp_path,
        "module theirs (input logic [7:0] a, input logic [7:0] b, output logic [15:0] y);\n"
        " assign y = (a & 8'hfe) * b; endmodule\n",
        asked=Asked(signed=False),
    )
    a, b, p = products(mine)
    np.testing.assert_array_equal(p, np.sign(a) * np.sign(b) * ((abs(a) & 0xFE) * abs(b)))


def test_included_files_and_memories_come_along(tmp_path):
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "size.vh").write_text("`define W 8\n")
    (tmp_path / "cut.hex").write_text("\n".join(f"{x & 0xF8:02x}" for x in range(256)))
    mine = circuit_in(
        tmp_path,
        '`include "size.vh"\n'
        "module m (input [`W-1:0] a, b, output [2*`W-1:0] y); reg [7:0] cut [0:255];\n"
        ' initial $readmemh("cut.hex", cut);\n assign y = cut[a] * b; endmodule\n',
        asked=Asked(signed=False),
        includes=[tmp_path / "inc"],
    )
    a, b, p = products(mine)
    np.testing.assert_array_equal(p, np.sign(a) * np.sign(b) * ((abs(a) & 0xF8) * abs(b)))


def test_a_published_netlist_runs_with_its_vector_taken_apart(tmp_path):
    mine = circuit_in(tmp_path, numbered_netlist("theirs", signed=True), asked=Asked(signed=True))
    assert mine.scalarized == ("theirs.N",)
    a, b, p = products(mine)
    np.testing.assert_array_equal(p, a * b)


NO_NETWORK = {
    "clocked": (
        "module m (input clk, input [7:0] a, b, output reg [15:0] y);\n"
        " always @(posedge clk) y <= a * b; endmodule\n",
        "expected a combinational multiplier to put under a network, got one with the clock clk",
    ),
    "wide": (
        "module m (input [7:0] a, b, output [39:0] y); assign y = a * b; endmodule\n",
        "expected a product of at most 32 bits to put under a network, got 40",
    ),
}


@pytest.mark.parametrize("case", NO_NETWORK)
def test_what_cannot_stand_under_a_network_is_refused(tmp_path, case):
    text, sentence = NO_NETWORK[case]
    with pytest.raises(HwsimError, match=sentence):
        LiveMultiplier(circuit_in(tmp_path, text, asked=Asked(signed=False)))


def test_a_circuit_with_delays_gets_the_time_it_needs(tmp_path, scratch):
    slow = design(tmp_path, "wire [7:0] q; assign #5 q = a_i * b_i; assign #40 p_o = q;")
    a, b = np.arange(64) % 16, np.arange(64) // 4
    with LiveMultiplier(slow, processes=1, instances=2) as live:
        np.testing.assert_array_equal(live(a, b), a * b)
