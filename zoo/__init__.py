# SPDX-License-Identifier: Apache-2.0
"""Networks, their weights and their data: what a network built from a multiplier is tried on."""

if __name__ != "axhil.zoo":
    raise ImportError("expected: import axhil.zoo")

from .data import Images, embedded_split
from .networks import Network, network
from .weights import pretrained

__all__ = ["Images", "Network", "embedded_split", "network", "pretrained"]
