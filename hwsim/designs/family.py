# SPDX-License-Identifier: Apache-2.0
"""A family of multipliers: what `drum` is before somebody says which K."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import HwsimError
from ..operands import Operand

Integers = NDArray[np.int64]
Args = tuple[int, ...]

FIRST, SECOND, PRODUCT = "a_i", "b_i", "p_o"
"""Ports of every multiplier: first operand, second operand, product."""

WIDTHS = range(4, 17)
"""Operand widths that the RTL in `rtl/` supports."""


SIGNS_REFUSED: tuple[Mapping[str, int], ...] = ({"SIGNED": 2}, {"SIGNED": -1})
"""For a core whose parameter SIGNED is 0 or 1."""

Formula = Callable[[Integers, Integers, Mapping[str, int]], Integers]
"""Unsigned operands, broadcast against each other, and Verilog parameters to unsigned products."""


@dataclass(frozen=True)
class Family:
    """One design in `rtl/`, for operands of any width.

    Attributes:
        name: in front of the arguments, as in `drum(4)`.
        parameters: names of the arguments, spelled as the Verilog parameters.
        legal: what the arguments may be, a sentence about WIDTH for messages.
        label: format of the short name used in figures.
        modules: Verilog modules, file = module: the unsigned core, then the helpers it needs.
        instances: operand bits to every legal tuple of arguments.
        formula: the unsigned core by its definition, from the paper and never from the Verilog.
        header: the defaults of the core's Verilog parameters, WIDTH among them.
        derived: operand bits and arguments to the parameters that follow from them.
        signed_top: module of `rtl/` that takes the family's name as CORE, and whose core has SIGNED
            at 1; None: a sign-magnitude wrapper is generated.
        samples: arguments to try on operands too wide to try all; None: all of them.
        alone: parameters to give by themselves, where the header's defaults fill in the others.
        beyond: operand bits and a generator to parameters that no arguments have, but that the
            Verilog takes.
        refused: parameters that must stop the simulation: one step, and more, out of every range.
    """

    name: str
    parameters: tuple[str, ...]
    legal: str
    label: str
    modules: tuple[str, ...]
    instances: Callable[[int], Iterable[Args]]
    formula: Formula
    header: Mapping[str, int]
    derived: Callable[[int, Args], Mapping[str, int]] = lambda _width, _args: {}
    signed_top: str | None = None
    samples: Callable[[int], Iterable[Args]] | None = None
    alone: tuple[Mapping[str, int], ...] = ({},)
    beyond: Callable[[int, np.random.Generator], Iterable[Mapping[str, int]]] = lambda *_: ()
    refused: tuple[Mapping[str, int], ...] = ({"WIDTH": 3}, {"WIDTH": 17}, {"WIDTH": 20})

    def spelling(self, args: Args) -> str:
        """`drum(4)`, or the bare name without arguments."""
        return f"{self.name}({','.join(map(str, args))})" if args else self.name

    @property
    def signature(self) -> str:
        """For messages: `drum(K) with 2 <= K <= WIDTH`."""
        if not self.parameters:
            return self.name
        return f"{self.name}({','.join(self.parameters)}) with {self.legal}"

    def check(self, width: int, args: Args) -> None:
        """Refuses arguments that are illegal for operands of `width` bits.

        Raises:
            HwsimError: a sentence with the legal range.
        """
        spelling = self.spelling(args)
        if len(args) != len(self.parameters):
            names = ", ".join(self.parameters) or "no arguments"
            raise HwsimError(f"{spelling}: expected {names}, got {len(args)} argument(s)")
        if width not in WIDTHS:
            raise HwsimError(
                f"{spelling}: expected {WIDTHS[0]} <= WIDTH <= {WIDTHS[-1]}, got WIDTH={width}"
            )
        if args not in self.instances(width):
            legal = self.legal.replace("WIDTH", f"WIDTH={width}")
            got = ", ".join(f"{n}={v}" for n, v in zip(self.parameters, args, strict=True))
            raise HwsimError(f"{spelling}: expected {legal}, got {got}")

    def verilog(self, width: int, args: Args) -> dict[str, int]:
        """Parameters of the core, under their RTL names.

        Raises:
            HwsimError: as `check`.
        """
        self.check(width, args)
        given = dict(zip(self.parameters, args, strict=True))
        return {"WIDTH": width, **given, **self.derived(width, args)}

    def reference(self, a: ArrayLike, b: ArrayLike, *, operand: Operand, args: Args) -> Integers:
        """The product of any operands by the naive formula: the independent oracle of the RTL.

        Args:
            a: operand values.
            b: operand values, broadcast against `a`.
            operand: what both are; a signed one puts the core between sign and magnitude, and a
                zero operand then gives 0.
            args: legal for the width.

        Raises:
            HwsimError: as `check`.
        """
        parameters = self.verilog(operand.bits, args)
        return self.product(a, b, operand=operand, parameters=parameters)

    def product(
        self, a: ArrayLike, b: ArrayLike, *, operand: Operand, parameters: Mapping[str, int]
    ) -> Integers:
        """As `reference`, for any Verilog parameters; the header's defaults fill in the others."""
        x, y = np.asarray(a, np.int64), np.asarray(b, np.int64)
        parameters = {**self.header, "WIDTH": operand.bits, **parameters}
        if not operand.signed:
            return self.formula(x, y, parameters)
        magnitude = self.formula(abs(x), abs(y), parameters)
        value = np.where((x == 0) | (y == 0), 0, np.sign(x) * np.sign(y) * magnitude)
        # The output has 2*WIDTH wires. One product of the catalogue does not fit their range:
        # DRUM(2) makes 9/16 * 4^WIDTH of the most negative operand's square, which wraps.
        wires = Operand(2 * operand.bits, signed=True)
        return wires.value(wires.pattern(value))


def leading_one(x: Integers) -> Integers:
    """floor(log2 x) for x >= 1; exact, as every operand fits the 53 bits of float64."""
    return np.frexp(x.astype(np.float64))[1].astype(np.int64) - 1
