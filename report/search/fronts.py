# SPDX-License-Identifier: Apache-2.0
"""What a search found, as fronts to be drawn: every accuracy over every price."""

from __future__ import annotations

from axhil.search.front import Found, Point
from axhil.study.spec import ACCURACIES, Measure

from ..fronts import Choice, Front

_TITLES = {
    "clean": "clean accuracy, %",
    "robust": "robust accuracy, %",
    "energy": "energy of an image, nJ",
}


def front_rows(found: Found) -> list[list[Front]]:
    """A row for each accuracy, in it a front for each price; two of a kind are one front."""
    merits = [one for one in found.objectives if one in ACCURACIES]
    prices = [one for one in found.objectives if one not in ACCURACIES]
    if not merits:
        return [[_front(found, prices[0], one) for one in prices[1:]]]
    if not prices:
        return [[_front(found, merits[0], one) for one in merits[1:]]]
    return [[_front(found, price, merit) for price in prices] for merit in merits]


def _front(found: Found, across: Measure, upwards: Measure) -> Front:
    """Less is better across; upwards it is for prices."""

    def choice(number: int, point: Point) -> Choice:
        interval = None
        if upwards in ACCURACIES:
            share = point.accuracy(upwards)
            interval = 100 * share.low, 100 * share.high
        return Choice(
            label=point.label,
            number=number,
            cost=100 * point.value(across) if across in ACCURACIES else point.prices[across],
            value=100 * (1 - point.value(upwards)) if interval else point.prices[upwards],
            interval=interval,
            like=int(not point.uniform),
            group="one multiplier" if point.uniform else "by layer",
            detail=f"{point.label}: {described(found, point)}",
        )

    choices = tuple(choice(number, point) for number, point in enumerate(found.points))
    title = "images wrong without attack, %" if across == "clean" else _title(found, across)
    return Front(title, _title(found, upwards), choices, lower=upwards not in ACCURACIES)


def _title(found: Found, measure: Measure) -> str:
    if measure == "area":
        assert found.prices is not None
        return f"area, {found.prices.unit}"
    return _TITLES[measure]


def described(found: Found, point: Point) -> str:
    """A point in words: its figures, and the multiplier of each layer."""
    parts = [f"{measure} {100 * point.accuracy(measure).value:.1f} %" for measure in found.measures]
    for measure, price in point.prices.items():
        parts.append(f"{measure} {100 * price / found.exact.prices[measure]:.1f} % of exact")
    layers = [f"{layer} {label}" for layer, label in point.layers.items()]
    return f"{', '.join(parts)}\n" + "\n".join(layers)
