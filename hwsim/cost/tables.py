# SPDX-License-Identifier: Apache-2.0
"""Tables of a Liberty file, in ns, pF and pJ, and the arcs of a cell that they are of."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..errors import HwsimError
from .liberty import Group


class Table:
    """A value over slew, load, or both: linear between the points, and beyond the last ones.

    A constraint, such as a setup time, has the slew of the clock in the place of a load.

    Args:
        group: of the Liberty file, such as `cell_rise`; read at the first call.
        template: that it names; None for none.
        time: ns in one of the file's units.
        load: pF in one.
        value: what one of the table's values is.
    """

    def __init__(
        self, group: Group, template: Group | None, *, time: float, load: float, value: float
    ) -> None:
        self._group, self._template = group, template
        self._units = (time, load, value)

    @cached_property
    def _points(self) -> tuple[list[tuple[bool, list[float]]], Any]:
        """Axes, each by the second variable or by slew, and values; a single point is no axis."""
        time, load, value = self._units
        values = self._group.numbers("values") * value
        axes = []
        for number, usual in (("1", "input_net_transition"), ("2", "total_output_net_capacitance")):
            index = self._group.numbers(f"index_{number}")
            variable = usual
            if self._template is not None:
                variable = self._template.attributes.get(f"variable_{number}", usual)
                index = index if index.size else self._template.numbers(f"index_{number}")
            by_load = "capacitance" in variable
            if index.size > 1 and values.size > 1:
                second = by_load or variable == "related_pin_transition"
                axes.append((second, (index * (load if by_load else time)).tolist()))
        shape = [len(index) for _, index in axes]
        if values.size != math.prod(shape):
            raise HwsimError(f"{self._group}: expected {shape} values, got {values.size}")
        return axes, values.reshape(shape).tolist()

    def __call__(self, slew: float, load: float) -> float:
        """Its value.

        Args:
            slew: transition time of the input, ns.
            load: on the output, pF; of a constraint the clock's transition time, ns.
        """
        axes, found = self._points
        weights = [_between(index, load if second else slew) for second, index in axes]
        for place, share in weights[:1]:
            low, high = found[place], found[place + 1]
            for column, part in weights[1:]:
                low, high = (
                    row[column] * (1 - part) + row[column + 1] * part for row in (low, high)
                )
            found = low * (1 - share) + high * share
        return float(found)


def _between(index: list[float], x: float) -> tuple[int, float]:
    place = 0
    while place < len(index) - 2 and x > index[place + 1]:
        place += 1
    return place, (x - index[place]) / (index[place + 1] - index[place])


@dataclass(frozen=True, eq=False)
class Arc:
    """How an output follows one input; without an input, what an output's edge costs by itself.

    Attributes:
        pin: the input; empty for none.
        sense: positive_unate, negative_unate or non_unate.
        rise: table of the output's rising edge: ns of a delay, pJ of an energy; None for none.
        fall: likewise.
        rise_slew: ns of the rising edge.
        fall_slew: likewise.
    """

    pin: str
    sense: str
    rise: Table | None
    fall: Table | None
    rise_slew: Table | None = None
    fall_slew: Table | None = None
