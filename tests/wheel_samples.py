# SPDX-License-Identifier: Apache-2.0
"""What a user installs: the tracked files as they are now, and the one wheel built from them."""

import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def tracked(destination: Path) -> None:
    """Copy what git tracks, as it is now; without git, everything but what .gitignore names."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        ignored = (".git", ".venv", "out", "build", "dist", "__pycache__", "*.so", ".*_cache")
        shutil.copytree(ROOT, destination, symlinks=True, ignore=shutil.ignore_patterns(*ignored))
        return
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() or (ROOT / name).is_symlink():
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, destination / name, follow_symlinks=False)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """Built once, whichever of xdist's processes comes first."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with (folder / "wheel.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not [*folder.glob("axhil-*.whl")]:
            build(folder)
    (path,) = folder.glob("axhil-*.whl")
    return path


def build(folder):
    tracked(folder / "source")
    # The build tools stand beside the interpreter; cmake and ninja are looked up on PATH.
    scripts = sysconfig.get_path("scripts")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)],
        cwd=folder / "source",
        env={**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
