# SPDX-License-Identifier: Apache-2.0
"""FAB: to the nearest point of the decision boundary, by one linear step after the other.

F. Croce and M. Hein, "Minimally distorted adversarial examples with a fast adaptive boundary
attack", ICML 2020, in the targeted form that AutoAttack uses: between the true class and each of
the likeliest wrong ones in turn. It looks for the smallest perturbation whatever the budget; here a
row ends as soon as a misclassified image lies within its budget.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .inputs import check_count, check_images, check_indices, check_labels, check_seed, row_budgets
from .losses import likeliest_wrong
from .network import check_finite, input_gradient, predict
from .norms import LEAST_NORM, Norm, l2_norm, per_row, project
from .registry import register, spell

OVERSHOOT = 1.05
"""Of each step over the linearised boundary: eta of the paper."""
PULL = 0.9
"""Share of the way from the clean image that a misclassified iterate goes back to: beta."""
MOST_CLEAN = 0.1
"""Largest share of the projection of the clean image in a step: alpha_max."""

MOST_PIECES = 30
"""Linear pieces that a step is looked for over."""


def boundary_step(norm: Norm, x: Tensor, normal: Tensor, offset: Tensor) -> Tensor:
    """Shortest step inside the box onto the hyperplane of a row, or as far as the box lets it.

    A step of size s moves pixel i by at most s (L-inf) or s |w_i| (L2) towards the hyperplane, and
    by no more than it has room; what that adds up to is piecewise linear in s.

    Args:
        norm: what is shortest.
        x: (N, D) in [0, 1].
        normal: (N, D) w of the hyperplane w z = b.
        offset: (N,) how much w x lacks to b.

    Returns:
        (N, D) the step.
    """
    way = (normal * offset.sign()[:, None]).sign_()  # the step along it raises w x towards b
    weight = normal.abs()
    room = torch.where(way > 0, 1.0 - x, x)
    # Of a size s a pixel takes s pace, which raises w x by s pull.
    pace, pull = (None, weight) if norm is Norm.LINF else (weight, weight.square())
    need = offset.abs()[:, None]
    size = torch.zeros_like(need)
    kept = torch.empty_like(weight)  # written again and again: each pass over the batch shows
    # Newton from below on a concave, piecewise linear function: exact after a few pieces.
    for _ in range(MOST_PIECES):
        wished = size if pace is None else torch.mul(size, pace, out=kept)
        speed = torch.where(wished < room, pull, 0.0).sum(1, keepdim=True)
        taken = torch.minimum(wished, room, out=kept).mul_(weight)
        missing = need - taken.sum(1, keepdim=True)
        ahead = size + (missing / speed.clamp_min(LEAST_NORM)).clamp_min(0.0)
        # Each row by itself: others in the batch must not show.
        further = ahead > size * (1.0 + 1e-6)
        if not further.any():
            break
        size = torch.where(further, ahead.clamp_max(1.0 / LEAST_NORM), size)
    return way.mul_(torch.minimum(size if pace is None else size * pace, room, out=kept))


@register("fab", title="FAB")
class Fab:
    """The attack.

    Args:
        norm: "linf" or "l2".
        steps: linear steps to each class.
        targets: how many classes at most, the likeliest first.

    Raises:
        AttackError: an unknown norm, or fewer than one step or class.
    """

    needs_gradient = True

    def __init__(self, norm: Norm | str = Norm.LINF, *, steps: int = 100, targets: int = 9) -> None:
        check_count(steps, what="steps")
        check_count(targets, what="targets")
        self.norm, self._iterations, self._targets = Norm(norm), steps, targets
        self.name = spell("fab", steps=steps, targets=targets)

    @property
    def steps(self) -> int:
        """Rows through the network for each image and budget, where none leaves the batch."""
        return 1 + 3 * self._iterations * self._targets

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
        """Attack a batch; nothing is drawn.

        Args:
            model: maps (N, ...) float32 in [0, 1] to (N, classes) logits.
            images: (N, ...) float32 in [0, 1], on the network's device.
            labels: (N,) int64, the true classes.
            eps: one budget, or (N,) floating point with one per row.
            seed: not looked at.
            indices: not looked at.

        Returns:
            (N, ...) float32 in [0, 1], within eps of the images up to rounding: a misclassified
            image where one was found, else the last iterate brought into the ball.

        Raises:
            AttackError: inputs out of range or of the wrong shape or dtype, a network without a
                gradient, NaN or infinity in its logits or gradients.
        """
        check_images(images)
        least = check_labels(labels, images) + 1
        radius = row_budgets(eps, len(images)).to(images)
        check_indices(indices, len(images))
        check_seed(seed)
        x0 = images.detach()
        logits = predict(model, x0, least_classes=least)
        classes = likeliest_wrong(logits, labels, self._targets)
        wrong = logits.argmax(1) != labels
        ends, rows = x0.clone(), torch.arange(len(x0), device=x0.device)[~wrong]
        for target in classes.unbind(1):
            if len(rows):
                rows = self._to(target, model, (x0, labels, radius), rows, ends)
        return ends

    def _to(
        self,
        target: Tensor,
        model: nn.Module,
        inputs: tuple[Tensor, Tensor, Tensor],
        rows: Tensor,
        ends: Tensor,
    ) -> Tensor:
        """Walk towards one class, and return the rows that are not broken."""
        x0, y, t, radius = (one[rows] for one in (inputs[0], inputs[1], target, inputs[2]))
        x = x0
        for _ in range(self._iterations):
            gradient, logits, gap = input_gradient(model, x, y, loss=_gap, targets=t)
            check_finite(logits.abs().amax(1), attack=self.name)
            x = self._step(x, x0, gradient, gap)
            inside = project(self.norm, x, x0, per_row(radius, x)).clamp_(0.0, 1.0)
            # An iterate further out than eps breaks nothing, but the next one starts nearer.
            wrong = predict(model, torch.cat((x, inside))).argmax(1) != torch.cat((y, y))
            beyond, broken = wrong.chunk(2)
            back = torch.sub(x, x0).mul_(PULL).add_(x0)
            x = torch.where(per_row(beyond, x), back, x)
            if broken.any():
                ends[rows[broken]], keep = inside[broken], ~broken
                rows, x, x0, y, t, radius = (one[keep] for one in (rows, x, x0, y, t, radius))
                if len(rows) == 0:
                    return rows
                inside = inside[keep]
        ends[rows] = inside
        return rows

    def _step(self, x: Tensor, x0: Tensor, gradient: Tensor, gap: Tensor) -> Tensor:
        """Over the linearised boundary, from the iterate and from the clean image, and a mean."""
        w, here, clean = gradient.flatten(1), x.flatten(1), x0.flatten(1)
        lacking = -gap.to(w)  # the boundary is where the gap of the two logits closes
        offsets = torch.cat((lacking, lacking + (w * (here - clean)).sum(1)))
        starts, normals = torch.cat((here, clean)), torch.cat((w, w))
        own, back = boundary_step(self.norm, starts, normals, offsets).chunk(2)
        a, b = (self._length(one).clamp_min(1e-8) for one in (own, back))
        share = (a / (a + b)).clamp(0.0, MOST_CLEAN)[:, None]
        moved = own.mul_(OVERSHOOT).add_(here).mul_(1.0 - share)
        moved.add_(back.mul_(OVERSHOOT).add_(clean).mul_(share))
        return moved.clamp_(0.0, 1.0).to(x.dtype).reshape(x.shape)

    def _length(self, step: Tensor) -> Tensor:
        return step.abs().amax(1) if self.norm is Norm.LINF else l2_norm(step)


def _gap(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """z_t - z_y: above 0 the target has overtaken the true class."""
    return (logits.gather(1, targets[:, None]) - logits.gather(1, labels[:, None]))[:, 0]
