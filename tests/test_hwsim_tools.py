# SPDX-License-Identifier: Apache-2.0
"""Processes end at their limit and with whoever waits for them, and so do simulators."""

import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from process_samples import gone, inside

from axhil.hwsim import Circuit, HwsimError, Operand, tabulate
from axhil.hwsim.tools import runner
from axhil.hwsim.tools.box import Box
from axhil.hwsim.tools.pool import together
from axhil.hwsim.tools.process import OverLimitError, Process, run


def test_a_command_gives_its_code_and_what_it_prints(tmp_path):
    done = run(["sh", "-c", "echo out; echo err >&2; pwd; exit 3"], box=Box(tmp_path))
    assert (done.code, done.stdout, done.stderr) == (3, f"out\n{tmp_path}\n", "err\n")
    log = tmp_path / "log"
    done = run(["sh", "-c", "echo out; echo err >&2"], log=log)
    assert (done.stdout, done.stderr, log.read_text()) == ("", "", "out\nerr\n")
    assert run(["sh", "-c", "echo $MINE"], env={"MINE": "yes"}).stdout == "yes\n"
    assert run(["sh", "-c", "echo out; echo err >&2"], quiet=True).stdout == ""


GRANDCHILD = 'sleep 100 & echo $! > "$0"; wait'


def test_at_the_limit_its_children_are_killed_too(tmp_path):
    file = tmp_path / "pid"
    began = time.monotonic()
    with pytest.raises(OverLimitError):
        run(["sh", "-c", GRANDCHILD, str(file)], seconds=1)
    assert time.monotonic() - began < 20
    assert gone(int(file.read_text()))


def test_a_process_ends_with_the_block_that_waits_for_it(tmp_path):
    file = tmp_path / "pid"

    def fail(pid):
        while not file.exists() or not file.read_text():
            time.sleep(0.01)
        raise KeyboardInterrupt(pid)

    with (
        pytest.raises(KeyboardInterrupt) as interrupt,
        Process(["sh", "-c", GRANDCHILD, str(file)]) as sleeper,
    ):
        fail(sleeper.pid)
    assert gone(interrupt.value.args[0])
    assert gone(int(file.read_text()))


def test_only_the_tools_start_processes():
    root = Path(__file__).resolve().parent.parent
    folders = ("hwsim", "emulation", "attacks", "zoo", "study", "report", "cli")
    starters = [
        path.relative_to(root).as_posix()
        for folder in folders
        for path in (root / folder).rglob("*.py")
        if re.search(r"import subprocess|os\.(system|popen|exec|spawn)", path.read_text())
    ]
    assert sorted(starters) == ["hwsim/tools/box_process.py", "hwsim/tools/process.py"]


def test_only_the_tools_make_temporary_folders():
    root = Path(__file__).resolve().parent.parent
    makers = [
        path.relative_to(root).as_posix()
        for folder in ("hwsim", "emulation", "attacks", "zoo", "study", "report", "cli")
        for path in (root / folder).rglob("*.py")
        if re.search(r"mkdtemp|TemporaryDirectory|NamedTemporaryFile|mkstemp", path.read_text())
    ]
    assert makers == ["hwsim/tools/scratch.py"]


def test_calls_side_by_side_give_their_results_in_order():
    seen = []
    calls = {
        name: partial(run, ["sh", "-c", f"sleep {name}; echo {name}"]) for name in ("0.4", "0")
    }
    results = together(calls, jobs=2, finished=lambda name, done, count: seen.append((name, count)))
    assert [done.stdout for done in results.values()] == ["0.4\n", "0\n"]
    assert seen == [("0", 1), ("0.4", 2)]
    with pytest.raises(HwsimError, match=r"^expected at least 1 job, got 0$"):
        together(calls, jobs=0)


def test_when_one_call_fails_the_processes_of_the_others_are_killed(tmp_path):
    file = tmp_path / "pid"

    def fail():
        while not file.exists() or not file.read_text():
            time.sleep(0.01)
        raise HwsimError("no table")

    def nested():
        return together({0: partial(run, ["sh", "-c", GRANDCHILD, str(file)])})

    began = time.monotonic()
    with pytest.raises(HwsimError, match=r"^no table$"):
        together({"sleeper": nested, "failure": fail}, jobs=2)
    assert time.monotonic() - began < 20
    assert gone(int(file.read_text()))


@pytest.fixture
def settles_never(tmp_path):
    path = tmp_path / "mine.v"
    path.write_text(
        "module mine (input [3:0] a_i, input [3:0] b_i, output [7:0] p_o);\n"
        " reg r = 0; always @(r or a_i) r <= ~r; assign p_o = a_i; endmodule\n"
    )
    return Circuit.of("mine", "mine", [path], Operand(4, signed=False))


@pytest.mark.sim
def test_a_simulator_without_a_sign_of_life_is_killed(settles_never, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with pytest.raises(HwsimError, match=r"^mine: no sign of life for 2 s, after 0 products"):
        tabulate(settles_never, limit=2)
    assert inside(scratch) == []
    assert list(scratch.iterdir()) == []


@pytest.mark.sim
def test_a_simulator_ends_with_an_interrupt(settles_never, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    script = (
        # A shell's background job ignores interrupts, and so would what it starts.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import sys; from pathlib import Path\n"
        "from axhil.hwsim import Circuit, Operand, tabulate\n"
        "circuit = Circuit.of('mine', 'mine', [Path(sys.argv[1])], Operand(4, False))\n"
        "tabulate(circuit, limit=1000)\n"
    )
    source = str(settles_never.sources[0])
    environment = {**os.environ, "TMPDIR": str(scratch)}
    with subprocess.Popen(
        [sys.executable, "-c", script, source], env=environment, stderr=subprocess.DEVNULL
    ) as waiting:
        for _ in range(600):
            if inside(scratch):
                break
            time.sleep(0.1)
        assert inside(scratch)
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(30) != 0
    assert inside(scratch) == []
    assert list(scratch.iterdir()) == []


@pytest.mark.sim
def test_a_compiler_that_does_not_end_is_killed(settles_never, tmp_path, monkeypatch):
    fake = tmp_path / "iverilog"
    fake.write_text('#!/bin/sh\n[ "$1" = -V ] || exec sleep 100\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(runner, "_BUILD_LIMIT", 1.0)
    with pytest.raises(HwsimError, match=r"^mine: expected the Verilog to compile in 1 s$"):
        tabulate(settles_never)
