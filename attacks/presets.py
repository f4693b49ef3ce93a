# SPDX-License-Identifier: Apache-2.0
"""The attacks that people know by name, as settings of the one gradient loop.

| preset | steps | step | start |
|---|---|---|---|
| FGSM (L-inf), FGM (L2): Goodfellow et al., 2015 | 1 | eps | clean image |
| BIM: Kurakin et al., 2017 | 50 | 0.2 eps | clean image |
| PGD: Madry et al., 2018 | 50 | (0.01/0.3) eps | uniform in the eps-ball |
"""

from __future__ import annotations

from .errors import AttackError
from .gradient import GradientAttack
from .norms import Norm

PRESETS = ("fgsm", "bim", "pgd")
"""Names that `preset` knows."""

ITERATIONS = 50
"""Steps of the iterated presets."""


def fgsm(norm: Norm | str = Norm.LINF) -> GradientAttack:
    """The fast gradient (sign) method: one step of length eps; in L2 it is also called FGM.

    Args:
        norm: "linf" or "l2".

    Returns:
        The attack.

    Raises:
        AttackError: an unknown norm.
    """
    return GradientAttack(norm=Norm(norm), steps=1, rel_step=1.0, name="fgsm")


def bim(norm: Norm | str = Norm.LINF, *, steps: int = ITERATIONS) -> GradientAttack:
    """The basic iterative method: steps of 0.2 eps from the clean image.

    Args:
        norm: "linf" or "l2".
        steps: number of gradients.

    Returns:
        The attack.

    Raises:
        AttackError: an unknown norm or fewer than one step.
    """
    return GradientAttack(norm=Norm(norm), steps=steps, rel_step=0.2, name="bim")


def pgd(norm: Norm | str = Norm.LINF, *, steps: int = ITERATIONS) -> GradientAttack:
    """Projected gradient descent: steps of (0.01/0.3) eps from a random point of the ball.

    Args:
        norm: "linf" or "l2".
        steps: number of gradients.

    Returns:
        The attack.

    Raises:
        AttackError: an unknown norm or fewer than one step.
    """
    return GradientAttack(
        norm=Norm(norm), steps=steps, rel_step=0.01 / 0.3, random_start=True, name="pgd"
    )


def preset(name: str, norm: Norm | str = Norm.LINF) -> GradientAttack:
    """Look an attack up by name.

    Args:
        name: one of `PRESETS`.
        norm: "linf" or "l2".

    Returns:
        The attack.

    Raises:
        AttackError: an unknown name or norm.
    """
    known = {"fgsm": fgsm, "bim": bim, "pgd": pgd}
    if name not in known:
        raise AttackError(f"unknown attack {name!r}: expected one of {', '.join(PRESETS)}")
    return known[name](norm)
