# SPDX-License-Identifier: Apache-2.0
"""The gradient search: a loss, a step rule and starts; a row that is broken leaves the batch.

`GradientAttack` is the loop that papers publish results of: so many steps, the last iterate. This
one is for finding out whether an image can be broken at all: it looks at every iterate, ends a row
at the first that is misclassified, and goes on with the others from another start or to another
class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .draws import unit_ball
from .inputs import check_count, check_images, check_indices, check_labels, check_seed, row_budgets
from .losses import likeliest_wrong, loss_of, targeted
from .network import check_finite, input_gradient, largest, predict
from .norms import Norm, distance, per_row
from .steps import AdaptiveSteps, FixedSteps, Walk


@dataclass(frozen=True, kw_only=True)
class Search:
    """An untargeted attack, or one to each of the likeliest wrong classes in turn.

    Attributes:
        norm: the norm that the budget eps is measured in.
        iterations: steps from each start.
        loss: what is raised, see `losses`.
        rel_step: length of a step as a part of eps; None: adaptive steps, see `steps`.
        restarts: how many starts; of a targeted loss, for each class.
        targets: how many classes a targeted loss goes to at most.
        on_sphere: whether the starts are scaled to the length eps rather than lie in the ball.
        patient: whether a row goes on after it is broken and ends at its largest loss: what is
            meant for another network than the one attacked gets further so.
        name: how records and messages call the attack.
    """

    norm: Norm
    iterations: int
    loss: str
    rel_step: float | None = None
    restarts: int = 1
    targets: int = 9
    on_sphere: bool = True
    patient: bool = False
    name: str = "search"

    def __post_init__(self) -> None:
        object.__setattr__(self, "norm", Norm(self.norm))
        check_count(self.iterations, what="steps")
        check_count(self.restarts, what="restarts")
        check_count(self.targets, what="targets")
        loss_of(self.loss)

    @property
    def needs_gradient(self) -> bool:
        """It follows nothing else."""
        return True

    @property
    def steps(self) -> int:
        """Rows through the network for each image and budget, where none leaves the batch."""
        classes = self.targets if targeted(self.loss) else 1
        return 1 + classes * self.restarts * (self.iterations + 1)

    def for_transfer(self) -> Search:
        """The same attack for the eyes of another network."""
        return replace(self, patient=True)

    def __call__(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        eps: float | Tensor,
        seed: int = 0,
        indices: Tensor | None = None,
    ) -> Tensor:
        """Attack a batch.

        Args:
            model: maps (N, ...) float32 in [0, 1] to (N, classes) logits.
            images: (N, ...) float32 in [0, 1], on the network's device.
            labels: (N,) int64, the true classes.
            eps: one budget, or (N,) floating point with one per row.
            seed: of the starts.
            indices: (N,) int64, each sample's number in its data set, which its starts depend on;
                None counts from 0.

        Returns:
            (N, ...) float32 in [0, 1], within eps of the images up to rounding: a misclassified
            image where one was found, else the iterate with the largest loss.

        Raises:
            AttackError: inputs out of range or of the wrong shape or dtype, a network without a
                gradient, NaN or infinity in its logits or gradients.
        """
        check_images(images)
        least_classes = check_labels(labels, images) + 1
        budgets = row_budgets(eps, len(images))
        samples = check_indices(indices, len(images))
        check_seed(seed)
        x0 = images.detach()
        logits = predict(model, x0, least_classes=least_classes)
        classes = labels[:, None]
        if targeted(self.loss):
            classes = likeliest_wrong(logits, labels, self.targets)
        ends, losses = x0.clone(), torch.full((len(x0),), -torch.inf, device=x0.device)
        alive = torch.arange(len(x0), device=x0.device)[(logits.argmax(1) == labels) | self.patient]
        for attempt in range(self.restarts * classes.shape[1]):
            if len(alive) == 0:
                break
            cpu = alive.cpu()
            restart, rank = attempt % self.restarts, attempt // self.restarts
            start = self._start(x0[alive], budgets[cpu], seed, samples[cpu], restart)
            walk = self._walk_from(start, x0[alive], budgets[cpu])
            alive = self._until_broken(
                walk, model, (labels, classes[:, rank]), alive, (ends, losses)
            )
        return ends

    def _walk_from(self, start: Tensor, x0: Tensor, budgets: Tensor) -> Walk:
        if self.rel_step is None:
            return AdaptiveSteps(self.norm, start, x0, budgets, steps=self.iterations)
        return FixedSteps(self.norm, start, x0, budgets, rel_step=self.rel_step)

    def _start(
        self, x0: Tensor, budgets: Tensor, seed: int, samples: Tensor, restart: int
    ) -> Tensor:
        """Random points of the balls, or of their surfaces, (N, ...)."""
        points = unit_ball(self.norm, seed, samples, tuple(x0.shape[1:]), restart=restart)
        if self.on_sphere:
            length = distance(self.norm, points, torch.zeros_like(points))
            points /= per_row(length.to(points), points)
        return (x0 + per_row(budgets.to(x0), x0) * points.to(x0.device)).clamp_(0.0, 1.0)

    def _until_broken(
        self,
        walk: Walk,
        model: nn.Module,
        goals: tuple[Tensor, Tensor],
        rows: Tensor,
        found: tuple[Tensor, Tensor],
    ) -> Tensor:
        """Walk until the steps are done or no row is left, and return the rows not broken."""
        loss = loss_of(self.loss)
        ends, losses = found
        y, t = (one[rows] for one in goals)
        for step in range(self.iterations + 1):
            here = walk.x
            gradient, logits, values = input_gradient(model, here, y, loss=loss, targets=t)
            # A gradient that is not finite shows in the next loss, or in the image itself.
            if not math.isfinite(float(values.sum())):
                check_finite(largest(gradient, logits), attack=self.name)
            walk.see(gradient, values)
            broken = logits.argmax(1) != y
            if not self.patient and broken.any():
                ends[rows[broken]] = here[broken]
                rows, y, t = rows[~broken], y[~broken], t[~broken]
                walk.keep(~broken)
                if len(rows) == 0:
                    return rows
            if step < self.iterations:
                walk.move()
        x, best = walk.best
        better = best > losses[rows]
        ends[rows[better]], losses[rows[better]] = x[better], best[better]
        return rows
