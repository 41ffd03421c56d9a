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
from torch import Tensor
from torch.distributions import Distribution
from torch.nn.functional import softplus

from dalikit.hookspecs import offer
from dalikit.interfaces import Iteration, Phase, PhaseLoss
from dalikit.objectives import INFERRING, Inferring, Watching, weighted_sum
from dalikit.players import JointDiscriminator
from dalikit.players.implicit import Implicit, Sampler

DALIKIT_API = 2


class AVB(Inferring, Watching):
    """An encoder on data with a sampler after it, and a discriminator on pairs that plays the logistic game.

    The posterior's family serves for its code alone, on which the sampler builds.

    Args:
        sigma: the decoder's standard deviation, in the data's units.
        discriminator_steps: the discriminator's steps for one of the others'.
        noise_size: how many numbers ε is.
        width: of the sampler's layers.
    """

    name = "avb"
    judges = "xz"
    discriminator: JointDiscriminator

    def __init__(
        self,
        *,
        sigma: Annotated[float, Field(gt=0)] = 0.3,
        discriminator_steps: Annotated[int, Field(ge=1, le=1000)] = 1,
        noise_size: Annotated[int, Field(ge=1, le=65_536)] = 8,
        width: Annotated[int, Field(ge=1, le=65_536)] = 64,
        **players: Any,
    ) -> None:
        super().__init__(**players)
        self.sampler = Sampler(self.latent_size, noise_size, width)
        self.sigma = sigma
        self.discriminator_steps = discriminator_steps

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step, then the joint step of all others."""
        loss, repeats = self.discriminator_loss, self.discriminator_steps
        return (
            Phase("discriminator", ("discriminator",), loss, repeats),
            Phase("autoencoder", ("generator", *INFERRING, "sampler"), self.autoencoder_loss),
        )

    def discriminator_loss(self, iteration: Iteration) -> PhaseLoss:
        """Logistic regression of inferred codes against the prior's, each beside the same data."""
        inferred, drawn = self.verdict(iteration)
        self.observe(inferred.detach())
        return weighted_sum({"loss": (softplus(-inferred) + softplus(drawn)).mean()})

    def verdict(self, iteration: Iteration) -> tuple[Tensor, Tensor]:
        """T (B,) of x beside an inferred code, and beside the prior's."""
        with torch.no_grad():
            inferred = self.posterior(iteration.real, iteration.labels).rsample()
        return self._t(iteration, inferred), self._t(iteration, iteration.z)

    def autoencoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """The negative evidence lower bound a value of x, times σ², less its constants."""
        x, y = iteration.real, iteration.labels
        z = self.posterior(x, y).rsample()
        reconstruction = 0.5 * (self.generate(z, y) - x).square().mean()
        kl = self._t(iteration, z).mean()
        return weighted_sum({"reconstruction": reconstruction, "kl": kl}, kl=self.sigma**2 / x[0].numel())

    def posterior(self, x: Tensor, y: Tensor | None = None) -> Distribution:
        """q(z|x) for x (B, *X)."""
        return Implicit(self.sampler, self._head(x, y))

    def code(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The code (B, Z) of x: z at ε = 0, which repeats, where the mean is an estimate."""
        head = self._head(x, y)
        return self.sampler(head, head.new_zeros(head.shape[0], self.sampler.noise_size))

    def _head(self, x: Tensor, y: Tensor | None) -> Tensor:
        return self.family.code(self.inferred(x, y))

    def _t(self, iteration: Iteration, z: Tensor) -> Tensor:
        pairs = self.discriminator.pairs(self.seen(iteration.real), z)
        return self.discriminator(pairs, *self.given(iteration.labels))


dalikit_components = offer(AVB)
