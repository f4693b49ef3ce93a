# SPDX-License-Identifier: Apache-2.0
"""The mean error of a multiplier's products, taken off the bias that a layer adds in float.

    bias[m] -= out_scale[m] * mean over images and places of (acc[m] - exact acc[m])

The images are those that calibrated the network. Each layer sees what the layers before it make of
them, corrected already. Hardware needs nothing for it: the adder of the bias is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from .layers import LutLayer

# Of the largest layer, over all images: they pass at once, as means are over all of them.
_ACTIVATIONS = 2**26


def images_for(images: torch.Tensor, largest: int) -> torch.Tensor:
    """The images that corrections are taken from: all, or evenly among them as many as fit.

    Args:
        images: (N, C, H, W) float32.
        largest: values of the largest input or output of a layer, of one image.
    """
    fit = max(1, _ACTIVATIONS // largest)
    return images[:: -(-len(images) // fit)]


@torch.no_grad()
def correct_biases(
    network: nn.Module, layers: Mapping[str, LutLayer], images: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Correct the biases of a network's layers, in the order in which they run.

    Args:
        network: runs the layers.
        layers: those to correct, by name.
        images: (N, C, H, W) float32 in [0, 1].

    Returns:
        The corrected biases, (O,) float32, by layer.
    """
    before = {name: layer.bias.detach() for name, layer in layers.items()}
    errors: dict[str, list[torch.Tensor]] = {name: [] for name in layers}

    def correct(name: str, layer: LutLayer, x: torch.Tensor) -> None:
        errors[name].append(layer.mean_error(layer.as_images(x)))  # a layer may run again
        mean = torch.stack(errors[name]).mean(0)
        layer.bias = nn.Parameter(before[name] - mean, requires_grad=False)

    def watching(name: str) -> Any:
        return lambda layer, args: correct(name, layer, args[0])

    hooks = [layer.register_forward_pre_hook(watching(name)) for name, layer in layers.items()]
    try:
        network(images)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: layer.bias.detach() for name, layer in layers.items()}
