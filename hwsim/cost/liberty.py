# SPDX-License-Identifier: Apache-2.0
"""The text of a Liberty file as groups within groups; a group is read when it is looked into."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..files import TEXT_LIMIT, read_bytes

_GZIP = b"\x1f\x8b"
_UNPACKED_LIMIT = 1 << 28  # bytes
_SKIPPED = r"/\*.*?\*/|//[^\n]*"
_BRACES = re.compile(rf'"[^"]*"|{_SKIPPED}|[{{}}]', re.S)
# name : value   or   name ( values )   or   name ( values ) {
_STATEMENT = re.compile(
    rf'{_SKIPPED}|([A-Za-z_]\w*)\s*(?::\s*("[^"]*"|[^;\n}}]*)'
    rf'|\(((?:"[^"]*"|[^()"])*)\)(?:(?:\s|{_SKIPPED})*(\{{))?)',
    re.S,
)
_VALUE = re.compile(r'"[^"]*"|[^\s,"\\]+')


@dataclass(eq=False)
class Group:
    """One group: `kind (names) { ... }`.

    >>> group = read_group('cell ("INV") { area : 0.5; pin (A) { direction : input; } }')
    >>> group.kind, group.names, group.number("area"), group.all("pin")[0].names
    ('cell', ('INV',), 0.5, ['A'])

    Attributes:
        kind: such as `cell`.
        names: what stands in its parentheses.
    """

    kind: str
    names: tuple[str, ...]
    _text: str = field(repr=False)
    _start: int = field(repr=False)
    _end: int = field(repr=False)
    _closing: dict[int, int] = field(repr=False)

    @cached_property
    def _parts(self) -> tuple[dict[str, str], list[tuple[str, tuple[str, ...]]], list["Group"]]:
        attributes: dict[str, str] = {}
        lists: list[tuple[str, tuple[str, ...]]] = []
        groups: list[Group] = []
        place = self._start
        while match := _STATEMENT.search(self._text, place, self._end):
            place = match.end()
            name, value, values, brace = match.groups()
            if value is not None:
                attributes[name] = value.strip().strip('"')
            elif brace:
                opened = match.end() - 1
                place = self._closing[opened] + 1
                span = (opened + 1, self._closing[opened])
                groups.append(Group(name, _values(values), self._text, *span, self._closing))
            elif name:
                lists.append((name, _values(values)))
        return attributes, lists, groups

    @property
    def attributes(self) -> dict[str, str]:
        """`name : value`, without quotes."""
        return self._parts[0]

    def all(self, kind: str) -> list["Group"]:
        """Groups of one kind within this one, in their order."""
        return [one for one in self._parts[2] if one.kind == kind]

    def every(self, name: str) -> Iterator[tuple[str, ...]]:
        """The values of each `name (values)`."""
        return (values for own, values in self._parts[1] if own == name)

    def values(self, name: str) -> tuple[str, ...]:
        """Those of the first; empty where there is none."""
        return next(self.every(name), ())

    def number(self, name: str, default: float = 0.0) -> float:
        """An attribute as a number.

        Raises:
            HwsimError: it is none.
        """
        text = self.attributes.get(name)
        try:
            return default if text is None else float(text)
        except ValueError:
            raise HwsimError(f"{self}: expected a number for {name}, got {text!r:.60}") from None

    def numbers(self, name: str) -> NDArray[np.float64]:
        """`name ("1, 2", "3, 4")` as (N,) numbers; empty where there is none.

        Raises:
            HwsimError: these are no numbers.
        """
        texts = " ".join(self.values(name)).replace(",", " ").replace("\\", " ").split()
        try:
            return np.array(texts, np.float64)
        except ValueError:
            raise HwsimError(f"{self}: expected numbers in {name}, got {texts[0]!r:.60}") from None

    def __str__(self) -> str:
        return f"{self.kind} {' '.join(self.names)}".strip()


def read_liberty(path: Path) -> Group:
    """The library in a Liberty file, plain or by gzip.

    Raises:
        HwsimError: it cannot be read, or is no Liberty file.
    """
    text = _unpacked(read_bytes(path, limit=TEXT_LIMIT), path).decode("latin-1")
    try:
        found = read_group(text)
    except HwsimError as error:
        raise HwsimError(f"{path}: {error}") from error
    if found.kind != "library":
        raise HwsimError(f"{path}: expected a Liberty file, library (...) {{ ... }}, got {found}")
    return found


def read_group(text: str) -> Group:
    """The first group in a text.

    Raises:
        HwsimError: there is none, or a brace is missing.
    """
    closing: dict[int, int] = {}
    opened: list[int] = []
    for match in _BRACES.finditer(text):
        if match[0] == "{":
            opened.append(match.start())
        elif match[0] == "}":
            if not opened:
                break
            closing[opened.pop()] = match.start()
    if opened:
        line = text.count("\n", 0, opened[0]) + 1
        raise HwsimError(f"expected a closing brace for the group of line {line}, got none")
    groups = Group("", (), text, 0, len(text), closing)._parts[2]
    if not groups:
        raise HwsimError("expected a Liberty file, library (...) { ... }, got no group")
    return groups[0]


def _unpacked(data: bytes, path: Path) -> bytes:
    """Text as it is, or what gzip made of it, as far as that is of a sane size."""
    if not data.startswith(_GZIP):
        return data
    unpack = zlib.decompressobj(wbits=31)
    try:
        text = unpack.decompress(data, _UNPACKED_LIMIT)
    except zlib.error as error:
        raise HwsimError(f"cannot read {path}: {error}") from error
    if not unpack.eof:
        problem = "it is cut off" if len(text) < _UNPACKED_LIMIT else "it unpacks to too much"
        raise HwsimError(f"cannot read {path}: {problem}")
    return text


def _values(text: str) -> tuple[str, ...]:
    return tuple(value.strip('"') for value in _VALUE.findall(text))
