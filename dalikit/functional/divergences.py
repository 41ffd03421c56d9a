"""Divergences between distributions over codes."""

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, kl_divergence

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
