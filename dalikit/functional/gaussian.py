"""Gaussian maths: a bound on log σ² that never kills a gradient, and diagonal distributions."""

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal


def soft_bound(value: Tensor, low: float, high: float, knee: float) -> Tensor:
    r"""Bound `value` (any shape) to [low, high], as the identity but near the ends.

    Within [low + knee, high - knee] the result is `value` itself. Beyond, a distance t from the knee, in
    units of `knee`, becomes L / (1 + L) with L = log(1 + t): slope 1 at the knee and never zero after it,
    for a logistic or tanh bound saturates in floating point and a clamp has no slope at all.

    Examples:
        >>> soft_bound(torch.tensor([-1e30, 0.0, 2.5, 1e30]), -8.0, 4.0, 1.0)
        tensor([-7.9857,  0.0000,  2.5000,  3.9857])
    """
    centre, reach = (low + high) / 2, (high - low) / 2 - knee
    offset = value - centre
    # A second, harmless argument where the identity holds: `where` would pass NaN from an unused branch.
    beyond = (offset.abs() - reach).clamp_min(0) / knee
    tail = reach + knee * (1 - 1 / (1 + torch.log1p(beyond)))
    # Not `copysign`, which ONNX has no operator for; where the tail is taken, the offset is not 0.
    return centre + torch.where(beyond > 0, tail * offset.sign(), offset)


def diagonal_normal(mean: Tensor, log_variance: Tensor) -> Distribution:
    """N(mean, diag(exp(log_variance))) with batch shape (B,) and event shape (Z,); both inputs (B, Z)."""
    # Validation reads the values back, which would make each iteration wait for the device.
    normal = Normal(mean, torch.exp(0.5 * log_variance), validate_args=False)
    return Independent(normal, 1, validate_args=False)


def frechet_distance(
    mean: Tensor, covariance: Tensor, other_mean: Tensor, other_covariance: Tensor
) -> Tensor:
    """Squared Fréchet distance of two Gaussians, means (D,) and covariances (D, D): a scalar, 0 or more.

    |μ - μ'|² + tr Σ + tr Σ' - 2 tr (ΣΣ')^½. With Σ = FFᵀ that last trace is the nuclear norm of FᵀF': no
    root of a product is ever taken, so that covariances of any rank will do.

    Source: Dowson and Landau 1982, "The Fréchet Distance between Multivariate Normal Distributions".

    Examples:
        >>> one, four = torch.eye(2), 4 * torch.eye(2)
        >>> frechet_distance(torch.zeros(2), one, torch.ones(2), four)
        tensor(4.)
    """
    factors = (_factor(covariance), _factor(other_covariance))
    shared = torch.linalg.svdvals(factors[0].T @ factors[1]).sum()
    spread = covariance.trace() + other_covariance.trace()
    return ((mean - other_mean).square().sum() + spread - 2 * shared).clamp_min(0)


def _factor(covariance: Tensor) -> Tensor:
    """F (D, D) with FFᵀ = Σ."""
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * values.clamp_min(0).sqrt()
