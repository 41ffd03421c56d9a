"""A posterior that is known by its draws alone, made by a network from a code and noise.

Source: Mescheder et al. 2017, "Adversarial Variational Bayes", section 3.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

SAMPLES = 64
"""Draws for a moment."""


class Sampler(nn.Module):
    """f(c, ε) = c + A ε + net(c, ε): the encoder's code and noise to z. A spreads q(z|x) from the start."""

    def __init__(self, latent_size: int, noise_size: int, width: int) -> None:
        super().__init__()
        self.noise_size = noise_size
        self.spread = nn.Linear(noise_size, latent_size, bias=False)
        self.net = nn.Sequential(
            *(nn.Linear(latent_size + noise_size, width), nn.ReLU()),
            *(nn.Linear(width, width), nn.ReLU()),
            nn.Linear(width, latent_size),
        )

    def forward(self, code: Tensor, noise: Tensor) -> Tensor:
        """z (..., Z) of codes (..., Z) and noise (..., noise_size)."""
        return code + self.spread(noise) + self.net(torch.cat([code, noise], -1))


class Implicit(Distribution):
    """q(z|x), known by its draws alone: batch shape (B,), event shape (Z,); moments are estimates."""

    has_rsample = True

    def __init__(self, sampler: Sampler, code: Tensor) -> None:
        super().__init__(code.shape[:1], code.shape[1:], validate_args=False)
        self.sampler = sampler
        self.code = code

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws (*sample_shape, B, Z), with a gradient."""
        code = self.code.expand(*sample_shape, *self.code.shape)
        return self.sampler(code, code.new_empty(*code.shape[:-1], self.sampler.noise_size).normal_())

    @property
    def mean(self) -> Tensor:
        """Of fresh draws, (B, Z)."""
        return self.rsample((SAMPLES,)).mean(0)

    @property
    def variance(self) -> Tensor:
        """Of fresh draws, (B, Z); `stddev` is its root."""
        return self.rsample((SAMPLES,)).var(0)

    def log_prob(self, value: Tensor) -> Tensor:
        """Not known.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("Method 'avb' infers a posterior that has no density, only draws.")
