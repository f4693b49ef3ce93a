# SPDX-License-Identifier: Apache-2.0
"""Batch norm behind a convolution: kept in float, or folded into the weights.

In inference batch norm is y * g + d per channel, with g = gamma / sqrt(var + eps) and
d = beta - mean * g. ``keep`` multiplies the layer's dequantisation by g and leaves the integer
weights those of the convolution; ``fold`` multiplies the weights by g before they are quantised,
as an integer-only accelerator would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import fx, nn

BatchNorm = Literal["keep", "fold"]


@dataclass(frozen=True, eq=False)
class Affine:
    """Per-channel y * gain + shift, (O,) float32 each."""

    gain: torch.Tensor
    shift: torch.Tensor

    @classmethod
    def of(cls, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> Affine:
        """Read an inference-mode batch norm, computed in float64 and rounded once."""
        assert norm.running_mean is not None
        assert norm.running_var is not None
        gain = 1.0 / torch.sqrt(norm.running_var.double() + norm.eps)
        if norm.affine:
            gain = gain * norm.weight.detach().double()
        shift = -norm.running_mean.double() * gain
        if norm.affine:
            shift = shift + norm.bias.detach().double()
        return cls(gain.float(), shift.float())


def followers(model: nn.Module) -> dict[str, str]:
    """Find each convolution whose output goes into one batch norm and nowhere else.

    Args:
        model: any network; one that torch.fx cannot trace has none found, and its batch norms
            then run as they are.

    Returns:
        Convolution name to batch norm name.
    """
    try:
        graph = fx.symbolic_trace(model).graph
    except Exception:  # tracing runs the user's own forward, which may raise anything
        return {}
    modules = dict(model.named_modules())
    uses: dict[str, int] = {}
    for node in graph.nodes:
        if node.op == "call_module":
            uses[node.target] = uses.get(node.target, 0) + 1
    found = {}
    for node in graph.nodes:
        norms = nn.BatchNorm1d | nn.BatchNorm2d
        if node.op != "call_module" or not isinstance(modules[node.target], norms):
            continue
        source = node.args[0]
        if (
            isinstance(source, fx.Node)
            and source.op == "call_module"
            and isinstance(modules[str(source.target)], nn.Conv1d | nn.Conv2d)
            and len(source.users) == 1
            # A module called twice may stand before two different things.
            and uses[str(source.target)] == uses[node.target] == 1
            and modules[node.target].track_running_stats
        ):
            found[str(source.target)] = str(node.target)
    return found
