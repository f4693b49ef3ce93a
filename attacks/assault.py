# SPDX-License-Identifier: Apache-2.0
"""An attack or a suite over many images and budgets.

Of a suite, what one member breaks the next need not attack. A perturbation within one budget is
within each larger one, so an image that is broken at a budget is broken at all larger ones; its row
there is not computed but carried over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .attack import Attack
from .errors import AttackError
from .grid import Block, sweep
from .judging import Judge
from .network import device_of
from .suites import CLEAN, Member, Suite, foreign


@dataclass(frozen=True, kw_only=True, eq=False)
class Targets:
    """What is attacked.

    Attributes:
        images: (N, ...) float32 in [0, 1].
        labels: (N,) int64.
        indices: (N,) int64 on the CPU, each image's number in its data set.
        columns: (C,) int64 on the CPU, positions of the images that are attacked.
        budgets: (B,) float64, in any order.
        seed: of all that is drawn.
        batch_size: rows per pass through a network.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor
    columns: Tensor
    budgets: Tensor
    seed: int
    batch_size: int

    @property
    def positive(self) -> Tensor:
        """(P,) int64: positions of the budgets above 0."""
        return torch.arange(len(self.budgets))[self.budgets > 0.0]


def single(
    attack: Attack,
    source: nn.Module,
    judge: Judge,
    targets: Targets,
    *,
    worst_iterate: bool,
    on_rows: Callable[[int], None],
) -> None:
    """Run one attack over all budgets above 0.

    Args:
        attack: any but a suite.
        source: the network whose gradients it follows.
        judge: keeps what the network under attack says.
        targets: what is attacked.
        worst_iterate: whether every step is judged, and a broken row ends, rather than the last.
        on_rows: called with rows through networks since its last call.
    """
    rows = targets.positive
    if len(rows) == 0:
        return

    def judged(block: Block) -> Tensor:
        return judge(rows[block.budget], targets.columns[block.sample], block.x_adv)

    everything = len(targets.columns) == len(targets.images)  # spares a copy
    blocks = sweep(
        attack,
        source,
        targets.images if everything else targets.images[targets.columns],
        targets.labels if everything else targets.labels[targets.columns],
        budgets=targets.budgets[rows].tolist(),
        seed=targets.seed,
        indices=targets.indices[targets.columns],
        batch_size=targets.batch_size,
        # Each step of a worst iterate is looked at too.
        on_rows=(lambda count: on_rows(2 * count)) if worst_iterate else on_rows,
        stops=judged if worst_iterate else None,
    )
    for block in blocks:
        if not worst_iterate:
            judged(block)
            on_rows(len(block.sample))


class _Watched(nn.Module):
    """A network that counts the rows through it."""

    def __init__(self, network: nn.Module, on_rows: Callable[[int], None]) -> None:
        super().__init__()
        self.network, self._on_rows = network, on_rows

    def forward(self, x: Tensor) -> Tensor:
        self._on_rows(len(x))
        result: Tensor = self.network(x)
        return result


def suite_rows(suite: Suite, budgets: int) -> int:
    """Rows through networks for each image at most.

    Args:
        suite: the suite.
        budgets: number of budgets above 0.
    """
    if not suite.bisection:
        return budgets * suite.steps
    own = sum(one.attack.steps + 1 for one in suite.members if not foreign(one.name))
    return budgets.bit_length() * (suite.steps + own)


