# SPDX-License-Identifier: Apache-2.0
"""Kill commands at random moments: do reruns equal, does anything go on, does anything stay?

python scripts/kill_commands.py [KILLS]

Every command first runs undisturbed, in a folder of its own. Then each in turn is killed at a
random moment of its time and run again in the same folder. It fails where a rerun prints or writes
something else, where a process of the command lives 2 s after the kill, or where a temporary folder
is left after the rerun.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from axhil.hwsim.designs.sources import rtl_dir

C_MODEL = "int mul(int a, int b) { return a * b - (a * b) % 3; }\n"
PYTHON_MODEL = "def mul(a, b):\n    return a * b - (a * b) % 5\n"
VERILOG = (
    "module part (input [7:0] a, b, output [15:0] p); assign p = a * {b[7:1], 1'b1}; endmodule\n"
)
COMMANDS = {
    "lut": ["lut", "exact", "drum(3)", "--out", "out"],
    "lut of Verilog": ["lut", "part.v[unsigned]", "--out", "out"],
    "lut of C": ["lut", "model.c", "--width", "8", "--unsigned", "--out", "out"],
    "metrics": ["metrics", "exact", "drum(4)", "model.py:mul", "--unsigned"],
    "compare": ["compare", "model.c", "model.py:mul", "--width", "6", "--unsigned"],
    "verify": ["verify", "drum(4)"],
    "inspect": ["inspect", "drum(4)"],
    "mutate": ["mutate", str(rtl_dir() / "leading_one.v"), "--only", "1", "--widest", "6"],
    "faults": [
        *("faults", "drum(3)", "--network", "lenet5", "--images", "20", "--sample", "20"),
        *("--out", "out", "--out-file", "out/faults.json"),
    ],
    "accuracy": ["accuracy", "lenet5", "-m", "drum(3)", "--images", "100"],
    "eval": [
        *("eval", "lenet5", "-m", "drum(3)", "--attack", "fgsm", "--norm", "linf"),
        *("--eps", "0,0.1", "--images", "20", "--out", "out"),
    ],
    "convert": ["convert", "scaletrim(4,8)", "table.hex"],
    "cosim": ["cosim", "lenet5", "--images", "1", "--layers", "fc3"],
}
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
ENDED = 2.0  # seconds after which nothing may run
# What a run says of its time, and a record of when it was made.
TIMES = re.compile(
    rb"\d[\d.,]* (?:m?s|min|h)\b|[\d,.]+ \w+/s|\d{4}-\d\d-\d\dT[\d:.+-]+"
    rb"| \d+\.\d(?= +(?:[0-9a-f]{12})?\s*$)",
    re.MULTILINE,
)
VARIES = {".parquet", ".csv", ".html", ".json"}


class Command:
    """One command with a folder of its own, temporary ones among them.

    Args:
        arguments: of `axhil`.
        folder: for all of it.
    """

    def __init__(self, arguments: list[str], folder: Path) -> None:
        self.arguments, self.folder, self.scratch = arguments, folder, folder / "tmp"
        self.scratch.mkdir(parents=True)
        for name, text in (("model.c", C_MODEL), ("model.py", PYTHON_MODEL), ("part.v", VERILOG)):
            (folder / name).write_text(text)

    def start(self) -> subprocess.Popen[bytes]:
        """Begin a run."""
        own = {"TMPDIR": str(self.scratch), "AXHIL_CACHE": str(self.folder / "cache")}
        return subprocess.Popen(
            [sys.executable, "-m", "axhil", *self.arguments],
            cwd=self.folder,
            env={**os.environ, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self) -> dict[str, bytes]:
        """A whole run: what it prints, and the files that are there afterwards, without times."""
        process = self.start()
        printed, error = process.communicate()
        if process.returncode not in {0, 1}:  # 1: two multipliers differ, a mutant survives
            raise SystemExit(f"{self.arguments}: {error.decode()}")
        found = {"printed": TIMES.sub(b"T", printed)}
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            # A killed write leaves its own name beside the file.
            if path.is_file() and not name.startswith("cache") and path.suffix != ".tmp":
                data = b"" if path.suffix in VARIES else path.read_bytes()
                found[name] = TIMES.sub(b"T", data)
        return found

    def living(self) -> list[int]:
        """Processes that run in the folder of temporary ones."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                inside = (entry / "cwd").readlink().is_relative_to(self.scratch)
            except OSError:
                continue
            if entry.name.isdigit() and inside:
                found.append(int(entry.name))
        return found


def main(kills: int) -> int:
    """Kill so often; the number of faults."""
    draw, faults, slowest = random.Random(0), 0, 0.0
    counts = {"in time": 0, "with a simulator or model": 0, "with a temporary folder": 0}
    with tempfile.TemporaryDirectory() as place:
        commands, lasts, expected = {}, {}, {}
        for name, arguments in COMMANDS.items():
            commands[name] = Command(arguments, Path(place, name.replace(" ", "_")))
            commands[name].run()  # the cache is there, as it is after most kills
            began = time.monotonic()
            expected[name] = commands[name].run()
            lasts[name] = time.monotonic() - began
        for kill in range(kills):
            name = [*COMMANDS][kill % len(COMMANDS)]
            command, number = commands[name], SIGNALS[kill % len(SIGNALS)]
            process = command.start()
            time.sleep(draw.uniform(0.3, 1.0) * lasts[name])
            counts["in time"] += process.poll() is None
            counts["with a simulator or model"] += bool(command.living())
            process.send_signal(number)
            began = time.monotonic()
            while command.living() and time.monotonic() - began < 60:
                time.sleep(0.02)
            took = time.monotonic() - began
            slowest = max(slowest, took)
            process.communicate()
            counts["with a temporary folder"] += any(command.scratch.iterdir())
            found = command.run()
            differs = [key for key in expected[name] if found.get(key) != expected[name][key]]
            left = [path.name for path in command.scratch.iterdir()]
            sys.stderr.write(f"{kill + 1}: {name}, {number.name}\n")
            if differs or left or took > ENDED or found.keys() != expected[name].keys():
                faults += 1
                sys.stdout.write(
                    f"{name}, {number.name}: differs {differs}, {took:.2f} s, left {left}, "
                    f"{[*found.keys() ^ expected[name].keys()]}\n"
                )
                sys.stdout.flush()
    sys.stdout.write(f"{kills} kills, {counts}; last process {slowest:.2f} s; {faults} faults\n")
    return faults


if __name__ == "__main__":
    sys.exit(min(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100), 1))
