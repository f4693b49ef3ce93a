# SPDX-License-Identifier: Apache-2.0
"""kill -9 at a bad moment: no file is half there, and a rerun ends where it would have."""

import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from axhil import cli
from axhil.hwsim import Catalogued, Lut, golden
from axhil.study.storage import store

STUDY = """
name = "small"
networks = ["lenet5"]
images = 10
batch = 64
[budgets]
linf = [0.0, 0.1, 0.3]
l2 = [0.0, 1.0, 2.0]
"""
CELLS = 7 * 3 * 2  # multipliers x attacks x norms
KILLS = 10
SIGNALS = [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGHUP,), (signal.SIGINT, signal.SIGINT)]
FRESH = 2  # cells that a run may finish before it is killed
PATIENCE = 120


# A process that has the imports behind it and forks for each command: what is killed here are
# studies, not the seconds in which torch is loaded.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["axhil.cli.main", "axhil.cli.study", "axhil.report.files"])


def command(arguments: list[str], scratch: Path) -> None:
    os.setsid()  # simulators are its children: they go with it
    os.chdir(scratch)
    # What a killed simulator leaves stays here.
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
    sys.argv = ["axhil", *arguments]
    store.SILENCE = 2.0
    for stream, name in ((sys.stdout, "out"), (sys.stderr, "err")):
        with (scratch / f"{os.getpid()}.{name}").open("w") as file:
            os.dup2(file.fileno(), stream.fileno())
    sys.exit(cli.main())


def start(arguments: list[str], *, scratch: Path) -> multiprocessing.process.BaseProcess:
    scratch.mkdir(exist_ok=True)
    process = FORKS.Process(target=command, args=(arguments, scratch))
    process.start()
    return process


def kill(process: multiprocessing.process.BaseProcess) -> None:
    # Before it has called setsid, its group is the server's.
    with contextlib.suppress(ProcessLookupError):
        own = os.getpgid(process.pid) == process.pid
        (os.killpg if own else os.kill)(process.pid, signal.SIGKILL)
    process.join()


def end(process: multiprocessing.process.BaseProcess, *, scratch: Path) -> None:
    process.join(PATIENCE)
    assert process.exitcode == 0, (scratch / f"{process.pid}.err").read_text()


def run(arguments: list[str], *, scratch: Path) -> None:
    end(start(arguments, scratch=scratch), scratch=scratch)


def kill_when(condition: Callable[[], bool], arguments: list[str], *, scratch: Path) -> int:
    """Kill the command as soon as the condition holds, and return its exit code."""
    process = start(arguments, scratch=scratch)
    deadline = time.monotonic() + PATIENCE
    try:
        while not condition() and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.001)
    finally:
        kill(process)
    return process.exitcode


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def study(folder: Path) -> list[str]:
    """The command that runs the study into this folder."""
    folder.mkdir(exist_ok=True)
    file = folder / "small.toml"
    file.write_text(STUDY)
    options = ["--threads", "1", "--jobs", "1", "--out", str(folder / "out")]
    return ["study", "run", str(file), *options]


def finished(folder: Path) -> set[str]:
    records = folder / "out" / "records"
    return {path.name for path in records.glob("[!.]*")} if records.is_dir() else set()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    run(study(folder), scratch=folder / "scratch")
    assert len(finished(folder)) == CELLS
    return folder


def same_results(one: Path, other: Path) -> None:
    """Every record and every file of the report, byte for byte but for the times."""
    assert finished(one) == finished(other)
    for name in finished(one):
        tables = [
            pq.ParquetFile(folder / "out" / "records" / name).read().drop_columns("seconds")
            for folder in (one, other)
        ]
        assert tables[0].equals(tables[1], check_metadata=True)
    frames = [
        pd.read_csv(folder / "out" / "records.csv", dtype=str).drop(columns="seconds")
        for folder in (one, other)
    ]
    pd.testing.assert_frame_equal(*frames)
    pictures = {path.name for path in (one / "out").glob("*.*") if path.suffix in (".png", ".svg")}
    assert {"robustness.png", "robustness.svg"} <= pictures
    for name in (*pictures, "study.json"):
        assert (one / "out" / name).read_bytes() == (other / "out" / name).read_bytes()


@pytest.mark.slow
def test_a_study_killed_ten_times_ends_with_the_records_of_an_undisturbed_one(
    undisturbed, tmp_path
):
    draw = random.Random(0)
    counts = [0]
    for attempt in range(KILLS):
        began = time.monotonic()
        # By turns anywhere, start-up included, and close to the moment when a cell is written. No
        # run gets far: a fast machine must not finish the study between two kills.
        anywhere = attempt % 2 == 1
        wait = draw.uniform(0.0, 3.0) if anywhere else draw.uniform(0.0, 0.02)

        def now(anywhere=anywhere, wait=wait, began=began) -> bool:
            fresh = len(finished(tmp_path)) - counts[-1]
            if anywhere:
                return fresh >= FRESH or time.monotonic() - began > wait
            if fresh == 0:
                return False
            time.sleep(wait)
            return True

        code = kill_when(now, study(tmp_path), scratch=tmp_path / "scratch")
        assert code == -signal.SIGKILL
        for name in finished(tmp_path):
            pq.ParquetFile(tmp_path / "out" / "records" / name).read()  # whole
        counts.append(len(finished(tmp_path)))
    assert counts == sorted(counts)  # nothing that was finished got lost
    assert 5 <= counts[-1] < CELLS  # and it was still in the middle
    # A temporary file that a kill left must not be taken for anything.
    name = min(finished(tmp_path))
    (tmp_path / "out" / "records" / f".{name}.1.abcd.tmp").write_bytes(b"PAR1")
    stamps = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "records").glob("[!.]*")
    }
    run(study(tmp_path), scratch=tmp_path / "scratch")
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    same_results(tmp_path, undisturbed)


