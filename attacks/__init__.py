# SPDX-License-Identifier: Apache-2.0
"""Adversarial attacks on any `nn.Module` that takes images in [0, 1], and their evaluation."""

if __name__ != "axhil.attacks":
    raise ImportError("expected: import axhil.attacks")

from .checks import AttackWarning
from .errors import AttackError
from .evaluation import Evaluation, evaluate, network_rows, review
from .gradient import GradientAttack
from .grid import Attack, Block, sweep
from .norms import Norm
from .presets import PRESETS, bim, fgsm, pgd, preset

__all__ = [
    "PRESETS",
    "Attack",
    "AttackError",
    "AttackWarning",
    "Block",
    "Evaluation",
    "GradientAttack",
    "Norm",
    "bim",
    "evaluate",
    "fgsm",
    "network_rows",
    "pgd",
    "preset",
    "review",
    "sweep",
]
