# SPDX-License-Identifier: Apache-2.0
"""Two folders of results, evaluation by evaluation, flag by flag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .cells import Cell

# What names an evaluation, whatever it was computed with.
_NAME = ("network", "data", "multiplier", "attack", "norm", "threat_model", "worst_iterate")

Point = tuple[object, ...]
"""The values of the settings that name an evaluation, then eps."""


@dataclass(frozen=True)
class Changed:
    """One evaluation whose flags differ.

    Attributes:
        point: which.
        first: its flags in the first folder, a digit per image.
        second: in the second.
    """

    point: Point
    first: str
    second: str

    @property
    def flags(self) -> int:
        """How many images got another flag; all of them where the numbers of images differ."""
        if len(self.first) != len(self.second):
            return max(len(self.first), len(self.second))
        return sum(a != b for a, b in zip(self.first, self.second, strict=True))

    def sentence(self) -> str:
        """The evaluation and its two accuracies."""
        network, _, multiplier, attack, norm, threat_model, worst, eps = self.point
        return (
            f"{network} {multiplier} {attack} {norm} eps {eps:g} {threat_model}"
            f"{' worst iterate' if worst else ''}: {self.flags} flags, "
            f"{self.first.count('1')} of {len(self.first)} correct, "
            f"then {self.second.count('1')} of {len(self.second)}"
        )


@dataclass(frozen=True)
class Difference:
    """What two folders of results have in common, and what not.

    Attributes:
        common: evaluations that are in both.
        flags: their flags, in each.
        changed: those of them whose flags differ, in the order of the first folder.
        only_first: evaluations of the first folder alone.
        only_second: of the second alone.
        settings: by name, the values in the first and in the second, where they differ.
    """

    common: int
    flags: int
    changed: tuple[Changed, ...]
    only_first: tuple[Point, ...]
    only_second: tuple[Point, ...]
    settings: dict[str, tuple[str, str]]

    @property
    def equal(self) -> bool:
        """Whether both have the same evaluations with the same flags."""
        return not (self.changed or self.only_first or self.only_second)

    def sentences(self) -> list[str]:
        """The whole in plain words, most important first."""
        flags = sum(one.flags for one in self.changed)
        found = [
            f"{self.common:,} evaluations in both, {len(self.changed):,} of them differ: "
            f"{flags:,} of {self.flags:,} flags"
        ]
        if self.only_first or self.only_second:
            found.append(
                f"{len(self.only_first):,} evaluations in the first alone, "
                f"{len(self.only_second):,} in the second alone"
            )
        found += [
            f"{name}: {first} in the first, {second} in the second"
            for name, (first, second) in self.settings.items()
        ]
        return found

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; of a changed evaluation the numbers, not the flags."""
        return {
            **asdict(self),
            "equal": self.equal,
            "changed": [
                {
                    "point": one.point,
                    "flags": one.flags,
                    "first_correct": one.first.count("1"),
                    "second_correct": one.second.count("1"),
                }
                for one in self.changed
            ],
        }


def difference(first: Sequence[Cell], second: Sequence[Cell]) -> Difference:
    """Compare two folders' cells. Times and the environment are not looked at."""
    a, b = _points(first), _points(second)
    common = [point for point in a if point in b]
    return Difference(
        common=len(common),
        flags=sum(len(a[point]) for point in common),
        changed=tuple(
            Changed(point, a[point], b[point]) for point in common if a[point] != b[point]
        ),
        only_first=tuple(point for point in a if point not in b),
        only_second=tuple(point for point in b if point not in a),
        settings=_settings(first, second),
    )


def _points(cells: Sequence[Cell]) -> dict[Point, str]:
    found: dict[Point, str] = {}
    for cell in cells:
        name = tuple(getattr(cell.settings, key) for key in _NAME)
        for eps, flags in zip(cell.settings.budgets, cell.correct, strict=True):
            found[*name, eps] = flags
    return found


def _settings(first: Sequence[Cell], second: Sequence[Cell]) -> dict[str, tuple[str, str]]:
    """Settings whose sets of values differ; tables are told of by multiplier."""

    def values(cells: Sequence[Cell]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for cell in cells:
            body: dict[str, Any] = asdict(cell.settings)
            body[f"table of {body['multiplier']}"] = body.pop("lut_sha256")
            for key, value in body.items():
                if key not in (*_NAME, "budgets"):
                    found.setdefault(key, set()).add(str(value))
        return found

    a, b = values(first), values(second)
    return {
        key: (", ".join(sorted(a[key])), ", ".join(sorted(b[key])))
        for key in a
        if key in b and a[key] != b[key]
    }
