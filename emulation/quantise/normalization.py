# SPDX-License-Identifier: Apache-2.0
"""Normalisation as a part of the model: networks take images in [0, 1]."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn


class Normalize(nn.Module):
    """(x - mean) / std per channel, for images (N, C, H, W) in [0, 1]."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        # Constants of the data set, not weights: kept out of the state dict.
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise a batch."""
        return (x - self.mean) / self.std


class Normalized(nn.Module):
    """A network behind its normalisation; state dicts carry the network's own keys."""

    def __init__(self, normalize: Normalize, network: nn.Module) -> None:
        super().__init__()
        self.normalize = normalize
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) in [0, 1] to (N, classes) logits."""
        return cast(torch.Tensor, self.network(self.normalize(x)))
