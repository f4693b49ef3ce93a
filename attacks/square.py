# SPDX-License-Identifier: Apache-2.0
"""Square: a random search that needs no gradient, only logits.

M. Andriushchenko, F. Croce, N. Flammarion and M. Hein, "Square Attack: a query-efficient black-box
adversarial attack via random search", ECCV 2020. Each query changes a square of the perturbation
and is kept where the margin falls; the squares shrink along a fixed schedule. Position and signs of
a query depend on the seed, the sample's index and the query's number only; in the authors' code a
batch shares its positions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import prod, sqrt

import torch
from torch import Tensor, nn

from .draws import uniforms
from .inputs import check_count, check_images, check_indices, check_labels, check_seed, row_budgets
from .losses import loss_of
from .network import predict
from .norms import LEAST_NORM, Norm, l2_norm, per_row
from .registry import register, spell

SHARE = 0.8
"""Of the pixels that the first square covers."""

_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
# Queries after which the share is halved again, whatever their number.
_FIRST_STREAM = 1 << 20  # of draws, apart from those of starts
_CHUNK = 50  # queries whose draws are made together


@register("square", title="Square")
class Square:
    """The attack.

    Args:
        norm: "linf" or "l2".
        queries: passes through the network for each image and budget, at most.

    Raises:
        AttackError: an unknown norm or fewer than one query.
    """

    needs_gradient = False

    def __init__(self, norm: Norm | str = Norm.LINF, *, queries: int = 5000) -> None:
        check_count(queries, what="queries")
        self.norm, self._queries = Norm(norm), queries
        self.name = spell("square", queries=queries)

    @property
    def steps(self) -> int:
        """Rows through the network for each image and budget, the clean image's included."""
        return 1 + self._queries

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
            images: (N, C, H, W) float32 in [0, 1]; of other shapes the last axis is the width,
                the one before it the height.
            labels: (N,) int64, the true classes.
            eps: one budget, or (N,) floating point with one per row.
            seed: of squares and signs.
            indices: (N,) int64, each sample's number in its data set; None counts from 0.

        Returns:
            (N, ...) float32 in [0, 1], within eps of the images up to rounding: a misclassified
            image where one was found, else that of the smallest margin.

        Raises:
            AttackError: inputs out of range or of the wrong shape or dtype, NaN or infinity in the
                network's logits.
        """
        check_images(images)
        least_classes = check_labels(labels, images) + 1
        budgets = row_budgets(eps, len(images))
        samples = check_indices(indices, len(images))
        check_seed(seed)
        shape = _planes(tuple(images.shape[1:]))
        x0 = images.detach().reshape(-1, *shape)
        radius = per_row(budgets.to(x0), x0)
        propose = _linf_proposal if self.norm is Norm.LINF else _l2_proposal
        start = _stripes if self.norm is Norm.LINF else _tiles
        least = 1 if self.norm is Norm.LINF else 3
        ends = x0.clone()

        def margins(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            logits = predict(model, x.reshape(-1, *images.shape[1:]), least_classes=least_classes)
            return loss_of("margin")(logits, y, y), logits.argmax(1) != y

        rows, x, y = torch.arange(len(x0), device=x0.device), x0, labels
        best, broken = margins(x0, y)  # an image that is misclassified as it is stays so
        chunk = _Chunk.none(x0)
        for query in range(self._queries):
            if broken.any():
                ends[rows] = x
                keep = (~broken).nonzero()[:, 0]
                rows, x, x0, y, radius, best = (
                    one.index_select(0, keep) for one in (rows, x, x0, y, radius, best)
                )
                samples, chunk = samples[keep.to(samples.device)], chunk.of(keep)
            if len(rows) == 0:
                break
            if query == 0:
                tried = start(x0, radius, seed, samples)
                best = torch.full_like(best, -torch.inf)
            else:
                place = (query - 1) % _CHUNK
                if place == 0:
                    chunk = _Chunk.drawn(seed, samples, query, x0, least=least)
                tried, settle = propose(x, x0, radius, chunk.at(place))
            margin, broken = margins(tried, y)
            better = (margin > best) | broken
            x = settle(better) if query else tried
            best = torch.where(better, margin, best)
        ends[rows] = x
        return ends.reshape(images.shape)


def _planes(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Any sample as channels of rows and columns."""
    height = shape[-2] if len(shape) > 1 else 1
    return prod(shape[:-2]), height, shape[-1]


def _signs(u: Tensor) -> Tensor:
    """Uniform numbers to -1 or 1, float32."""
    return torch.where(u < 0.5, -1.0, 1.0).float()


