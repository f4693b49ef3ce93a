# SPDX-License-Identifier: Apache-2.0
"""The multipliers that exist, how they are written, and which arguments are legal."""

import re
from dataclasses import dataclass

from ..errors import HwsimError
from . import scaletrim

WIDTHS = range(4, 17)
"""Operand widths that the RTL in `rtl/` supports."""


@dataclass(frozen=True)
class Family:
    """One design in `rtl/`.

    Attributes:
        arguments: names of the arguments, spelled as the Verilog parameters.
        legal: what the arguments may be, for messages.
        module: unsigned core, which is also its file's name.
        helpers: modules that the core instantiates.
        label: format of the short name used in figures.
    """

    arguments: tuple[str, ...]
    legal: str
    module: str
    helpers: tuple[str, ...]
    label: str


FAMILIES: dict[str, Family] = {
    "exact": Family((), "no arguments", "mul_exact", (), "ACC"),
    "drum": Family(("K",), "2 <= K <= WIDTH", "mul_drum", ("leading_one",), "DR{}"),
    "scaletrim": Family(
        ("H", "M"),
        "1 <= H < WIDTH and M = 0 or a power of two, 2 <= M <= 2^(H+1)",
        "mul_scaletrim",
        ("leading_one",),
        "sT({},{})",
    ),
}


@dataclass(frozen=True)
class Multiplier:
    """A multiplier of the catalogue, independent of the operand width.

    Attributes:
        family: key of FAMILIES.
        args: (), (K,) or (H, M).

    Raises:
        HwsimError: unknown family, or arguments that no width up to 16 bits allows.
    """

    family: str
    args: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise HwsimError(f"unknown multiplier family {self.family!r}: expected {_known()}")
        if len(self.args) != len(self._family.arguments):
            names = ", ".join(self._family.arguments) or "no arguments"
            raise HwsimError(
                f"{self}: expected {names}, got {len(self.args)} argument(s); known: {_known()}"
            )
        # What the widest operands refuse, every width refuses.
        self.check(max(WIDTHS))

    def __str__(self) -> str:
        return f"{self.family}({','.join(map(str, self.args))})" if self.args else self.family

    @property
    def _family(self) -> Family:
        return FAMILIES[self.family]

    @property
    def slug(self) -> str:
        """File name without suffix: `scaletrim_4_8`."""
        return "_".join([self.family, *map(str, self.args)])

    @property
    def label(self) -> str:
        """Short name of the paper's figures: `ACC`, `DR4`, `sT(4,8)`."""
        return self._family.label.format(*self.args)

    @property
    def core(self) -> str:
        """Name of the unsigned Verilog module."""
        return self._family.module

    @property
    def modules(self) -> tuple[str, ...]:
        """The core and every helper it instantiates."""
        return (self._family.module, *self._family.helpers)

    def check(self, width: int) -> None:
        """Refuses arguments that are illegal for operands of `width` bits.

        Raises:
            HwsimError: a sentence with the legal range.
        """
        if width not in WIDTHS:
            raise HwsimError(f"{self}: expected 4 <= WIDTH <= 16, got WIDTH={width}")
        given = ", ".join(
            f"{name}={value}" for name, value in zip(self._family.arguments, self.args, strict=True)
        )
        if not self._legal(width):
            legal = self._family.legal.replace("WIDTH", f"WIDTH={width}")
            raise HwsimError(f"{self}: expected {legal}, got {given}")

    def _legal(self, width: int) -> bool:
        if self.family == "drum":
            return 2 <= self.args[0] <= width
        if self.family == "scaletrim":
            h, m = self.args
            return 1 <= h < width and (m == 0 or (2 <= m <= 2 ** (h + 1) and m & (m - 1) == 0))
        return True

    def parameters(self, width: int) -> dict[str, int]:
        """Verilog parameters of the unsigned core, under their RTL names.

        Args:
            width: operand bits, 4..16.

        Raises:
            HwsimError: the arguments are illegal for this width.
        """
        self.check(width)
        parameters = {"WIDTH": width, **dict(zip(self._family.arguments, self.args, strict=True))}
        if self.family == "scaletrim":
            constants = scaletrim.fit(width, *self.args)
            parameters["DEE"] = constants.dee
            parameters["COMP"] = constants.packed
        return parameters


PAPER_MULTIPLIERS: tuple[Multiplier, ...] = (
    Multiplier("exact"),
    Multiplier("drum", (3,)),
    Multiplier("drum", (4,)),
    Multiplier("scaletrim", (3, 0)),
    Multiplier("scaletrim", (4, 0)),
    Multiplier("scaletrim", (4, 4)),
    Multiplier("scaletrim", (4, 8)),
)
"""The seven multipliers of the paper, accurate first."""

_SPELLING = re.compile(
    r"\s*(?P<family>[a-z]+)\s*"
    r"(?:\(\s*(?P<called>\d{1,9}(?:\s*,\s*\d{1,9})*)?\s*\)|(?P<slug>(?:_\d{1,9})+))?\s*",
    re.ASCII,
)


def parse_multiplier(text: str, *, width: int | None = None) -> Multiplier:
    """Reads a multiplier as people write it.

    Args:
        text: `exact`, `drum(4)`, `scaletrim(4, 8)`, or as in file names: `drum_4`.
        width: also refuse what is illegal for operands of this many bits.

    Raises:
        HwsimError: unknown, malformed or illegal; the sentence names what is allowed.
    """
    match = _SPELLING.fullmatch(text)
    if match is None:
        raise HwsimError(f"cannot read multiplier {text!r}: expected {_known()}")
    digits = re.findall(r"\d+", match["called"] or match["slug"] or "")
    multiplier = Multiplier(match["family"], tuple(map(int, digits)))
    if width is not None:
        multiplier.check(width)
    return multiplier


def legal_multipliers(width: int) -> tuple[Multiplier, ...]:
    """Every multiplier of the catalogue that operands of `width` bits allow.

    Args:
        width: operand bits, 4..16.
    """
    drum = [Multiplier("drum", (k,)) for k in range(2, width + 1)]
    scaletrim_ = [
        Multiplier("scaletrim", (h, m))
        for h in range(1, width)
        for m in (0, *(2**j for j in range(1, h + 2)))
    ]
    return (Multiplier("exact"), *drum, *scaletrim_)


def _known() -> str:
    return "; ".join(
        f"{name}({','.join(family.arguments)}) with {family.legal}" if family.arguments else name
        for name, family in FAMILIES.items()
    )
