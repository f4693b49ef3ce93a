# SPDX-License-Identifier: Apache-2.0
"""Which multiplier in which layer of a network."""

import fnmatch
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self

from ..errors import HwsimError
from ..lut import Lut
from ..netlist.program import Program
from .assignment_file import read_layers
from .by_gates import computed, digest_of
from .find import Request, find, located, spelled
from .from_file import Tabulated
from .multiplier import Multiplier
from .source import outside_brackets, split_items

FLOAT: Literal["float"] = "float"
_PATTERN = re.compile(r"[\w.*?\[\]!-]+")

Part = tuple[str | None, Multiplier | Literal["float"]]


@dataclass(frozen=True)
class Assignment:
    """Multipliers by layer, the first pattern that matches a layer's name winning.

    A layer that no pattern matches computes in exact integer arithmetic. A multiplier alone, the
    shortest assignment, is for every layer that a network builds from multipliers.

    >>> mixed = Assignment.parse("conv*=drum_4, fc3=float")
    >>> print(mixed, "|", mixed.label)
    conv*=drum(4),fc3=float | conv*=DR4, fc3=float
    >>> print(Assignment.parse("scaletrim(4, 8)"))
    scaletrim(4,8)

    Attributes:
        parts: (shell-style pattern, multiplier or "float"); or one multiplier without a pattern.
        alias: label in place of the usual one.

    Raises:
        HwsimError: no part, a pattern that has no spelling or is there twice.
    """

    parts: tuple[Part, ...]
    alias: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        patterns = [pattern for pattern, _ in self.parts]
        if not patterns:
            raise HwsimError("expected at least one multiplier, got none")
        if patterns == [None] and self.parts[0][1] != FLOAT:
            return
        for pattern in patterns:
            if pattern is None or not _PATTERN.fullmatch(pattern):
                raise HwsimError(
                    f"expected a layer's name or a pattern such as conv* for every multiplier of "
                    f"an assignment, got {'none' if pattern is None else repr(pattern)}"
                )
            if patterns.count(pattern) > 1:
                raise HwsimError(f"expected each pattern once, got {pattern} twice")

    @classmethod
    def parse(cls, text: str, request: Request | None = None) -> Self:
        """Reads `PATTERN=MULTIPLIER,...`, a file of them, or what `find` reads.

        Args:
            text: e.g. `layer1.*=drum(4),fc=exact`, `chosen.toml`, or `drum(4)`.
            request: see `find`.

        Raises:
            HwsimError: as `find`; or an item without a pattern beside others that have one.
        """
        parts = _parts(text)
        if len(parts) > 1 and any(pattern is None for pattern, _ in parts):
            lone = next(word for pattern, word in parts if pattern is None)
            raise HwsimError(
                f"{text}: expected PATTERN=MULTIPLIER in every item of an assignment, got {lone}; "
                "give several multipliers one by one"
            )
        return cls(tuple((pattern, _multiplier(word, request)) for pattern, word in parts))

    @classmethod
    def of(
        cls,
        what: Multiplier | str | Lut | Mapping[str, Multiplier | str | Lut],
        request: Request | None = None,
    ) -> Self:
        """From Python: a multiplier, a word, a table; or a mapping of patterns to these.

        >>> Assignment.of({"fc*": "drum(4)"}).name
        'fc*=drum(4)'

        Raises:
            HwsimError: as `parse`.
        """
        if isinstance(what, str):
            return cls.parse(what, request)
        if isinstance(what, Mapping):
            return cls(tuple((key, _multiplier(one, request)) for key, one in what.items()))
        return cls(((None, _multiplier(what, request)),))

    def __str__(self) -> str:
        return self.name

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    @property
    def single(self) -> Multiplier | None:
        """The multiplier of all layers; None where there are patterns."""
        pattern, multiplier = self.parts[0]
        return multiplier if pattern is None and not isinstance(multiplier, str) else None

    @property
    def multipliers(self) -> tuple[Multiplier, ...]:
        """Each once, in order."""
        found = (one for _, one in self.parts if not isinstance(one, str))
        return tuple(dict.fromkeys(found))

    def at(self, layer: str) -> Multiplier | Literal["float"] | None:
        """What a layer computes with; None for exact integer arithmetic."""
        for pattern, multiplier in self.parts:
            if pattern is None or fnmatch.fnmatchcase(layer, pattern):
                return multiplier
        return None

    @property
    def name(self) -> str:
        """Canonical spelling: what records carry."""
        return self._joined(",", lambda one: one.name)

    @property
    def label(self) -> str:
        """Short form for figures and tables."""
        return self.alias or self._joined(", ", lambda one: one.label)

    def _joined(self, comma: str, shown: Callable[[Multiplier], str]) -> str:
        return comma.join(
            ("" if pattern is None else f"{pattern}=")
            + (one if isinstance(one, str) else shown(one))
            for pattern, one in self.parts
        )

    @property
    def digest(self) -> str:
        """SHA-256 over patterns and `digest_of` of each; of a multiplier alone its own.

        Raises:
            HwsimError: a table cannot be made, nor gates.
        """
        if self.single is not None:
            return digest_of(self.single)
        body = [[p, one if isinstance(one, str) else digest_of(one)] for p, one in self.parts]
        return hashlib.sha256(json.dumps(body).encode()).hexdigest()

    @property
    def notes(self) -> tuple[str, ...]:
        """Of all multipliers."""
        return tuple(dict.fromkeys(note for one in self.multipliers for note in one.notes))

    def mapping(self) -> Lut | Program | dict[str, Lut | Program | Literal["float"]]:
        """What `Prepared.emulate` takes.

        Raises:
            HwsimError: a table cannot be made, nor gates.
        """
        if self.single is not None:
            return computed(self.single)
        return {
            pattern or "": one if isinstance(one, str) else computed(one)
            for pattern, one in self.parts
        }

    def check(self, layers: Iterable[str]) -> None:
        """Refuses a pattern that matches none of a network's layers.

        Raises:
            HwsimError: names the pattern and the layers.
        """
        names = list(layers)
        for pattern, _ in self.parts:
            if pattern is not None and not fnmatch.filter(names, pattern):
                raise HwsimError(
                    f"the pattern {pattern!r} matches no layer; the layers are {', '.join(names)}"
                )


