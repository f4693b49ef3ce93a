# SPDX-License-Identifier: Apache-2.0
"""Does the Verilog still compute the golden tables? The regression gate of the hardware."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import HwsimError
from ...lut import Lut
from ...metrics import quadrant_masks
from .. import PAPER_MULTIPLIERS, Catalogued, extract, golden
from ..extraction import Progress
from .difference import Difference, difference_at, first_differences
from .opinion import Opinion, second_opinions


@dataclass(frozen=True)
class VerifyReport:
    """How one table compares to its golden one.

    Attributes:
        name: the multiplier's spelling.
        equal: every entry agrees.
        swapped: not equal, but equal with the two operands exchanged.
        count: entries that differ.
        total: entries in all.
        worst: the first of the largest differences; None if equal.
        first: up to five differences, in table order.
        quadrants: entries that differ by sign quadrant, only where there are any.
        notes: worth knowing, no failure: sources or simulator that are not the manifest's.
        gates: a second opinion on the simulated table; None where there is no Yosys.
    """

    name: str
    equal: bool
    swapped: bool
    count: int
    total: int
    worst: Difference | None
    first: tuple[Difference, ...]
    quadrants: Mapping[str, int]
    notes: tuple[str, ...] = field(default=())
    gates: Opinion | None = None

    @property
    def passed(self) -> bool:
        """Equal to the golden table, and no gates that say otherwise."""
        return self.equal and (self.gates is None or self.gates.equal is not False)

    def sentence(self) -> str:
        """One line for a person."""
        notes = "".join(f" ({note})" for note in self.notes)
        if self.equal:
            return f"{self.name}: equal to the golden table in all {self.total:,} entries{notes}"
        if self.swapped:
            return (
                f"{self.name}: equal to the golden table only after swapping the operands; "
                f"{self.count:,} of {self.total:,} entries differ as it is, "
                f"first {self.first[0]}{notes}"
            )
        quadrants = ", ".join(f"{name}: {count:,}" for name, count in self.quadrants.items())
        return (
            f"{self.name}: {self.count:,} of {self.total:,} entries differ from the golden table "
            f"({quadrants}); first {self.first[0]}; worst {self.worst}{notes}"
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, keys as the attributes."""
        body = asdict(replace(self, gates=None))
        return {**body, "gates": None if self.gates is None else self.gates.as_dict()}


def compare(expected: Lut, actual: Lut) -> VerifyReport:
    """Compares two tables entry by entry.

    Args:
        expected: the golden table.
        actual: the table under test.

    Raises:
        HwsimError: their operands differ, so that no entry corresponds.
    """
    name = expected.name
    if expected.operands != actual.operands:
        raise HwsimError(
            f"{name}: expected a table of {expected.operands}, got one of {actual.operands}"
        )
    differs = expected.table != actual.table
    count, first = first_differences(expected, actual)
    worst = None
    if count:
        size = np.abs(actual.table.astype(np.int64) - expected.table)
        index = np.unravel_index(int(size.argmax()), size.shape)
        worst = difference_at(expected, actual, int(index[0]), int(index[1]))
    counts = {key: int(differs[mask].sum()) for key, mask in quadrant_masks(expected).items()}
    return VerifyReport(
        name=name,
        equal=not count,
        swapped=bool(count)
        and expected.operands.equal
        and np.array_equal(expected.table, actual.table.T),
        count=count,
        total=differs.size,
        worst=worst,
        first=first,
        quadrants={key: count for key, count in counts.items() if count},
        notes=_notes(expected, actual),
    )


def verify(
    multipliers: Iterable[Catalogued] = PAPER_MULTIPLIERS,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
    golden_dir: Path | None = None,
) -> list[VerifyReport]:
    """Simulates the Verilog again and compares with the golden tables, and with its gates.

    Args:
        multipliers: which, with a golden table each.
        jobs: simulators at a time; None is one per processor core.
        progress: told whenever a multiplier is simulated.
        golden_dir: another folder of golden tables than the committed one.

    Returns:
        One report per multiplier, in the order asked for.

    Raises:
        HwsimError: no golden table, no simulator, Verilog that does not compile or stops.
    """
    wanted = list(dict.fromkeys(multipliers))
    # Read first: a missing golden table should not cost a simulation.
    expected = {m: golden(m, folder=golden_dir) for m in wanted}
    with second_opinions(wanted, jobs=jobs) as opinion:
        tables = extract(wanted, jobs=jobs, progress=progress)
        return [
            replace(compare(expected[m], tables[m]), gates=opinion(m, tables[m], expected[m]))
            for m in wanted
        ]


def _notes(expected: Lut, actual: Lut) -> tuple[str, ...]:
    notes = []
    old, new = expected.manifest.get("sources", {}), actual.manifest.get("sources", {})
    changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    if changed:
        notes.append(f"sources changed since the golden table was made: {', '.join(changed)}")
    was, now = (lut.manifest.get("simulator", {}).get("version") for lut in (expected, actual))
    if was != now:
        notes.append(f"simulated with Icarus Verilog {now}, the golden table with {was}")
    return tuple(notes)
