# SPDX-License-Identifier: Apache-2.0
"""What a report is made of: the finished cells of one network under one threat model."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from axhil.hwsim.multipliers import Multiplier

from .comparisons import Comparison, accurate_multiplier, compare
from .errors import StudyError
from .paper import TITLES
from .storage.cells import Cell
from .storage.records import Record, records_of
from .verdicts import verdicts

if TYPE_CHECKING:
    from axhil.hwsim.cost.record import CostRecord, Figures


@dataclass(frozen=True)
class Results:
    """One network under one threat model, finished or not.

    Attributes:
        network: its name.
        threat_model: who computes the gradient.
        cells: those finished, in the study's order.
        planned: evaluations asked for; one is a multiplier, attack, norm and budget.
        tables: of the multipliers, where they are at hand; those that no cell was built from are
            dropped.
        whole: what these are a part of: comparisons are of its family.
        costs: of the multipliers, where they are known; those under another network are dropped.

    Raises:
        StudyError: a cell of another network or threat model, or more evaluations than planned.
    """

    network: str
    threat_model: str
    cells: tuple[Cell, ...]
    planned: int
    tables: tuple[Multiplier, ...] = ()
    whole: Results | None = None
    costs: CostRecord | None = None

    def __post_init__(self) -> None:
        for cell in self.cells:
            found = (cell.settings.network, cell.settings.threat_model)
            if found != (self.network, self.threat_model):
                raise StudyError(
                    f"expected cells of {self.network}, {self.threat_model}; got one of "
                    f"{', '.join(found)}"
                )
        if self.evaluations > self.planned:
            raise StudyError(
                f"expected at most the {self.planned} evaluations planned, got {self.evaluations}"
            )
        used = {(cell.settings.multiplier, cell.settings.lut_sha256) for cell in self.cells}
        kept = tuple(one for one in self.tables if (one.name, one.table().sha256) in used)
        object.__setattr__(self, "tables", kept)
        if self.costs is not None:
            object.__setattr__(self, "costs", self.costs.under(self.network))

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """The points of the curves."""
        if self.whole is not None:
            return tuple(one for one in self.whole.records if one.cell.label in self.labels)
        return tuple(records_of(self.cells))

    @property
    def evaluations(self) -> int:
        """Evaluations that are finished."""
        return sum(len(cell.settings.budgets) for cell in self.cells)

    @property
    def finished(self) -> bool:
        """Whether all evaluations asked for are there."""
        return self.evaluations == self.planned

    @property
    def seconds(self) -> float:
        """Wall time of all cells."""
        return sum(sum(cell.seconds) for cell in self.cells)

    @property
    def seconds_per_evaluation(self) -> float | None:
        """Mean wall time of an evaluation; None before the first."""
        return self.seconds / self.evaluations if self.evaluations else None

    @property
    def images(self) -> int:
        """Images of each evaluation; 0 before the first."""
        return self.cells[0].settings.images if self.cells else 0

    @property
    def worst_iterate(self) -> bool:
        """Whether any misclassified iterate breaks an image."""
        return any(cell.settings.worst_iterate for cell in self.cells)

    @property
    def gradient(self) -> str:
        """How the attacked network is differentiated; straight-through before the first."""
        return self.cells[0].settings.gradient if self.cells else "float32"

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The multipliers, in the cells' order."""
        return tuple(dict.fromkeys(cell.label for cell in self.cells))

    @cached_property
    def reference(self) -> str | None:
        """Label of the accurate multiplier, None where there is none."""
        if self.whole is not None:
            return self.whole.reference
        return accurate_multiplier(self.records, self.tables)

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every point against the accurate multiplier's: one family; empty without reference."""
        if self.whole is not None:
            labels = set(self.labels)
            return tuple(c for c in self.whole.comparisons if c.record.cell.label in labels)
        if self.reference is None:
            return ()
        return tuple(compare(self.records, self.reference))

    def part(self, labels: Collection[str]) -> Results:
        """The results of some multipliers, compared within the family of all."""
        cells = tuple(cell for cell in self.cells if cell.label in labels)
        planned = sum(len(cell.settings.budgets) for cell in cells)
        return replace(self, cells=cells, planned=planned, whole=self)

    @cached_property
    def clean(self) -> dict[str, Record]:
        """Each multiplier's point without attack, where eps = 0 is among its budgets."""
        found: dict[str, Record] = {}
        for record in self.records:
            if record.eps == 0:
                found.setdefault(record.cell.label, record)
        return found

    @cached_property
    def cost(self) -> dict[str, Figures]:
        """What each multiplier costs, by label, where that is known."""
        if self.costs is None:
            return {}
        operands = {one.label: one.operands.code for one in self.tables}
        found = {}
        for cell in self.cells:
            row = self.costs.find(
                cell.settings.multiplier,
                table=cell.settings.lut_sha256,
                operands=operands.get(cell.label, ""),
            )
            if row is not None:
                found[cell.label] = row
        return found

    @property
    def costed(self) -> list[Cell]:
        """The cells, each with what its multiplier costs."""
        none: Mapping[str, float] = {}
        values = {label: row.values for label, row in self.cost.items()}
        return [replace(cell, cost=values.get(cell.label, none)) for cell in self.cells]

    @property
    def title(self) -> str:
        """Network and threat model as shown to people."""
        who = TITLES.get(self.network, self.network)
        how = "white-box" if self.threat_model == "whitebox" else self.threat_model
        parts = [who, how]
        if self.gradient != "float32":
            parts.append(f"gradient {self.gradient}")
        if self.worst_iterate:
            parts.append("worst iterate")
        return ", ".join(parts)

    @property
    def stem(self) -> str:
        """The same as a part of a file's name; white-box is not named."""
        parts = [self.network, *([] if self.threat_model == "whitebox" else [self.threat_model])]
        return "_".join(re.sub(r"[^A-Za-z0-9.-]+", "_", part) for part in parts)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able: how far it is, every point of the curves, and what suites say."""
        return {
            "network": self.network,
            "threat_model": self.threat_model,
            "evaluations": self.evaluations,
            "planned": self.planned,
            "seconds": self.seconds,
            "records": [
                {
                    "multiplier": one.cell.settings.multiplier,
                    "label": one.cell.label,
                    "lut_sha256": one.cell.settings.lut_sha256,
                    "attack": one.cell.settings.attack,
                    "norm": one.cell.settings.norm,
                    "eps": one.eps,
                    "accuracy": one.accuracy.value,
                    "accuracy_low": one.accuracy.low,
                    "accuracy_high": one.accuracy.high,
                }
                for one in self.records
            ],
            **({"cost": self._cost_dict()} if self.costs is not None else {}),
            "verdicts": [one.as_dict() for one in verdicts(self.cells, self.reference)],
        }

    def _cost_dict(self) -> dict[str, Any]:
        assert self.costs is not None
        return {label: self.costs.as_dict(row) for label, row in self.cost.items()}
