"""The Gaussian posterior with identity covariance: DALI-l2.

-log q(z|x) = ½ Σ_j ((z_j - μ_j)² + log 2π)

Source: DALI, section 4.1.
"""

import torch
from torch import Tensor
from torch.distributions import Distribution

from dalikit.functional.gaussian import diagonal_normal
from dalikit.hookspecs import offer
from dalikit.interfaces import Posterior

DALIKIT_API = 2


class Identity(Posterior):
    """N(μ(x), I), by one head."""

    name = "identity"

    def __init__(self, latent_size: int, /) -> None:
        super().__init__()
        self.latent_size = latent_size

    def heads(self) -> tuple[int, ...]:
        """μ: (Z,)."""
        return (self.latent_size,)

    def forward(self, *heads: Tensor) -> Distribution:
        """The Gaussian of the raw head μ (B, Z)."""
        (mean,) = heads
        return diagonal_normal(mean, torch.zeros_like(mean))


dalikit_components = offer(Identity)