def _side(share: float, shape: torch.Size, *, least: int) -> tuple[int, int]:
    """Height and width of a square of this share of the pixels, cut to the image."""
    height, width = shape[-2:]
    side = max(round(sqrt(share * height * width)), least)
    side += least > 1 and side % 2 == 0  # a bump has a middle
    return min(side, height), min(side, width)


@dataclass(frozen=True)
class _Query:
    """What one query draws.

    Attributes:
        window: height and width.
        corners: (N, 4) int64, first row and column of the window, then of a second one.
        turned: (N,) bool, whether bumps lie side by side.
        signs: (N, C) float32, -1 or 1.
    """

    window: tuple[int, int]
    corners: Tensor
    turned: Tensor
    signs: Tensor


@dataclass(frozen=True)
class _Chunk:
    """The draws of several queries, made together: next to a small network each call shows."""

    windows: tuple[tuple[int, int], ...]
    corners: Tensor  # (N, queries, 4)
    turned: Tensor  # (N, queries)
    signs: Tensor  # (N, queries, C)

    @classmethod
    def none(cls, x0: Tensor) -> _Chunk:
        """No queries."""
        empty = torch.empty(len(x0), 0, device=x0.device)
        return cls((), empty, empty, empty)

    @classmethod
    def drawn(cls, seed: int, samples: Tensor, first: int, x0: Tensor, *, least: int) -> _Chunk:
        """Draw those from the first on; windows shrink along the paper's schedule."""
        height, width = x0.shape[-2:]
        stream = _FIRST_STREAM + 1 + (first - 1) // _CHUNK
        u = uniforms(seed, samples, _CHUNK * (5 + x0.shape[1]), stream=stream)
        u = u.reshape(len(samples), _CHUNK, -1)
        halvings = (
            sum(query - 1 > after for after in _HALVINGS) for query in range(first, first + _CHUNK)
        )
        windows = tuple(_side(SHARE / 2**often, x0.shape, least=least) for often in halvings)
        places = torch.tensor([2 * [height - h + 1, width - w + 1] for h, w in windows])
        parts = ((u[..., :4] * places).long(), u[..., 4] >= 0.5, _signs(u[..., 5:]))
        return cls(windows, *(part.to(x0.device) for part in parts))

    def of(self, rows: Tensor) -> _Chunk:
        """Those of some rows, (R,) int64."""
        parts = (self.corners, self.turned, self.signs)
        return _Chunk(self.windows, *(part.index_select(0, rows) for part in parts))

    def at(self, place: int) -> _Query:
        """One query's."""
        return _Query(
            self.windows[place],
            self.corners[:, place],
            self.turned[:, place],
            self.signs[:, place],
        )


def _inside(
    corner: Tensor, window: tuple[int, int], shape: torch.Size
) -> tuple[Tensor, Tensor, Tensor]:
    """(N, 1, H, W) float32, 1 in each row's window, else 0; and each pixel's place in it."""
    down, right = (
        torch.arange(full, device=corner.device) - first[:, None]
        for full, first in zip(shape[-2:], corner.unbind(1), strict=True)
    )
    down_inside, right_inside = down.clamp(0, window[0] - 1), right.clamp(0, window[1] - 1)
    rows, columns = (down == down_inside).float(), (right == right_inside).float()
    return (rows[:, :, None] * columns[:, None, :])[:, None], down_inside, right_inside


def _stripes(x0: Tensor, radius: Tensor, seed: int, samples: Tensor) -> Tensor:
    """L-inf: every column of every channel moves by eps, up or down."""
    n, c, _, w = x0.shape
    signs = _signs(uniforms(seed, samples, c * w, stream=_FIRST_STREAM)).reshape(n, c, 1, w)
    return (x0 + radius * signs.to(x0.device)).clamp_(0.0, 1.0)


Settle = Callable[[Tensor], Tensor]
"""From (N,) bool, which rows of a proposal are taken, to the next iterates."""


def _linf_proposal(x: Tensor, x0: Tensor, radius: Tensor, query: _Query) -> tuple[Tensor, Settle]:
    """L-inf: one square moves to eps above or below the image, channel by channel.

    In place, as most squares are of a few pixels: next to a small network each pass over whole
    images shows.
    """
    n, c = x.shape[:2]
    corner = query.corners[:, 0] * x.shape[3] + query.corners[:, 1]
    first = _places(tuple(x.shape[1:]), query.window).to(x.device)
    places = corner[:, None] + first  # (N, C k)
    pixels = x.view(n, -1)
    before = pixels.gather(1, places)
    clean = x0.view(n, -1).gather(1, places).view(n, c, -1)
    moved = (clean + radius[..., 0] * query.signs[:, :, None]).clamp_(0.0, 1.0).view(n, -1)
    pixels.scatter_(1, places, moved)

    def settle(taken: Tensor) -> Tensor:
        pixels.scatter_(1, places, torch.where(taken[:, None], moved, before))
        return x

    return x, settle


