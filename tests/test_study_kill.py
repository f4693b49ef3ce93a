# SPDX-License-Identifier: Apache-2.0
"""kill -9 at a bad moment: no file is half there, and a rerun ends where it would have."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwsim import Lut, golden, parse_multiplier
from study.cells import Cell

MULTIPLIERS = "exact,drum(3),scaletrim(4,8)"
EVAL = ["eval", "--images", "6", "--eps", "0,0.1,0.3", "--multipliers", MULTIPLIERS]
EVAL += ["--threads", "1", "--jobs", "1"]
CELLS = 3 * 3 * 2  # multipliers x attacks x norms
PATIENCE = 120


def start(arguments: list[str], *, scratch: Path) -> subprocess.Popen[str]:
    scratch.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "study", *arguments],
        cwd=scratch,
        env={**os.environ, "TMPDIR": str(scratch)},  # a killed simulator leaves its scratch there
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # simulators are its children: they go with it
    )


def kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def run(arguments: list[str], *, scratch: Path) -> str:
    process = start(arguments, scratch=scratch)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return out


def kill_when(condition: Callable[[], bool], arguments: list[str], *, scratch: Path) -> int:
    """Kill the command as soon as the condition holds, and return its exit code."""
    process = start(arguments, scratch=scratch)
    deadline = time.monotonic() + PATIENCE
    try:
        while not condition() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
    finally:
        kill(process)
    return process.returncode


def whole_cells(folder: Path) -> list[Cell]:
    """Every cell under its key; what else is there must not look like one."""
    found = []
    for path in folder.iterdir():
        if path.name.startswith(".") and path.name.endswith(".tmp"):
            continue
        cell = Cell.from_json(path.read_text(), source=str(path))
        assert path.name == f"{cell.settings.key}.json"
        found.append(cell)
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    run([*EVAL, "--out", str(folder / "out")], scratch=folder / "scratch")
    assert len(whole_cells(folder / "out" / "cells")) == CELLS
    return folder / "out"


def test_an_eval_killed_in_the_middle_continues_to_the_same_records(undisturbed, tmp_path):
    out = tmp_path / "out"
    cells = out / "cells"

    def begun() -> bool:
        return cells.is_dir() and any(path.suffix == ".json" for path in cells.iterdir())

    code = kill_when(begun, [*EVAL, "--out", str(out)], scratch=tmp_path / "scratch")
    assert code == -signal.SIGKILL
    before = {cell.settings.key: cell for cell in whole_cells(cells)}
    assert 1 <= len(before) < CELLS  # it was in the middle
    assert not (out / "records.json").exists()
    # A temporary file that the kill left must not be taken for anything.
    (cells / f".{next(iter(before))}.json.1.abcd.tmp").write_text('{"format_version": 1, "se')

    run([*EVAL, "--out", str(out)], scratch=tmp_path / "scratch")
    after = {cell.settings.key: cell for cell in whole_cells(cells)}
    assert len(after) == CELLS
    assert {key: after[key] for key in before} == before  # read, not computed again

    ours, theirs = (
        json.loads((folder / "records.json").read_text()) for folder in (out, undisturbed)
    )
    for row in (*ours, *theirs):
        assert row.pop("seconds") > 0
    assert ours == theirs
    tables = [
        pd.read_csv(folder / "records.csv", dtype=str).drop(columns="seconds")
        for folder in (out, undisturbed)
    ]
    pd.testing.assert_frame_equal(*tables)
    for name in ("robustness.png", "robustness.svg"):
        assert (out / name).read_bytes() == (undisturbed / name).read_bytes()


@pytest.mark.parametrize("late", [False, True], ids=["while writing", "anywhere"])
@pytest.mark.sim
def test_a_killed_lut_leaves_whole_tables_or_none(late, tmp_path):
    names = ("exact", "drum(3)")
    draw = random.Random(int(late))
    moments = []
    for attempt in range(2):
        out = tmp_path / str(attempt)
        wait = draw.uniform(0.2, 2.0) if late else draw.uniform(0.0, 0.02)
        began = time.monotonic()

        def now(out=out, wait=wait, began=began) -> bool:
            if late:
                return time.monotonic() - began > wait
            if not (out.is_dir() and any(out.iterdir())):
                return False
            time.sleep(wait)
            return True

        kill_when(now, ["lut", *names, "--out", str(out)], scratch=tmp_path / "scratch")
        left = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
        moments.append(left)
        tables = [name for name in left if not (name.startswith(".") and name.endswith(".tmp"))]
        assert set(tables) <= {"exact.npz", "drum_3.npz"}
        for name in tables:
            assert Lut.load(out / name) == golden(parse_multiplier(name.removesuffix(".npz")))
    # Killed while writing, there was something to look at.
    assert late or any(moments)


def test_a_table_killed_while_it_is_replaced_is_the_old_one_or_the_new_one(tmp_path):
    """Hundreds of replacements of one file, killed at moments spread over one of them."""
    path = tmp_path / "lut.npz"
    code = (
        "import sys, numpy as np\n"
        "from hwsim import Lut\n"
        "tables = [Lut(np.full((256, 256), n, np.int32), width=8, signed=True) for n in (1, 2)]\n"
        "while True:\n"
        "    for table in tables: table.save(sys.argv[1])\n"
    )
    draw = random.Random(0)
    seen = set()
    for _ in range(6):
        path.unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], start_new_session=True)
        deadline = time.monotonic() + PATIENCE
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.0005)
        time.sleep(draw.uniform(0.0, 0.03))
        kill(process)
        table = Lut.load(path).table
        assert np.all(table == table[0, 0])
        seen.add(int(table[0, 0]))
    assert seen <= {1, 2}
