"""Adversarial variational Bayes: a variational autoencoder whose posterior is known by its draws alone.

    z ~ q(z|x):  z = f(E(x), ε),  ε ~ N(0, I)
    T  maximises  E_x E_q(z|x) log s(T(x, z)) + E_x E_p(z) log(1 - s(T(x, z)))
    E, f, G  minimise  E_x E_q(z|x) [ T(x, z) - log p(x|z) ],  p(x|z) = N(G(z), σ² I)

At its optimum T(x, z) is log q(z|x) - log p(z), and what the others minimise the negative evidence lower
bound. It is multiplied by σ² / |X|: ½ mean (x - G(z))² + σ² / |X| · T.

Source: Mescheder et al. 2017, "Adversarial Variational Bayes: Unifying Variational Autoencoders and
Generative Adversarial Networks", section 3 and algorithm 1.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import softplus

from dalikit.hookspecs import hookimpl
from dalikit.interfaces import (
    Encoder,
    Generator,
    InferringMethod,
    Iteration,
    Phase,
    PhaseLoss,
    Posterior,
    Role,
)
from dalikit.players.composed import JointDiscriminator

DALIKIT_API = 1

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


class AVB(InferringMethod):
    """An encoder on data with a sampler after it, and a discriminator on pairs that plays the logistic game.

    The posterior's family serves for its code alone, on which the sampler builds.

    Args:
        sigma: the decoder's standard deviation, in the data's units.
        discriminator_steps: the discriminator's steps for one of the others'.
        noise_size: how many numbers ε is.
        width: of the sampler's layers.
    """

    name = "avb"

    def __init__(
        self,
        generator: Generator,
        discriminator: JointDiscriminator,
        encoder: Encoder,
        family: Posterior,
        /,
        *,
        sigma: Annotated[float, Field(gt=0)] = 0.3,
        discriminator_steps: Annotated[int, Field(ge=1)] = 1,
        noise_size: Annotated[int, Field(ge=1)] = 8,
        width: Annotated[int, Field(ge=1)] = 64,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.encoder = encoder
        self.family = family
        self.sampler = Sampler(generator.latent_size, noise_size, width)
        self.sigma = sigma
        self.discriminator_steps = discriminator_steps

    @classmethod
    def roles(cls, **params: Any) -> dict[str, Role]:
        """A generator, a discriminator on pairs, an encoder on data, and its posterior's family."""
        return {
            "generator": Role("generator", on="z"),
            "discriminator": Role("discriminator", on="xz"),
            "encoder": Role("encoder", on="x"),
            "family": Role("posterior", on="z"),
        }

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step, then the joint step of all others."""
        return (
            Phase(
                "discriminator",
                ("discriminator",),
                self.discriminator_loss,
                repeats=self.discriminator_steps,
            ),
            Phase("autoencoder", ("generator", "encoder", "family", "sampler"), self.autoencoder_loss),
        )

    def discriminator_loss(self, iteration: Iteration) -> PhaseLoss:
        """Logistic regression of inferred codes against the prior's, each beside the same data."""
        with torch.no_grad():
            inferred = self.posterior(iteration.real).rsample()
        loss = (softplus(-self._t(iteration, inferred)) + softplus(self._t(iteration, iteration.z))).mean()
        return PhaseLoss(loss, {"loss": loss.detach()})

    def autoencoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """The negative evidence lower bound a value of x, times σ², less its constants."""
        x = iteration.real
        z = self.posterior(x).rsample()
        reconstruction = 0.5 * (self.generate(z) - x).square().mean()
        kl = self._t(iteration, z).mean()
        total = reconstruction + self.sigma**2 / x[0].numel() * kl
        return PhaseLoss(total, {"reconstruction": reconstruction.detach(), "kl": kl.detach()})

    def posterior(self, x: Tensor) -> Distribution:
        """q(z|x) for x (B, *X)."""
        return Implicit(self.sampler, self._head(x))

    def code(self, x: Tensor) -> Tensor:
        """The code (B, Z) of x: z at ε = 0, which repeats, where the mean is an estimate."""
        head = self._head(x)
        return self.sampler(head, head.new_zeros(len(head), self.sampler.noise_size))

    def _head(self, x: Tensor) -> Tensor:
        return self.family.code(self.family(*self.encoder(x)))

    def _t(self, iteration: Iteration, z: Tensor) -> Tensor:
        return self.discriminator(self.discriminator.pairs(iteration.real, z))


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the method."""
    return [AVB]
