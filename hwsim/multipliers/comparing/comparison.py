# SPDX-License-Identifier: Apache-2.0
"""Two tables of the same multiplier, wherever they come from: equal, swapped, or where not."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...errors import HwsimError
from ...lut import Lut
from ...metrics import quadrant_masks
from ...operands import Operands
from .difference import Difference
from .printed import CheckedFigure
from .verify import compare

_QUADRANTS = {
    "a>=0 b>=0": "non-negative x non-negative",
    "a>=0 b<0": "non-negative x negative",
    "a<0 b>=0": "negative x non-negative",
    "a<0 b<0": "negative x negative",
}


@dataclass(frozen=True)
class Quadrant:
    """The operand pairs of one combination of signs.

    Attributes:
        name: in words, e.g. `negative x negative`.
        count: entries that differ.
        total: entries in all.
    """

    name: str
    count: int
    total: int


@dataclass(frozen=True)
class Comparison:
    """How two tables compare.

    Attributes:
        x: name of the first.
        y: name of the second.
        operands: of both.
        equal: every entry agrees.
        swapped: not equal, but equal with the operands of one exchanged; False where the operands
            differ in bits or sign, so that exchanging them means nothing.
        reordered: not equal, but equal when one is indexed from the smallest operand value up and
            the other by bit patterns: one of them was read in the wrong index order.
        count: entries that differ.
        total: entries in all.
        count_swapped: entries that differ with the operands of one exchanged; None where exchanging
            them means nothing.
        worst: the first of the largest differences; None if equal.
        first: up to five differences, in table order.
        quadrants: all of them, also those without a difference.
    """

    x: str
    y: str
    operands: Operands
    equal: bool
    swapped: bool
    reordered: bool
    count: int
    total: int
    count_swapped: int | None
    worst: Difference | None
    first: tuple[Difference, ...]
    quadrants: tuple[Quadrant, ...]

    def sentence(self) -> str:
        """One line for a person."""
        pair = f"{self.x} and {self.y}"
        if self.equal:
            return f"{pair} are equal in all {self.total:,} products of {self.operands}"
        differ = f"{self.count:,} of {self.total:,} products differ"
        if self.swapped:
            return f"{pair} are equal only after swapping the operands: as they are, {differ}"
        if self.reordered:
            return (
                f"{pair} are equal only after reordering: one is indexed by bit patterns, the "
                f"other from the smallest operand up; as they are, {differ}"
            )
        wrong = [quadrant for quadrant in self.quadrants if quadrant.count]
        if len(wrong) == 1 and len(self.quadrants) > 1:
            (only,) = wrong
            return (
                f"{pair} differ: only the {only.name} quadrant differs: {only.count:,} of its "
                f"{only.total:,} products"
            )
        swapped = (
            f" ({self.count_swapped:,} after swapping the operands)"
            if self.count_swapped is not None and self.count_swapped < self.count
            else ""
        )
        return f"{pair} differ: {differ}{swapped}"

    def cell(self, difference: Difference) -> str:
        """A difference in words."""
        return (
            f"{difference.a} x {difference.b} = {difference.expected} in {self.x}, "
            f"{difference.actual} in {self.y}"
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; the products of a difference are named x and y."""
        body = asdict(self)
        for key in ("worst", "first"):
            value = getattr(self, key)
            cells = [value] if key == "worst" else value
            named = [
                None if c is None else {"a": c.a, "b": c.b, "x": c.expected, "y": c.actual}
                for c in cells
            ]
            body[key] = named[0] if key == "worst" else named
        said = {"operands": self.operands.code, "proof": "exhaustive", "sentence": self.sentence()}
        return {**body, **said}


@dataclass(frozen=True)
class FigureComparison:
    """How a table's error metrics compare to printed ones.

    Attributes:
        x: name of the table.
        y: name of the file with the figures.
        figures: every printed figure beside the computed one.
    """

    x: str
    y: str
    figures: tuple[CheckedFigure, ...]

    @property
    def equal(self) -> bool:
        """Every figure agrees within its printed digits."""
        return all(one.agrees for one in self.figures)

    def sentence(self) -> str:
        """One line for a person."""
        wrong = [one for one in self.figures if not one.agrees]
        if not wrong:
            names = ", ".join(one.figure.label for one in self.figures)
            return f"{self.x} has the figures that {self.y} prints: {names}"
        names = ", ".join(one.figure.label for one in wrong)
        return (
            f"{self.x} does not have the figures that {self.y} prints: "
            f"{len(wrong)} of {len(self.figures)} differ, {names}"
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "x": self.x,
            "y": self.y,
            "equal": self.equal,
            "figures": [
                {
                    "name": one.figure.label,
                    "printed": one.figure.printed,
                    "computed": one.computed,
                    "agrees": one.agrees,
                }
                for one in self.figures
            ],
            "sentence": self.sentence(),
        }


def compare_tables(x: Lut, y: Lut, *, names: tuple[str, str]) -> Comparison:
    """Compares two tables entry by entry.

    Args:
        x: the first.
        y: the second.
        names: what to call them.

    Raises:
        HwsimError: their operands differ, so that no entry corresponds.
    """
    if x.operands != y.operands:
        raise HwsimError(
            f"{names[0]} is of {x.operands}, {names[1]} of {y.operands}: no products correspond"
        )
    report = compare(x, y)
    # From the order of bit patterns to that of values, or back: by half the values of a signed one.
    shift = tuple(operand.minimum for operand in x.operands)
    reordered = np.array_equal(x.table, np.roll(y.table, shift, axis=(0, 1)))
    masks = quadrant_masks(x)
    differs, words = x.table != y.table, quadrant_words(masks)
    return Comparison(
        x=names[0],
        y=names[1],
        operands=x.operands,
        equal=report.equal,
        swapped=report.swapped,
        reordered=not report.equal and reordered,
        count=report.count,
        total=report.total,
        count_swapped=int((x.table != y.table.T).sum()) if x.operands.equal else None,
        worst=report.worst,
        first=report.first,
        quadrants=tuple(
            Quadrant(words[name], int(differs[m].sum()), int(m.sum())) for name, m in masks.items()
        ),
    )


def quadrant_words(names: Collection[str]) -> dict[str, str]:
    """What to call the quadrants of `quadrant_masks`; a single one is `all`."""
    return {name: _QUADRANTS[name] if len(names) > 1 else "all" for name in names}
