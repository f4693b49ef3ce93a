# SPDX-License-Identifier: Apache-2.0
"""The gradient attacks that people know by name, as settings of the two loops.

| preset | steps | step | start |
|---|---|---|---|
| FGSM (L-inf), FGM (L2): Goodfellow et al., 2015 | 1 | eps | clean image |
| BIM: Kurakin et al., 2017 | 50 | 0.2 eps | clean image |
| PGD: Madry et al., 2018 | 50 | (0.01/0.3) eps | uniform in the eps-ball |
| APGD: Croce and Hein, 2020 | 100 | from 2 eps, halved | random on the eps-ball's surface |

With restarts, and in APGD always, the first iterate that is misclassified ends a row; without, the
last iterate decides, as published.
"""

from __future__ import annotations

from .errors import AttackError
from .gradient import GradientAttack
from .norms import Norm
from .registry import register, spell
from .search import Search

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
    loss: str = "cross_entropy",
    restarts: int = 1,
) -> GradientAttack | Search:
    """Projected gradient descent: steps of (0.01/0.3) eps from a random point of the ball.

    Args:
        norm: "linf" or "l2".
        steps: number of gradients from each start.
        rel_step: length of a step as a part of eps.
        random_start: start uniformly in the eps-ball rather than at the clean image.
        loss: what is raised, see `losses`; one without a target.
        restarts: how many starts; of more than one, any misclassified iterate breaks an image.

    Returns:
        The attack.

    Raises:
        AttackError: an unknown norm or loss, fewer than one step or start, a step that is no
            length, or restarts from the clean image, which would all be one.
    """
    name = spell(
        "pgd",
        steps=steps,
        rel_step=rel_step,
        random_start=random_start,
        loss=loss,
        restarts=restarts,
    )
    single = GradientAttack(
        norm=Norm(norm),
        steps=steps,
        rel_step=rel_step,
        random_start=random_start,
        loss=loss,
        name=name,
    )
    if restarts == 1:
        return single
    if not random_start:
        raise AttackError("expected a random start where there are several")
    return Search(
        norm=single.norm,
        iterations=steps,
        loss=loss,
        rel_step=rel_step,
        restarts=restarts,
        on_sphere=False,
        name=name,
    )


@register("apgd", title="APGD")
def apgd(
    norm: Norm | str = Norm.LINF,
    *,
    loss: str = "cross_entropy",
    steps: int = 100,
    restarts: int = 1,
    targets: int = 9,
) -> Search:
    """APGD: momentum, and steps that shorten by themselves; see `steps.AdaptiveSteps`.

    Args:
        norm: "linf" or "l2".
        loss: what is raised, see `losses`.
        steps: moves from each start.
        restarts: how many starts; of a targeted loss, for each class.
        targets: how many classes a targeted loss goes to at most, the likeliest first.

    Returns:
        The attack.

    Raises:
        AttackError: an unknown norm or loss, or fewer than one step, start or class.
    """
    return Search(
        norm=Norm(norm),
        iterations=steps,
        loss=loss,
        restarts=restarts,
        targets=targets,
        name=spell("apgd", loss=loss, steps=steps, restarts=restarts, targets=targets),
    )
