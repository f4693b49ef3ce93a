# SPDX-License-Identifier: Apache-2.0
"""An assignment as a file, which stands wherever a multiplier does: `-m chosen.toml`.

It has one table, `[layers]`, of lines such as `"conv*" = "drum(4)"`: patterns and multipliers of
which the first that matches wins. Files in it are relative to its own folder.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from ..errors import HwsimError
from ..files import read_toml, write_atomically
from .find import located
from .source import TOML_SUFFIX

KEY = "layers"
"""What tells such a file from one of facts about Verilog."""

_FLOAT = "float"


def read_layers(path: Path) -> dict[str, str] | None:
    """Words by pattern, with files that hold from here; None where it is no assignment.

    Raises:
        HwsimError: the file cannot be read, or has something else beside or in its layers.
    """
    if path.suffix.lower() != TOML_SUFFIX:
        return None
    if not os.path.isfile(path):  # noqa: PTH113  (false for a name that no file can have)
        return None
    body = read_toml(path)
    if KEY not in body:
        return None
    layers = body[KEY]
    others = [key for key in body if key != KEY]
    if others or not isinstance(layers, dict) or not layers:
        got = f"the key {others[0]}" if others else f"{layers!r:.60}"
        raise HwsimError(f"{path}: expected a table [{KEY}] of multipliers alone, got {got}")
    for pattern, word in layers.items():
        if not isinstance(word, str):
            raise HwsimError(f"{path}: {KEY}.{pattern}: expected a multiplier, got {word!r:.60}")
    return {
        pattern: word if word == _FLOAT else located(word, path.parent)
        for pattern, word in layers.items()
    }


def write_layers(path: Path, layers: Mapping[str, str], *, comment: str = "") -> None:
    """Write an assignment, atomically.

    Args:
        path: of the file.
        layers: words by pattern; files in them hold from the file's folder.
        comment: lines above.

    Raises:
        HwsimError: it cannot be written.
    """
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    lines += [f"[{KEY}]"]
    # A basic string of TOML is one of JSON.
    lines += [f"{json.dumps(pattern)} = {json.dumps(word)}" for pattern, word in layers.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, ("\n".join(lines) + "\n").encode())
