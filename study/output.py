# SPDX-License-Identifier: Apache-2.0
"""The folder that results go to."""

from __future__ import annotations

import tempfile
from pathlib import Path


def ready_folder(folder: Path) -> Path:
    """Make the folder, and find out before the work whether its results can be written.

    Returns:
        The folder.

    Raises:
        OSError: it is a file, read-only, or on a full disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(b"axhil")
    return folder
