# SPDX-License-Identifier: Apache-2.0
"""A box for programs that run what people bring: one folder to write to, and limits.

What the platform gives is tried once; whatever it gave is then required of every box.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .scratch import scratch

_START = (
    "import sys; sys.path.append(sys.argv.pop(1)); import box_process; "
    "sys.exit(box_process.main(sys.argv[1:]))"
)

GUARANTEES = {
    "write nowhere but to their own folder": {"landlock", "read-only"},
    "reach no network": {"sockets", "namespaces"},
    "signal no other process": {"signals", "namespaces"},
    "start no process": {"processes"},
    "leave no process behind": {"namespaces"},
    "take no more memory, disk and time than they may": {"limits"},
}
"""What a program in a box can do, and the means of which one suffices for it."""


@dataclass(frozen=True)
class Box:
    """Where a program may write, and what it may take.

    Attributes:
        folder: the only place that it can write to; it runs there, and has its temporary files
            there.
        starts: it may start processes, as a compiler does.
        memory: bytes of address space of each process.
        file: bytes of each file that it writes.
        seconds: of processor time of each process; None: any.
    """

    folder: Path
    starts: bool = False
    memory: int = 8 << 30
    file: int = 1 << 30
    seconds: int | None = None

    def command(self, command: Sequence[str]) -> list[str]:
        """The command that runs another one in this box."""
        return _command(self, command, needed=means())

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """The environment of what runs in this box."""
        return {
            **env,
            "TMPDIR": str(self.folder),
            "CCACHE_DISABLE": "1",  # its files are elsewhere
            "PYTHONDONTWRITEBYTECODE": "1",  # likewise
            # Every thread of a library of linear algebra would reserve address space.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }


def _command(box: Box, command: Sequence[str], *, needed: frozenset[str]) -> list[str]:
    seconds = "" if box.seconds is None else str(box.seconds)
    # A process that may start others does not have this guarantee.
    needed = needed - {"processes"} if box.starts else needed
    return [
        *(sys.executable, "-I", "-S", "-c", _START, str(Path(__file__).parent), str(os.getpid())),
        *(str(box.folder), str(int(box.starts)), str(box.memory), str(box.file), seconds),
        *(" ".join(sorted(needed)), *command),
    ]


@cache
def means() -> frozenset[str]:
    """By what this platform confines programs; tried out once a process."""
    from .process import Process  # noqa: PLC0415  (which runs its programs in boxes)

    with scratch("box") as folder:
        command = _command(Box(folder), [], needed=frozenset())
        with Process(command) as process:
            done = process.wait()
    assert done is not None
    return frozenset(done.stdout.split()) if done.code == 0 else frozenset()


def unconfined() -> dict[str, list[str]]:
    """What a manifest says where something is missing; nothing otherwise."""
    return {"unconfined": list(missing())} if missing() else {}


def missing() -> tuple[str, ...]:
    """The guarantees that this platform does not give, as `GUARANTEES` has them."""
    return tuple(what for what, ways in GUARANTEES.items() if not ways & means())
