# SPDX-License-Identifier: Apache-2.0
"""What multipliers cost, and what the best exact ones of the same operands cost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..designs.family import WIDTHS
from ..designs.sources import source
from ..multipliers.from_verilog import FromVerilog
from ..multipliers.multiplier import Multiplier
from ..multipliers.source import VerilogSource
from ..operands import MAX_BITS, Operands
from ..tools.yosys import require_yosys
from .design import Design, exact_designs
from .energy import ORDERS, Workload
from .portfolio import FLIP_FLOPS, Implementation, Target, implementations

BEST_EXACT = "best exact"
"""What the least of all exact structures is called."""

WRAPPED = "by sign and magnitude"
"""Of the unsigned exact core in the wrapper that cores without signs of their own get."""


@dataclass(frozen=True)
class Cost:
    """One multiplier on one target.

    Attributes:
        name: its canonical spelling.
        label: short, for figures.
        operands: what goes in.
        implementations: all that were made.
        note: what a reader must know of it.
        table: SHA-256 of the table that all implementations were held against; empty for none.
    """

    name: str
    label: str
    operands: Operands
    implementations: tuple[Implementation, ...]
    note: str = ""
    table: str = ""

    @property
    def clocked(self) -> bool:
        """Whether it has registers."""
        return any(one.figures.get(FLIP_FLOPS) for one in self.implementations)

    def least(self, figure: str) -> Implementation:
        """The implementation with the least of a figure."""
        return min(self.implementations, key=lambda one: one.figures[figure])

    def value(self, figure: str) -> float:
        """The least of a figure."""
        return self.least(figure).figures[figure]


@dataclass(frozen=True)
class Costs:
    """Multipliers on one target, each beside the best exact ones.

    Attributes:
        target: what they were made of.
        multipliers: in the order that was requested.
        exact: by the code of operands: all exact structures as one multiplier, whose every figure
            is the least of all of them.
        wrapped: the exact core in the sign-magnitude wrapper, by the code of signed operands.
        workloads: of a network, by the code of operands; empty for none.
    """

    target: Target
    multipliers: tuple[Cost, ...]
    exact: Mapping[str, Cost]
    wrapped: Mapping[str, Cost]
    workloads: Mapping[str, Workload] = field(default_factory=dict)

    @property
    def figures(self) -> tuple[str, ...]:
        """What is made as small as can be: of the target, and of workloads."""
        return (*self.target.figures, *(ORDERS if self.workloads else ()))

    def of(self, multiplier: Multiplier) -> Cost:
        """One of those that were requested."""
        wanted = multiplier.name, multiplier.operands
        return next(one for one in self.multipliers if (one.name, one.operands) == wanted)

    def baseline(self, cost: Cost) -> Cost:
        """The best exact multiplier of the same operands."""
        return self.exact[cost.operands.code]

    def relative(self, cost: Cost, figure: str) -> float | None:
        """By how much a figure is above that of the best exact one; -0.2 is a fifth less.

        Returns:
            None where the exact one has nothing of it, or it has registers and no exact one has.
        """
        if cost.clocked:
            return None
        exact = self.baseline(cost).value(figure)
        return cost.value(figure) / exact - 1 if exact else None

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        groups = {
            "multipliers": self.multipliers,
            "exact": self.exact.values(),
            "wrapped": self.wrapped.values(),
        }
        return {
            "target": self.target.name,
            "made_with": {"yosys": require_yosys().version(), **self.target.facts},
            **{key: [self._row(cost) for cost in costs] for key, costs in groups.items()},
        }

    def _row(self, cost: Cost) -> dict[str, Any]:
        figures: dict[str, Any] = {}
        for figure in self.figures:
            best = cost.least(figure)
            figures[figure] = {
                **best.figures,
                "relative_to_best_exact": self.relative(cost, figure),
                "structure": best.structure,
                "recipe": best.recipe,
                "checked_pairs": best.checked,
                **({"layers": best.layers} if best.layers else {}),
            }
        return {
            "name": cost.name,
            "label": cost.label,
            "operands": cost.operands.code,
            "note": cost.note,
            **({"table": cost.table} if cost.table else {}),
            "least": figures,
            "implementations": [
                {"structure": one.structure, "recipe": one.recipe, **one.figures}
                for one in cost.implementations
            ],
        }


def costs(
    multipliers: Sequence[Multiplier],
    target: Target,
    *,
    jobs: int | None = None,
    cache: bool = True,
    progress: Callable[[int, int, str], None] | None = None,
) -> Costs:
    """What multipliers cost on a target, and exact ones beside them.

    Args:
        multipliers: in Verilog, combinational or pipelines.
        target: what to make them of.
        jobs: of Yosys at a time; None is one per processor core.
        cache: take figures from the cache, and keep them there.
        progress: called with (designs done, designs in all, name of the last).

    Raises:
        HwsimError: as `implementations`, or one has no Verilog.
    """
    designs = {one: Design.of(one) for one in multipliers}
    kinds = {design.operands.code: design.operands for design in designs.values()}
    candidates = {code: _wrapped(operands) for code, operands in kinds.items()}
    wrapped = {code: one for code, one in candidates.items() if one is not None}
    designs |= {one: Design.of(one) for one in wrapped.values() if one not in designs}
    exact = [(code, design) for code in kinds for design in exact_designs(kinds[code])]
    made = iter(
        implementations(
            [*designs.values(), *(design for _, design in exact)],
            target,
            jobs=jobs,
            cache=cache,
            progress=progress,
        )
    )
    own: dict[Multiplier, Cost] = {}
    for one, design in designs.items():
        ways = tuple(next(made))
        held = ways[0].checked > 0 and max(one.operands.bits) <= MAX_BITS
        table = one.table().sha256 if held else ""
        own[one] = Cost(one.name, one.label, design.operands, ways, table=table)
    best: dict[str, list[Implementation]] = {code: [] for code in kinds}
    for code, _ in exact:
        best[code] += next(made)
    for code, one in wrapped.items():  # exact as well, and at times the best
        best[code] += [
            replace(way, structure=f"{WRAPPED} {way.structure}".strip())
            for way in own[one].implementations
        ]
    return Costs(
        target,
        tuple(own[one] for one in multipliers),
        {
            code: Cost("exact", BEST_EXACT, kinds[code], tuple(ways), "any structure")
            for code, ways in best.items()
        },
        {
            code: replace(own[one], name="exact", label="ACC", note=WRAPPED)
            for code, one in wrapped.items()
        },
    )


def _wrapped(operands: Operands) -> Multiplier | None:
    """The exact core in the sign-magnitude wrapper; None for operands that it is not for."""
    operand = operands.activation
    if not (operands.equal and operand.signed and operand.bits in WIDTHS):
        return None
    core = VerilogSource(source("mul_exact"), parameters={"WIDTH": operand.bits}, sign="wrap")
    return FromVerilog(core)
