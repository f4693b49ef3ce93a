# SPDX-License-Identifier: Apache-2.0
"""All faults of a multiplier, or a random sample of them, and what they do."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Self

from ..errors import HwsimError
from ..metrics import ErrorMetrics, error_metrics
from .circuit import CircuitUnderTest, Effect
from .stuck_at import Fault


@dataclass(frozen=True, eq=False)
class Campaign:
    """Faults of a multiplier and their effects.

    Attributes:
        cut: the multiplier.
        branches: whether branches of nets were among the faults.
        total: faults that there are.
        faults: those that were looked at, in the order of `stuck_at_faults`.
        seed: of the random sample that they are; None: they are all.
        effects: what they do, each table once.
    """

    cut: CircuitUnderTest
    branches: bool
    total: int
    faults: tuple[Fault, ...]
    seed: int | None
    effects: tuple[Effect, ...]

    @classmethod
    def of(
        cls,
        cut: CircuitUnderTest,
        *,
        branches: bool = False,
        sample: int | None = None,
        seed: int = 0,
        jobs: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Self:
        """Computes the table of each fault.

        Args:
            cut: the multiplier.
            branches: see `stuck_at_faults`.
            sample: how many faults to draw at random, without any twice; None, or no fewer than
                there are: all.
            seed: of the draw.
            jobs: tables at a time; None is one per processor core.
            progress: called with (classes of faults done, classes in all).

        Raises:
            HwsimError: see `stuck_at_faults`; or an empty sample.
        """
        if sample is not None and sample < 1:
            raise HwsimError(f"expected a sample of at least 1 fault, got {sample}")
        every = cut.faults(branches=branches)
        faults, drawn = every, sample is not None and sample < len(every)
        if sample is not None and drawn:
            chosen = set(Random(seed).sample(every, sample))
            faults = [one for one in every if one in chosen]
        effects = cut.effects(faults, jobs=jobs, progress=progress)
        return cls(
            cut, branches, len(every), tuple(faults), seed if drawn else None, tuple(effects)
        )

    @property
    def harmless(self) -> tuple[Fault, ...]:
        """Those that no operands show."""
        return tuple(fault for one in self.effects if one.harmless for fault in one.faults)

    @property
    def fault_free(self) -> ErrorMetrics:
        """Of the table without a fault."""
        return error_metrics(self.cut.multiplier.table())

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; faults of one inner list are equivalent gate by gate."""
        cut, lut = self.cut, self.cut.multiplier.table()
        return {
            "multiplier": cut.multiplier.name,
            "operands": lut.operands.code,
            "reader": cut.netlist.reader,
            "gates": len(cut.netlist.gates),
            "branches": self.branches,
            "all_faults": self.total,
            "faults": len(self.faults),
            "sample_seed": self.seed,
            "classes": sum(len(one.classes) for one in self.effects),
            "harmless": len(self.harmless),
            "pairs": lut.table.size,
            "fault_free": {"table": lut.sha256, **shown_errors(self.fault_free)},
            "effects": [
                {
                    "classes": [[cut.name(fault) for fault in some] for some in one.classes],
                    "table": one.sha256,
                    "detected": one.detected,
                    **shown_errors(one.metrics),
                }
                for one in self.effects
            ],
        }


def shown_errors(metrics: ErrorMetrics) -> dict[str, float]:
    """The errors that a record of faults has, to six digits."""
    names = ("mre", "wce", "ep", "mae", "bias")
    values = {name: getattr(metrics, name) for name in names}
    return {n: v if isinstance(v, int) else float(f"{v:.6g}") for n, v in values.items()}
