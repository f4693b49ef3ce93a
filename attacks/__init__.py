# SPDX-License-Identifier: Apache-2.0
"""What an adversary does to any `nn.Module` that takes images in [0, 1].

It imports torch alone and knows nothing of tables. A new attack is one more module here, with
`@register` on it: see `registry`.
"""

if __name__ != "axhil.attacks":
    raise ImportError("expected: import axhil.attacks")

from .attack import Attack, SharedAttack, SteppedAttack
from .checks import AttackWarning
from .errors import AttackError
from .evaluation import Evaluation, evaluate, network_rows
from .gradient import GradientAttack
from .grid import Block, sweep
from .norms import Norm
from .presets import apgd, bim, fgsm, pgd
from .registry import attack_names, attack_title, canonical, parse_attack, register, spell
from .suites import SOURCES, Borrowed, Suite, adaptive, autoattack

__all__ = [
    "SOURCES",
    "Attack",
    "AttackError",
    "AttackWarning",
    "Block",
    "Borrowed",
    "Evaluation",
    "GradientAttack",
    "Norm",
    "SharedAttack",
    "SteppedAttack",
    "Suite",
    "adaptive",
    "apgd",
    "attack_names",
    "attack_title",
    "autoattack",
    "bim",
    "canonical",
    "evaluate",
    "fgsm",
    "network_rows",
    "parse_attack",
    "pgd",
    "register",
    "spell",
    "sweep",
]
