"""VAE/GAN: a variational autoencoder whose reconstruction is measured in a discriminator's features.

    L_prior = KL( q(z|x) ‖ N(0, I) )                                                             (4)
    L_like  = E_q(z|x) ½‖Dis_l(x) - Dis_l(G(z))‖²                                                 (7)
    L_GAN   = the game, between x and both G(z), z ~ p(z), and G(z), z ~ q(z|x)                   (8)

The encoder minimises L_prior + L_like, the decoder γ·L_like and the game's loss, the discriminator its own.
They alternate, where the paper updates all from one pass. Samples and reconstructions count half each in the
game, which the paper adds up: real and generated data weigh the same with any game.

Source: Larsen et al. 2016, "Autoencoding beyond pixels using a learned similarity metric", section 2.3 and
algorithm 1.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from dalikit import objectives
from dalikit.functional.divergences import kl_to_standard_normal
from dalikit.hookspecs import hookimpl
from dalikit.interfaces import (
    AdversarialGame,
    Discriminator,
    Encoder,
    Generator,
    InferringMethod,
    Iteration,
    Phase,
    PhaseLoss,
    Posterior,
    Role,
)

DALIKIT_API = 1


class VAEGAN(InferringMethod):
    """Larsen's three players; the encoder has a trunk of its own, as in the paper.

    Args:
        beta: what the prior counts against the features' reconstruction, both a mean over their dimensions.
        gamma: what that reconstruction counts for the decoder against the game.
    """

    name = "vaegan"

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        encoder: Encoder,
        family: Posterior,
        game: AdversarialGame,
        /,
        *,
        beta: Annotated[float, Field(ge=0)] = 0.01,
        gamma: Annotated[float, Field(ge=0)] = 1.0,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.encoder = encoder
        self.family = family
        self.game = game
        self.beta = beta
        self.gamma = gamma

    @classmethod
    def roles(cls, **params: Any) -> dict[str, Role]:
        """A generator, a discriminator, an encoder on data, its posterior's family, and the game."""
        return {
            "generator": Role("generator", on="z"),
            "discriminator": Role("discriminator"),
            "encoder": Role("encoder", on="x"),
            "family": Role("posterior", on="z"),
            "game": Role("game"),
        }

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step, the encoder's, the generator's."""
        return (
            objectives.discriminator_phase(self.game, self.discriminator, self.discriminator_loss),
            Phase("encoder", ("encoder", "family"), self.encoder_loss),
            Phase("generator", ("generator",), self.generator_loss),
        )

    def discriminator_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of D on x, and the mean of those on samples and on reconstructions."""
        real = iteration.real
        with torch.no_grad():
            again = self.generate(self.posterior(real).rsample())
        step = iteration.step
        sampled = objectives.discriminator_loss(
            self.game, self.discriminator, real, iteration.fake_detached, step
        )
        rebuilt = objectives.discriminator_loss(self.game, self.discriminator, real, again, step)
        terms = {name: (sampled.terms[name] + rebuilt.terms[name]) / 2 for name in sampled.terms}
        return PhaseLoss((sampled.total + rebuilt.total) / 2, terms)

    def encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """L_prior and L_like."""
        posterior = self.posterior(iteration.real)
        like = self._apart(iteration.real, self.generate(posterior.rsample()))
        prior = kl_to_standard_normal(posterior).mean() / iteration.z.shape[1]
        return PhaseLoss(like + self.beta * prior, {"features": like.detach(), "kl": prior.detach()})

    def generator_loss(self, iteration: Iteration) -> PhaseLoss:
        """L_like, and the game's loss of samples and of reconstructions."""
        real, critic = iteration.real, self.discriminator
        with torch.no_grad():
            z = self.posterior(real).rsample()
        again = self.generate(z)
        sampled = objectives.generator_loss(self.game, critic, critic(iteration.fake), lambda: real)
        rebuilt = objectives.generator_loss(self.game, critic, critic(again), lambda: real)
        like = self._apart(real, again)
        loss = (sampled + rebuilt) / 2
        return PhaseLoss(self.gamma * like + loss, {"loss": loss.detach(), "features": like.detach()})

    def _apart(self, x: Tensor, again: Tensor) -> Tensor:
        features = self.discriminator.features
        return 0.5 * (features(x) - features(again)).square().mean()


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the method."""
    return [VAEGAN]