@pytest.mark.slow
def test_three_runs_side_by_side_one_of_them_stopped_end_with_the_records_of_one(
    undisturbed, tmp_path
):
    scratch = tmp_path / "scratch"
    first, *others = [start(study(tmp_path), scratch=scratch) for _ in range(3)]
    wait_until(lambda: len(finished(tmp_path)) >= FRESH)
    os.kill(first.pid, signal.SIGSTOP)
    for process in others:
        end(process, scratch=scratch)
    assert len(finished(tmp_path)) == CELLS  # what the stopped run was at as well
    os.kill(first.pid, signal.SIGCONT)
    end(first, scratch=scratch)
    same_results(tmp_path, undisturbed)


@pytest.mark.slow
def test_a_study_ended_by_signals_says_so_once_and_a_rerun_ends_as_an_undisturbed_one(
    undisturbed, tmp_path
):
    scratch = tmp_path / "scratch"
    for numbers in SIGNALS:
        before = len(finished(tmp_path))
        process = start(study(tmp_path), scratch=scratch)
        wait_until(lambda before=before: len(finished(tmp_path)) > before)
        for number in numbers:
            os.kill(process.pid, number)
        process.join(PATIENCE)
        assert process.exitcode == 128 + numbers[0]
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)  # nor is a process of it left
        *progress, last = (scratch / f"{process.pid}.err").read_text().splitlines()
        if len(numbers) == 1:
            assert last == (
                f"axhil: stopped by {numbers[0].name}; finished cells are kept, and the same "
                "command goes on from there"
            )
        assert not any("Traceback" in line or "stopped" in line for line in progress)
        assert not (tmp_path / "out" / "records.csv").exists()
    assert FRESH <= len(finished(tmp_path)) < CELLS
    run(study(tmp_path), scratch=scratch)
    same_results(tmp_path, undisturbed)


@pytest.mark.sim
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_lut_ended_by_a_signal_says_so_and_leaves_neither_processes_nor_files(number, tmp_path):
    scratch = tmp_path / "scratch"
    process = start(["lut", "exact", "--out", str(tmp_path / "out")], scratch=scratch)
    # Folders that vanish meanwhile are passed over.
    wait_until(lambda: any(f.endswith(".vvp") for *_, files in os.walk(scratch) for f in files))
    os.kill(process.pid, number)
    process.join(PATIENCE)
    assert process.exitcode == 128 + number
    assert (scratch / f"{process.pid}.err").read_text() == f"axhil: stopped by {number.name}\n"
    assert not [one for one in Path("/proc").glob("[0-9]*/cwd") if scratch in one.resolve().parents]
    assert {path.suffix for path in scratch.iterdir()} == {".out", ".err"}
    assert not (tmp_path / "out").exists()


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
            assert Lut.load(out / name) == golden(Catalogued.parse(name.removesuffix(".npz")))
    # Killed while writing, there was something to look at.
    assert late or any(moments)


def test_a_table_killed_while_it_is_replaced_is_the_old_one_or_the_new_one(tmp_path):
    """Hundreds of replacements of one file, killed at moments spread over one of them."""
    path = tmp_path / "lut.npz"
    code = (
        "import sys, numpy as np\n"
        "from axhil.hwsim import Lut, Operands\n"
        "tables = [Lut(np.full((256, 256), n, np.int32), *Operands.parse('s8')) for n in (1, 2)]\n"
        "while True:\n"
        "    for table in tables: table.save(sys.argv[1])\n"
    )
    draw = random.Random(0)
    seen = set()
    for _ in range(6):
        path.unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-c", code, str(path)])
        deadline = time.monotonic() + PATIENCE
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.0005)
        time.sleep(draw.uniform(0.0, 0.03))
        process.kill()
        process.wait()
        table = Lut.load(path).table
        assert np.all(table == table[0, 0])
        seen.add(int(table[0, 0]))
    assert seen <= {1, 2}


def test_faults_go_on_after_a_kill_and_end_as_undisturbed_ones(tmp_path):
    def faults(folder: Path, *, jobs: int) -> list[str]:
        options = ["--network", "lenet5", "--images", "10", "--sample", "30", "--jobs", str(jobs)]
        files = ["--out", str(folder / "out"), "--out-file", str(folder / "faults.json")]
        return ["faults", "drum(3)", *options, *files]

    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    run(faults(undisturbed, jobs=2), scratch=undisturbed)
    every = finished(undisturbed)
    code = kill_when(lambda: len(finished(killed)) > 2, faults(killed, jobs=1), scratch=killed)
    assert code == -signal.SIGKILL
    before = {
        name: (killed / "out" / "records" / name).stat().st_mtime_ns
        for name in every & finished(killed)
    }
    assert 2 < len(before) < len(every)
    assert not (killed / "faults.json").exists()
    run(faults(killed, jobs=1), scratch=killed)
    assert finished(killed) == every
    for name, moment in before.items():
        assert (killed / "out" / "records" / name).stat().st_mtime_ns == moment
    records = [(folder / "faults.json").read_bytes() for folder in (undisturbed, killed)]
    assert records[0] == records[1]
