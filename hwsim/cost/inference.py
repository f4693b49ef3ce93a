# SPDX-License-Identifier: Apache-2.0
"""Energy of a network's products on real operands, by multiplier and by assignment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..multipliers.assignment import Assignment
from .cells import Cells
from .cost import Cost, Costs
from .energy import ORDERS, Workload, energies
from .mapped import Mapped
from .portfolio import Implementation


@dataclass(frozen=True)
class Inference:
    """What the multiplications of one image take.

    Attributes:
        name: of the multiplier or assignment.
        label: short, for figures.
        layers: energy in nJ by layer and order; layers in float are not there.
    """

    name: str
    label: str
    layers: Mapping[str, Mapping[str, float]]

    def total(self, order: str) -> float:
        """Energy of an image in nJ."""
        return sum(layer[order] for layer in self.layers.values())

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        totals = {order: self.total(order) for order in ORDERS}
        return {"name": self.name, "label": self.label, "nJ": totals, "layers": self.layers}


def on_workloads(
    costs: Costs,
    workloads: Mapping[str, Workload],
    *,
    jobs: int | None = None,
    cache: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Costs:
    """Adds energies on real operands to the figures of every implementation.

    Args:
        costs: in the cells of a library.
        workloads: by the code of operands, one for all that there are.
        jobs: threads; None is one per processor core.
        cache: take figures from the cache, and keep them there.
        progress: called with (implementations done, implementations in all).
    """
    assert isinstance(costs.target, Cells)
    library = costs.target.library
    groups = (costs.multipliers, costs.exact.values(), costs.wrapped.values())
    every = {id(cost): cost for group in groups for cost in group}
    total = sum(len(cost.implementations) for cost in every.values())
    measured: dict[int, Cost] = {}
    done = 0
    for key, cost in every.items():
        load = workloads[cost.operands.code]

        def tell(own: int, _: int, before: int = done) -> None:
            if progress is not None:
                progress(before + own, total)

        mapped = [_mapped(one, cost, costs.target) for one in cost.implementations]
        layers = energies(mapped, library, load, jobs=jobs, cache=cache, progress=tell)
        done += len(mapped)
        ways = tuple(
            _with(one, own, load) for one, own in zip(cost.implementations, layers, strict=True)
        )
        measured[key] = replace(cost, implementations=ways)
    return Costs(
        costs.target,
        tuple(measured[id(cost)] for cost in costs.multipliers),
        {code: measured[id(cost)] for code, cost in costs.exact.items()},
        {code: measured[id(cost)] for code, cost in costs.wrapped.items()},
        workloads,
    )


def inference(costs: Costs, assignment: Assignment) -> Inference:
    """What an image takes with an assignment's multipliers.

    Args:
        costs: of all of them, with their workloads.
        assignment: layers of exact arithmetic get the best exact multiplier.
    """
    return _inference(costs, assignment.name, assignment.label, assignment)


def exact_inferences(costs: Costs) -> list[Inference]:
    """What an image takes with the best exact multiplier of each kind of operands."""
    return [
        _inference(costs, f"{cost.name}, {code}", cost.label, cost)
        for code, cost in costs.exact.items()
    ]


def _inference(costs: Costs, name: str, label: str, chosen: Assignment | Cost) -> Inference:
    default = next(iter(costs.exact.values()))
    layers: dict[str, dict[str, float]] = {}
    for layer in costs.workloads[default.operands.code].products:
        what = chosen if isinstance(chosen, Cost) else chosen.at(layer)
        if isinstance(what, str):  # in float
            continue
        cost = what if isinstance(what, Cost) else default if what is None else costs.of(what)
        products = costs.workloads[cost.operands.code].products[layer]
        layers[layer] = {
            order: cost.least(order).layers[layer][order] * products / 1000 for order in ORDERS
        }
    return Inference(name, label, layers)


def _mapped(one: Implementation, cost: Cost, target: Cells) -> Mapped:
    assert one.cells is not None
    operands = cost.operands
    return Mapped.of(
        one.cells, target.library, name=cost.name, operands=operands, product=operands.product
    )


def _with(
    one: Implementation, layers: Mapping[str, Mapping[str, float]], load: Workload
) -> Implementation:
    means = {order: load.mean(layers, order) for order in ORDERS}
    return replace(one, figures={**one.figures, **means}, layers=layers)
