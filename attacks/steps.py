# SPDX-License-Identifier: Apache-2.0
"""From an iterate, its gradient and its loss to the next: the step rules of `search`.

A walk holds the iterates of a batch and the best of each row so far, and lets go of rows.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from .norms import Norm, direction, per_row, project

# Large tensors are written in place and bounds kept, and rows are selected by number rather than by
# a mask: next to a small network each pass over the batch shows.


class Walk(Protocol):
    """The iterates of a batch under one step rule."""

    x: Tensor
    """(N, ...) where the rows are."""

    @property
    def best(self) -> tuple[Tensor, Tensor]:
        """(N, ...) the iterate of each row with the largest loss so far, and (N,) that loss."""

    def see(self, gradient: Tensor, loss: Tensor) -> None:
        """Take note of the gradient (N, ...) and loss (N,) where the rows are."""

    def move(self) -> None:
        """Take the next step."""

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows alone, (N,) bool."""


class FixedSteps:
    """Steps of one length along the gradient's direction: PGD.

    Args:
        norm: the norm of the ball.
        x: (N, ...) where to start.
        x0: (N, ...) the ball's centres.
        radius: (N,) float64 budgets.
        rel_step: length of a step as a part of the radius.
    """

    def __init__(
        self, norm: Norm, x: Tensor, x0: Tensor, radius: Tensor, *, rel_step: float
    ) -> None:
        self.x = x
        self._norm, self._x0 = norm, x0
        self._radius = per_row(radius.to(x0), x0)
        self._low = (x0 - self._radius).clamp_min_(0.0)
        self._high = (x0 + self._radius).clamp_max_(1.0)
        self._step = per_row((rel_step * radius).to(x0), x0)
        self._best_x = x.clone()
        self._best_loss = torch.full((len(x),), -torch.inf, device=x.device)
        self._gradient = x

    @property
    def best(self) -> tuple[Tensor, Tensor]:
        """See `Walk`."""
        return self._best_x, self._best_loss

    def see(self, gradient: Tensor, loss: Tensor) -> None:
        """See `Walk`."""
        self._gradient = gradient
        better = loss > self._best_loss
        self._best_loss = torch.where(better, loss, self._best_loss)
        _overwrite(self._best_x, self.x, better)

    def move(self) -> None:
        """See `Walk`."""
        self.x = self._ahead()

    def _ahead(self) -> Tensor:
        """One step along the gradient, in a tensor of its own."""
        ascent = direction(self._norm, self._gradient)
        if self._norm is Norm.LINF:  # a sign times a step is exact, so one rounding is left
            return self._inside(torch.addcmul(self.x, ascent, self._step, out=ascent))
        return self._inside(ascent.mul_(self._step).add_(self.x))

    def _inside(self, x: Tensor) -> Tensor:
        """Into the ball and the box, in place where that is possible."""
        if self._norm is Norm.LINF:
            return x.clamp_(self._low, self._high)
        return project(self._norm, x, self._x0, self._radius).clamp_(0.0, 1.0)

    def keep(self, rows: Tensor) -> None:
        """See `Walk`."""
        places = rows.nonzero()[:, 0]
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.index_select(0, places))


class AdaptiveSteps(FixedSteps):
    """APGD: momentum, and a step that is halved where it stopped to pay.

    F. Croce and M. Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks", ICML 2020, algorithm 1. The first step is 2 eps, the momentum 0.75. At
    a checkpoint a row halves its step and goes back to its best iterate when its loss rose in fewer
    than 3 of 4 steps since the last one, or when neither its step nor its best loss changed there.
    Checkpoints are 22 % of the steps apart, then 3 % less each time, and at least 6 %.

    Args:
        norm: the norm of the ball.
        x: (N, ...) where to start.
        x0: (N, ...) the ball's centres.
        radius: (N,) float64 budgets.
        steps: how many there will be.
    """

    MOMENTUM = 0.75
    RISING = 0.75

    def __init__(self, norm: Norm, x: Tensor, x0: Tensor, radius: Tensor, *, steps: int) -> None:
        super().__init__(norm, x, x0, radius, rel_step=2.0)
        self._wait = max(int(0.22 * steps), 1)
        self._shorter, self._least = max(int(0.03 * steps), 1), max(int(0.06 * steps), 1)
        self._since = self._seen = 0
        self._before = x
        self._best_gradient = torch.zeros_like(x)
        self._last_loss = self._best_loss
        self._checked_loss = self._best_loss
        self._rises = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        self._halved = torch.ones(len(x), dtype=torch.bool, device=x.device)

    def see(self, gradient: Tensor, loss: Tensor) -> None:
        """See `Walk`."""
        _overwrite(self._best_gradient, gradient, loss > self._best_loss)
        super().see(gradient, loss)
        self._rises = self._rises + (loss > self._last_loss)
        self._last_loss = loss
        if self._seen == 0:
            self._checked_loss, self._rises = self._best_loss, torch.zeros_like(self._rises)
        else:
            self._since += 1
        self._seen += 1
        if self._since == self._wait:
            self._check()

    def _check(self) -> None:
        stuck = ~self._halved & (self._checked_loss >= self._best_loss)
        self._halved = (self._rises <= self.RISING * self._wait) | stuck
        self._checked_loss, self._rises = self._best_loss, torch.zeros_like(self._rises)
        back = per_row(self._halved, self.x)
        self._step = torch.where(back, self._step / 2, self._step)
        self.x = torch.where(back, self._best_x, self.x)
        self._gradient = torch.where(back, self._best_gradient, self._gradient)
        self._wait, self._since = max(self._wait - self._shorter, self._least), 0

    def move(self) -> None:
        """See `Walk`."""
        ahead = self._ahead()
        x, before = self.x, self._before
        if self._seen > 1:
            # x + share (ahead - x) + (1 - share) (x - before)
            share = self.MOMENTUM
            ahead = ahead.mul_(share).add_(x, alpha=2.0 - 2.0 * share)
            ahead = self._inside(ahead.sub_(before, alpha=1.0 - share))
        self._before, self.x = x, ahead


def _overwrite(kept: Tensor, new: Tensor, rows: Tensor) -> None:
    """Copy these rows, (N,) bool, in place."""
    places = rows.nonzero()[:, 0]
    if len(places):
        kept.index_copy_(0, places, new if len(places) == len(new) else new.index_select(0, places))
