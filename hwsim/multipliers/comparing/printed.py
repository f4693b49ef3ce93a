# SPDX-License-Identifier: Apache-2.0
"""Error figures that a file prints about its multiplier, held against those of a table.

EvoApproxLib's files carry `// MAE% = 0.081 %`, `// MAE = 53`, `// WCRE% = 300.00 %` and so on; MAE
and WCE in percent are of 2^(bits of the product), the others of 1. AppMult-Aware-Retraining's
tables carry `INFO: Mean error distance: 370.045` and its normalised form, which is of the same.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from ...errors import HwsimError
from ...files import TABLE_LIMIT, opened
from ...lut import Lut
from ...metrics import ErrorMetrics, error_metrics
from ...operands import Operands

_LONG_NAMES = {
    "Error rate": "EP",
    "Mean error distance": "MAE",
    "Normalized mean error distance": "NMED",
    "Mean square error": "MSE",
    "MED": "MAE",
    "MRED": "MRE",
    "ER": "EP",
}
_LINE = re.compile(
    r"^[ \t/*#;-]*(?:INFO:\s*)?(?P<name>MAE|WCE|WCRE|EP|MRE|MSE|NMED|MED|MRED|ER|Error rate|"
    r"Mean error distance|Normalized mean error distance|Mean square error)[ \t]*"
    r"(?P<before>%?)[ \t]*[=:][ \t]*(?P<value>[+-]?\d{1,400}(?:\.(?P<decimals>\d{1,400}))?"
    r"(?:[eE](?P<exponent>[+-]?\d{1,3}))?)[ \t]*(?P<after>%?)[ \t]*;?[ \t]*$",
    re.MULTILINE,
)
_SCANNED = 1 << 16
"""Bytes at the start of a file in which figures are looked for."""

PREFIX = "figures:"
"""Before a file: the figures that are printed in it, and not what it is."""


@dataclass(frozen=True)
class Figure:
    """One printed figure.

    Attributes:
        name: MAE, WCE, WCRE, EP, MRE, MSE or NMED.
        percent: printed in percent.
        printed: the digits as they stand in the file.
        value: their value.
        step: the value of one unit of the last printed digit.
    """

    name: str
    percent: bool
    printed: str
    value: float
    step: float

    @property
    def label(self) -> str:
        """`MAE%` or `MAE`."""
        return f"{self.name}%" if self.percent else self.name

    def of(self, metrics: ErrorMetrics, operands: Operands) -> float:
        """The same figure of a table, unrounded."""
        full = float(operands.product.count)
        fraction = {
            "MAE": metrics.mae / full if self.percent else metrics.mae,
            "WCE": metrics.wce / full if self.percent else metrics.wce,
            "WCRE": metrics.wcre,
            "EP": metrics.ep,
            "MRE": metrics.mre,
            "MSE": metrics.mse,
            "NMED": metrics.mae / full,
        }[self.name]
        return 100 * fraction if self.percent else float(fraction)

    def agrees(self, computed: float) -> bool:
        """Whether rounding or cutting `computed` to the printed digits gives what is printed."""
        slack = 1e-9 * max(1.0, abs(computed))
        rounded = abs(computed - self.value) <= self.step / 2 + slack
        return rounded or -slack <= computed - self.value < self.step


@dataclass(frozen=True)
class CheckedFigure:
    """A printed figure beside the computed one."""

    figure: Figure
    computed: float

    @property
    def agrees(self) -> bool:
        """Within the printed digits."""
        return self.figure.agrees(self.computed)

    def __str__(self) -> str:
        verdict = "agrees" if self.agrees else "DIFFERS"
        return (
            f"{self.figure.label} = {self.computed:.6g}, printed {self.figure.printed}: {verdict}"
        )


def read_figures(path: Path) -> tuple[Figure, ...]:
    """The error figures in a file's header comment.

    Raises:
        HwsimError: the file cannot be read, or there are none in it.
    """
    with opened(path, limit=TABLE_LIMIT) as file:
        text = file.read(_SCANNED).decode(errors="replace")
    found = []
    for match in _LINE.finditer(text):
        value = float(match["value"])
        if not math.isfinite(value):
            continue
        exponent = int(match["exponent"] or 0) - len(match["decimals"] or "")
        name = _LONG_NAMES.get(match["name"], match["name"])
        percent = bool(match["before"] or match["after"])
        found.append(Figure(name, percent, match["value"], value, float(f"1e{exponent}")))
    if not found:
        raise HwsimError(
            f"{path}: expected figures like `// MAE = 53` or `// EP% = 74.61 %` in its header "
            "comment, found none"
        )
    return tuple(found)


def check_figures(figures: tuple[Figure, ...], lut: Lut) -> tuple[CheckedFigure, ...]:
    """Every printed figure beside that of a table."""
    metrics = error_metrics(lut)
    return tuple(CheckedFigure(one, one.of(metrics, lut.operands)) for one in figures)