@lru_cache(maxsize=64)
def _places(shape: tuple[int, int, int], window: tuple[int, int]) -> Tensor:
    """Where the pixels of a window in the corner lie in a sample, (C h w) int64."""
    return torch.arange(prod(shape)).reshape(shape)[:, : window[0], : window[1]].flatten()


@lru_cache(maxsize=64)
def _bumps(height: int, width: int) -> Tensor:
    """The paper's eta: two bumps of opposite sign, one above the other, of norm 1; (h, w)."""
    pattern = torch.zeros(height, width)
    upper = height // 2
    for rows, sign in ((slice(0, upper), 1.0), (slice(upper, height), -1.0)):
        pattern[rows] = sign * _bump(*pattern[rows].shape)
    return pattern / pattern.square().sum().sqrt().clamp_min(LEAST_NORM)


def _bump(height: int, width: int) -> Tensor:
    """Rectangles around the middle, each larger one fainter: the sum of 1 / k^2; (h, w)."""
    bump = torch.zeros(height, width)
    top, left = height // 2, width // 2
    for k in range(max(height // 2 + 1, width // 2 + 1)):
        rows = slice(max(top - k, 0), min(top + k + 1, height))
        columns = slice(max(left - k, 0), min(left + k + 1, width))
        bump[rows, columns] += 1.0 / (k + 1) ** 2
    return bump / bump.square().sum().sqrt()


def _scaled(delta: Tensor, length: Tensor) -> Tensor:
    """(N, C, H, W) brought to these lengths (N, 1, 1, 1)."""
    return delta * (length / per_row(l2_norm(delta).clamp_min(LEAST_NORM), delta))


def _tiles(x0: Tensor, radius: Tensor, seed: int, samples: Tensor) -> Tensor:
    """L2: the image tiled with bumps of random signs."""
    n, c, height, width = x0.shape
    side = min(max(height // 5, 1), height), min(max(height // 5, 1), width)
    down, across = height // side[0], width // side[1]
    signs = _signs(uniforms(seed, samples, c * down * across, stream=_FIRST_STREAM))
    signs = signs.reshape(n, c, down, across).to(x0.device)
    tiles = signs[:, :, :, None, :, None] * _bumps(*side).to(x0.device)[:, None, :]
    tiled = tiles.reshape(n, c, down * side[0], across * side[1])
    delta = torch.zeros_like(x0)
    top, left = (height - tiled.shape[2]) // 2, (width - tiled.shape[3]) // 2
    delta[:, :, top : top + tiled.shape[2], left : left + tiled.shape[3]] = tiled
    return (x0 + _scaled(delta, radius)).clamp_(0.0, 1.0)


def _l2_proposal(x: Tensor, x0: Tensor, radius: Tensor, query: _Query) -> tuple[Tensor, Settle]:
    """L2: the length that one window has, and what is left of eps, goes into a bump in another."""
    window = query.window
    square, down, right = _inside(query.corners[:, :2], window, x.shape)
    other, _, _ = _inside(query.corners[:, 2:], window, x.shape)
    delta = x - x0
    # Bumps one above the other or, in a square window, side by side: one look-up for both.
    bumps = _bumps(*window)
    if window[0] == window[1]:
        bumps = torch.stack((bumps, bumps.T))
        down = down + window[0] * query.turned[:, None]
    places = (down * window[1])[:, :, None] + right[:, None, :]
    pattern = bumps.to(x.device).take(places)[:, None]
    own = delta * square
    # Each channel of the window gets a bump, and keeps part of what it was.
    placed = pattern * query.signs[:, :, None, None]
    placed = (placed + own / per_row(l2_norm(own).clamp_min(LEAST_NORM), own)) * square
    rest = delta * (1.0 - torch.maximum(square, other))
    # The length of both windows and what is left of eps.
    length = (radius.square() - per_row(l2_norm(rest).square(), x)).clamp_min(0.0).sqrt()
    delta = rest + _scaled(placed, length)
    tried = (x0 + _scaled(delta, radius)).clamp_(0.0, 1.0)

    def settle(taken: Tensor) -> Tensor:
        rows = taken.nonzero()[:, 0]
        return x.index_copy_(0, rows, tried.index_select(0, rows))

    return tried, settle
