# SPDX-License-Identifier: Apache-2.0
"""The multipliers of `rtl/`, as people write them: `exact`, `drum(4)`, `scaletrim(4,8)`."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..designs import Family, Integers, families
from ..designs.sources import source
from ..errors import HwsimError
from ..lut import Lut
from ..operands import Operand, Operands
from ..verilog.circuit import Circuit
from ..verilog.parameters import Parameter
from ..verilog.wrapper import wrapped
from .cache import circuit_facts, through_cache
from .multiplier import KeptTable, Progress
from .tabulating.tabulation import TIME_LIMIT, tabulate

GOLDEN_DIR = Path(__file__).resolve().parents[1] / "golden"
"""The committed tables of the paper's seven multipliers."""

S8 = Operand(8, signed=True)
"""The operands of the golden tables."""

_SPELLING = re.compile(
    r"\s*(?P<family>[a-z]+)\s*"
    r"(?:\(\s*(?P<called>\d{1,9}(?:\s*,\s*\d{1,9})*)?\s*\)|(?P<slug>(?:_\d{1,9})+))?\s*",
    re.ASCII,
)


@dataclass(frozen=True)
class Catalogued(KeptTable):
    """A multiplier of the catalogue.

    >>> drum = Catalogued.parse("drum(4)")
    >>> print(drum, drum.slug, drum.label)
    drum(4) drum_4 DR4
    >>> drum.reference(100, 57).item()
    6240

    Attributes:
        family: its name, a key of `families()`.
        args: (), (K,), (H, M), ...
        operand: what both operands are; the sign needs no argument of its own in a name.
        rtl: another Verilog folder than the project's own.
        simulate: even if there is a golden table, and not from the cache.
        cache: take a simulated table from the cache, and keep it there.
        time_limit: seconds without progress before a simulation is ended.

    Raises:
        HwsimError: unknown family, or arguments that are illegal for this operand.
    """

    family: str
    args: tuple[int, ...] = ()
    operand: Operand = S8
    rtl: Path | None = None
    simulate: bool = field(default=False, compare=False)
    cache: bool = field(default=True, compare=False)
    time_limit: float = field(default=TIME_LIMIT, compare=False)

    def __post_init__(self) -> None:
        if self.family not in families():
            raise HwsimError(f"unknown multiplier family {self.family!r}: expected {_known()}")
        self.design.check(self.operand.bits, self.args)

    @classmethod
    def parse(cls, text: str, *, operand: Operand = S8, rtl: Path | None = None) -> Self:
        """Reads a multiplier as people write it.

        Args:
            text: `exact`, `drum(4)`, `scaletrim(4, 8)`, or as in file names: `drum_4`.
            operand: what both operands are.
            rtl: another Verilog folder than the project's own.

        Raises:
            HwsimError: unknown, malformed or illegal; the sentence names what is allowed.
        """
        match = _SPELLING.fullmatch(text)
        if match is None:
            raise HwsimError(f"cannot read multiplier {text!r}: expected {_known()}")
        digits = re.findall(r"\d+", match["called"] or match["slug"] or "")
        return cls(match["family"], tuple(map(int, digits)), operand, rtl)

    @property
    def name(self) -> str:
        """The canonical spelling: `scaletrim(4,8)`."""
        return self.design.spelling(self.args)

    def __str__(self) -> str:
        return self.name

    @property
    def slug(self) -> str:
        """File name without suffix: `scaletrim_4_8`."""
        return "_".join([self.family, *map(str, self.args)])

    @property
    def label(self) -> str:
        """Short name of the paper's figures: `ACC`, `DR4`, `sT(4,8)`."""
        return self.design.label.format(*self.args)

    @property
    def operands(self) -> Operands:
        """What the activation and the weight are."""
        return Operands(self.operand, self.operand)

    @property
    def design(self) -> Family:
        """The family."""
        return families()[self.family]

    def reference(self, a: ArrayLike, b: ArrayLike) -> Integers:
        """The naive product of operand values, see `Family.reference`."""
        return self.design.reference(a, b, operand=self.operand, args=self.args)

    def reference_table(self) -> NDArray[np.int32]:
        """All products by the naive formula, in the layout of `Lut.table`."""
        values = self.operand.values
        return self.reference(values[:, None], values[None, :]).astype(np.int32)

    def circuit(self) -> Circuit:
        """What a simulator sees.

        Raises:
            HwsimError: a Verilog file is missing.
        """
        design, signed = self.design, self.operand.signed
        parameters: dict[str, Parameter] = {**design.verilog(self.operand.bits, self.args)}
        modules, top = design.modules, design.modules[0]
        if signed and design.signed_top is not None:
            top = design.signed_top
            modules = (top, *modules)
            parameters = {"CORE": self.family, **parameters}
        is_signed = top == design.signed_top
        circuit = Circuit.of(
            self.name,
            top,
            [source(module, rtl=self.rtl) for module in modules],
            Operand(self.operand.bits, is_signed),
            parameters=parameters,
        )
        return wrapped(circuit) if signed and not is_signed else circuit

    @property
    def is_golden(self) -> bool:
        """Its table is a committed one, and not simulated."""
        return self in PAPER_MULTIPLIERS and not self.simulate

    def _make(self, jobs: int | None, progress: Progress | None) -> tuple[Lut, tuple[str, ...]]:
        if self.is_golden:
            return golden(self), ()
        circuit = self.circuit()
        lut, origin = through_cache(
            circuit_facts(circuit),
            lambda: tabulate(circuit, jobs=jobs, limit=self.time_limit, progress=progress),
            enabled=self.cache and not self.simulate,
        )
        return lut, (f"{self.name}: {origin}",)


PAPER_MULTIPLIERS: tuple[Catalogued, ...] = (
    Catalogued("exact"),
    Catalogued("drum", (3,)),
    Catalogued("drum", (4,)),
    Catalogued("scaletrim", (3, 0)),
    Catalogued("scaletrim", (4, 0)),
    Catalogued("scaletrim", (4, 4)),
    Catalogued("scaletrim", (4, 8)),
)
"""The seven multipliers of the paper, accurate first."""


def golden(multiplier: Catalogued, *, folder: Path | None = None) -> Lut:
    """Loads a committed table; no simulator is needed.

    Args:
        multiplier: one of PAPER_MULTIPLIERS.
        folder: another folder of `<slug>.npz` files than the committed one.

    Raises:
        HwsimError: there is no table of this multiplier, it is damaged, or it is another's.
    """
    path = (folder or GOLDEN_DIR) / f"{multiplier.slug}.npz"
    if not path.is_file():
        known = ", ".join(map(str, PAPER_MULTIPLIERS))
        raise HwsimError(
            f"no golden table of {multiplier} at {path}: the committed ones are {known}; "
            f"`axhil lut '{multiplier}'` makes one from the Verilog"
        )
    lut = Lut.load(path)
    if lut.name != multiplier.name:
        raise HwsimError(f"expected the table of {multiplier} in {path}, got that of {lut.name}")
    return lut


def legal_multipliers(operand: Operand) -> tuple[Catalogued, ...]:
    """Every multiplier of the catalogue that these operands allow.

    Args:
        operand: of 4 to 16 bits.
    """
    return tuple(
        Catalogued(name, args, operand)
        for name, design in families().items()
        for args in design.instances(operand.bits)
    )


def _known() -> str:
    return "; ".join(design.signature for design in families().values())