def assault(
    suite: Suite,
    sources: Mapping[str, nn.Module],
    judge: Judge,
    targets: Targets,
    *,
    on_rows: Callable[[int], None],
) -> tuple[tuple[str, ...], ...]:
    """Run a suite over all budgets above 0.

    Budgets are tried one after the other from the smallest, each on what the smaller ones left. A
    suite with `bisection` halves the list for each image instead, which is fewer attacks where
    budgets are many, and finds the same where an attack is never weaker at a larger budget.

    What others broke after everything along the network's own gradient had failed is then attacked
    along that one alone, at larger budgets: missed at one budget is not missed at all of them.

    Args:
        suite: the suite.
        sources: whose gradients there are, by name.
        judge: keeps what the network under attack says.
        targets: what is attacked; its columns are right without an attack.
        on_rows: called with rows through networks since its last call.

    Returns:
        For each budget and image what broke it: see `Evaluation.broken_by`.

    Raises:
        AttackError: a source is missing, and what the members raise.
    """
    missing = [name for name in suite.sources if name not in sources]
    if missing:
        raise AttackError(
            f"{suite.name} takes gradients of {', '.join(suite.sources)}: expected networks for "
            f"{' and '.join(missing)} in sources"
        )
    members = _distinct(suite, sources)
    crew = _Crew(members, sources, judge, targets, on_rows)
    order = targets.positive[targets.budgets[targets.positive].argsort(stable=True)]
    count, last = len(targets.images), len(order)
    everyone = range(len(members))
    along_own = [number for number in everyone if not foreign(members[number].name)]
    # (N,) each: the place in the order of the smallest budget that breaks an image, and who did
    # it; by any member, and by those along the network's own gradient.
    first, by = torch.full((count,), last), torch.full((count,), -1)
    own, own_by = first.clone(), by.clone()

    def smallest(known: Tensor, safe: Tensor, numbers: Sequence[int]) -> None:
        """Attack what survives at `safe` until the place after that is the known one."""
        while len(columns := targets.columns[(known - safe)[targets.columns] > 1]):
            here = safe[columns]
            place = (here + known[columns]) // 2 if suite.bisection else here + 1
            found = crew.attack(numbers, order[place], columns)
            for at, who, those in ((first, by, everyone), (own, own_by, along_own)):
                nearer = torch.isin(found, torch.tensor(those)) & (place < at[columns])
                at[columns[nearer]], who[columns[nearer]] = place[nearer], found[nearer]
            safe[columns[found < 0]] = place[found < 0]

    smallest(first, torch.full((count,), -1), everyone)
    smallest(own, first.clone(), along_own)
    names = [member.name for member in members]
    right = set(targets.columns.tolist())
    result = [["" if n in right else CLEAN for n in range(count)] for _ in targets.budgets]
    for place, row in enumerate(order.tolist()):
        carried = targets.columns[(first <= place)[targets.columns]]
        judge.predictions[row, carried] = judge.predictions[order[first[carried]], carried]
        who = torch.where(own <= place, own_by, by)
        for column in carried.tolist():
            result[row][column] = names[int(who[column])]
    return tuple(map(tuple, result))


def _distinct(suite: Suite, sources: Mapping[str, nn.Module]) -> list[Member]:
    """The members, without those that would repeat another: of one attack along one gradient."""
    found: dict[tuple[str, int], Member] = {}
    for member in suite.members:
        found.setdefault((member.attack.name, id(sources[member.source])), member)
    return list(found.values())


class _Crew:
    """The members of a suite with their networks."""

    def __init__(
        self,
        members: list[Member],
        sources: Mapping[str, nn.Module],
        judge: Judge,
        targets: Targets,
        on_rows: Callable[[int], None],
    ) -> None:
        self._members, self._judge, self._targets = members, judge, targets
        self._on_rows, self._spare = on_rows, 0
        self._networks = {name: _Watched(network, self._seen) for name, network in sources.items()}

    def _seen(self, rows: int) -> None:
        """Report rows as they go through a network, but no more than were announced."""
        rows = min(rows, self._spare)
        self._spare -= rows
        if rows:
            self._on_rows(rows)

    def attack(self, numbers: Sequence[int], rows: Tensor, columns: Tensor) -> Tensor:
        """Attack images, each at a budget of its own.

        Args:
            numbers: of the members that do, in order.
            rows: (R,) int64, positions of the budgets.
            columns: (R,) int64, positions of the images, each once.

        Returns:
            (R,) int64: the number of the member that broke it, -1 where none did.
        """
        by = torch.full((len(columns),), -1)
        for number in numbers:
            member = self._members[number]
            network = self._networks[member.source]
            left = torch.arange(len(by))[by < 0]
            if len(left) == 0:
                break
            for part in torch.split(left, self._targets.batch_size):
                self._spare = len(part) * (member.attack.steps + 1)
                broken = self._break(member, network, rows[part], columns[part])
                by[part[broken]] = number
                self._seen(self._spare)
        return by

    def _break(self, member: Member, network: nn.Module, rows: Tensor, columns: Tensor) -> Tensor:
        """(R,) bool: whether one member breaks these."""
        task = self._targets
        device = device_of(network, task.images.device)
        x_adv = member.attack(
            network,
            task.images[columns].to(device),
            task.labels[columns].to(device),
            eps=task.budgets[rows],
            seed=task.seed,
            indices=task.indices[columns],
        )
        return self._judge(rows, columns, x_adv)
