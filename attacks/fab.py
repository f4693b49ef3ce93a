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
    # Each pass over the batch shows: masks as numbers, as comparisons to bool and `where` take ten
    # times as long, and in tensors that are written again and again.
    way = (normal * offset.sign()[:, None]).sign_()  # the step along it raises w x towards b
    mask = torch.gt(way, 0.0, out=torch.empty_like(way))
    room = torch.sub(1.0, x).mul_(mask)
    room.add_(torch.le(way, 0.0, out=mask).mul_(x))  # one of the two is 0
    weight = normal.abs()
    size = _sizes(norm, room, weight, offset.abs()[:, None], mask)
    # Of a size s a pixel takes s in L-inf, s |w_i| in L2.
    wished = size if norm is Norm.LINF else weight.mul_(size)
    return way.mul_(torch.minimum(wished, room, out=room))


def _sizes(norm: Norm, room: Tensor, weight: Tensor, need: Tensor, spare: Tensor) -> Tensor:
    """Sizes (N, 1) of the steps that raise w x as needed, as far as there is room.

    Newton from below on a concave, piecewise linear function: exact after a few pieces. Each row is
    by itself, others in the batch do not show; where few still move, the others are left out.
    """
    size, rows = torch.zeros_like(need), torch.arange(len(need), device=need.device)
    kept = torch.empty_like(room)
    pull = weight if norm is Norm.LINF else weight.square()
    for piece in range(MOST_PIECES):
        mask, taken = spare[: len(rows)], kept[: len(rows)]
        here = size.index_select(0, rows)
        wished = here if norm is Norm.LINF else torch.mul(here, weight, out=taken)
        speed = torch.lt(wished, room, out=mask).mul_(pull).sum(1, keepdim=True)
        missing = need
        if piece:  # of size 0 nothing is taken
            taken = torch.minimum(wished, room, out=taken).mul_(weight)
            missing = need - taken.sum(1, keepdim=True)
        ahead = here + (missing / speed.clamp_min(LEAST_NORM)).clamp_min(0.0)
        moving = (ahead > here * (1.0 + 1e-6))[:, 0].nonzero()[:, 0]
        if len(moving) == 0:
            break
        size[rows[moving]] = ahead[moving].clamp_max(1.0 / LEAST_NORM)
        if 2 * len(moving) < len(rows):
            rows = rows[moving]
            room, weight, need = (one.index_select(0, moving) for one in (room, weight, need))
            pull = weight if norm is Norm.LINF else weight.square()
    return size


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
            further = beyond.nonzero()[:, 0]
            clean = x0.index_select(0, further)
            x.index_copy_(0, further, (x.index_select(0, further) - clean).mul_(PULL).add_(clean))
            if broken.any():
                ends[rows[broken]], keep = inside[broken], (~broken).nonzero()[:, 0]
                rows, x, x0, y, t, radius, inside = (
                    one.index_select(0, keep) for one in (rows, x, x0, y, t, radius, inside)
                )
                if len(rows) == 0:
                    return rows
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
