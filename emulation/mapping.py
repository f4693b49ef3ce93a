# SPDX-License-Identifier: Apache-2.0
"""From what a network is to be built from to what each of its layers computes with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from axhil.hwsim.lut import Lut
from axhil.hwsim.multipliers import NETWORKS, Assignment, Multiplier, find
from axhil.hwsim.multipliers.by_gates import computed
from axhil.hwsim.netlist.program import Program

from .errors import EmulationError
from .products.accumulator import Accumulator
from .products.arithmetic import Arithmetic, ExactArithmetic, ExternalArithmetic, TableArithmetic
from .products.external import External
from .quantise.quantize import refused_operands

# What a layer computes with: a table, None for exact integer arithmetic, "float" for the layer as
# it was, an External for products computed elsewhere, from gates for instance.
Mapped = Lut | External | Literal["float"] | None
# That of every layer, or by name patterns (shell style, first match wins); or what
# `hwsim.multipliers` finds and assigns.
BuiltFrom = (
    Mapped
    | Program
    | Multiplier
    | str
    | Assignment
    | Mapping[str, Mapped | Program | Multiplier | str]
)


def tables_of(source: BuiltFrom) -> Mapped | dict[str, Mapped]:
    """The tables of what a network is to be built from."""
    if isinstance(source, str) and source != "float":
        source = Assignment.parse(source, NETWORKS)
    if isinstance(source, Assignment):
        source = source.mapping()
    if isinstance(source, Mapping):
        return {pattern: mapped_to(one) for pattern, one in source.items()}
    return mapped_to(source)


def mapped_to(source: Mapped | Program | Multiplier | str) -> Mapped:
    """What a layer computes with: of a multiplier its table, or its gates."""
    if source is None or source == "float" or isinstance(source, Lut | External):
        return source  # type: ignore[return-value]  # the one text among them is "float"
    if not isinstance(source, Program):
        source = computed(find(source, NETWORKS) if isinstance(source, str) else source)
    return External.of(source) if isinstance(source, Program) else source


def check(mapped: Mapped) -> None:
    """Refuses operands that networks are not quantised to.

    Raises:
        EmulationError: says which, and what they are.
    """
    if mapped is None or isinstance(mapped, str):
        return
    table = isinstance(mapped, Lut)
    expected = refused_operands(mapped.activation, mapped.weight, table=table)
    if expected is not None:
        raise EmulationError(
            f"networks are quantised to {expected}, but {mapped.name} takes "
            f"{mapped.activation.code} activations and {mapped.weight.code} weights"
        )


def arithmetic_of(mapped: Lut | External | None, accumulator: Accumulator | None) -> Arithmetic:
    """What a layer that is converted accumulates."""
    if mapped is None:
        return ExactArithmetic()
    if isinstance(mapped, External):
        return ExternalArithmetic(mapped, accumulator)
    return TableArithmetic(mapped, accumulator)


def label_of(mapped: Mapped) -> str:
    """What a plan calls it."""
    return ExactArithmetic.name if mapped is None or isinstance(mapped, str) else mapped.name
