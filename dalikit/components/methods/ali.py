"""Adversarially Learned Inference, and BiGAN.

min over G, E, max over D:  E_q(x) q(z|x) [log s(D(x, z))] + E_p(z) [log(1 - s(D(G(z), z)))]

One discriminator on pairs: (x, E(x)) are real, (G(z), z) generated; at its optimum the joint distributions of
encoder and generator are equal. Here the game is any; both sides of it are moved, for at the value's own
generator loss an encoder would learn nothing where D is sure.

Source: Dumoulin et al. 2016, "Adversarially Learned Inference", sections 2.2 to 2.4; Donahue et al. 2016,
"Adversarial Feature Learning" (BiGAN: the encoder deterministic), section 3.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dalikit import objectives
from dalikit.hookspecs import hookimpl
from dalikit.interfaces import (
    AdversarialGame,
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


class ALI(InferringMethod):
    """A discriminator on data and codes together; the encoder has a trunk of its own.

    Args:
        deterministic: take the posterior's code for E(x), as BiGAN does, in place of a draw from it.
    """

    name = "ali"

    def __init__(
        self,
        generator: Generator,
        discriminator: JointDiscriminator,
        encoder: Encoder,
        family: Posterior,
        game: AdversarialGame,
        /,
        *,
        deterministic: bool = False,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.encoder = encoder
        self.family = family
        self.game = game
        self.deterministic = deterministic

    @classmethod
    def roles(cls, **params: Any) -> dict[str, Role]:
        """A generator, a discriminator on pairs, an encoder on data, its posterior's family, and the game."""
        return {
            "generator": Role("generator", on="z"),
            "discriminator": Role("discriminator", on="xz"),
            "encoder": Role("encoder", on="x"),
            "family": Role("posterior", on="z"),
            "game": Role("game"),
        }

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step, then the joint step of generator and encoder."""
        return (
            objectives.discriminator_phase(self.game, self.discriminator, self.discriminator_loss),
            Phase("generator+encoder", ("generator", "encoder", "family"), self.generator_encoder_loss),
        )

    def discriminator_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of D: inferred pairs first, as real, then generated ones."""
        with torch.no_grad():
            inferred = self.discriminator.pairs(iteration.real, self.inferred(iteration.real))
        generated = self.discriminator.pairs(iteration.fake_detached, iteration.z)
        return objectives.discriminator_loss(
            self.game, self.discriminator, inferred, generated, iteration.step
        )

    def generator_encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's joint loss of both kinds of pairs, with the updated D."""
        inferred = self.discriminator.pairs(iteration.real, self.inferred(iteration.real))
        generated = self.discriminator.pairs(iteration.fake, iteration.z)
        loss = self.game.joint(self.discriminator(inferred), self.discriminator(generated)).mean()
        return PhaseLoss(loss, {"loss": loss.detach()})

    def inferred(self, x: Tensor) -> Tensor:
        """E(x) (B, Z): a draw from q(z|x) with a gradient, or its code."""
        posterior = self.posterior(x)
        return self.family.code(posterior) if self.deterministic else posterior.rsample()


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the method."""
    return [ALI]
