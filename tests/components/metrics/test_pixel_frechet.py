"""The Fréchet distance on x against closed forms and scipy, and what of a datum is measured."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from dalikit.components.metrics.pixel_frechet import PixelFrechet
from dalikit.errors import UnfitError
from dalikit.evaluation import scoring
from dalikit.functional.gaussian import frechet_distance
from dalikit.interfaces import Dataset, DataSpec, Method, TensorSplit


class Fixed(Dataset):
    """Given data, x in [0, 255] as uint8 or as they are."""

    name, preparation = "fixed", "made by the test"

    def __init__(self, x, value_range=None):
        self.x, self.spec = x, DataSpec(tuple(x.shape[1:]), value_range)

    def split(self, part):
        return TensorSplit(self.x)


class Draws(Method):
    """Samples normal data with mean `shift` and standard deviation `scale`."""

    name = "draws"

    def __init__(self, spec, shift=0.0, scale=1.0):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.described, self.shift, self.scale = spec, shift, scale

    @property
    def spec(self):
        return self.described

    def prior(self, n):
        return torch.randn(n, *self.spec.x_shape)

    def generate(self, z, y=None):
        return self.shift + self.scale * z


def distance(data, samples, value_range=None, **options):
    """Of samples from data, both (N, *X)."""
    metric = PixelFrechet(Fixed(data, value_range), "test", **options)
    metric.update(data, samples)
    return metric.compute()


def gaussian(seed, size, rank):
    """A mean and a covariance of a rank."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, rank))
    return rng.normal(size=size), root @ root.T


seeds, sizes = st.integers(0, 2**32 - 1), st.integers(1, 6)


@given(seeds, seeds, sizes)
@settings(max_examples=25, deadline=None)
def test_the_distance_is_that_of_scipys_root(one, other, size):
    (a, s), (b, t) = gaussian(one, size, size + 2), gaussian(other, size, size + 2)
    expected = ((a - b) ** 2).sum() + np.trace(s + t - 2 * sqrtm(s @ t).real)
    found = frechet_distance(*map(torch.from_numpy, (a, s, b, t)))
    assert float(found) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(st.lists(st.tuples(*[st.floats(0, 9)] * 2, *[st.floats(-9, 9)] * 2), min_size=1, max_size=5))
def test_the_distance_of_diagonal_gaussians_is_that_of_their_deviations(dimensions):
    """(μ - μ')² + (σ - σ')², summed; some of the σ are 0."""
    s, t, a, b = torch.tensor(dimensions, dtype=torch.float64).T
    expected = (a - b).square().sum() + (s - t).square().sum()
    found = frechet_distance(a, s.square().diag(), b, t.square().diag())
    assert float(found) == pytest.approx(float(expected), abs=1e-6)


@given(seeds, seeds, sizes, sizes)
@settings(max_examples=25, deadline=None)
def test_the_distance_is_symmetric_and_nought_between_equals(one, other, size, rank):
    """Whatever the rank, less than the dimension too."""
    a, b = (tuple(map(torch.from_numpy, gaussian(seed, size, rank))) for seed in (one, other))
    there, back = frechet_distance(*a, *b), frechet_distance(*b, *a)
    assert float(there) == pytest.approx(float(back), abs=1e-9)
    assert float(frechet_distance(*a, *a)) == pytest.approx(0, abs=1e-9)
    assert float(there) >= 0


def test_equal_sets_are_at_no_distance_and_shifted_ones_at_the_square_of_the_shift():
    x = torch.randn(300, 3, generator=torch.Generator().manual_seed(0))
    assert distance(x, x).values["distance"] == pytest.approx(0, abs=1e-9)
    assert distance(x, x.flip(0) + 2).values["distance"] == pytest.approx(3 * 4, rel=1e-5)


def test_bounded_data_are_measured_from_0_to_1():
    x = torch.rand(200, 1, 4, 4, generator=torch.Generator().manual_seed(0)) - 0.5
    score = distance(x, x + 0.5, (-1.0, 1.0))
    assert score.values["distance"] == pytest.approx(16 * 0.25**2, rel=1e-5)
    assert score.protocol["scale"] == "[0, 1]"
    assert distance(x, x + 0.5).values["distance"] == pytest.approx(16 * 0.5**2, rel=1e-5)


@pytest.mark.parametrize(
    ("shape", "count", "dimension", "reduction"),
    [
        ((1, 8, 8), 128, 64, "none"),
        ((1, 8, 8), 127, 16, "means of 2×2 pixels"),
        ((1, 28, 28), 1600, 196, "means of 2×2 pixels"),
        ((3, 32, 20), 1600, 480, "means of 2×2 pixels"),
        ((3, 7, 5), 20, 6, "means of 5×5 pixels"),
        ((3, 4, 4), 2, 3, "means of 4×4 pixels"),
        ((2,), 3, 1, "1 random directions, seed 0"),
        ((1000,), 1600, 768, "768 random directions, seed 0"),
    ],
)
def test_what_is_measured_of_a_datum(shape, count, dimension, reduction):
    x = torch.rand(count, *shape, generator=torch.Generator().manual_seed(0))
    score = distance(x, x + 1)
    assert (score.protocol["dimension"], score.protocol["reduction"]) == (dimension, reduction)
    if len(shape) == 3:  # means of pixels that are all one more are one more
        assert score.values["distance"] == pytest.approx(dimension, rel=1e-4)
    assert distance(x, x).values["distance"] == pytest.approx(0, abs=1e-6)


def test_an_edge_that_fills_no_window_is_averaged_by_itself():
    x = torch.zeros(20, 1, 5, 5)
    marked = x.clone()
    marked[:, :, 4, 4] = 1.0
    score = distance(x, marked)  # 2×2 pixels leave 9 values, half of 20 is 10
    assert (score.values["distance"], score.protocol["dimension"]) == (pytest.approx(1), 9)


def test_random_directions_keep_distances_and_repeat():
    x = torch.randn(1600, 3000, generator=torch.Generator().manual_seed(0))
    moved = x + 0.1
    found = [distance(x, moved).values["distance"] for _ in range(2)]
    assert found[0] == found[1]
    assert found[0] == pytest.approx(3000 * 0.1**2, rel=0.2)


def test_as_many_samples_as_data_are_compared_with_a_part():
    x = 3 + 2 * torch.randn(6000, 2, generator=torch.Generator().manual_seed(0))
    dataset = Fixed(x)
    score = scoring.score(lambda part: PixelFrechet(dataset, part), Draws(dataset.spec), "validation")
    assert score.values["distance"] == pytest.approx(2 * (3**2 + 1**2), rel=0.05)
    counted = [score.protocol[key] for key in ("part", "count", "samples", "resolution")]
    assert counted == ["validation", 5000, 5000, [2]]
    near = scoring.score(lambda part: PixelFrechet(dataset, part), Draws(dataset.spec, 3.0, 2.0))
    assert near.values["distance"] < 0.05


def test_data_in_order_are_measured_all_over():
    """Of an array sorted by value, the first ones alone would say nothing of the rest."""
    x = torch.linspace(-1, 1, 4000)[:, None]
    dataset = Fixed(x)
    same = Draws(dataset.spec, 0.0, float(x.std()))
    score = scoring.score(lambda part: PixelFrechet(dataset, part, count=1000), same)
    assert score.values["distance"] < 0.02


@pytest.mark.parametrize(("count", "value", "says"), [(1, 0.0, "no spread"), (9, float("nan"), "NaN")])
def test_what_cannot_be_measured(count, value, says):
    with pytest.raises(UnfitError, match=says):
        distance(torch.randn(count, 2), torch.full((count, 2), value))
