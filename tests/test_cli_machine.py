# SPDX-License-Identifier: Apache-2.0
"""What machines do to a command: full disks, closed streams, other users, narrow terminals."""

import ctypes
import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from study_samples import cell

from axhil import cli
from axhil.study.storage.store import CellStore

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 120
UNAVAILABLE = 77
VERILOG = """\
module mul(input signed [3:0] a, b, output signed [7:0] p);
  assign p = a * b;
endmodule
"""
MODEL = "#include <stdint.h>\nint32_t mul(int8_t a, int8_t b) { return a * b; }\n"

FORKS = multiprocessing.get_context("forkserver")
# With what another user may not read, where this one is root: its own Python.
FORKS.set_forkserver_preload(
    ["axhil.cli.main", "axhil.cli.study", "axhil.report.files", "encodings.cp437"]
)

_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000
_READ_ONLY, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 1, 32, 4096, 16384, 1 << 18


def unavailable_unless(done: bool) -> None:
    """Exit as a platform that cannot do this."""
    if not done:
        os._exit(UNAVAILABLE)


def mount(what: str, where: Path, kind: str, flags: int, data: str = "") -> bool:
    words = [word.encode() for word in (what, str(where), kind)]
    return ctypes.CDLL(None).mount(*words, flags, data.encode()) == 0


def own_mounts() -> None:
    """Mounts that this process alone sees; who is not root becomes the root of them."""
    user, group = os.getuid(), os.getgid()
    flags = _NEW_MOUNTS | (_NEW_USERS if user else 0)
    unavailable_unless(ctypes.CDLL(None).unshare(flags) == 0)
    if user:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")
    unavailable_unless(mount("none", Path("/"), "", _RECURSIVE | _PRIVATE))


def disk(folder: Path, options: str) -> None:
    own_mounts()
    folder.mkdir(exist_ok=True)
    unavailable_unless(mount("none", folder, "tmpfs", 0, options))


def read_only(folder: Path) -> None:
    own_mounts()
    unavailable_unless(mount(str(folder), folder, "", _BIND))
    unavailable_unless(mount("none", folder, "", _BIND | _REMOUNT | _READ_ONLY))


def temporary(folder: Path) -> None:
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None


def a_full_disk_of_results(place: Path) -> None:
    disk(place / "out", "size=4k")


def a_full_disk_of_temporary_files(place: Path) -> None:
    disk(place / "scratch", "size=16k")
    temporary(place / "scratch")


def a_full_disk_of_the_cache(place: Path) -> None:
    disk(place / "cache", "size=4k")
    os.environ["AXHIL_CACHE"] = str(place / "cache")


def a_read_only_folder_of_results(place: Path) -> None:
    read_only(place / "out")


def a_read_only_checkout(_: Path) -> None:
    read_only(ROOT)


def no_folder_for_temporary_files(place: Path) -> None:
    temporary(place / "none")
    tempfile._candidate_tempdir_list = lambda: [str(place / "none")]


def an_odd_name_of_temporary_files(place: Path) -> None:
    folder = place / "t m'p%d é"
    folder.mkdir()
    temporary(folder)


def a_name_of_temporary_files_that_a_shell_expands(place: Path) -> None:
    folder = place / "$(touch marker)"
    folder.mkdir()
    temporary(folder)


def nobody() -> None:
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(12345)
        os.setuid(12345)


def a_user_without_a_home(place: Path) -> None:
    for folder in (place, *(place / name for name in ("out", "scratch"))):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
    temporary(place / "scratch")
    for name in ("HOME", "AXHIL_CACHE", "XDG_CACHE_HOME"):
        os.environ.pop(name, None)
    if os.getuid():
        os.environ["HOME"] = "/proc/none"
    nobody()


def files_of_another_user(place: Path) -> None:
    for path in place.glob("in/**/*"):
        if path.is_file():
            path.chmod(0o600 if os.getuid() == 0 else 0)
    a_user_without_a_home(place)


def a_current_folder_that_is_gone(place: Path) -> None:
    gone = place / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()


def few_files_at_a_time(_: Path) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))


