# SPDX-License-Identifier: Apache-2.0
"""Which path each layer takes, and why: decided once, when the network is converted."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

import numpy as np
import torch

from axhil.hwsim.lut import Lut

from . import native
from .accumulator import Accumulator, AccumulatorPath
from .calibrate import LayerTrace
from .errors import EmulationError
from .external import External, ExternalPath
from .factorise import Term, factorise
from .geometry import Geometry
from .layers import LayerParameters
from .paths import (
    FLOAT32_EXACT,
    DefinitionPath,
    FactorisedPath,
    GatherPath,
    Path,
    product_kernel,
    table_kernel,
)
from .rowsums import RowSumPath

Backend = Literal["auto", "definition", "gather", "row sums", "factorised", "native"]


class PortableWarning(UserWarning):
    """The native kernel is missing; everything works, slowly."""


def _separable(
    terms: tuple[Term, ...], parameters: LayerParameters, *, kernel: bool
) -> tuple[Path, str]:
    codes, geometry, width = parameters.codes, parameters.geometry, parameters.width
    many = f"{len(terms)} separable term{'s' if len(terms) != 1 else ''}"
    if kernel and len(terms) == 1 and native.available():
        path = product_kernel(terms[0], codes, geometry, width=width)
        if path is not None:
            return path, f"{many}, 8-bit factors"
    factorised = FactorisedPath(terms, codes, geometry, width=width)
    exact = factorised.bound < FLOAT32_EXACT
    return factorised, (
        f"{many}; {'float32' if exact else 'float64'}: sum |u||v| <= {factorised.bound:,}"
    )


@dataclass(frozen=True)
class LayerPlan:
    """One line of the plan.

    Attributes:
        name: the layer's name in the network.
        multiplier: what it computes with.
        input_shape: of one image.
        output_shape: of one image.
        macs: multiply-accumulates of one image, on average over the calibration.
        path: the path taken.
        reason: why, in a few words.
        cost: estimated time of one image, in units of a product of the product kernel.
        share: part of the network's multiply-accumulates, 0 to 1.
    """

    name: str
    multiplier: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    macs: int
    path: str
    reason: str
    cost: float
    share: float


def exact_term(width: int) -> Term:
    """The exact product's one separable term: both operands as they are."""
    values = np.arange(2**width, dtype=np.int64)
    values = np.where(values < 2 ** (width - 1), values, values - 2**width)
    return Term(values, values)


FLOAT = "float32"
"""The path of what is not quantised."""
# Seconds per product of each path, relative to the product kernel: orders of magnitude, read off
# `make bench`, for the plan's estimated shares of time.
RELATIVE_COST = {
    FLOAT: 1.0,
    "product kernel": 1.0,
    "factorised": 2.0,  # per separable term
    "table kernel": 4.0,
    "row sums": 20.0,
    "gather": 400.0,
    "definition": 600.0,
    "accumulator": 1e3,
    "external": 1e5,  # a simulator's
}

_FORCED: dict[str, Callable[[Lut, torch.Tensor, Geometry], Path]] = {
    "definition": DefinitionPath,
    "gather": GatherPath,
    "row sums": RowSumPath,
    "native": table_kernel,
}


@cache
def _tell_once() -> None:
    warnings.warn(
        f"running the portable path, which is slow: {native.unavailable_reason()}; install a C++ "
        f"compiler and reinstall axhil for the native kernel",
        PortableWarning,
        stacklevel=2,
    )


@lru_cache(maxsize=64)
def _factorised(lut: Lut) -> tuple[Term, ...] | None:
    return factorise(lut.table)


def choose(
    name: str,
    parameters: LayerParameters,
    seen: LayerTrace,
    lut: Lut | External | None,
    *,
    backend: Backend,
    macs: int,
    share: float,
    accumulator: Accumulator | None = None,
) -> tuple[Path, LayerPlan]:
    """Build the path of one layer.

    Args:
        name: the layer's name.
        parameters: its codes and geometry.
        seen: its shapes.
        lut: the table; None for exact integer arithmetic; or what is asked for each product.
        backend: ``auto``, or the path to force.
        macs: its multiply-accumulates for one image.
        share: what part of the network's that is.
        accumulator: of few bits, for a layer with a table or an `External`; None: no sum
            overflows.

    Returns:
        The path and its line of the plan.

    Raises:
        EmulationError: ``factorised`` was forced on a table that has no few separable terms.
    """
    codes, geometry, width = parameters.codes, parameters.geometry, parameters.width
    terms = None
    if not isinstance(lut, External):
        terms = (exact_term(width),) if lut is None else _factorised(lut)
    path: Path
    if isinstance(lut, External):
        path, reason = ExternalPath(lut, codes, geometry, accumulator), "every product asked for"
        reason += "" if accumulator is None else f"; {accumulator}"
    elif lut is not None and accumulator is not None:
        path, reason = AccumulatorPath(lut, codes, geometry, accumulator), str(accumulator)
    elif backend == "factorised" and terms is None:
        raise EmulationError(
            f"{name}: the table is no sum of few separable terms; choose another path"
        )
    elif lut is not None and backend in _FORCED:
        path, reason = _FORCED[backend](lut, codes, geometry), "asked for"
    elif terms is not None:
        path, reason = _separable(terms, parameters, kernel=backend == "auto")
    elif native.available():
        assert lut is not None
        path = table_kernel(lut, codes, geometry)
        reason = "not separable"
    else:
        assert lut is not None
        _tell_once()
        path = RowSumPath(lut, codes, geometry)
        reason = "not separable; the native kernel is not built"
    label = "exact" if lut is None else lut.name
    return path, LayerPlan(
        name,
        label,
        seen.input_shape,
        seen.output_shape,
        macs,
        path.name,
        reason,
        macs
        * RELATIVE_COST[path.name]
        * (len(terms) if path.name == "factorised" and terms else 1),
        share,
    )
