# SPDX-License-Identifier: Apache-2.0
"""The fuzzer over all readers, with few inputs; `python scripts/fuzz.py --count 2000` has more."""

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).resolve().parent.parent / "scripts" / "fuzz.py"
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="the fuzzer looks for processes left in /proc"
)


def fuzz(*options):
    command = [sys.executable, "-W", "ignore", str(FUZZ), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.sim
@pytest.mark.slow
@needs_proc
def test_no_input_ends_in_anything_but_a_result_or_a_sentence(tmp_path):
    done = fuzz("--count", 45, "--seed", 0)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "45 inputs, 0 faults" in done.stdout


@needs_proc
def test_the_fuzzer_sees_every_fault(tmp_path):
    program = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(FUZZ.parent)!r})
import axhil.cli, fuzz
from fuzz_case import Case
scratch = Path({str(tmp_path)!r})
def tried(name, main):
    axhil.cli.main = main
    return fuzz.tried(Case("words", ()), scratch / name).fault
def escape():
    sys.stderr.write("axhil: \\x1b[31mred\\n")
    sys.exit(2)
def write():
    Path("in/marker").touch()
def leave():
    import subprocess
    subprocess.Popen(["sleep", "60"])
def two():
    sys.stderr.write("axhil: one\\ntwo\\n")
    sys.exit(2)
fuzz.SECONDS = 1.0
print(tried("fine", lambda: sys.exit(0)), tried("traceback", lambda: 1 // 0),
      tried("crash", lambda: sys.exit(3)), tried("hang", lambda: __import__("time").sleep(60)),
      tried("escape", escape), tried("two", two), tried("write", write), tried("leave", leave))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split(" ") == [
        *("", "traceback", "crash", "hang", "sentence", "sentence", "outside", "process\n")
    ], done.stderr
