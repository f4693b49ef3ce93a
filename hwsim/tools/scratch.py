# SPDX-License-Identifier: Apache-2.0
"""Temporary folders: the one place that makes them, and sweeps what dead processes left.

Whoever makes a folder holds a lock on it, which ends with the process however that ends. A folder
without a lock belongs to nobody.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path


@contextlib.contextmanager
def scratch(purpose: str) -> Iterator[Path]:
    """An empty folder that is gone afterwards, or at the next start if this process is killed.

    Args:
        purpose: part of its name, for a person who finds it.
    """
    sweep(tempfile.gettempdir())
    folder, handle = _locked(purpose)
    try:
        yield folder
    finally:
        remove(folder)
        os.close(handle)


def _locked(purpose: str) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{_prefix()}{purpose}-"))
        try:
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # swept before it was locked
            continue
        with contextlib.suppress(OSError):  # a file system without locks: never swept
            fcntl.flock(handle, fcntl.LOCK_SH)
        if os.fstat(handle).st_nlink:
            return folder, handle
        os.close(handle)  # likewise


@cache
def sweep(place: str) -> None:
    """Removes the folders that killed processes of this user left, once a process.

    Args:
        place: the folder of temporary folders.
    """
    with contextlib.suppress(OSError):
        for entry in os.scandir(place):
            if entry.name.startswith(_prefix()) and entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    _sweep(Path(entry.path))


def _sweep(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(handle).st_uid == os.geteuid():
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(folder)
    finally:
        os.close(handle)


def remove(folder: Path) -> None:
    """Removes a folder as far as that is possible, whatever permissions what is in it has."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            for parent, names, _ in os.walk(folder):
                for name in names:
                    path = Path(parent, name)
                    if not path.is_symlink():
                        path.chmod(stat.S_IRWXU)
            shutil.rmtree(folder, ignore_errors=True)


def _prefix() -> str:
    return f"axhil-{os.geteuid()}-"
