# SPDX-License-Identifier: Apache-2.0
"""The judge: puts attacked images before the network under attack and trusts nobody else.

It keeps its own copy of the clean images, measures how far each attacked one is from them and
projects what lies outside the ball.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .attack import Attack
from .errors import AttackError
from .network import device_of, predict
from .norms import distance, per_row, project, rounding


class Judge:
    """What a network says of attacked images, budget by budget.

    Args:
        model: the network under attack.
        attack: whose images they are.
        images: (N, ...) float32 in [0, 1], the clean ones.
        labels: (N,) int64.
        clean: (N,) int64 on the CPU, what the network says of the clean images.
        budgets: (B,) float64.

    Attributes:
        predictions: (B, N) int64, what it said last; of images not judged, what it says of the
            clean one.
        excess: (B, N) float64, the furthest that an image lay beyond its budget.
        outside: (B, N) bool, whether that, or leaving [0, 1], was more than rounding.
    """

    def __init__(
        self,
        model: nn.Module,
        attack: Attack,
        images: Tensor,
        labels: Tensor,
        *,
        clean: Tensor,
        budgets: Tensor,
    ) -> None:
        self._model, self._attack, self._images = model, attack, images
        self._device = device_of(model, images.device)
        self._truth, self._eps = labels.cpu(), budgets
        self._classes = int(labels.max()) + 1
        self.predictions = clean.repeat(len(budgets), 1)
        self.excess = torch.zeros(self.predictions.shape, dtype=torch.float64)
        self.outside = torch.zeros(self.predictions.shape, dtype=torch.bool)

    def __call__(self, rows: Tensor, columns: Tensor, x_adv: Tensor) -> Tensor:
        """Judge a batch and keep what is found.

        Args:
            rows: (R,) int64 on the CPU, positions of the budgets.
            columns: (R,) int64 on the CPU, positions of the images.
            x_adv: (R, ...) what the attack returned.

        Returns:
            (R,) bool on the CPU: the network errs.

        Raises:
            AttackError: no finite images of that shape, or no logits of the network.
        """
        x0 = self._images[columns].to(self._device)
        x, over, out = confined(self._attack, x_adv, x0, self._eps[rows])
        self.excess[rows, columns] = torch.maximum(self.excess[rows, columns], over)
        self.outside[rows, columns] |= out
        logits = predict(self._model, x, least_classes=self._classes)
        self.predictions[rows, columns] = logits.argmax(1).cpu()
        return self.predictions[rows, columns] != self._truth[columns]


def confined(
    attack: Attack, x_adv: Tensor, x0: Tensor, eps: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Make sure that images are finite, in the ball and in the box.

    What is within `norms.rounding` of the ball is left as it is, so that an honest attack's
    images are judged to the bit; anything further out is projected in float64.

    Returns:
        The images (R, ...) to judge, and on the CPU how far each was beyond its eps (R,)
        float64 and whether that, or leaving [0, 1], was more than rounding (R,) bool.
    """
    if not isinstance(x_adv, Tensor) or x_adv.shape != x0.shape or x_adv.dtype != x0.dtype:
        got = (
            f"{x_adv.dtype} {tuple(x_adv.shape)}"
            if isinstance(x_adv, Tensor)
            else type(x_adv).__name__
        )
        raise AttackError(
            f"expected {attack.name} to return {x0.dtype} {tuple(x0.shape)}, got {got}"
        )
    x_adv = x_adv.detach().to(x0.device)
    length = distance(attack.norm, x_adv, x0).cpu()
    if not length.isfinite().all():
        raise AttackError(
            f"expected {attack.name} to return finite images, got NaN or infinity in "
            f"{int((~length.isfinite()).sum())} of {len(length)} rows"
        )
    excess = (length - eps).clamp_min(0.0)
    beyond = excess > rounding(attack.norm, eps, dimensions=x0[0].numel())
    unboxed = ((x_adv < 0.0) | (x_adv > 1.0)).flatten(1).any(1).cpu()
    if beyond.any():
        radius = per_row(eps.to(x0.device), x0)
        inside = project(attack.norm, x_adv.double(), x0.double(), radius).to(x0.dtype)
        x_adv = torch.where(per_row(beyond.to(x0.device), x0), inside, x_adv)
    return x_adv.clamp(0.0, 1.0), excess, beyond | unboxed
