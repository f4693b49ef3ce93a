# SPDX-License-Identifier: Apache-2.0
"""What each multiplier gives for what it costs, and which of them no other one dominates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from axhil.attacks import attack_title
from axhil.hwsim import error_metrics
from axhil.hwsim.cost.cost import BEST_EXACT
from axhil.hwsim.cost.energy import ORDERS
from axhil.hwsim.cost.record import IMAGES, Figures
from axhil.study.results import Results
from axhil.study.statistics import Proportion

from .panels import by_panel, telling_budget

FRONT_NOTE = (
    "; filled and joined: non-dominated; bars are Wilson 95 % intervals; dotted: the best exact "
    "multiplier"
)
"""How to read the pictures of fronts."""

_COSTS = {
    IMAGES[ORDERS[0]]: "energy of an image, nJ (its operands)",
    "energy": "energy of a product, pJ (uniform operands)",
    "area": "area",
    "transistors": "transistors",
    "LUTs": "LUTs",
}
"""By figure of cost: what its axis is called."""


@dataclass(frozen=True)
class Choice:
    """One multiplier or assignment.

    Attributes:
        label: its short name.
        number: its own, and of its looks unless `like` says another; None for the best exact
            multiplier.
        cost: what it takes.
        value: what it gives.
        interval: of the value; None where it is no estimate.
        like: number of its looks, which several choices may share.
        group: what a legend calls those of its looks; empty: by the label.
        detail: what pointing at it shows; empty: nothing.
    """

    label: str
    number: int | None
    cost: float
    value: float
    interval: tuple[float, float] | None = None
    like: int | None = None
    group: str = ""
    detail: str = ""

    @property
    def look(self) -> int | None:
        """Number of its looks."""
        return self.number if self.like is None else self.like


@dataclass(frozen=True)
class Front:
    """One cost against one merit.

    Attributes:
        cost: what the axis across is called.
        merit: what the axis upwards is called.
        choices: of the study, and the best exact multiplier last, where its merit is known.
        lower: whether less of the merit is better.
    """

    cost: str
    merit: str
    choices: tuple[Choice, ...]
    lower: bool = False

    @property
    def exact(self) -> Choice | None:
        """The best exact multiplier."""
        return next((one for one in self.choices if one.number is None), None)

    @property
    def best(self) -> tuple[Choice, ...]:
        """The non-dominated: none is as good in both and better in one; by growing cost."""
        sign = -1 if self.lower else 1
        order = sorted(self.choices, key=lambda one: (one.cost, -sign * one.value))
        found: list[Choice] = []
        for one in order:
            last = found[-1] if found else None
            if last is None or sign * one.value > sign * last.value or _equal(one, last):
                found.append(one)
        return tuple(found)


def fronts(results: Results, labels: Sequence[str] = ()) -> list[list[Front]]:
    """Clean accuracy, robust accuracy and error over every cost: a row for each of these.

    Robust accuracy is that under the last attack and the first norm, at the budget that leaves the
    accurate multiplier half of its clean accuracy.

    Args:
        results: of one network under one threat model; of one without costs there are none.
        labels: those whose looks are the first; default: all, in the results' order.
    """
    if results.costs is None or not results.cost:
        return []
    numbers = {label: n for n, label in enumerate(dict.fromkeys((*labels, *results.labels)))}
    figures = [one for one in _COSTS if one in results.costs.figures]
    merits = [_clean(results), _robust(results), _errors(results)]
    rows = [_row(results, merit, figures, numbers) for merit in merits if merit is not None]
    return [row for row in rows if row]


@dataclass(frozen=True)
class _Merit:
    """What multipliers give: its title, and by label its value and interval."""

    title: str
    values: Mapping[str, tuple[float, tuple[float, float] | None]]
    lower: bool = False


def _clean(results: Results) -> _Merit:
    values = {label: _percent(one.accuracy) for label, one in results.clean.items()}
    return _Merit("clean accuracy, %", values)


def _robust(results: Results) -> _Merit | None:
    panels = list(by_panel(results.records))
    norm, attack = panels[0][1], panels[-1][0]
    eps = telling_budget(results.cells, attack=attack, norm=norm)
    if eps is None:
        return None
    at = [one for one in by_panel(results.records)[attack, norm] if one.eps == eps]
    values = {one.cell.label: _percent(one.accuracy) for one in at}
    return _Merit(f"robust accuracy, %, {attack_title(attack, norm)}, eps {eps:g}", values)


def _errors(results: Results) -> _Merit:
    values = {one.label: (100 * error_metrics(one.table()).mre, None) for one in results.tables}
    return _Merit("MRED, %", values, lower=True)


def _percent(share: Proportion) -> tuple[float, tuple[float, float]]:
    return 100 * share.value, (100 * share.low, 100 * share.high)


def _row(
    results: Results, merit: _Merit, figures: Sequence[str], numbers: Mapping[str, int]
) -> list[Front]:
    """One merit over every cost; empty where fewer than two multipliers have it."""
    assert results.costs is not None
    found = []
    for figure in figures:
        rows = {
            label: row
            for label, row in results.cost.items()
            if figure in row.values and label in merit.values
        }
        choices = [
            Choice(label, numbers[label], row.values[figure], *merit.values[label])
            for label, row in rows.items()
        ]
        baseline = _baseline(results, list(rows.values()))
        # Exact products are exact products, whatever circuit makes them.
        exact = merit.values.get(results.reference or "")
        if baseline is not None and figure in baseline.values and exact is not None:
            choices.append(Choice(BEST_EXACT, None, baseline.values[figure], *exact))
        if len(rows) > 1:
            found.append(Front(_COSTS[figure], merit.title, tuple(choices), merit.lower))
    return found


def _baseline(results: Results, rows: Sequence[Figures]) -> Figures | None:
    """The best exact multiplier of their operands, where these are of one kind."""
    assert results.costs is not None
    found = {id(one): one for row in rows if (one := results.costs.baseline(row)) is not None}
    return next(iter(found.values())) if len(found) == 1 else None


def _equal(one: Choice, other: Choice) -> bool:
    return (one.cost, one.value) == (other.cost, other.value)
