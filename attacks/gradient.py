# SPDX-License-Identifier: Apache-2.0
"""The gradient loop: the presets are settings of `GradientAttack`.

One step is: gradient of the summed loss; its direction in the norm; a step along it;
projection onto the eps-ball around the clean image; clamp to [0, 1]. The order and the rounding
are foolbox 3's, which is the independent oracle in the tests.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .draws import unit_ball
from .errors import AttackError
from .inputs import check_count, check_images, check_indices, check_labels, check_seed, row_budgets
from .losses import loss_of, targeted
from .network import check_finite, input_gradient, largest
from .norms import Norm, direction, per_row, project


@dataclass(frozen=True, kw_only=True)
class GradientAttack:
    """An untargeted gradient attack on images in [0, 1].

    Attributes:
        norm: the norm that the budget eps is measured in (its value, "linf" or "l2", will do).
        steps: number of gradients, at least 1.
        rel_step: length of a step as a part of eps.
        abs_step: length of a step in pixel units; takes the place of `rel_step` when given.
        random_start: start uniformly in the eps-ball rather than at the clean image.
        loss: what is raised, see `losses`; one without a target.
        name: how records and messages call the attack.
    """

    norm: Norm
    steps: int
    rel_step: float = 1.0
    abs_step: float | None = None
    random_start: bool = False
    loss: str = "cross_entropy"
    name: str = "gradient"

    def __post_init__(self) -> None:
        object.__setattr__(self, "norm", Norm(self.norm))
        check_count(self.steps, what="steps")
        loss_of(self.loss)
        if targeted(self.loss):
            raise AttackError(f"expected a loss without a target, got {self.loss}: use apgd")
        for what, length in (("rel_step", self.rel_step), ("abs_step", self.abs_step)):
            if length is not None and not (math.isfinite(length) and length > 0.0):
                raise AttackError(f"expected a finite {what} above 0, got {length:g}")

    @property
    def needs_gradient(self) -> bool:
        """It follows nothing else."""
        return True

    @property
    def shares_gradient(self) -> bool:
        """Whether all budgets take their one step from the same point, the clean image."""
        return self.steps == 1 and not self.random_start

    def __call__(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        eps: float | Tensor,
        seed: int = 0,
        indices: Tensor | None = None,
        start: Tensor | None = None,
    ) -> Tensor:
        """Attack a batch and return the last iterate.

        The network's parameters, their gradients and its training flags are left as they are.

        Args:
            model: maps (N, ...) float32 in [0, 1] to (N, classes) logits.
            images: (N, ...) float32 in [0, 1], on the network's device.
            labels: (N,) int64, the true classes.
            eps: one budget, or (N,) floating point with one per row (float64 keeps decimal
                budgets to the bit); rows of eps = 0 come back unchanged.
            seed: of the random start.
            indices: (N,) int64, each sample's number in its data set, which its random start
                depends on; None counts from 0.
            start: (N, ...) float32 in [0, 1] to begin from instead of the clean images or of
                a random start; it is brought into the ball after the first step.

        Returns:
            (N, ...) float32 in [0, 1], within eps of the images up to rounding.

        Raises:
            AttackError: inputs out of range or of the wrong shape or dtype, a network without a
                gradient, NaN or infinity in its logits or gradients.
        """
        x = images
        iterates = self.iterates(
            model, images, labels, eps=eps, seed=seed, indices=indices, start=start
        )
        for iterate in iterates:
            x = iterate
        return x

    def iterates(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        eps: float | Tensor,
        seed: int = 0,
        indices: Tensor | None = None,
        start: Tensor | None = None,
    ) -> Generator[Tensor, Tensor | None, None]:
        """The attack, one step at a time; takes and raises what a call does.

        Returns:
            A generator of `steps` batches (N, ...) float32 in [0, 1]. Sent a (N,) bool mask, it
            goes on with those rows alone, and ends early where there are none. NaN and infinity
            are looked for before rows are let go and before the last batch is handed out.
        """
        check_images(images)
        least_classes = check_labels(labels, images) + 1
        budgets = row_budgets(eps, len(images))
        samples = check_indices(indices, len(images))
        check_seed(seed)
        if start is not None:
            check_images(start, what="start")
            if start.shape != images.shape or start.device != images.device:
                raise AttackError(
                    f"expected start like the images, {tuple(images.shape)} on {images.device}, "
                    f"got {tuple(start.shape)} on {start.device}"
                )
        x0 = images.detach()
        x = x0 if start is None else start.detach()
        if self.random_start and start is None:
            ball = unit_ball(self.norm, seed, samples, tuple(x0.shape[1:])).to(x0.device)
            x = (x0 + per_row(budgets.to(x0), x0) * ball).clamp_(0.0, 1.0)
        return self._loop(model, x, x0, labels=labels, budgets=budgets, least_classes=least_classes)

    def _loop(
        self,
        model: nn.Module,
        x: Tensor,
        x0: Tensor,
        *,
        labels: Tensor,
        budgets: Tensor,
        least_classes: int,
    ) -> Generator[Tensor, Tensor | None, None]:
        """The loop itself, on inputs that have been checked."""
        lengths = self._lengths(budgets, x0)
        magnitude = torch.zeros(len(x0), device=x0.device)
        for step in range(self.steps):
            gradient, logits, _ = input_gradient(
                model, x, labels, least_classes=least_classes, loss=loss_of(self.loss)
            )
            magnitude = torch.maximum(magnitude, largest(gradient, logits))
            x = self._move(x, x0, direction(self.norm, gradient), lengths)
            if step == self.steps - 1:
                check_finite(magnitude, attack=self.name)
            keep = yield x
            if keep is not None and not keep.all():
                check_finite(magnitude, attack=self.name)
                keep = keep.to(x.device)
                x, x0, labels, magnitude = x[keep], x0[keep], labels[keep], magnitude[keep]
                lengths = lengths[0][keep], lengths[1][keep]
                if len(x) == 0:
                    return

    def ascent(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Direction of the first step from the clean images, the same for every budget.

        Args:
            model: maps (N, ...) float32 in [0, 1] to (N, classes) logits.
            images: (N, ...) float32 in [0, 1], on the network's device.
            labels: (N,) int64.

        Returns:
            (N, ...) float32, of length 1 in the norm, or 0 where there is no gradient.

        Raises:
            AttackError: as a call does.
        """
        check_images(images)
        least_classes = check_labels(labels, images) + 1
        gradient, logits, _ = input_gradient(
            model, images, labels, least_classes=least_classes, loss=loss_of(self.loss)
        )
        check_finite(largest(gradient, logits), attack=self.name)
        return direction(self.norm, gradient)

    def single_step(self, images: Tensor, ascent: Tensor, *, eps: float | Tensor) -> Tensor:
        """Take the first step from the clean images along a direction that is known already.

        For an attack that `shares_gradient` this is the whole attack, bit for bit.

        Args:
            images: (N, ...) float32 in [0, 1].
            ascent: (N, ...) float32, what `ascent` gave for these images.
            eps: one budget, or (N,) floating point with one per row.

        Returns:
            (N, ...) float32 in [0, 1], within eps of the images up to rounding.

        Raises:
            AttackError: a budget that is negative, NaN or infinite, or of the wrong shape.
        """
        lengths = self._lengths(row_budgets(eps, len(images)), images)
        return self._move(images, images, ascent, lengths)

    def _lengths(self, budgets: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Step and radius of each row, (N, 1, ..., 1) float32, each rounded once from float64."""
        step = (
            self.rel_step * budgets
            if self.abs_step is None
            else torch.full_like(budgets, self.abs_step)
        )
        return per_row(step.to(like), like), per_row(budgets.to(like), like)

    def _move(
        self, x: Tensor, x0: Tensor, ascent: Tensor, lengths: tuple[Tensor, Tensor]
    ) -> Tensor:
        """One step, the projection onto the ball, then the box."""
        step, radius = lengths
        return project(self.norm, (step * ascent).add_(x), x0, radius).clamp_(0.0, 1.0)
