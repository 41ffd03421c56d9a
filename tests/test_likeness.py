"""Cheap measures of samples beside data, against cases whose values are known."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dalikit.functional import likeness

SEEDS = st.integers(0, 2**31)


def batch(seed: int, n: int = 40, *shape: int) -> torch.Tensor:
    return torch.randn(n, *(shape or (2,)), generator=torch.Generator().manual_seed(seed)).double()


@given(SEEDS, st.floats(0.01, 100), st.floats(-5, 5))
def test_units_order_and_place_do_not_matter(seed, scale, shift):
    x, data = batch(seed), 2 * batch(seed + 1)
    for measure in (likeness.diversity, likeness.distance):
        moved = measure(scale * x.flip(0) + shift, scale * data.roll(3, 0) + shift)
        assert moved == pytest.approx(measure(x, data), rel=1e-4, abs=1e-6)


@given(SEEDS)
def test_data_are_as_diverse_as_themselves_and_no_way_off(seed):
    data = batch(seed, 30, 1, 3, 3)
    assert likeness.diversity(data, data) == pytest.approx(1)
    assert likeness.distance(data, data) == pytest.approx(0, abs=1e-9)
    assert 0 <= likeness.distance(batch(seed + 1, 30, 1, 3, 3), data) <= 1


@pytest.mark.parametrize("seen", [1, 2, 5, 10])
def test_modes_are_counted(seen):
    """Of ten modes that lie far from each other n count for (n - 1)/9, wherever they lie."""
    modes = 100 * torch.eye(10)
    data, x = modes.repeat(20, 1), modes[:seen].repeat(200 // seen, 1)
    overlap = math.exp(-4)  # of modes at the median distance from each other, which is their only one
    numbers = [n / (1 + (n - 1) * overlap) for n in (seen, 10)]
    assert likeness.diversity(x, data) == pytest.approx((numbers[0] - 1) / (numbers[1] - 1), rel=1e-4)


def test_two_far_modes_of_25_are_seen_where_variance_grows():
    grid = torch.cartesian_prod(*[torch.arange(-4.0, 5, 2)] * 2)
    data, x = grid.repeat(8, 1), grid[[0, 24]].repeat(100, 1)
    assert x.var(0).sum() > data.var(0).sum()
    assert likeness.diversity(x, data) < 0.2


def test_of_one_datum_or_equal_data_nothing_is_known():
    assert likeness.diversity(batch(0), batch(1, 1)) is None
    assert likeness.diversity(batch(0), torch.ones(9, 2).double()) is None


def test_the_energy_distance_of_points():
    """Of two points it is 1; of 0 from {-1, 1} it is (2·1 - 0 - 1) / 2."""
    assert likeness.distance(torch.zeros(5, 2), torch.ones(3, 2)) == pytest.approx(1)
    assert likeness.distance(torch.zeros(4, 1), torch.tensor([[-1.0], [1.0]])) == pytest.approx(0.5)
    assert likeness.distance(torch.zeros(4, 1), torch.zeros(4, 1)) == 0


def test_what_a_discriminator_is_right_of():
    real, others = torch.tensor([3.0, 5.0, 9.0, 1.0]), torch.tensor([1.0, 0.0, 2.0])
    bound = likeness.middle(real, others)
    assert float(bound) == 2.0  # the medians, the lower one of two, are 3 and 1
    assert likeness.told_apart(real, others, bound) == pytest.approx((3 / 4, 2.5 / 3))
    assert likeness.told_apart(torch.zeros(4), torch.zeros(4), torch.zeros(())) == (0.5, 0.5)


@given(SEEDS, st.floats(-10, 10), st.floats(0.1, 10))
def test_what_is_right_does_not_depend_on_what_a_logit_means(seed, shift, scale):
    real, others = batch(seed).flatten() + 1, batch(seed + 1).flatten()
    before = likeness.told_apart(real, others, likeness.middle(real, others))
    real, others = scale * real + shift, scale * others + shift
    assert likeness.told_apart(real, others, likeness.middle(real, others)) == pytest.approx(before, abs=0.02)


def test_the_share_of_z_that_is_read():
    z = batch(3, 1000, 4)
    codes = torch.stack([z[:, 0], z[:, 1] + z[:, 1].std(correction=0) / 2, 0 * z[:, 2], 3 * z[:, 0]], 1)
    assert likeness.read(z, codes).tolist() == pytest.approx([1.0, 0.75, 0.0, 0.0], abs=1e-2)
