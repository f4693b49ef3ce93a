# SPDX-License-Identifier: Apache-2.0
"""Which processes are there: of a folder, and whether one has ended."""

import time
from pathlib import Path


def gone(pid, *, seconds=10.0):
    """Whether a process ended, within some seconds."""
    until = time.monotonic() + seconds
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":  # killed; its parent, which is none of ours, has not looked yet
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.02)


def inside(folder):
    """Ids of the processes that run in a folder or below it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                where = (entry / "cwd").readlink()
            except OSError:
                continue
            if where.is_relative_to(folder):
                found.append(int(entry.name))
    return found
