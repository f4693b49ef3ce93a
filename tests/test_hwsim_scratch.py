# SPDX-License-Identifier: Apache-2.0
"""Temporary folders: gone with their process, or at the next start, and nobody else's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from axhil.hwsim.tools.scratch import remove, scratch, sweep

HOLDER = (
    "import sys, time; from axhil.hwsim.tools.scratch import scratch\n"
    "with scratch('test') as folder:\n"
    "    (folder / 'file').write_text('x'); print(folder, flush=True); time.sleep(100)\n"
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The only place for temporary folders."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def holder(place):
    """A process that holds a folder."""
    environment = {**os.environ, "TMPDIR": str(place)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER], env=environment, stdout=subprocess.PIPE, text=True
    )
    return process, Path(process.stdout.readline().strip())


def test_a_folder_is_gone_after_its_block(place):
    with scratch("test") as folder:
        assert folder.parent == place
        (folder / "closed").mkdir()
        (folder / "closed" / "file").write_text("x")
        (folder / "closed").chmod(0)
    assert list(place.iterdir()) == []


def test_the_next_start_sweeps_what_a_killed_process_left_and_nothing_else(place):
    living, kept = holder(place)
    dead, left = holder(place)
    with living, dead:
        dead.kill()
        dead.wait()
        assert left.is_dir()
        # Nobody's, but not under such a name; and a link under such a name.
        other, link = place / "axhil-other", place / f"axhil-{os.geteuid()}-link"
        other.mkdir()
        link.symlink_to(other)
        (other / "file").write_text("x")
        # A process looks once.
        sweep.cache_clear()
        with scratch("test") as folder:
            assert {*place.iterdir()} == {kept, folder, other, link}
        assert (kept / "file").is_file()
        assert (other / "file").is_file()
        living.terminate()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of another user")
def test_a_folder_of_another_user_is_not_swept(place):
    theirs = place / f"axhil-{os.geteuid()}-theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    sweep.cache_clear()
    with scratch("test"):
        assert theirs.is_dir()


def test_folders_made_while_others_sweep_stay(place):
    """Between its making and its lock a folder is nobody's; it is then made again."""
    code = (
        "import os; from axhil.hwsim.tools.scratch import scratch, sweep\n"
        "for _ in range(300):\n"
        "    with scratch('test') as folder:\n"
        "        (folder / 'file').write_text('x')\n"
        "        sweep.cache_clear(); sweep(str(folder.parent))\n"
        "        assert (folder / 'file').is_file()\n"
    )
    environment = {**os.environ, "TMPDIR": str(place)}
    every = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(3)]
    assert [process.wait() for process in every] == [0, 0, 0]
    assert list(place.iterdir()) == []


def test_a_folder_too_deep_to_be_removed_ends_nothing(tmp_path):
    folder = tmp_path / "deep"
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=handle)
        below = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)
    remove(folder)
    assert folder.exists()
    subprocess.run(["rm", "-rf", folder], check=True)
