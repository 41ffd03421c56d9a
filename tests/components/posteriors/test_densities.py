"""The posteriors' densities: formula (9) written out, the bound on log σ², and slopes that never vanish."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dalikit.components.posteriors.diagonal import Diagonal
from dalikit.components.posteriors.identity import Identity
from dalikit.errors import UserError
from dalikit.functional.gaussian import soft_bound

numbers = st.floats(-5, 5)
triples = st.lists(st.tuples(numbers, numbers, st.floats(-6.9, 2.9)), min_size=1, max_size=5)


@given(triples)
def test_diagonal_is_formula_9(values):
    """Where log σ² lies more than a knee inside the bound, the bound is the identity."""
    expected = 0.0
    for z, mean, log_variance in values:
        expected += 0.5 * ((z - mean) ** 2 / math.exp(log_variance) + log_variance + math.log(2 * math.pi))
    z, mean, log_variance = torch.tensor(values, dtype=torch.float64).T[:, None]
    found = -Diagonal(len(values))(mean, log_variance).log_prob(z)
    torch.testing.assert_close(found, torch.tensor([expected], dtype=torch.float64), rtol=1e-9, atol=1e-9)


@given(triples)
def test_identity_is_formula_9_with_unit_variance(values):
    expected = sum(0.5 * ((z - mean) ** 2 + math.log(2 * math.pi)) for z, mean, _ in values)
    z, mean, _ = torch.tensor(values, dtype=torch.float64).T[:, None]
    found = -Identity(len(values))(mean).log_prob(z)
    torch.testing.assert_close(found, torch.tensor([expected], dtype=torch.float64), rtol=1e-9, atol=1e-9)


anything = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(mean=st.floats(-1e6, 1e6, width=32), log_variance=anything, z=st.floats(-5, 5, width=32))
def test_diagonal_stays_finite_with_slopes_that_do_not_vanish(mean, log_variance, z):
    mean_head = torch.tensor([[mean]], requires_grad=True)
    variance_head = torch.tensor([[log_variance]], requires_grad=True)
    distribution = Diagonal(1)(mean_head, variance_head)
    variance = distribution.variance.detach()
    assert math.exp(-8) * (1 - 1e-5) <= variance <= math.exp(4) * (1 + 1e-5)
    loss = -distribution.log_prob(torch.tensor([[z]]))
    loss.sum().backward()
    assert loss.isfinite().all()
    if abs(mean - z) > 1e-6:
        assert mean_head.grad.isfinite()
        assert mean_head.grad != 0
    # -log q is stationary in log σ² just where the variance is the squared error; nowhere else.
    if abs((mean - z) ** 2 / float(variance) - 1) > 1e-3:
        assert variance_head.grad.isfinite()
        assert variance_head.grad != 0


@given(mean=st.floats(-1e6, 1e6, width=32), z=st.floats(-5, 5, width=32))
def test_identity_stays_finite_with_a_slope(mean, z):
    head = torch.tensor([[mean]], requires_grad=True)
    loss = -Identity(1)(head).log_prob(torch.tensor([[z]]))
    loss.sum().backward()
    assert loss.isfinite().all()
    torch.testing.assert_close(head.grad, torch.tensor([[mean - z]]))


@given(st.lists(anything, min_size=2, max_size=2, unique=True), st.floats(-10, 0), st.floats(2.5, 10))
def test_soft_bound_is_monotone_and_bounded(values, low, high):
    a, b = soft_bound(torch.tensor(sorted(values), dtype=torch.float64), low, high, 1.0).tolist()
    assert low <= a <= b <= high


@given(st.floats(-1e30, 1e30))
def test_soft_bound_has_a_slope_everywhere_and_of_at_most_one(value):
    x = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    soft_bound(x, -8.0, 4.0, 1.0).backward()
    assert 0 < x.grad <= 1


@pytest.mark.parametrize("edge", [-7.0, 3.0])
def test_soft_bound_is_smooth_at_its_knees(edge):
    step = 1e-6
    x = torch.tensor([edge - step, edge + step], dtype=torch.float64, requires_grad=True)
    y = soft_bound(x, -8.0, 4.0, 1.0)
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(y.detach(), x.detach(), rtol=0, atol=1e-9)
    torch.testing.assert_close(slope, torch.ones(2).double(), rtol=0, atol=1e-4)


def test_heads():
    assert Diagonal(7).heads() == (7, 7)
    assert Identity(7).heads() == (7,)


def test_the_code_is_the_mean():
    mean = torch.randn(3, 4)
    family = Diagonal(4)
    assert torch.equal(family.code(family(mean, torch.zeros(3, 4))), mean)


def test_a_range_without_room_is_refused():
    with pytest.raises(UserError, match="at least 2·knee"):
        Diagonal(3, log_variance_min=0.0, log_variance_max=1.0)
