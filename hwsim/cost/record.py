# SPDX-License-Identifier: Apache-2.0
"""What `axhil cost --json` writes, and how it is read back to stand beside other numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import HwsimError
from ..files import DATA_LIMIT, json_of, read_bytes
from .cost import Costs
from .energy import ORDERS
from .inference import Inference
from .portfolio import FLIP_FLOPS

IMAGES = {order: f"image {order}" for order in ORDERS}
"""Figures of a network by the order of its products: nJ of those of one image."""


@dataclass(frozen=True)
class Figures:
    """The least of each figure of a multiplier or an assignment.

    Attributes:
        name: canonical spelling.
        operands: code of its operands; empty for an assignment.
        table: SHA-256 of the table that its gates were held against; empty for none.
        values: by figure.
        clocked: it has registers, which no exact multiplier beside it has.
    """

    name: str
    operands: str = ""
    table: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    clocked: bool = False


@dataclass(frozen=True)
class CostRecord:
    """Costs on one target, and under one network where there is one.

    Attributes:
        target: what multipliers were made of.
        network: whose images figures are of; empty for none.
        rows: multipliers, then assignments.
        exact: the least of all exact structures, by the code of operands.
    """

    target: str
    network: str
    rows: tuple[Figures, ...]
    exact: Mapping[str, Figures]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> CostRecord:
        """The record of a JSON body; of several targets the first.

        Raises:
            ArithmeticError, AttributeError, LookupError, TypeError, ValueError: it is no such body.
        """
        first, inferences = body["costs"][0], body.get("inferences", [])
        # Layers in float take energy that nobody knows: such a sum stands beside no other.
        layers = max((len(one["layers"]) for one in inferences), default=0)
        images = {
            str(one["name"]): _numbers({IMAGES[key]: value for key, value in one["nJ"].items()})
            for one in inferences
            if len(one["layers"]) == layers
        }
        rows = [_figures(one, images.pop(one["name"], {})) for one in first["multipliers"]]
        exact = {
            one["operands"]: _figures(one, images.pop(f"{one['name']}, {one['operands']}", {}))
            for one in first["exact"]
        }
        rows += [Figures(name, values=values) for name, values in images.items()]
        return cls(str(first["target"]), str(body.get("network") or ""), tuple(rows), exact)

    @classmethod
    def from_file(cls, path: Path) -> CostRecord:
        """The record in a file.

        Raises:
            HwsimError: it cannot be read, or is none.
        """
        content = read_bytes(path, limit=DATA_LIMIT)
        try:
            return cls.of(json_of(content))
        except (
            HwsimError,
            ArithmeticError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise HwsimError(
                f"{path}: expected what `axhil cost --json` writes, got something else "
                f"({reason:.200})"
            ) from error

    @property
    def figures(self) -> tuple[str, ...]:
        """What is known of any of them, in the record's order."""
        return tuple(dict.fromkeys(key for one in self.rows for key in one.values))

    def under(self, network: str) -> CostRecord:
        """What of it holds for a network: figures of another's images do not."""
        if self.network in ("", network):
            return self
        rows = tuple(map(_of_none, self.rows))
        exact = {code: _of_none(one) for code, one in self.exact.items()}
        return replace(self, network="", rows=rows, exact=exact)

    def find(self, name: str, *, table: str = "", operands: str = "") -> Figures | None:
        """The row of a multiplier or an assignment.

        Args:
            name: its canonical spelling.
            table: SHA-256 of its table, which a row that knows its own must have; empty: any.
            operands: their code, likewise.

        Returns:
            None where it is not there.
        """
        for one in self.rows:
            wanted = ((one.table, table), (one.operands, operands))
            if one.name == name and all(not a or not b or a == b for a, b in wanted):
                return one
        return None

    def baseline(self, row: Figures) -> Figures | None:
        """The best exact multiplier of the same operands; for an assignment the first there is."""
        return self.exact.get(row.operands) or next(iter(self.exact.values()), None)

    def relative(self, row: Figures, figure: str) -> float | None:
        """By how much a figure is above that of the best exact one; -0.2 is a fifth less.

        Returns:
            None where either is not known, the exact one has nothing of it, or it has registers.
        """
        exact = self.baseline(row)
        if exact is None or row.clocked or figure not in row.values or not exact.values.get(figure):
            return None
        return row.values[figure] / exact.values[figure] - 1

    def as_dict(self, row: Figures) -> dict[str, Any]:
        """A row by itself, JSON-able: each figure and its distance from the best exact one."""
        figures = {
            figure: {"least": value, "relative_to_best_exact": self.relative(row, figure)}
            for figure, value in row.values.items()
        }
        return {"target": self.target, **figures}


def record_body(
    results: Sequence[Costs],
    *,
    network: str | None = None,
    images: int = 0,
    inferences: Sequence[Inference] = (),
) -> dict[str, Any]:
    """The JSON body of costs.

    Args:
        results: one for each target.
        network: whose operands were measured; None for none.
        images: that these were taken from.
        inferences: under the network, exact ones first.
    """
    body: dict[str, Any] = {"costs": [one.as_dict() for one in results]}
    if inferences:
        body |= {"network": network, "images": images}
        body["inferences"] = [one.as_dict() for one in inferences]
    return body


def _figures(row: Mapping[str, Any], image: Mapping[str, float]) -> Figures:
    values = _numbers({figure: least[figure] for figure, least in row["least"].items()})
    words = (str(row["name"]), str(row["operands"]), str(row.get("table", "")))
    clocked = any(least.get(FLIP_FLOPS) for least in row["least"].values())
    return Figures(*words, {**values, **image}, clocked)


def _of_none(row: Figures) -> Figures:
    """A row without what is of a network."""
    of_network = {*ORDERS, *IMAGES.values()}
    return replace(row, values={k: v for k, v in row.values.items() if k not in of_network})


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    found = {str(key): float(value) for key, value in values.items()}
    if not all(map(math.isfinite, found.values())):
        raise ValueError("a figure is no number")
    return found