def assignments(texts: Sequence[str], request: Request | None = None) -> list[Assignment]:
    """Several multipliers or assignments, told apart by their labels.

    Args:
        texts: each an assignment, or a comma-separated list of multipliers.
        request: see `find`.

    Raises:
        HwsimError: none, one named twice, or as `Assignment.parse`.
    """
    found = [Assignment.parse(word, request) for text in texts for word in split_words(text)]
    if not found:
        raise HwsimError("expected at least one multiplier, e.g. -m 'exact,drum(4)'")
    names, labels = [one.name for one in found], [one.label for one in found]
    for one in found:
        if names.count(one.name) > 1:
            raise HwsimError(f"the multiplier {one.name} is named twice; two files need two names")
    # A C model and its Verilog have one stem: their names tell them apart.
    return [replace(one, alias=one.name) if labels.count(one.label) > 1 else one for one in found]


def split_words(text: str) -> list[str]:
    """An assignment as it is; else the multipliers of a comma-separated list.

    >>> split_words("exact,scaletrim(4,8)"), split_words("conv*=exact,fc=drum(3)")
    (['exact', 'scaletrim(4,8)'], ['conv*=exact,fc=drum(3)'])
    """
    parts = _parts(text)
    if all(pattern is None for pattern, _ in parts):
        return [word for _, word in parts]
    return [_spelt(parts)]


def words_of(text: str) -> list[str]:
    """What names multipliers in a list or an assignment.

    >>> words_of("conv*=drum(3),fc=mul.v[K=3]"), words_of("exact,drum(3)")
    (['drum(3)', 'mul.v[K=3]'], ['exact', 'drum(3)'])
    """
    return [word for _, word in _parts(text) if word != FLOAT]


def located_words(text: str, folder: Path) -> str:
    """The same assignment with the files that it names taken from a folder; see `find.located`."""
    if (layers := read_layers(folder / text)) is not None:
        return _spelt(list(layers.items()))
    return _rewritten(text, lambda word: located(word, folder))


def spelled_words(text: str, request: Request) -> str:
    """The same assignment with what is requested of Verilog in its words; see `find.spelled`."""
    return _rewritten(text, lambda word: spelled(word, request))


def _rewritten(text: str, change: Callable[[str], str]) -> str:
    return _spelt(
        [(pattern, word if word == FLOAT else change(word)) for pattern, word in _parts(text)]
    )


def _parts(text: str) -> list[tuple[str | None, str]]:
    """Patterns and words of an assignment, or of the file that has them."""
    layers = read_layers(Path(text.strip()))
    return list(layers.items()) if layers else [_divided(item) for item in split_items(text)]


def _spelt(parts: Sequence[tuple[str | None, str]]) -> str:
    return ",".join(word if pattern is None else f"{pattern}={word}" for pattern, word in parts)


def _divided(item: str) -> tuple[str | None, str]:
    """What stands before `=`, outside of brackets and of a path, and what behind it."""
    for place, character in outside_brackets(item):
        if character == "=" and "/" not in item[:place]:
            return item[:place].strip(), item[place + 1 :].strip()
    return None, item


def _multiplier(
    what: Multiplier | str | Lut, request: Request | None
) -> Multiplier | Literal["float"]:
    if isinstance(what, Lut):
        return Tabulated(what.name, what.name, what)
    if not isinstance(what, str):
        return what
    return FLOAT if what == FLOAT else find(what, request)
