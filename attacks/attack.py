# SPDX-License-Identifier: Apache-2.0
"""What the sweep and the evaluator ask of an attack, and what more an attack can offer."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from .norms import Norm


class Attack(Protocol):
    """The least that an attack is: a name, a norm, and a function from images to images."""

    @property
    def name(self) -> str:
        """Its canonical spelling, see `registry`."""

    @property
    def norm(self) -> Norm:
        """The norm that its budget is measured in."""

    @property
    def steps(self) -> int:
        """Rows through the network for each image and budget, for progress."""

    @property
    def needs_gradient(self) -> bool:
        """Whether it differentiates the network; a black-box attack does not."""

    def __call__(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        eps: Tensor,
        seed: int,
        indices: Tensor,
    ) -> Tensor:
        """Attack a batch: (N, ...) images, (N,) float64 eps and int64 indices on the CPU."""


@runtime_checkable
class SteppedAttack(Attack, Protocol):
    """An attack that shows its iterates, so that rows can be judged, and stopped, in between."""

    def iterates(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        eps: Tensor,
        seed: int,
        indices: Tensor,
    ) -> Generator[Tensor, Tensor | None, None]:
        """`steps` batches; sent a (N,) bool mask, it goes on with those rows alone."""


@runtime_checkable
class SharedAttack(Attack, Protocol):
    """An attack that can take one step per budget from a gradient that all budgets share."""

    @property
    def shares_gradient(self) -> bool:
        """Whether it does, with its settings."""

    def ascent(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Direction of the step from the clean images, (N, ...)."""

    def single_step(self, images: Tensor, ascent: Tensor, *, eps: Tensor) -> Tensor:
        """The whole attack along that direction, (N, ...)."""


@runtime_checkable
class TransferAttack(Attack, Protocol):
    """An attack that stops where the network it follows errs, unless another is to be broken."""

    def for_transfer(self) -> Attack:
        """The same attack for a network whose answers it does not see."""
