"""Divergences between distributions over codes."""

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, kl_divergence

LEAST_VARIANCE = 1e-12

SAMPLES = 8
"""Draws for a divergence without a closed form."""


def kl_to_standard_normal(posterior: Distribution) -> Tensor:
    """KL(posterior ‖ N(0, I)) (B,): in closed form for diagonal Gaussians, else estimated from a few draws.

    `posterior` has batch shape (B,) and event shape (Z,).
    """
    mean = posterior.mean
    prior = Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean), validate_args=False), 1)
    if isinstance(posterior, Independent) and isinstance(posterior.base_dist, Normal):
        return kl_divergence(posterior, prior)
    z = posterior.rsample(torch.Size([SAMPLES]))
    return (posterior.log_prob(z) - prior.log_prob(z)).mean(0)


def batch_divergence(codes: Tensor) -> Tensor:
    """KL(N(m, diag s²) ‖ N(0, I)), a scalar, m and s being the moments of a batch of codes (B, Z)."""
    variance, mean = torch.var_mean(codes, 0, correction=0)
    # Codes that coincide, as where all of a layer's units are dead, are infinitely far from the prior.
    return 0.5 * (variance + mean.square() - 1 - variance.clamp(min=LEAST_VARIANCE).log()).sum()
