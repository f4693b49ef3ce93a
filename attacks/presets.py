# SPDX-License-Identifier: Apache-2.0
"""The attacks that people know by name, as settings of the one gradient loop.

| preset | steps | step | start |
|---|---|---|---|
| FGSM (L-inf), FGM (L2): Goodfellow et al., 2015 | 1 | eps | clean image |
| BIM: Kurakin et al., 2017 | 50 | 0.2 eps | clean image |
| PGD: Madry et al., 2018 | 50 | (0.01/0.3) eps | uniform in the eps-ball |
"""

from __future__ import annotations

from .gradient import GradientAttack
from .norms import Norm
from .registry import register, spell

ITERATIONS = 50
"""Steps of the iterated presets."""


@register("fgsm", title={Norm.LINF: "FGSM", Norm.L2: "FGM"})
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


@register("bim", title="BIM")
def bim(
    norm: Norm | str = Norm.LINF, *, steps: int = ITERATIONS, rel_step: float = 0.2
) -> GradientAttack:
    """The basic iterative method: steps of 0.2 eps from the clean image.

    Args:
        norm: "linf" or "l2".
        steps: number of gradients.
        rel_step: length of a step as a part of eps.

    Returns:
        The attack.

    Raises:
        AttackError: an unknown norm, fewer than one step, or a step that is no length.
    """
    name = spell("bim", steps=steps, rel_step=rel_step)
    return GradientAttack(norm=Norm(norm), steps=steps, rel_step=rel_step, name=name)


@register("pgd", title="PGD")
def pgd(
    norm: Norm | str = Norm.LINF,
    *,
    steps: int = ITERATIONS,
    rel_step: float = 0.01 / 0.3,
    random_start: bool = True,
) -> GradientAttack:
    """Projected gradient descent: steps of (0.01/0.3) eps from a random point of the ball.

    Args:
        norm: "linf" or "l2".
        steps: number of gradients.
        rel_step: length of a step as a part of eps.
        random_start: start uniformly in the eps-ball rather than at the clean image.

    Returns:
        The attack.

    Raises:
        AttackError: an unknown norm, fewer than one step, or a step that is no length.
    """
    return GradientAttack(
        norm=Norm(norm),
        steps=steps,
        rel_step=rel_step,
        random_start=random_start,
        name=spell("pgd", steps=steps, rel_step=rel_step, random_start=random_start),
    )
