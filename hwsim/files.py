# SPDX-License-Identifier: Apache-2.0
"""Files that are at every moment absent, the old one or the new one."""

import os
from pathlib import Path

from .errors import HwsimError


def write_atomically(path: Path, data: bytes) -> None:
    """Puts `data` at `path` through a temporary file beside it, durable before it appears.

    Raises:
        HwsimError: the directory does not exist or is not writable, the disk is full.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        try:
            with scratch.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # makes the new name durable
        finally:
            os.close(folder)
    except OSError as error:
        raise HwsimError(f"cannot write {path}: {error.strerror or error}") from error
