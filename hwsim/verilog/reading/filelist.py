# SPDX-License-Identifier: Apache-2.0
"""File lists of other tools, `design.f`: Verilog files, folders of includes, macros."""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import HwsimError
from ...files import read_text

LIST_SUFFIXES = (".f", ".vc", ".flist")
_DEPTH = 16


@dataclass(frozen=True)
class Sources:
    """What a design is made of.

    Attributes:
        files: Verilog files, in compilation order.
        includes: folders of included files.
        defines: macros by name, as a simulator's -D sets them.
        lists: file lists that were read.
    """

    files: tuple[Path, ...]
    includes: tuple[Path, ...] = ()
    defines: Mapping[str, str] = field(default_factory=dict)
    lists: tuple[Path, ...] = ()


def expand(
    paths: Sequence[Path], *, includes: Sequence[Path] = (), defines: Mapping[str, str]
) -> Sources:
    """File lists replaced by what stands in them; a file that is named twice is read once.

    A list has one item a line or several: files, `+incdir+FOLDER`, `+define+NAME=VALUE`, `-I`,
    `-D`, `-v FILE`, `-f LIST`, comments behind `//` or `#`, `$NAME` of the environment. Paths are
    relative to the list, or to the working folder where there is no such file.

    Args:
        paths: Verilog files and file lists.
        includes: more folders of included files, before those of lists.
        defines: more macros, which win over those of lists.

    Raises:
        HwsimError: a list cannot be read, or has an item of another kind.
    """
    files: dict[Path, Path] = {}
    folders = dict.fromkeys(includes)
    macros: dict[str, str] = {}
    lists: dict[Path, None] = {}

    def add(path: Path, depth: int) -> None:
        if path.suffix.lower() not in LIST_SUFFIXES:
            files.setdefault(path.resolve(), path)
            return
        if depth > _DEPTH:
            raise HwsimError(f"{path}: expected file lists that end, got one that names itself")
        lists[path] = None
        items = iter(_items(path))

        def following(option: str) -> str:
            word = next(items, None)
            if word is None:
                raise HwsimError(f"{path}: expected something behind {option}")
            return word

        for item in items:
            if item in {"-f", "-F", "-v"}:
                add(_beside(path, following(item)), depth + 1)
            elif item.startswith("+incdir+"):
                folders.update((_beside(path, word), None) for word in _plus(item))
            elif item.startswith("+define+"):
                macros.update(_macro(word) for word in _plus(item))
            elif item.startswith("-I"):
                folders[_beside(path, item[2:] or following(item))] = None
            elif item.startswith("-D"):
                macros.update([_macro(item[2:] or following(item))])
            elif item.startswith(("+libext", "-sv", "-g20")):
                continue
            elif item.startswith(("-", "+")):
                raise HwsimError(
                    f"{path}: expected files, +incdir+, +define+, -I, -D, -v or -f, got {item}; "
                    "take it out, and name the files that it stands for"
                )
            else:
                add(_beside(path, item), depth + 1)

    for path in paths:
        add(path, 0)
    if not files:
        raise HwsimError(f"expected a Verilog file in {', '.join(map(str, paths))}, found none")
    return Sources(tuple(files.values()), tuple(folders), {**macros, **defines}, tuple(lists))


def _items(path: Path) -> list[str]:
    text = read_text(path)
    try:
        return shlex.split(re.sub(r"(?m)(^|\s)(?://|#).*$", r"\1", text))
    except ValueError as error:
        raise HwsimError(f"{path}: expected a quote to be closed: {error}") from error


def _beside(path: Path, word: str) -> Path:
    there = Path(os.path.expandvars(word))
    beside = path.parent / there
    return there if there.exists() and not beside.exists() else beside


def _plus(item: str) -> list[str]:
    return [word for word in item.split("+")[2:] if word]


def _macro(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    return name, value if equals else "1"
