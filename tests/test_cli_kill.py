# SPDX-License-Identifier: Apache-2.0
"""Commands that are killed: two seconds later nothing runs, after the next start nothing lies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from process_samples import inside

PATIENCE = 120
LIMIT = 2.0  # seconds after which no simulator lives

# It never settles, so there is always something to kill.
RESTLESS = """
module restless(input [3:0] a, b, output [7:0] p);
  reg r; initial r = 0; always @(r or a) r <= ~r; assign p = a * b; endmodule
"""
SPINNING = "int spinning(int a, int b) { for (volatile int i = 1; i; i = 1); return a * b; }\n"

COMMANDS = {
    "lut": ["lut", "restless.v[unsigned]", "--time-limit", "1000"],
    "verify": ["verify", "--jobs", "1"],
    "compare": ["compare", "spinning.c", "exact", "--width", "4", "--unsigned"],
    "cosim": ["cosim", "lenet5", "--images", "100", "--layers", "conv2"],
}
# By turns: every signal hits something, and every command gets one; all pairs take too long.
SIGNALS = {
    "lut": [signal.SIGKILL],
    "verify": [signal.SIGHUP],
    "compare": [signal.SIGTERM],
    "cosim": [signal.SIGINT, signal.SIGINT],
}
CODES = {
    signal.SIGKILL: {-9},
    signal.SIGHUP: {129},
    signal.SIGTERM: {143},
    signal.SIGINT: {130, -2},  # the second one may come when Python is about to end
}


def start(arguments, *, cwd, scratch):
    return subprocess.Popen(
        [sys.executable, "-m", "axhil", *arguments],
        cwd=cwd,
        env={**os.environ, "TMPDIR": str(scratch), "AXHIL_CACHE": str(scratch.parent / "cache")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def await_(condition):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.sim
def test_nothing_outlives_a_command_that_is_killed(tmp_path):
    scratches, processes = {}, {}
    (tmp_path / "restless.v").write_text(RESTLESS)
    (tmp_path / "spinning.c").write_text(SPINNING)
    for name, arguments in COMMANDS.items():
        scratches[name] = tmp_path / name
        scratches[name].mkdir()
        processes[name] = start(arguments, cwd=tmp_path, scratch=scratches[name])
    for name, process in processes.items():
        scratch = scratches[name]

        def ready(scratch=scratch, process=process):
            return running(scratch) or process.poll() is not None

        await_(ready)
        assert process.poll() is None, process.communicate()[1]
        for number in SIGNALS[name]:
            process.send_signal(number)
            time.sleep(0.05)
        ended = time.monotonic()
        await_(lambda scratch=scratch: not inside(scratch))
        assert time.monotonic() - ended < LIMIT, name
        _, error = process.communicate(timeout=PATIENCE)
        assert process.returncode in CODES[SIGNALS[name][0]]
        assert "Traceback" not in error
    # By a signal that can be caught it was removed already.
    left = {name: [*scratch.iterdir()] for name, scratch in scratches.items()}
    assert left.pop("lut") != []
    assert not any(left.values())
    again = start(["inspect", "exact"], cwd=tmp_path, scratch=scratches["lut"])
    assert again.communicate(timeout=PATIENCE)[1] == ""
    assert list(scratches["lut"].iterdir()) == []


def running(scratch):
    """Whether a program runs in a box, beside the processes around it."""
    for pid in inside(scratch):
        try:
            program = Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0]
        except OSError:
            continue
        if program.rpartition(b"/")[2] in {b"vvp", b"model"}:
            return True
    return False
