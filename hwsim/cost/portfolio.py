# SPDX-License-Identifier: Apache-2.0
"""One design put into hardware in several ways, the figures of each, and their minima.

No one script is fair to every circuit: what makes one small makes another large. So every design
goes through all ways, and each figure that is reported names the one that it is of.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import HwsimError
from ..multipliers.cache import figures_through_cache
from ..netlist.synthesis import TOP
from ..tools.pool import together
from ..tools.scratch import scratch
from ..tools.yosys import YosysError, require_yosys
from .design import Design

REVISION = 1
"""Of all that makes figures; higher whenever the same design could get others."""

FLIP_FLOPS = "flip-flops"
"""Figure of designs with a clock alone: bits of registers."""

_FIRST, _COARSE = f"synth -flatten -top {TOP} -run begin:fine", "coarse.il"
_LATCH = re.compile(r"cell (\$_?\w*(?:dlatch|_SR_|sr\b)\w*)", re.I)
_REGISTER = re.compile(r"cell (\$_?\w*dff\w*)", re.I)
_MULTIPLICATION = re.compile(r"cell \$(mul|macc\w*) .*?\n  end\n", re.S)
_SUM = re.compile(r"\\NPRODUCTS (?!1\n)|\\NADDENDS (?!0\n)")
_UNSIGNED = re.compile(r"\\A_SIGNED (?:\d+')?0+\n")


@dataclass(frozen=True)
class Implementation:
    """A design put into hardware in one way.

    Attributes:
        structure: of what, such as `Dadda Brent-Kung` or `a * b booth`.
        recipe: by what script.
        figures: by name, such as `area`; in the target's units.
        cells: what a `Mapped` is made of; None for a target without cells.
        checked: operand pairs that were held against the design's table; 0 for none.
        layers: pJ of a product by layer of a network and by order of its products.
    """

    structure: str
    recipe: str
    figures: Mapping[str, float]
    cells: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    checked: int = 0
    layers: Mapping[str, Mapping[str, float]] = field(default_factory=dict, compare=False)

    @property
    def title(self) -> str:
        """Structure and recipe: `Dadda Brent-Kung, compress`."""
        return ", ".join(filter(None, (self.structure, self.recipe)))


class Target(ABC):
    """A kind of hardware.

    Attributes:
        name: for people and JSON.
        figures: names of what is made as small as can be, each by its own implementation.
        others: figures to know of what has the least of the first.
        recipes: names of its scripts.
    """

    name: str
    figures: tuple[str, ...]
    others: tuple[str, ...] = ()
    recipes: tuple[str, ...]

    @property
    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """All that figures depend on beside the design, JSON-able."""

    @property
    def preparations(self) -> Mapping[str, Sequence[str]]:
        """What may be done between reading and the recipes: its name and Yosys' commands."""
        return {"": ()}

    @abstractmethod
    def place(self, folder: Path) -> None:
        """Puts what the commands read into a folder."""

    @abstractmethod
    def commands(
        self, preparation: str, recipes: Sequence[str], *, clocked: bool = False
    ) -> list[str]:
        """Of Yosys, from the coarse design to one file for each recipe.

        Args:
            preparation: of `preparations`.
            recipes: some of them.
            clocked: there may be registers in it.
        """

    @abstractmethod
    def results(
        self, folder: Path, recipe: str, design: Design
    ) -> tuple[Mapping[str, float], Mapping[str, Any] | None, int]:
        """Figures, cells and pairs checked of what a recipe left in a folder.

        Raises:
            HwsimError: it does not compute what the design does.
        """


def implementations(
    designs: Sequence[Design],
    target: Target,
    *,
    jobs: int | None = None,
    cache: bool = True,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[list[Implementation]]:
    """Every design in every way.

    Args:
        designs: combinational ones and pipelines.
        target: where to.
        jobs: of Yosys at a time; None is one per processor core.
        cache: take figures from the cache, and keep them there.
        progress: called with (designs done, designs in all, name of the last).

    Returns:
        For each design its implementations.

    Raises:
        HwsimError: there is no Yosys, or it does not take a design; a design has latches, or
            registers without its clock; an implementation computes something else than the design.
    """
    yosys = require_yosys()
    version = [yosys.title, yosys.version(), REVISION, *target.figures, *target.others]

    def made(design: Design) -> list[Implementation]:
        ways = [
            target.commands(way, target.recipes, clocked=design.clocked)
            for way in target.preparations
        ]
        commands = [_FIRST, *ways]
        facts = {
            "design": design.facts(),
            "target": target.facts,
            "commands": commands,
            "versions": version,
        }
        rows = figures_through_cache(facts, partial(_rows, design, target), enabled=cache)
        return [
            Implementation(" ".join(filter(None, (design.name, way))), *row) for way, *row in rows
        ]

    results = together(
        {place: partial(made, design) for place, design in enumerate(designs)},
        jobs=jobs,
        finished=lambda place, _, done: (
            progress(done, len(designs), designs[place].title) if progress else None
        ),
    )
    return list(results.values())


def _rows(design: Design, target: Target) -> list[list[Any]]:
    """The fields of every implementation, JSON-able; of the structure only how it was treated."""
    with scratch("cost") as folder:
        # Up to here all ways are one; booth works on the multiplications that are left.
        design.read([_FIRST, f"write_rtlil {_COARSE}"], folder=folder)
        text = (folder / _COARSE).read_text(encoding="utf-8", errors="replace")
        if match := _LATCH.search(text):
            raise HwsimError(
                f"{design.title}: expected a multiplier without latches to know its cost, got one "
                f"with {match[1]}"
            )
        if not design.clocked and (match := _REGISTER.search(text)):
            raise HwsimError(
                f"{design.title}: expected registers at the edges of its clock to know its cost, "
                f"got {match[1]} at those of something else"
            )
        target.place(folder)
        rows = []
        for way, commands in _ways(text).items():
            for preparation in target.preparations:
                ways = " ".join(filter(None, (way, preparation)))
                head = [f"read_rtlil {_COARSE}", *commands]
                made = partial(target.commands, preparation, clocked=design.clocked)
                for recipe in _run(head, made, target.recipes, folder=folder, name=design.title):
                    rows.append([ways, recipe, *target.results(folder, recipe, design)])
        return rows


def _ways(coarse: str) -> dict[str, list[str]]:
    """What may be made of the multiplications in a design."""
    # Booth's recoding is for a product alone, not for one among the terms of a sum.
    products = [match[0] for match in _MULTIPLICATION.finditer(coarse) if not _SUM.search(match[0])]
    ways: dict[str, list[str]] = {"": []}
    if products and require_yosys().recent:
        ways["booth"] = ["booth"]
        if not any(map(_UNSIGNED.search, products)):
            ways["booth -lowpower"] = ["booth -lowpower"]
    return ways


def _run(
    head: Sequence[str],
    commands: Callable[[Sequence[str]], list[str]],
    recipes: Sequence[str],
    *,
    folder: Path,
    name: str,
) -> list[str]:
    """Runs recipes, and leaves out those that Yosys or abc does not survive.

    Returns:
        The recipes that left something.

    Raises:
        YosysError: not one did.
    """
    try:
        require_yosys().run([*head, *commands(recipes)], folder=folder, name=name)
    except YosysError:
        if len(recipes) == 1:
            raise
        left, errors = [], []
        for recipe in recipes:
            try:
                left += _run(head, commands, [recipe], folder=folder, name=name)
            except YosysError as error:
                errors.append(error)
        if not left:
            raise errors[0] from None
        return left
    return list(recipes)
