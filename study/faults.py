# SPDX-License-Identifier: Apache-2.0
"""What faults in a multiplier do to a network that is built from it.

Every table is a cell of the store, as any multiplier is: what is finished is not computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from axhil.hwsim.faults import Campaign, Effect
from axhil.hwsim.multipliers import Assignment
from axhil.zoo import Images

from .engine.experiment import Engine, Experiment, Grid, Progress, run
from .statistics import PairedDifference, Proportion, holm, paired_difference, proportion
from .storage.cells import Cell
from .storage.store import CellStore
from .subject import Subject

LEVEL = 0.05
"""Chance of any false alarm over all tables."""


def faulty_experiment(
    campaign: Campaign,
    subject: Subject,
    images: Images,
    *,
    attack: str = "fgsm",
    norm: str = "linf",
    eps: float = 0.0,
    seed: int = 0,
) -> Experiment:
    """A network with the fault-free multiplier, and with each table that faults make of it.

    Args:
        campaign: the faults.
        subject: the network.
        images: to classify.
        attack: see `attacks.registry`.
        norm: of its budget.
        eps: the budget; 0: nothing is attacked, and the others do not matter.
        seed: of random starts.
    """
    if not eps:  # then there is one cell, whatever the attack would have been
        attack, norm, seed = "fgsm", "linf", 0
    multiplier = campaign.cut.multiplier
    faulty = [campaign.cut.faulty(one) for one in campaign.effects if not one.harmless]
    grid = Grid(
        attacks=(attack,),
        norms=(norm,),
        budgets={norm: tuple(sorted({0.0, eps}))},
        seed=seed,
    )
    return Experiment(subject, images, [Assignment.of(one) for one in (multiplier, *faulty)], grid)


@dataclass(frozen=True)
class Outcome:
    """What faults with one table do to a network.

    Attributes:
        effect: on the table.
        cell: without attack, then under attack if there is one.
        differences: to the fault-free network, image by image, at the budgets of the cell.
        adjusted: p-value of the first of them, after Holm's correction over all tables.
    """

    effect: Effect
    cell: Cell
    differences: tuple[PairedDifference, ...]
    adjusted: float

    @property
    def accuracies(self) -> tuple[Proportion, ...]:
        """At the budgets of the cell."""
        return tuple(proportion(row.count("1"), len(row)) for row in self.cell.correct)

    def loses(self, points: float, *, budget: int = 0) -> bool:
        """Whether more than so many percentage points of accuracy are lost."""
        difference = self.differences[budget]
        return 100 * (difference.lost - difference.gained) > points * difference.samples


@dataclass(frozen=True, eq=False)
class FaultyNetwork:
    """A network under all faults of a campaign.

    Attributes:
        campaign: the faults.
        reference: the cell of the fault-free multiplier.
        outcomes: one for each effect of the campaign, in its order.
    """

    campaign: Campaign
    reference: Cell
    outcomes: tuple[Outcome, ...]

    @property
    def budgets(self) -> tuple[float, ...]:
        """0, and that of the attack if there is one."""
        return self.reference.settings.budgets

    @property
    def fault_free(self) -> tuple[Proportion, ...]:
        """Accuracy without a fault, at the budgets."""
        return tuple(proportion(row.count("1"), len(row)) for row in self.reference.correct)

    def losing(self, points: float, *, budget: int = 0) -> Proportion:
        """The share of faults that cost more than so many percentage points of accuracy.

        Its interval is about all faults of the multiplier, on these images, from a sample; where
        there is no sample but all of them, the share is exact and the interval without meaning.
        """
        lost = [one for one in self.outcomes if one.loses(points, budget=budget)]
        count = sum(len(one.effect.faults) for one in lost)
        return proportion(count, len(self.campaign.faults))

    @property
    def different(self) -> int:
        """Tables whose accuracy without attack differs from the fault-free one beyond chance."""
        return sum(one.adjusted < LEVEL for one in self.outcomes)

    @property
    def doubtful(self) -> tuple[Outcome, ...]:
        """Those whose attack has a reason to be doubted, such as gradients that are zero."""
        attacked = self.outcomes if self.budgets[1:] else ()
        return tuple(one for one in attacked if one.cell.warnings)

    def as_dict(self, *, points: float) -> dict[str, Any]:
        """JSON-able: the campaign's, and what the network makes of it.

        Args:
            points: loss of accuracy to count faults by, in percentage points.
        """
        body = self.campaign.as_dict()
        settings = self.reference.settings.written()
        for name in ("multiplier", "lut_sha256", "batch", "worst_iterate", "threat_model"):
            del settings[name]
        body["network"] = settings
        body["fault_free"] |= _accuracies(self.fault_free)
        body["losing"] = [
            {"eps": eps, "points": points, "faults": share.count, "share": share.value}
            | ({} if self.campaign.seed is None else {"low": share.low, "high": share.high})
            for eps, share in (
                (eps, self.losing(points, budget=number)) for number, eps in enumerate(self.budgets)
            )
        ]
        for entry, one in zip(body["effects"], self.outcomes, strict=True):
            entry.update(_accuracies(one.accuracies), p_value=float(f"{one.adjusted:.3g}"))
            if self.budgets[1:]:
                entry["doubts"] = [text.partition(":")[0] for text in one.cell.warnings]
        return body


def faulty_network(
    campaign: Campaign,
    experiment: Experiment,
    store: CellStore,
    *,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> FaultyNetwork:
    """Runs what is not finished, and returns everything.

    Args:
        campaign: the faults.
        experiment: `faulty_experiment` of it.
        store: where finished cells are, and go.
        engine: who computes; None for one thread of this process.
        progress: see `engine.experiment.Progress`.
    """
    reference, *cells = run(experiment, store, engine=engine, progress=progress)
    left = iter(cells)
    of = [reference if one.harmless else next(left) for one in campaign.effects]
    differences = [_differences(reference, cell) for cell in of]
    harmful = [
        found[0].p_value
        for found, one in zip(differences, campaign.effects, strict=True)
        if not one.harmless
    ]
    adjusted = iter(holm(harmful))
    return FaultyNetwork(
        campaign,
        reference,
        tuple(
            Outcome(effect, cell, found, 1.0 if effect.harmless else next(adjusted))
            for effect, cell, found in zip(campaign.effects, of, differences, strict=True)
        ),
    )


def _differences(reference: Cell, cell: Cell) -> tuple[PairedDifference, ...]:
    rows = zip(reference.correct, cell.correct, strict=True)
    return tuple(paired_difference(first, second) for first, second in rows)


def _accuracies(shares: Sequence[Proportion]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, share in zip(("accuracy", "robust_accuracy"), shares, strict=False):
        low, high = (float(f"{end:.6g}") for end in (share.low, share.high))
        found |= {name: share.value, f"{name}_low": low, f"{name}_high": high}
    return found
