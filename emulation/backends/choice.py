# SPDX-License-Identifier: Apache-2.0
"""Which backend a layer gets on a device, and why."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache

import torch

from axhil.errors import address

from .. import native
from ..errors import EmulationError
from .backend import BACKENDS, Backend, Computation

AUTO = "auto"
"""Takes the cheapest; every other word forces the backend of that name."""


class PortableWarning(UserWarning):
    """The native kernel is missing; everything works, slowly."""


@dataclass(frozen=True)
class Choice:
    """A backend, and why.

    Attributes:
        backend: its class.
        reason: in a few words.
        cost: estimated time per product, in units of the product kernel's.
    """

    backend: type[Backend]
    reason: str
    cost: float


def choose(
    computation: Computation, codes: torch.Tensor, device: torch.device, name: str = AUTO
) -> Choice:
    """Take the cheapest backend that can compute this there, or the one of a name.

    A name is for sums of a table's products: what has but one backend keeps it.

    Args:
        computation: what is to be computed.
        codes: (O, C // groups, kh, kw) int8 or int16 weight codes, on any device.
        device: where; nothing runs there yet.
        name: ``auto``, or the backend to force.

    Raises:
        EmulationError: no such backend, or it cannot compute this.
    """
    if name != AUTO and name not in BACKENDS:
        raise EmulationError(
            f"unknown backend {name!r}: expected {', '.join((AUTO, *sorted(BACKENDS)))}"
        )
    by_cost = sorted(BACKENDS.values(), key=lambda one: one.cost(computation))
    refusals = {one: one.refusal(computation, device) for one in by_cost}
    able = [one for one in by_cost if refusals[one] is None]
    if name != AUTO and computation.refusal is None:
        chosen = BACKENDS[name]
        if chosen not in able:
            raise EmulationError(
                f"backend {name!r} cannot compute {computation.arithmetic.name} on "
                f"{device.type}: {refusals[chosen]}; choose {', '.join(b.name for b in able)}"
            )
        return Choice(chosen, "requested", chosen.cost(computation))
    chosen = able[0]
    cheaper = by_cost[: by_cost.index(chosen)]
    reasons = dict.fromkeys(
        reason
        for one in cheaper
        if one.only_on in (None, device.type) and (reason := refusals[one])
    )
    reason = chosen.why(computation, codes)
    if not reason and native.NOT_BUILT in reasons:
        _warn_once()
    return Choice(chosen, reason or "; ".join(reasons), chosen.cost(computation))


@cache
def _warn_once() -> None:
    warnings.warn(
        f"running the portable path, which is slow: {native.unavailable_reason()}; install a C++ "
        f"compiler and reinstall axhil for the native kernel ({address('portable-path')})",
        PortableWarning,
        stacklevel=2,
    )