def a_full_stdout(_: Path) -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def nobody_who_reads_stdout(_: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.dup2(writing, 1)


@dataclass(frozen=True)
class Case:
    environment: Callable[[Path], None]
    command: str
    code: int
    sentence: str = ""


CASES = [
    Case(a_full_disk_of_results, "convert exact OUT/x.csv", 2, "cannot write .*/x.csv: No space"),
    Case(a_full_disk_of_results, "lut IN/mul.c --out OUT/l", 2, "cannot write .*npz: No space"),
    Case(a_full_disk_of_results, "study export IN/study OUT/x.parquet", 2, "cannot write .*No spa"),
    Case(a_full_disk_of_temporary_files, "lut IN/mul.v --out OUT/l", 2, ".*room or set TMPDIR"),
    Case(a_full_disk_of_temporary_files, "lut IN/mul.c --out OUT/l", 2, ".*room or set TMPDIR"),
    Case(a_full_disk_of_temporary_files, "metrics exact", 0),
    Case(a_full_disk_of_the_cache, "metrics IN/mul.v", 0),
    Case(a_read_only_folder_of_results, "convert exact OUT/x.csv", 2, "cannot write .*Read-only"),
    Case(a_read_only_folder_of_results, "lut IN/mul.v --out OUT/l", 2, "Read-only .*: .*/out/l"),
    Case(a_read_only_folder_of_results, "lut IN/mul.v --out OUT", 2, "Read-only .*: .*/out$"),
    Case(a_read_only_checkout, "lut IN/mul.v --out OUT/l", 0),
    Case(no_folder_for_temporary_files, "lut IN/mul.v --out OUT/l", 2, ".*: set TMPDIR to one"),
    Case(no_folder_for_temporary_files, "metrics exact", 0),
    Case(an_odd_name_of_temporary_files, "lut IN/mul.v --out OUT/l", 0),
    Case(an_odd_name_of_temporary_files, "lut IN/mul.c --out OUT/l", 0),
    Case(
        a_name_of_temporary_files_that_a_shell_expands,
        "lut IN/mul.v --out OUT/l",
        2,
        ".*Icarus Verilog cannot work in a temporary folder with such a name, .*: set TMPDIR",
    ),
    Case(a_user_without_a_home, "lut IN/mul.c --out OUT/l", 0),
    Case(a_user_without_a_home, "study status IN/study", 0),
    Case(files_of_another_user, "metrics IN/mul.v", 2, ".*mul.v: Permission denied"),
    Case(files_of_another_user, "metrics IN/mul.c", 2, ".*mul.c: Permission denied"),
    Case(
        files_of_another_user,
        "study status IN/study",
        2,
        "cannot read .*study.json: Permission denied",
    ),
    Case(files_of_another_user, "study run IN/small.toml", 2, ".*small.toml.*not readable"),
    Case(a_current_folder_that_is_gone, "metrics IN/mul.c", 0),
    Case(a_current_folder_that_is_gone, "lut IN/mul.v --out OUT/l", 2, "the current folder does"),
    Case(few_files_at_a_time, "lut IN/mul.v --out OUT/l", 0),
    Case(a_full_stdout, "metrics exact", 2, "No space left on device: stdout"),
    Case(a_full_stdout, "metrics exact --json", 2, "No space left on device: stdout"),
    Case(a_full_stdout, "rtl drum(3)", 2, "No space left on device: stdout"),
    Case(nobody_who_reads_stdout, "metrics exact", 141),
    Case(nobody_who_reads_stdout, "metrics exact --json", 141),
    Case(nobody_who_reads_stdout, "rtl drum(3)", 141),
]


def command(case: Case, place: Path) -> None:
    os.chdir(place / "out")
    for stream, name in ((sys.stdout, "stdout"), (sys.stderr, "stderr")):
        with (place / name).open("w") as file:
            os.dup2(file.fileno(), stream.fileno())
    case.environment(place)
    if case.code == 0 and "mul.c" in case.command and not os.access(sys.executable, os.X_OK):
        os._exit(UNAVAILABLE)  # another user cannot start this interpreter, which runs the model
    words = case.command.replace("IN/", f"{place}/in/").replace("OUT", f"{place}/out").split()
    sys.argv = ["axhil", *words]
    cli.main()


@pytest.fixture
def place(tmp_path):
    """A folder with inputs of each kind, and one for results."""
    # Others must be able to get here.
    above = tmp_path.relative_to(tempfile.gettempdir()).parents
    for folder in (tmp_path, *(tempfile.gettempdir() / one for one in above[:-1])):
        folder.chmod(0o755)
    (tmp_path / "out").mkdir()
    study = tmp_path / "in" / "study"
    CellStore(study).put(cell())
    settings = cell().settings.written()
    part = {"network": "lenet5", "threat_model": "whitebox", "cells": [settings]}
    (study / "study.json").write_text(
        json.dumps(
            {
                "format_version": 3,
                "study": {"name": "small", "networks": ["lenet5"]},
                "parts": [part],
            }
        )
    )
    (tmp_path / "in" / "mul.v").write_text(VERILOG)
    (tmp_path / "in" / "mul.c").write_text(MODEL)
    (tmp_path / "in" / "small.toml").write_text('name = "small"\nnetworks = ["lenet5"]\n')
    return tmp_path


@pytest.mark.sim
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.environment.__name__}: {c.command}")
def test_a_command_does_its_work_or_says_in_a_sentence_why_not(case, place):
    process = FORKS.Process(target=command, args=(case, place))
    process.start()
    process.join(PATIENCE)
    err = (place / "stderr").read_text()
    assert process.exitcode is not None, "it hangs"
    if process.exitcode == UNAVAILABLE:
        pytest.skip("this platform gives a process no mounts of its own, or another user no Python")
    assert process.exitcode == case.code, err
    assert "Traceback" not in err
    sentences = [line for line in err.splitlines() if line.startswith("axhil: ")]
    if case.sentence:
        assert len(sentences) == 1
        assert re.match(rf"axhil: {case.sentence}", sentences[0])
        assert not [path for path in (place / "out").rglob("*") if path.is_file()]
    else:
        assert not sentences
    assert not list(place.rglob("*.tmp"))
    assert not list(place.rglob("marker"))


def axhil(*words: str, close: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    script = f'exec "$@" {close}'
    return subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-m", "axhil", *words],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("close", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_nobodys_and_no_file_takes_their_number(close, tmp_path):
    done = axhil("convert", "exact", str(tmp_path / "x.csv"), close=close)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    whole = axhil("convert", "exact", str(tmp_path / "y.csv"))
    assert whole.stdout
    assert (tmp_path / "x.csv").read_bytes() == (tmp_path / "y.csv").read_bytes()


@pytest.mark.sim
def test_text_is_utf8_whatever_the_locale_is(tmp_path):
    file = tmp_path / "mul.v"
    file.write_text(VERILOG.replace("(", "( // Größe – ∞\n", 1), encoding="utf-8")
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    shown = axhil("inspect", str(file), **ascii_only)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "activation (row)" in shown.stdout
