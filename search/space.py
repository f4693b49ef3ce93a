# SPDX-License-Identifier: Apache-2.0
"""What can be chosen: for every layer of a network one of several multipliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from axhil.hwsim.multipliers import Assignment, Multiplier
from axhil.study.subject import Subject

from .errors import SearchError

Genes = tuple[int, ...]
"""For each layer the position of its multiplier among the choices."""

EXACT = "exact"
"""The choice that is any exact circuit: layers that have it are left out of an assignment."""


@dataclass(frozen=True)
class Space:
    """Layers, and the multipliers that each may have.

    Attributes:
        layers: names, in the network's order.
        choices: multipliers, each of which is an assignment to all layers.

    Raises:
        SearchError: nothing to choose between, or a choice that is itself by layer.
    """

    layers: tuple[str, ...]
    choices: tuple[Assignment, ...]

    def __post_init__(self) -> None:
        if len(self.choices) < 2:
            raise SearchError(
                "expected at least two multipliers to choose between, e.g. -m 'exact,drum(4)'"
            )
        for choice in self.choices:
            if choice.single is None:
                raise SearchError(
                    f"expected multipliers to choose between, got the assignment {choice}"
                )

    @classmethod
    def of(cls, subject: Subject, choices: Sequence[Assignment]) -> Space:
        """The layers of a network that a single multiplier replaces."""
        return cls(subject.prepared.approximate(subject.network.approximate), tuple(choices))

    @cached_property
    def multipliers(self) -> tuple[Multiplier, ...]:
        """The choices as what they are."""
        return tuple(one for choice in self.choices for one in choice.multipliers)

    @cached_property
    def exact(self) -> int | None:
        """Position of the exact multiplier; None where it is no choice."""
        names = [one.name for one in self.multipliers]
        return names.index(EXACT) if EXACT in names else None

    @property
    def size(self) -> int:
        """How many assignments there are."""
        return int(len(self.choices) ** len(self.layers))

    @property
    def uniform(self) -> list[Genes]:
        """One multiplier in all layers, for every choice."""
        return [(choice,) * len(self.layers) for choice in range(len(self.choices))]

    def assignment(self, genes: Genes) -> Assignment:
        """What genes stand for: one multiplier alone, or the layers that are not exact."""
        if len(set(genes)) == 1:
            return self.choices[genes[0]]
        return Assignment(
            tuple(
                (layer, self.multipliers[choice])
                for layer, choice in zip(self.layers, genes, strict=True)
                if choice != self.exact
            )
        )

    def alone(self, layer: str, choice: int) -> Assignment:
        """One multiplier in one layer, all others exact."""
        return Assignment(((layer, self.multipliers[choice]),))
