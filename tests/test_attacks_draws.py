# SPDX-License-Identifier: Apache-2.0
"""Random starts: the generator against plain integers, its statistics, its independence."""

import math

import pytest
import torch
from scipy import stats

from axhil.attacks import AttackError, Norm
from axhil.attacks.draws import GAMMA, directions, mix, uniforms, unit_ball

WORD = 2**64
# First outputs of SplitMix64 seeded with 1234567, as published for checking implementations.
PUBLISHED = (
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny batches gain nothing from threads, and spinning ones stall a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def reference_mix(z):
    """SplitMix64's finaliser on Python's unbounded integers."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % WORD
    return z ^ (z >> 31)


def test_the_hash_is_splitmix64():
    states = torch.tensor(1234567) + GAMMA * torch.arange(1, 6)
    assert tuple(word % WORD for word in mix(states).tolist()) == PUBLISHED


def test_uniforms_are_the_documented_construction():
    gamma, seed, stream = 0x9E3779B97F4A7C15, 2**62 + 12345, 1
    ours = uniforms(seed, torch.tensor([0, 7, 2**62]), 5, stream=stream)
    for row, index in zip(ours.tolist(), (0, 7, 2**62), strict=True):
        state = reference_mix((seed + gamma * (stream + 1)) % WORD)
        state = reference_mix((state + gamma * (index + 1)) % WORD)
        for j, value in enumerate(row):
            top = reference_mix((state + gamma * (j + 1)) % WORD) >> 40
            assert value == (top + 0.5) / 2**24


def test_uniforms_are_uniform_within_and_across_samples():
    u = uniforms(1, torch.arange(2000), 100).numpy()
    assert stats.kstest(u.ravel(), "uniform").pvalue > 0.01
    assert stats.kstest(u[:, 0], "uniform").pvalue > 0.01  # neighbouring indices
    seeds = torch.cat([uniforms(seed, torch.tensor([0]), 1) for seed in range(2000)])
    assert stats.kstest(seeds[:, 0].numpy(), "uniform").pvalue > 0.01  # neighbouring seeds
    assert 0.0 < u.min() < u.max() < 1.0


def test_neighbouring_coordinates_samples_and_streams_are_uncorrelated():
    a = uniforms(3, torch.arange(500), 200)
    pairs = {
        "coordinates": (a[:, :-1], a[:, 1:]),
        "samples": (a[:-1], a[1:]),
        "streams": (a, uniforms(3, torch.arange(500), 200, stream=1)),
        "seeds": (a, uniforms(4, torch.arange(500), 200)),
    }
    for name, (one, other) in pairs.items():
        r = stats.pearsonr(one.reshape(-1).numpy(), other.reshape(-1).numpy()).statistic
        assert abs(r) < 4 / math.sqrt(one.numel()), name


def test_directions_are_uniform_on_the_sphere():
    d = directions(5, torch.arange(4000), 3)
    torch.testing.assert_close(d.norm(dim=1), torch.ones(4000).double())
    for axis in range(3):  # Archimedes: each coordinate of a 3-sphere is uniform in [-1, 1]
        assert stats.kstest(d[:, axis].numpy(), "uniform", args=(-1, 2)).pvalue > 0.01


@pytest.mark.parametrize("shape", [(1,), (2,), (1, 4, 5)])
def test_the_l2_ball_is_filled_uniformly_in_volume(shape):
    points = unit_ball(Norm.L2, 9, torch.arange(4000), shape).flatten(1).double()
    radius = points.norm(dim=1)
    assert radius.max() <= 1.0 + 1e-6
    volume = radius ** points.shape[1]  # share of the ball's volume within that radius
    assert stats.kstest(volume.numpy(), "uniform").pvalue > 0.01
    assert (points.mean(0).abs() < 4 / math.sqrt(4000)).all()


def test_the_linf_ball_is_filled_uniformly():
    points = unit_ball(Norm.LINF, 9, torch.arange(500), (1, 5, 4))
    assert stats.kstest(points.numpy().ravel(), "uniform", args=(-1, 2)).pvalue > 0.01
    assert points.abs().max() < 1.0


@pytest.mark.parametrize("norm", list(Norm))
@pytest.mark.parametrize("shape", [(1, 28, 28), (7,)])
def test_a_draw_depends_on_seed_and_index_only(norm, shape):
    whole = unit_ball(norm, 2, torch.arange(40), shape)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    assert torch.equal(unit_ball(norm, 2, order, shape), whole[order])
    alone = torch.cat([unit_ball(norm, 2, torch.tensor([i]), shape) for i in range(40)])
    assert torch.equal(alone, whole)
    repeated = unit_ball(norm, 2, torch.tensor([3, 5, 3]), shape)
    assert torch.equal(repeated, whole[[3, 5, 3]])
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        assert torch.equal(unit_ball(norm, 2, torch.arange(40), shape), whole)
    finally:
        torch.set_num_threads(threads)
    torch.manual_seed(123)  # the global generator has no say
    assert torch.equal(unit_ball(norm, 2, torch.arange(40), shape), whole)
    assert not torch.equal(unit_ball(norm, 3, torch.arange(40), shape), whole)


def test_seeds_out_of_range_are_refused():
    with pytest.raises(AttackError, match=r"a seed from 0 to 2\^63 - 1, got 9223372036854775808"):
        uniforms(2**63, torch.arange(2), 1)
    with pytest.raises(AttackError, match="indices of 0 and more, got -3"):
        unit_ball(Norm.LINF, 0, torch.tensor([-3]), (4,))
