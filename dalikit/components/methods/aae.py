"""Adversarial autoencoders: an autoencoder whose codes, taken together, an adversary shapes into the prior.

    reconstruction:  E, G minimise  λ·mean (x - G(z))²,  z ~ q(z|x)
    regularisation:  D plays the game on codes, prior draws being real, z ~ q(z|x) generated; then E does

The game sees the aggregated posterior q(z) = E_x q(z|x), where a variational autoencoder's KL sees each
q(z|x) by itself.

Source: Makhzani et al. 2015, "Adversarial Autoencoders", section 2.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
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
from dalikit.players.composed import CodeDiscriminator

DALIKIT_API = 1


class AAE(InferringMethod):
    """An autoencoder, its decoder being the generator, and a discriminator on codes; any game.

    Args:
        lam: λ. The paper's phases have an optimizer each; here two share the encoder's, in which the larger
            gradient rules.
        deterministic: take the posterior's code for z, the paper's first choice, in place of a draw from it.
    """

    name = "aae"

    def __init__(
        self,
        generator: Generator,
        discriminator: CodeDiscriminator,
        encoder: Encoder,
        family: Posterior,
        game: AdversarialGame,
        /,
        *,
        lam: Annotated[float, Field(gt=0)] = 1.0,
        deterministic: bool = False,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.encoder = encoder
        self.family = family
        self.game = game
        self.lam = lam
        self.deterministic = deterministic

    @classmethod
    def roles(cls, **params: Any) -> dict[str, Role]:
        """A generator, a discriminator on codes, an encoder on data, its posterior's family, and the game."""
        return {
            "generator": Role("generator", on="z"),
            "discriminator": Role("discriminator", on="z"),
            "encoder": Role("encoder", on="x"),
            "family": Role("posterior", on="z"),
            "game": Role("game"),
        }

    def phases(self) -> Sequence[Phase]:
        """The autoencoder's step, the discriminator's, the encoder's."""
        return (
            Phase("autoencoder", ("generator", "encoder", "family"), self.reconstruction_loss),
            objectives.discriminator_phase(self.game, self.discriminator, self.discriminator_loss),
            Phase("encoder", ("encoder", "family"), self.encoder_loss),
        )

    def reconstruction_loss(self, iteration: Iteration) -> PhaseLoss:
        """λ times the mean squared error of G(z) against x."""
        again = self.generate(self.inferred(iteration.real))
        loss = (again - iteration.real).square().mean()
        return PhaseLoss(self.lam * loss, {"loss": loss.detach()})

    def discriminator_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of D on codes: the prior's, then inferred ones."""
        with torch.no_grad():
            inferred = self.inferred(iteration.real)
        return objectives.discriminator_loss(
            self.game, self.discriminator, iteration.z, inferred, iteration.step
        )

    def encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of E, which generates codes, with the updated D."""
        logits = self.discriminator(self.inferred(iteration.real))
        loss = objectives.generator_loss(self.game, self.discriminator, logits, lambda: iteration.z)
        return PhaseLoss(loss, {"loss": loss.detach()})

    def inferred(self, x: Tensor) -> Tensor:
        """z (B, Z): a draw from q(z|x) with a gradient, or its code."""
        posterior = self.posterior(x)
        return self.family.code(posterior) if self.deterministic else posterior.rsample()


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the method."""
    return [AAE]
