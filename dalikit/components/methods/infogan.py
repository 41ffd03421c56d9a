"""InfoGAN with continuous codes: a GAN that must keep part of z readable in what it generates.

    min over G, Q, max over D:  V(D, G) - λ L_I(G, Q),   L_I = E_z [ log Q(c | G(z)) ] + H(c)              (6)

The first `codes` entries of z are the code c, the others noise; L_I is a lower bound of the mutual
information of c and G(z), H(c) a constant. Q is a Gaussian with independent entries on D's features: in the
paper D and Q share all layers but the last. There L_I moves those layers too; here it moves G and Q's own
alone, as in DALI. The paper draws continuous codes uniformly; here they are normal, like all of z.

Source: Chen et al. 2016, "InfoGAN: Interpretable Representation Learning by Information Maximizing Generative
Adversarial Nets", sections 4 to 6.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from dalikit import objectives
from dalikit.errors import UnfitError
from dalikit.hookspecs import hookimpl
from dalikit.interfaces import (
    AdversarialGame,
    Discriminator,
    Encoder,
    Generator,
    Iteration,
    Method,
    Phase,
    PhaseLoss,
    Posterior,
    Role,
)

DALIKIT_API = 1


class InfoGAN(Method):
    """A GAN with any game, and Q with the mean and the spread of any posterior's first entries.

    Args:
        codes: how many entries of z are the code.
        lam: λ in units of 1/codes.

    Raises:
        UnfitError: z has fewer entries than `codes`.
    """

    name = "infogan"
    infers = True

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        encoder: Encoder,
        family: Posterior,
        game: AdversarialGame,
        /,
        *,
        codes: Annotated[int, Field(ge=1)] = 2,
        lam: Annotated[float, Field(ge=0)] = 0.1,
    ) -> None:
        super().__init__()
        if codes > generator.latent_size:
            raise UnfitError(f"method 'infogan': codes={codes}, but z has {generator.latent_size} entries")
        self.generator = generator
        self.discriminator = discriminator
        self.encoder = encoder
        self.family = family
        self.game = game
        self.codes = codes
        self.lam = lam

    @classmethod
    def roles(cls, **params: Any) -> dict[str, Role]:
        """A generator, a discriminator, Q as an encoder on its features, its family, and the game."""
        return {
            "generator": Role("generator", on="z"),
            "discriminator": Role("discriminator"),
            "encoder": Role("encoder", on="h"),
            "family": Role("posterior", on="z"),
            "game": Role("game"),
        }

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step, then the joint step of generator and Q."""
        return (
            objectives.discriminator_phase(self.game, self.discriminator, self.discriminator_loss),
            Phase("generator+encoder", ("generator", "encoder", "family"), self.generator_encoder_loss),
        )

    def discriminator_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of D, and its penalty."""
        real, fake = iteration.real, iteration.fake_detached
        return objectives.discriminator_loss(self.game, self.discriminator, real, fake, iteration.step)

    def generator_encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of G, and λ times -log Q(c | G(z))."""
        h = self.discriminator.features(iteration.fake)
        logits = self.discriminator.head(h)
        adversarial = objectives.generator_loss(self.game, self.discriminator, logits, lambda: iteration.real)
        mean, spread = self._moments(h)
        code = iteration.z[:, : self.codes]
        nll = -Normal(mean, spread, validate_args=False).log_prob(code).sum(1).mean()
        total = adversarial + self.lam / self.codes * nll
        return PhaseLoss(total, {"loss": adversarial.detach(), "nll": nll.detach()})

    def posterior(self, x: Tensor) -> Distribution:
        """q(z|x) for x (B, *X): Q on the code, and on the noise, which nobody reads, the prior."""
        mean, spread = self._moments(self.discriminator.features(x))
        noise = self.generator.latent_size - self.codes
        mean = torch.cat([mean, mean.new_zeros(len(mean), noise)], 1)
        spread = torch.cat([spread, spread.new_ones(len(spread), noise)], 1)
        return Independent(Normal(mean, spread, validate_args=False), 1, validate_args=False)

    def _moments(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (B, codes) of Q(c|x), from features h (B, *H)."""
        family = self.family(*self.encoder(h))
        return family.mean[:, : self.codes], family.stddev[:, : self.codes]


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the method."""
    return [InfoGAN]
