# SPDX-License-Identifier: Apache-2.0
"""What computes each layer of a network, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .backends import Choice

FLOAT = "float32"
"""The path of what is not quantised; its cost is that of the product kernel."""


@dataclass(frozen=True)
class LayerPlan:
    """One line of the plan.

    Attributes:
        name: the layer's name in the network.
        multiplier: what it computes with.
        input_shape: of one image.
        output_shape: of one image.
        macs: multiply-accumulates of one image, on average over the calibration.
        share: part of the network's multiply-accumulates, 0 to 1.
        path: name of the backend; `FLOAT` for none.
        reason: why, in a few words.
        cost: estimated time of one image, in units of a product of the product kernel or, where it
            is measured, in nanoseconds.
        bias_corrected: whether the mean error of its products is taken off its bias.
    """

    name: str
    multiplier: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    macs: int
    share: float
    path: str
    reason: str
    cost: float
    bias_corrected: bool = False

    def by(self, choice: Choice) -> LayerPlan:
        """The same layer computed by another backend."""
        cost = self.macs * choice.cost
        return replace(self, path=choice.backend.name, reason=choice.reason, cost=cost)
