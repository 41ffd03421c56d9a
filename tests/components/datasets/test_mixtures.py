"""The mixtures: where their modes lie, how wide they are, that samples are fresh and equal in number."""

import math

import pytest
import torch

from dalikit.components.datasets.mixtures import Grid25, Ring8


def drawn(dataset, n=20_000, seed=0):
    return dataset.split("train").take(torch.arange(n), torch.Generator().manual_seed(seed)).x


def test_the_grids_modes():
    expected = {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    assert {tuple(mode) for mode in Grid25().means.tolist()} == expected


def test_the_rings_modes_are_eight_different_points_45_degrees_apart():
    means = Ring8(radius=2.0).means
    assert torch.allclose(means.norm(dim=1), torch.tensor(2.0))
    steps = torch.atan2(means[:, 1], means[:, 0]).diff() % (2 * math.pi)
    assert torch.allclose(steps, torch.tensor(math.pi / 4), atol=1e-5)
    assert torch.cdist(means, means).add(10 * torch.eye(8)).min() > 1


@pytest.mark.parametrize("dataset", [Grid25(), Ring8(), Grid25(sigma=0.2)])
def test_samples_are_normal_about_equally_likely_modes(dataset):
    x = drawn(dataset)
    distance, mode = torch.cdist(x, dataset.means).min(1)
    counts = mode.bincount(minlength=len(dataset.means)) / len(x)
    assert (counts * len(dataset.means) - 1).abs().max() < 0.15
    # the squared distance in units of σ² has mean 2, and 98.9 % lie within 3σ
    assert abs((distance / dataset.sigma).square().mean() - 2) < 0.05
    assert abs((distance <= 3 * dataset.sigma).float().mean() - (1 - math.exp(-4.5))) < 0.004


def test_samples_are_fresh_and_repeat_under_a_seed():
    split, rng = Grid25().split("train"), torch.Generator().manual_seed(1)
    index = torch.arange(4)
    first, second = split.take(index, rng).x, split.take(index, rng).x
    assert not torch.equal(first, second)
    assert torch.equal(drawn(Grid25(), 4, 1), first)
